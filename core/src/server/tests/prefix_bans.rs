//! A prefix is kept out for a while: whoever is there leaves, and nobody comes in or back from there.

use core::net::SocketAddr;

use crate::lifecycle::{Cause, DisconnectReason};
use crate::{DropReason, Prefix, SessionState, Timestamp, Verdict};

use super::harness::{Harness, client_address, framed_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;
const CARL: u64 = 33;

/// The /24 of all addresses of [`client_address`].
fn prefix() -> Prefix {
    Prefix::new(client_address(1).ip(), 24).unwrap()
}

fn elsewhere(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn ban(server: &mut Harness, until: Timestamp) {
    server.call(|manager, now| manager.ban_prefix(now, prefix(), until)).unwrap();
}

/// A player whose address is elsewhere.
fn player_elsewhere(server: &mut Harness, client_id: u64) -> Peer {
    let mut peer = server.player(client_id, 1);
    let ticket = peer.unspent_tickets().remove(0);
    peer.change_path(ticket, elsewhere(1));
    server.enter(&mut peer);
    peer
}

fn is_ignored(server: &mut Harness, mut peer: Peer) -> bool {
    let request = peer.request();
    let verdict = server.talk(&mut peer, &request);
    assert_eq!(peer.challenge.is_some(), verdict == Verdict::Answered);
    assert_eq!(peer.denials, 0);
    verdict == Verdict::Dropped(DropReason::PrefixBanned)
}

#[test]
fn sessions_of_a_banned_prefix_end_and_are_told_and_those_of_others_go_on() {
    let mut server = Harness::framed();
    let mut ben = player_elsewhere(&mut server, BEN);
    let mut anna = server.player(ANNA, 1);
    let mut carl = server.player(CARL, 3);
    // Away, with a path that was there.
    server.live(&mut [&mut anna, &mut ben], 12_000);
    assert_eq!(server.state_of(CARL), Some(SessionState::ReconnectPending));

    ban(&mut server, Timestamp::NEVER);

    for client_id in [ANNA, CARL] {
        assert_eq!(server.last_of(client_id).cause, Cause::Ended(DisconnectReason::Banned));
    }
    server.listen(&mut anna);
    server.listen(&mut carl);
    assert_eq!((anna.goodbyes().is_empty(), carl.goodbyes().is_empty()), (false, false));
    server.beat(&mut ben);
    server.close();
}

#[test]
fn nobody_comes_in_or_back_from_there_until_the_ban_ends() {
    let mut server = Harness::framed();
    let ben = player_elsewhere(&mut server, BEN);
    let ends_at = server.now.plus_millis(5_000);
    ban(&mut server, ends_at);
    let returner = Peer::new(ben.unspent_tickets().remove(0), client_address(3));
    let newcomer = server.newcomer(ANNA, 4);
    let unspoilt = server.newcomer(CARL, 5);

    assert!(is_ignored(&mut server, returner));
    assert!(is_ignored(&mut server, newcomer));
    server.advance(5_000);

    assert!(!is_ignored(&mut server, unspoilt));
    server.close();
}

#[test]
fn a_ban_that_is_lifted_is_over_and_another_one_of_the_same_addresses_is_not() {
    let mut server = Harness::framed();
    let single = Prefix::new(client_address(1).ip(), 32).unwrap();
    ban(&mut server, Timestamp::NEVER);
    server.call(|manager, now| manager.ban_prefix(now, single, Timestamp::NEVER)).unwrap();

    server.call(|manager, _| manager.lift_prefix_ban(prefix()));
    let anna = server.newcomer(ANNA, 1);
    assert!(is_ignored(&mut server, anna));

    server.call(|manager, _| manager.lift_prefix_ban(single));
    server.player(ANNA, 2);
    server.close();
}

#[test]
fn handshakes_that_were_under_way_come_to_nothing_and_their_sessions_stay() {
    let mut server = Harness::framed();
    let mut ben = player_elsewhere(&mut server, BEN);
    let mut newcomer = server.newcomer(ANNA, 4);
    let request = newcomer.request();
    server.talk(&mut newcomer, &request);
    let mut tickets = ben.unspent_tickets().into_iter();
    let mut next = |port| Peer::new(tickets.next().unwrap(), client_address(port));
    let (mut complete, mut challenged) = (next(5), next(6));
    server.shake_hands(&mut complete);
    let request = challenged.request();
    server.talk(&mut challenged, &request);

    ban(&mut server, Timestamp::NEVER);

    let hello = complete.hello();
    assert_eq!(server.take(complete.address, &hello), Verdict::Dropped(DropReason::UnknownAddress));
    let response = challenged.response();
    assert_eq!(server.take(challenged.address, &response), Verdict::Dropped(DropReason::ResponseUnexpected));
    let response = newcomer.response();
    assert_eq!(server.talk(&mut newcomer, &response), Verdict::Dropped(DropReason::PrefixBanned));
    server.beat(&mut ben);
    assert_eq!(server.state_of(BEN), Some(SessionState::LoggedIn));
    server.close();
}

#[test]
fn what_a_banned_prefix_asks_costs_the_others_nothing() {
    let config =
        crate::Config { unproved_opens_per_s: 1_000, unproved_opens_burst: 1_024, ..framed_config() };
    let mut server = Harness::new(config);
    ban(&mut server, Timestamp::NEVER);
    let request = server.newcomer(ANNA, 1).request();
    for port in 1_000..2_000 {
        let verdict = server.read(client_address(port), &request);
        assert_eq!(verdict, Verdict::Dropped(DropReason::PrefixBanned));
    }

    let ben = Peer::new(server.newcomer(BEN, 2).ticket, elsewhere(2));
    for _ in 0..60 {
        assert_eq!(server.read(ben.address, &ben.request()), Verdict::Answered);
    }
}

#[test]
fn bans_of_prefixes_are_bounded_and_reckoned() {
    let mut server = Harness::new(crate::Config { prefix_bans_max: 50, ..framed_config() });
    for number in 0..100 {
        let prefix = Prefix::new(SocketAddr::from(([10, number, 0, 0], 1)).ip(), 16).unwrap();
        let banned = server.measured(|manager, now| manager.ban_prefix(now, prefix, Timestamp::NEVER));
        assert_eq!(banned.is_ok(), number < 50);
    }
    server.check_reckoning(1_000);
    server.close();
}
