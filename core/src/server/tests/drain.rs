//! A server that takes its leave: who is told what, who is let in, and when it is over.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use crate::link::frame::Draining;
use crate::{
    Config, DeadlineCause, DenyReason, Drain, DrainError, DrainState, DuplicateIdentity, Event,
    MultiSessionManager, Timestamp, Verdict,
};

use super::harness::{Harness, client_address, framed_config, token_login_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;

fn elsewhere() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 2], 40_001))
}

/// Half a minute, with all there is to tell.
fn half_a_minute() -> Drain {
    Drain { within_ms: Some(30_000), code: 7, other_address: Some(elsewhere()) }
}

fn drain(server: &mut Harness, drain: Drain) {
    server.call(|manager, now| manager.drain(now, drain)).unwrap();
}

/// When it was told that nobody is left, and how many the server itself ended.
fn drained(server: &Harness) -> Vec<(Timestamp, u32)> {
    let drained = |(event, _): &(Event, _)| match event {
        Event::Drained { at, ended } => Some((*at, *ended)),
        _ => None,
    };
    server.events.iter().filter_map(drained).collect()
}

/// Which announcements a peer was told of, as often as it was.
fn announcements(peer: &Peer) -> Vec<u64> {
    peer.drainings().iter().map(|draining| draining.announcement).collect()
}

#[test]
fn a_draining_server_denies_new_identities_and_lets_players_come_back() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    drain(&mut server, Drain::default());
    let mut ben = server.newcomer(BEN, 2);

    let request = ben.request();
    server.talk(&mut ben, &request);
    server.resume(&mut anna, 3);

    assert_eq!(ben.denials, 1);
    assert_eq!(server.manager.counters().denied(DenyReason::Draining), 1);
    assert_eq!(server.id_of(ANNA), id);
    server.close();
}

#[test]
fn who_was_challenged_before_the_drain_is_denied_by_it() {
    let mut server = Harness::framed();
    let _anna = server.player(ANNA, 1);
    let mut ben = server.newcomer(BEN, 2);
    let request = ben.request();
    server.talk(&mut ben, &request);

    drain(&mut server, Drain::default());
    let response = ben.response();
    server.talk(&mut ben, &response);

    assert_eq!((ben.denials, server.state_of(BEN)), (1, None));
    server.close();
}

#[test]
fn p80_everybody_is_told_why_for_how_long_and_where_to_go() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut ben = server.guest(BEN, 2);

    drain(&mut server, half_a_minute());
    server.listen(&mut anna);
    server.listen(&mut ben);

    let told =
        Draining { announcement: 1, code: 7, remaining_ms: Some(30_000), other_address: Some(elsewhere()) };
    assert_eq!(anna.drainings(), [told]);
    assert_eq!(ben.drainings(), [told], "who has not logged in may spare itself that");
    let state = DrainState::Draining {
        deadline: Some(server.now.plus_millis(30_000)),
        code: 7,
        other_address: Some(elsewhere()),
    };
    assert_eq!(server.manager.drain_state(), state);
    server.close();
}

#[test]
fn p80_what_is_lost_is_told_again_with_the_time_that_is_left_then() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    drain(&mut server, half_a_minute());
    assert!(!server.inbox(anna.address).is_empty(), "this packet is lost");

    server.advance(2_000);
    server.listen(&mut anna);

    let remaining_ms = anna.drainings().first().and_then(|draining| draining.remaining_ms);
    assert!(remaining_ms.is_some_and(|millis| (28_000..30_000).contains(&millis)), "{remaining_ms:?}");
    server.close();
}

#[test]
fn p81_each_key_epoch_begins_with_the_announcement() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut ben = server.player(BEN, 2);
    server.advance(60_000);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    drain(&mut server, half_a_minute());

    server.resume(&mut anna, 3);
    ben.lane_epoch += 1;
    server.resume(&mut ben, 4);

    assert_eq!((announcements(&anna), announcements(&ben)), ([1].to_vec(), [1].to_vec()));
    server.resume(&mut anna, 5);
    assert_eq!(announcements(&anna), [1, 1], "it cannot know what was heard of the former epoch");
    server.close();
}

#[test]
fn p81_whoever_takes_an_identity_over_is_told_too() {
    for config in [framed_config(), token_login_config()] {
        let mut server = Harness::new(config);
        let _anna = server.player(ANNA, 1);
        drain(&mut server, half_a_minute());

        let other = server.guest(ANNA, 2);

        assert_eq!(announcements(&other), [1]);
        assert_eq!((server.manager.len(), drained(&server).len()), (1, 0), "somebody is in all the time");
        server.close();
    }
}

#[test]
fn p82_the_newest_announcement_replaces_those_before() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    drain(&mut server, half_a_minute());
    server.live(&mut [&mut anna], 10_000);

    drain(&mut server, Drain { within_ms: Some(60_000), code: 8, other_address: None });
    server.live(&mut [&mut anna], 30_000);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn), "the former deadline does not count any more");
    drain(&mut server, Drain { code: 9, ..Drain::default() });
    server.live(&mut [&mut anna], 60_000);

    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn), "neither does the second");
    let told: Vec<_> =
        anna.drainings().iter().map(|told| (told.announcement, told.code, told.remaining_ms)).collect();
    assert_eq!(told, [(1, 7, Some(30_000)), (2, 8, Some(60_000)), (3, 9, None)]);
    server.close();
}

#[test]
fn p83_the_deadline_ends_whoever_is_left_and_then_it_is_over() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut ben = server.player(BEN, 2);
    let begun = server.now;
    drain(&mut server, half_a_minute());
    server.live(&mut [&mut ben], 10_000);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending), "anna is away");
    let asked_for = server.manager.poll_timeout().map(|deadline| deadline.cause);
    assert_eq!(asked_for, Some(DeadlineCause::Session));

    server.live(&mut [&mut ben], 20_000);
    server.listen(&mut anna);

    for client_id in [ANNA, BEN] {
        let last = server.last_of(client_id);
        assert_eq!((last.kind, last.cause), (Kind::Disconnected, Cause::Ended(DisconnectReason::Drained)));
        assert_eq!(last.at, begun.plus_millis(30_000));
    }
    assert_eq!(ben.goodbyes(), [(9, Vec::new())]);
    assert_eq!(anna.goodbyes(), ben.goodbyes(), "it may hear it on its lost path");
    assert_eq!(drained(&server), [(begun.plus_millis(30_000), 2)]);
    assert!(matches!(server.events.last(), Some((Event::Drained { .. }, bytes)) if bytes.is_empty()));
    server.close();
}

#[test]
fn the_deadline_of_a_drain_is_asked_for_like_any_other() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    drain(&mut server, Drain { within_ms: Some(300), ..Drain::default() });
    let keep_alive = anna.keep_alive();
    server.talk(&mut anna, &keep_alive);

    let deadlines: Vec<_> = core::iter::from_fn(|| {
        let deadline = server.manager.poll_timeout()?;
        server.now = deadline.at;
        server.settle();
        Some(deadline)
    })
    .collect();

    assert!(deadlines.iter().any(|deadline| deadline.cause == DeadlineCause::Drain), "{deadlines:?}");
    assert_eq!(drained(&server).len(), 1);
    server.close();
}

#[test]
fn it_is_over_when_the_last_one_has_left() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let _ben = server.player(BEN, 2);
    drain(&mut server, half_a_minute());

    let goodbye = anna.disconnect();
    server.talk(&mut anna, &goodbye);
    assert_eq!(drained(&server), [], "ben may come back");
    let id = server.id_of(BEN);
    server.call(|manager, now| manager.disconnect(now, id, 1, b"")).unwrap();

    assert_eq!(drained(&server), [(server.now, 0)]);
    assert_eq!(server.manager.drain_state(), DrainState::Drained);
    server.advance(60_000);
    let mut late = server.newcomer(33, 3);
    let request = late.request();
    assert_eq!(server.talk(&mut late, &request), Verdict::Answered);
    assert_eq!(late.denials, 1);
    server.close();
}

#[test]
fn a_server_that_does_not_drain_ends_nobody_for_it_even_at_the_end_of_time() {
    let mut server = Harness::framed();
    let _anna = server.player(ANNA, 1);

    for _ in 0..3 {
        server.manager.handle_timeout(Timestamp::NEVER);
    }

    let mut causes = Vec::new();
    while let Some(event) = server.manager.poll_event(&mut Vec::new()) {
        if let Event::Lifecycle(lifecycle) = event {
            causes.push(lifecycle.cause);
        }
    }
    assert!(!causes.contains(&Cause::Ended(DisconnectReason::Drained)), "{causes:?}");
}

#[test]
fn an_empty_server_is_drained_at_once_and_told_so_in_the_same_step() {
    let mut server = Harness::framed();

    server.measured(|manager, now| manager.drain(now, half_a_minute())).unwrap();
    let asked_for = server.manager.poll_timeout();
    server.drain();

    assert_eq!(asked_for.map(|deadline| deadline.at), Some(server.now));
    assert_eq!(drained(&server), [(server.now, 0)]);
    assert_eq!(server.manager.poll_timeout(), None);
    assert_eq!(
        server.call(|manager, now| manager.drain(now, half_a_minute())),
        Err(DrainError::AlreadyDrained)
    );
    server.close();
}

#[test]
fn a_shutdown_ends_a_drain_and_is_one_by_itself() {
    for is_draining in [false, true] {
        let mut server = Harness::framed();
        let mut anna = server.player(ANNA, 1);
        if is_draining {
            drain(&mut server, half_a_minute());
        }

        server.call(MultiSessionManager::shutdown);
        server.listen(&mut anna);

        assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::Shutdown));
        assert_eq!(anna.goodbyes(), [(2, Vec::new())]);
        assert_eq!(drained(&server), [(server.now, 1)]);
        server.close();
    }
}

#[test]
fn an_address_that_nobody_reaches_is_not_told() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    for address in ["0.0.0.0:40000", "[::]:40000", "203.0.113.2:0"] {
        let address = address.parse().unwrap();
        let drain = Drain { other_address: Some(address), ..Drain::default() };
        let error = DrainError::UnreachableAddress(address);
        assert_eq!(server.call(|manager, now| manager.drain(now, drain)), Err(error));
    }
    server.listen(&mut anna);
    assert_eq!((server.manager.drain_state(), anna.drainings().len()), (DrainState::Serving, 0));
    server.close();
}

#[test]
fn raw_players_are_told_nothing_and_end_with_the_deadline() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let heard = server.sent.len();
    drain(&mut server, half_a_minute());
    assert_eq!(server.sent.len(), heard);

    server.live_raw(&mut [&mut anna], 30_000);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::Drained));
    assert_eq!(drained(&server).len(), 1);
    server.close();
}

#[test]
fn a_second_login_that_is_rejected_is_rejected_for_that_during_a_drain_too() {
    let config = Config { duplicate_identity: DuplicateIdentity::Reject, ..framed_config() };
    let mut server = Harness::new(config);
    let _anna = server.player(ANNA, 1);
    drain(&mut server, Drain::default());
    let mut other = server.newcomer(ANNA, 2);
    assert_eq!(other.address, client_address(2));

    let request = other.request();
    server.talk(&mut other, &request);

    assert_eq!(server.manager.counters().denied(DenyReason::AlreadyLoggedIn), 1);
    server.close();
}
