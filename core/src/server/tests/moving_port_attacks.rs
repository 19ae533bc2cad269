//! Those who would like a session to follow them, or to keep a server busy with following.

use crate::lifecycle::{DisconnectReason, SessionState as State};
use crate::{Config, DropReason, Verdict};
use core::net::SocketAddr;

use super::harness::{Harness, client_address, framed_config};
use super::moving_port::{answer_newest, appear_at, move_port, moves, near_player};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;
const ANSWER_MS: u64 = 500;
const UNKNOWN: Verdict = Verdict::Dropped(DropReason::UnknownAddress);

fn trials(server: &Harness) -> u64 {
    server.manager.counters().path_trials
}

/// A relay at `port` that brings each packet of a player before the player's own arrives, and whatever is sent there to the player.
fn relayed(server: &mut Harness, peer: &mut Peer, port: u16, datagram: &[u8]) {
    server.take(client_address(port), datagram);
    assert_eq!(server.take(peer.address, datagram), Verdict::Dropped(DropReason::Replayed));
    server.inbox(client_address(port)).into_iter().for_each(|datagram| peer.hear(datagram));
    server.listen(peer);
}

#[test]
fn a_relay_that_is_always_first_never_takes_a_session_whose_player_hears_and_asks_ever_more_rarely() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let mut answered = 0;
    for _ in 0..600 {
        let heartbeat = anna.long_heartbeat();
        relayed(&mut server, &mut anna, 9, &heartbeat);
        // It answers what it hears, the relay's challenge first, and the relay brings the answers as well.
        let mut challenges = anna.path_challenges().split_off(answered);
        answered += challenges.len();
        challenges.sort_unstable();
        for value in challenges {
            let response = anna.path_response(value);
            relayed(&mut server, &mut anna, 9, &response);
        }
        server.advance(100);
    }
    assert_eq!(moves(&server), []);
    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    assert_eq!(trials(&server), 6, "after 0, 1, 3, 7, 15 and 31 seconds");
    server.close();
}

#[test]
fn a_relay_that_changes_its_port_asks_no_more_often() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    for port in 100..300 {
        copied(&mut server, &mut anna, port);
        server.advance(100);
    }
    assert!(trials(&server) <= 5, "{}", trials(&server));
    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    server.close();
}

/// Brings the server a packet of a player from `port`; the player answers what it is asked on its path.
fn copied(server: &mut Harness, peer: &mut Peer, port: u16) {
    let heartbeat = peer.long_heartbeat();
    server.take(client_address(port), &heartbeat);
    server.listen(peer);
    if let Some(&value) = peer.path_challenges().last() {
        let response = peer.path_response(value);
        server.talk(peer, &response);
    }
}

#[test]
fn a_relay_of_two_players_at_one_port_asks_each_no_more_often() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let mut ben = near_player(&mut server, BEN, 2);
    for _ in 0..300 {
        copied(&mut server, &mut anna, 9);
        copied(&mut server, &mut ben, 9);
        server.advance(100);
    }
    // Of each after 0, 1, 3, 7 and 15 seconds.
    assert!((4..=10).contains(&trials(&server)), "{}", trials(&server));
    assert_eq!(moves(&server), []);
    server.close();
}

#[test]
fn a_relay_that_has_a_session_of_its_own_where_it_is_asks_no_more_often() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let mut relay = server.player(BEN, 2);
    for port in 100..250 {
        copied(&mut server, &mut anna, port);
        server.resume(&mut relay, port);
        server.advance(100);
    }
    assert!((2..=5).contains(&trials(&server)), "{}", trials(&server));
    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    server.close();
}

#[test]
fn who_can_copy_but_not_deliver_wins_nothing_even_where_the_old_path_is_dead() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    for _ in 0..40 {
        // Both answers are swallowed.
        let heartbeat = anna.long_heartbeat();
        server.take(client_address(9), &heartbeat);
        server.advance(250);
    }
    assert_eq!((moves(&server), server.session_of(ANNA).address()), ([].into(), client_address(1)));
    server.close();
}

#[test]
fn who_holds_both_ways_is_the_path_and_loses_the_session_as_soon_as_the_player_is_heard_again() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    move_port(&mut server, &mut anna, 9);
    server.advance(ANSWER_MS);
    assert_eq!(server.session_of(ANNA).address(), client_address(9));

    move_port(&mut server, &mut anna, 1);
    server.advance(ANSWER_MS);

    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    server.close();
}

#[test]
fn recorded_packets_and_sequences_out_of_range_start_nothing() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let (held_back, recorded) = (anna.heartbeat(), anna.heartbeat());
    server.talk(&mut anna, &recorded);
    for datagram in [recorded, held_back] {
        assert_eq!(server.take(client_address(9), &datagram), UNKNOWN);
    }
    let newest = anna.sequence - 1;
    anna.sequence = newest + 1_025;
    let too_far = anna.heartbeat();
    assert_eq!(server.take(client_address(9), &too_far), UNKNOWN);
    let disconnect = anna.disconnect();
    assert_eq!(server.take(client_address(9), &disconnect), UNKNOWN);
    assert_eq!(trials(&server), 0);

    anna.sequence = newest + 1_024;
    let far = anna.long_heartbeat();
    assert!(matches!(server.take(client_address(9), &far), Verdict::Accepted(_)));
    assert_eq!(trials(&server), 1);
    server.close();
}

#[test]
fn another_ip_address_is_never_followed() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let heartbeat = anna.heartbeat();
    assert_eq!(server.take(SocketAddr::from(([198, 51, 100, 8], 1)), &heartbeat), UNKNOWN);
    assert_eq!(trials(&server), 0);
    server.close();
}

#[test]
fn a_packet_too_short_for_a_challenge_begins_no_question_until_more_has_come() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let keep_alive = anna.keep_alive();
    assert!(matches!(server.take(client_address(9), &keep_alive), Verdict::Accepted(_)));
    assert_eq!((server.inbox(client_address(9)).len(), trials(&server)), (0, 0));

    let keep_alive = anna.keep_alive();
    server.take(client_address(9), &keep_alive);

    let bytes: usize = server.inbox(client_address(9)).iter().map(alloc::vec::Vec::len).sum();
    assert_eq!(trials(&server), 1);
    assert!((26..52).contains(&bytes), "{bytes}");
    server.advance(400);
    assert_eq!(server.inbox(client_address(9)).len(), 0, "it paid for one");
    server.close();
}

#[test]
fn junk_uses_up_the_budget_of_its_own_ip_address_and_that_comes_back() {
    let mut server = Harness::new(Config { port_searches_per_s: 400, ..framed_config() });
    let mut anna = near_player(&mut server, ANNA, 1);
    let mut junk = anna.heartbeat();
    *junk.last_mut().unwrap() ^= 1;
    let verdicts: alloc::vec::Vec<_> =
        (100..200).map(|port| server.take(client_address(port), &junk)).collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == UNKNOWN).count(), 50, "two units each");
    assert_eq!(verdicts.last(), Some(&Verdict::Dropped(DropReason::SearchesSpent)));

    server.advance(1_000);
    move_port(&mut server, &mut anna, 2);
    server.advance(ANSWER_MS);

    assert_eq!(moves(&server).len(), 1);
    server.close();
}

#[test]
fn what_does_not_open_at_a_port_on_trial_is_not_tried_on_the_same_session_again() {
    let mut server = Harness::new(Config { port_searches_per_s: 400, ..framed_config() });
    let mut anna = near_player(&mut server, ANNA, 1);
    appear_at(&mut server, &mut anna, 9);
    server.advance(1_000);
    let mut junk = anna.heartbeat();
    *junk.last_mut().unwrap() ^= 1;

    let verdicts = [(); 150].map(|()| server.take(client_address(9), &junk));

    let unopened = verdicts.iter().filter(|verdict| **verdict == Verdict::Dropped(DropReason::Unopened));
    assert_eq!(unopened.count(), 100, "a search each, and no try");
    server.close();
}

#[test]
fn raw_clients_and_key_epochs_that_are_opening_are_not_followed() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let keep_alive = anna.keep_alive();
    assert_eq!(server.take(client_address(2), &keep_alive), UNKNOWN);
    server.close();

    let mut server = Harness::framed();
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);
    let hello = anna.hello();
    server.talk(&mut anna, &hello);
    let heartbeat = anna.heartbeat();
    assert_eq!(server.take(client_address(2), &heartbeat), UNKNOWN, "the welcome is not answered yet");
    server.close();
}

#[test]
fn a_newcomer_who_is_confirmed_at_a_port_on_trial_ends_the_trial() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    move_port(&mut server, &mut anna, 2);

    let _ben = server.player(BEN, 2);
    server.advance(ANSWER_MS);

    assert_eq!(moves(&server), []);
    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    assert_eq!(server.session_of(BEN).address(), client_address(2));
    assert_eq!(server.state_of(BEN), Some(State::LoggedIn), "nobody who is confirmed is displaced");
    server.close();
}

#[test]
fn a_newcomer_who_waits_at_a_port_on_trial_can_be_confirmed_after_the_move() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    appear_at(&mut server, &mut anna, 2);
    answer_newest(&mut server, &mut anna);
    let mut ben = server.newcomer(BEN, 2);
    server.shake_hands(&mut ben);
    server.advance(ANSWER_MS);
    assert_eq!(server.session_of(ANNA).address(), client_address(2));

    let hello = ben.hello();
    assert!(matches!(server.talk(&mut ben, &hello), Verdict::Accepted(_)));

    assert_eq!(server.session_of(BEN).address(), client_address(2));
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn a_way_back_and_an_end_take_the_trial_with_them() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    appear_at(&mut server, &mut anna, 2);
    server.resume(&mut anna, 2);
    server.advance(ANSWER_MS);
    assert_eq!((moves(&server), server.session_of(ANNA).address()), ([].into(), client_address(2)));

    server.beat(&mut anna);
    appear_at(&mut server, &mut anna, 3);
    assert_eq!(trials(&server), 2);
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.disconnect(now, id, 7, b"")).unwrap();

    assert_eq!(server.manager.directory.len(), (0, 0));
    server.close();
}

#[test]
fn a_disconnect_of_the_player_s_own_counts_from_its_port_on_trial_as_on_its_path() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    appear_at(&mut server, &mut anna, 2);
    let disconnect = anna.disconnect();
    server.talk(&mut anna, &disconnect);
    let reason = server.last_of(ANNA).cause;
    assert_eq!(reason, crate::lifecycle::Cause::Ended(DisconnectReason::PeerLeft));
    server.close();
}
