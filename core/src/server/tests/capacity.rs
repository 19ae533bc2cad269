//! A full house: who is let in, and who gives its place up for that.

use alloc::vec;
use alloc::vec::Vec;

use crate::lifecycle::{Cause, DisconnectReason, SessionState as State};
use crate::{AtCapacity, Config, DenyReason, Verdict};

use super::harness::{Harness, client_address, framed_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;
const CARL: u64 = 33;

/// A house with two places, and two players in it.
fn full_house(at_capacity: AtCapacity) -> (Harness, Peer, Peer) {
    let config = Config { sessions_max: 2, handshakes_max: 8, at_capacity, ..framed_config() };
    let mut server = Harness::new(config);
    let anna = server.player(ANNA, 1);
    let ben = server.player(BEN, 2);
    (server, anna, ben)
}

/// Both players are away, Anna for longer.
fn deserted_house(at_capacity: AtCapacity) -> (Harness, Peer, Peer) {
    let (mut server, anna, mut ben) = full_house(at_capacity);
    server.live(&mut [&mut ben], 3_000);
    server.advance(10_000);
    assert_eq!([ANNA, BEN].map(|client| server.state_of(client)), [Some(State::ReconnectPending); 2]);
    (server, anna, ben)
}

fn denied_full(server: &Harness) -> u64 {
    server.manager.counters().denied(DenyReason::Full)
}

/// Whether somebody who asks and answers is let in.
fn tries_to_enter(server: &mut Harness, client_id: u64, port: u16) -> bool {
    let mut peer = server.newcomer(client_id, port);
    let request = peer.request();
    server.talk(&mut peer, &request);
    if peer.challenge.is_some() {
        let response = peer.response();
        server.talk(&mut peer, &response);
    }
    server.state_of(client_id).is_some()
}

#[test]
fn a_newcomer_gets_the_place_of_whoever_has_been_away_the_longest_once_it_has_proved_itself() {
    let (mut server, mut anna, _ben) = deserted_house(AtCapacity::GiveUpLongestAway);
    let mut carl = server.newcomer(CARL, 3);

    let request = carl.request();
    server.talk(&mut carl, &request);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending), "a request ends nobody");
    let response = carl.response();
    server.talk(&mut carl, &response);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::PlaceGivenUp));
    assert_eq!(server.state_of(BEN), Some(State::ReconnectPending));
    assert_eq!(server.state_of(CARL), Some(State::TransportConnected));
    server.listen(&mut anna);
    assert_eq!(anna.goodbyes(), [(8, vec![])]);
    assert_eq!(denied_full(&server), 0);
    server.close();
}

#[test]
fn whoever_is_in_the_game_keeps_its_place() {
    let (mut server, mut anna, mut ben) = full_house(AtCapacity::GiveUpLongestAway);

    assert!(!tries_to_enter(&mut server, CARL, 3));

    assert_eq!(denied_full(&server), 1);
    server.live(&mut [&mut anna, &mut ben], 1_000);
    assert_eq!([ANNA, BEN].map(|client| server.state_of(client)), [Some(State::LoggedIn); 2]);
    server.close();
}

#[test]
fn whoever_is_on_the_way_back_keeps_its_place_and_the_next_one_gives_its_up() {
    let (mut server, mut anna, mut ben) = deserted_house(AtCapacity::GiveUpLongestAway);
    anna.begin_resume(client_address(5));
    server.shake_hands(&mut anna);
    assert_eq!(server.state_of(ANNA), Some(State::Reconnecting));

    assert!(tries_to_enter(&mut server, CARL, 3));

    assert_eq!(server.last_of(BEN).cause, Cause::Ended(DisconnectReason::PlaceGivenUp));
    assert!(!tries_to_enter(&mut server, 44, 4), "Anna is on her way, and Carl has not logged in");
    server.listen(&mut ben);
    server.close();
}

#[test]
fn whoever_logs_in_anew_while_away_keeps_its_place_until_that_fails() {
    let (mut server, _anna, _ben) = deserted_house(AtCapacity::GiveUpLongestAway);
    assert!(tries_to_enter(&mut server, ANNA, 5), "Anna has another token of the backend");
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));

    assert!(tries_to_enter(&mut server, CARL, 3));

    assert_eq!(server.last_of(BEN).cause, Cause::Ended(DisconnectReason::PlaceGivenUp));
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.advance(10_500);
    assert!((44..46).all(|client_id| tries_to_enter(&mut server, client_id.into(), client_id)));
    assert_eq!(server.state_of(ANNA), None, "her handshake was never confirmed");
    server.close();
}

#[test]
fn a_way_back_that_fails_does_not_make_a_session_wait_anew() {
    let (mut server, mut anna, _ben) = deserted_house(AtCapacity::GiveUpLongestAway);
    anna.begin_resume(client_address(5));
    server.shake_hands(&mut anna);
    server.advance(10_500);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));

    assert!(tries_to_enter(&mut server, CARL, 3));

    assert_eq!(server.state_of(ANNA), None, "Anna has been away the longest all the same");
    assert_eq!(server.state_of(BEN), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn by_default_nobody_gives_a_place_up() {
    let (mut server, _anna, _ben) = deserted_house(AtCapacity::Deny);

    assert!(!tries_to_enter(&mut server, CARL, 3));

    assert_eq!(denied_full(&server), 1);
    assert_eq!([ANNA, BEN].map(|client| server.state_of(client)), [Some(State::ReconnectPending); 2]);
    server.close();
}

#[test]
fn who_comes_back_while_a_newcomer_proves_itself_keeps_its_place() {
    let (mut server, mut anna, mut ben) = deserted_house(AtCapacity::GiveUpLongestAway);
    let mut carl = server.newcomer(CARL, 3);
    let request = carl.request();
    server.talk(&mut carl, &request);
    server.beat(&mut anna);
    server.beat(&mut ben);

    let response = carl.response();
    assert_eq!(server.talk(&mut carl, &response), Verdict::Answered);

    assert_eq!(denied_full(&server), 1);
    assert_eq!([ANNA, BEN].map(|client| server.state_of(client)), [Some(State::LoggedIn); 2]);
    assert_eq!(server.state_of(CARL), None);
    server.close();
}

#[test]
fn ends_that_the_host_has_not_seen_take_no_more_slots_than_there_is_memory_for() {
    let (mut server, _anna, _ben) = deserted_house(AtCapacity::GiveUpLongestAway);
    let mut newcomers: Vec<_> = (3..8).map(|port| server.newcomer(u64::from(port), port)).collect();
    for newcomer in &mut newcomers {
        let request = newcomer.request();
        server.talk(newcomer, &request);
    }

    for newcomer in &mut newcomers {
        let response = newcomer.response();
        server.read(newcomer.address, &response);
        server.check_memory();
        assert!(server.manager.len() <= 2);
    }

    assert_eq!(denied_full(&server), 3, "two gave their places up, and nobody else is away");
    server.settle();
    server.close();
}
