//! Coming back: by the old path, by resume tokens, before and after the path was lost.

use alloc::vec::Vec;

use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use crate::{Config, Continuity, DenyReason, DropReason, Event, Verdict};

use super::harness::{Harness, UNIX_S, UNSPENT_TOKENS, client_address, framed_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;

/// A player whose path was lost.
fn lost_player(server: &mut Harness) -> Peer {
    let anna = server.player(ANNA, 1);
    server.advance(5_000);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    anna
}

fn reuses(server: &Harness) -> Vec<u64> {
    let generation = |(event, _): &(Event, Vec<u8>)| match event {
        Event::TokenReuse { generation, .. } => Some(*generation),
        _ => None,
    };
    server.events.iter().filter_map(generation).collect()
}

#[test]
fn a_live_packet_on_the_old_path_makes_the_session_whole_without_any_exchange() {
    let mut server = Harness::framed();
    let mut anna = lost_player(&mut server);
    server.advance(30_000);

    server.beat(&mut anna);

    let last = server.last_of(ANNA);
    assert_eq!((last.kind, last.cause), (Kind::Reconnected, Cause::Revived));
    assert_eq!(last.continuity, Some(Continuity::Kept));
    server.live(&mut [&mut anna], 70_000);
    assert_eq!(server.state_of(ANNA), Some(State::LoggedIn), "the former window is over and done with");
    server.close();
}

#[test]
fn an_old_packet_that_arrives_late_revives_nobody() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let late = anna.heartbeat();
    server.beat(&mut anna);
    server.advance(5_000);

    server.talk(&mut anna, &late);

    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn a_lost_player_resumes_from_another_address_in_the_same_session() {
    let mut server = Harness::framed();
    let mut anna = lost_player(&mut server);
    let id = server.id_of(ANNA);

    server.resume(&mut anna, 2);

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    assert_eq!(server.session_of(ANNA).address(), client_address(2));
    assert_eq!(
        server.kinds_of(ANNA)[3..],
        [Kind::TimedOut, Kind::ReconnectScheduled, Kind::ReconnectStarted, Kind::Reconnected]
    );
    let last = server.last_of(ANNA);
    assert_eq!((last.cause, last.continuity), (Cause::Resumed, Some(Continuity::Kept)));
    let welcome = anna.welcome().unwrap();
    assert!(welcome.lanes_kept && welcome.logged_in && welcome.session == id.to_bits());
    server.close();
}

#[test]
fn a_player_takes_over_its_own_living_session() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    server.resume(&mut anna, 2);

    assert_eq!(server.id_of(ANNA), id);
    assert_eq!(server.kinds_of(ANNA)[3..], [Kind::Reconnected]);
    assert_eq!(server.last_of(ANNA).cause, Cause::TakenOver);
    assert!(server.manager.session_at(client_address(1)).is_none());
    server.close();
}

#[test]
fn a_player_resumes_from_the_very_address_it_had() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);

    server.resume(&mut anna, 1);
    server.live(&mut [&mut anna], 6_000);

    assert_eq!(server.last_of(ANNA).cause, Cause::TakenOver);
    assert_eq!(server.manager.directory.len(), (1, 1));
    server.close();
}

#[test]
fn until_the_new_path_is_confirmed_the_old_one_stays_live() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let ticket = anna.unspent_tickets().remove(0);
    let mut mover = Peer::new(ticket, client_address(2));
    server.shake_hands(&mut mover);

    server.live(&mut [&mut anna], 4_000);
    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    mover.lane_epoch = anna.lane_epoch;
    let hello = mover.hello();
    assert!(matches!(server.talk(&mut mover, &hello), Verdict::Accepted(_)));

    assert_eq!(server.session_of(ANNA).address(), client_address(2));
    let heartbeat = anna.heartbeat();
    assert_eq!(server.talk(&mut anna, &heartbeat), Verdict::Dropped(DropReason::UnknownAddress));
    server.close();
}

#[test]
fn an_attempt_that_is_not_confirmed_gives_way_to_the_window_that_goes_on() {
    let mut server = Harness::framed();
    let mut anna = lost_player(&mut server);
    anna.begin_resume(client_address(2));
    server.advance(50_000);
    server.shake_hands(&mut anna);
    assert_eq!(server.state_of(ANNA), Some(State::Reconnecting));

    server.advance(5_000);
    assert_eq!(server.last_of(ANNA).cause, Cause::AttemptUnconfirmed);
    server.advance(4_999);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.advance(1);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::ReconnectExpired));
    server.close();
}

#[test]
fn the_window_ends_also_in_the_middle_of_an_attempt() {
    let mut server = Harness::framed();
    let mut anna = lost_player(&mut server);
    anna.begin_resume(client_address(2));
    server.advance(58_000);
    server.shake_hands(&mut anna);

    server.advance(2_000);

    let last = server.last_of(ANNA);
    assert_eq!(last.previous, Some(State::Reconnecting));
    assert_eq!(last.cause, Cause::Ended(DisconnectReason::ReconnectExpired));
    server.close();
}

#[test]
fn without_a_window_a_lost_path_ends_the_session() {
    let mut server = Harness::new(Config { reconnect_window_ms: None, ..framed_config() });
    let _anna = server.player(ANNA, 1);

    server.advance(5_000);

    assert_eq!(server.kinds_of(ANNA)[3..], [Kind::TimedOut, Kind::Disconnected]);
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::TimedOut));
    server.close();
}

#[test]
fn a_handshake_completed_while_the_old_path_lived_counts_when_that_is_lost() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.advance(3_000);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);

    server.advance(2_000);
    assert_eq!(server.state_of(ANNA), Some(State::Reconnecting));
    let hello = anna.hello();
    server.talk(&mut anna, &hello);

    assert_eq!(server.last_of(ANNA).cause, Cause::Resumed);
    server.close();
}

#[test]
fn the_start_of_a_reconnect_is_told_once_however_often_the_response_comes() {
    let mut server = Harness::framed();
    let mut anna = lost_player(&mut server);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);

    for _ in 0..30 {
        let response = anna.response();
        server.talk(&mut anna, &response);
        server.advance(500);
    }

    let started = server.kinds_of(ANNA).into_iter().filter(|kind| *kind == Kind::ReconnectStarted);
    assert_eq!(started.count(), 1);
    assert_eq!(server.state_of(ANNA), Some(State::Reconnecting), "its client is still trying");
    server.close();
}

#[test]
fn movement_survives_an_outage_with_its_high_water_mark() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let moves = anna.moves(&[40, 39]);
    server.talk(&mut anna, &moves);
    server.advance(5_000);

    server.resume(&mut anna, 2);
    assert_eq!(anna.welcome().unwrap().move_high_water, Some(40));
    let moves = anna.moves(&[41, 40, 39]);
    server.talk(&mut anna, &moves);

    assert_eq!(server.ticks_from(server.id_of(ANNA)), [39, 40, 41]);
    server.close();
}

#[test]
fn reliable_messages_of_both_ends_cross_the_gap_exactly_once_and_in_order() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let say = |server: &mut Harness, text: &[u8]| {
        server.call(|manager, now| manager.send(now, id, 0, text)).unwrap();
    };
    say(&mut server, b"s0");
    server.listen(&mut anna);
    say(&mut server, b"s1");
    server.inbox(anna.address);
    let (arrived, lost) = (anna.message(0, b"c0"), anna.message(1, b"c1"));
    server.take(anna.address, &arrived);
    drop(lost);

    server.advance(5_000);
    say(&mut server, b"s2");
    server.inbox(anna.address);
    anna.begin_resume(client_address(2));
    server.enter(&mut anna);
    for (number, text) in [(0, b"c0"), (1, b"c1"), (2, b"c2"), (1, b"c1")] {
        let message = anna.message(number, text);
        server.talk(&mut anna, &message);
    }
    say(&mut server, b"s3");
    server.live(&mut [&mut anna], 1_000);

    assert_eq!(anna.messages(), [b"s0", b"s1", b"s2", b"s3"]);
    assert_eq!(server.received_from(id), [b"c0", b"c1", b"c2"]);
    assert_eq!(server.session_of(ANNA).statistics().message_bytes_queued, 0);
    server.close();
}

#[test]
fn a_client_that_lost_its_memory_gets_fresh_lanes_in_both_directions() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let message = anna.message(0, b"before");
    server.talk(&mut anna, &message);
    server.advance(5_000);
    server.call(|manager, now| manager.send(now, id, 0, b"nobody reads this")).unwrap();
    let mut restarted = Peer::new(anna.unspent_tickets().remove(0), client_address(2));
    restarted.lane_epoch = 5;

    server.enter(&mut restarted);
    let message = restarted.message(0, b"after");
    server.talk(&mut restarted, &message);
    server.call(|manager, now| manager.send(now, id, 0, b"fresh")).unwrap();
    server.listen(&mut restarted);

    assert_eq!(server.last_of(ANNA).continuity, Some(Continuity::Restarted));
    assert!(!restarted.welcome().unwrap().lanes_kept);
    assert_eq!(server.received_from(id), [b"before".as_slice(), b"after"]);
    assert_eq!(restarted.messages(), [b"fresh"]);
    server.beat(&mut restarted);
    let generations: Vec<u64> = restarted.unspent_tickets().iter().map(|ticket| ticket.generation).collect();
    assert_eq!(generations, [4, 5, 6], "new ones: whoever still holds the second may have sealed under it");
    server.close();
}

#[test]
fn the_newest_state_published_while_away_awaits_the_player() {
    let mut server = Harness::framed();
    let mut anna = lost_player(&mut server);
    let id = server.id_of(ANNA);
    for tick in [70, 71] {
        server.call(|manager, now| manager.publish_state(now, id, tick, b"world")).unwrap();
    }

    server.resume(&mut anna, 2);

    assert_eq!(anna.states(), [(71, None, b"world".to_vec())]);
    server.close();
}

#[test]
fn three_unspent_tokens_are_with_the_client_after_every_return() {
    let mut server = Harness::new(Config { take_overs_max: 100, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    for port in 2..30 {
        server.resume(&mut anna, port);
        server.live(&mut [&mut anna], 300);
        assert_eq!(anna.unspent_tickets().len(), UNSPENT_TOKENS, "after port {port}");
    }

    assert_eq!(server.id_of(ANNA), id);
    assert_eq!(server.session_of(ANNA).resume_generation(), 28);
    assert_eq!(server.manager.directory.len(), (1, 1));
    server.close();
}

#[test]
fn tokens_are_renewed_before_they_expire() {
    let config = Config {
        timeout_min_ms: 3_600_000,
        timeout_max_ms: 3_600_000,
        heartbeat_ms: 60_000,
        ..framed_config()
    };
    let mut server = Harness::new(config);
    server.backend.timeout_seconds = 3_600;
    let mut anna = server.player(ANNA, 1);

    for _ in 0..50 {
        server.advance(1_800_000);
        server.beat(&mut anna);
        server.beat(&mut anna);
    }

    let fresh =
        anna.unspent_tickets().into_iter().filter(|ticket| ticket.expire_unix > server.unix_s() + 24 * 3_600);
    assert_eq!(fresh.count(), UNSPENT_TOKENS);
    server.close();
}

#[test]
fn a_resume_token_of_an_ended_session_is_denied() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let goodbye = anna.disconnect();
    server.talk(&mut anna, &goodbye);
    let _ben = server.player(BEN, 2);
    anna.begin_resume(client_address(3));

    let request = anna.request();
    server.talk(&mut anna, &request);

    assert_eq!(anna.denials, 1);
    assert_eq!(server.manager.counters().denied(DenyReason::SessionEnded), 1);
    server.close();
}

#[test]
fn a_spent_token_opens_nothing_and_its_reuse_is_told_once() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.resume(&mut anna, 2);
    let spent = anna.ticket.clone();
    server.live(&mut [&mut anna], 300);

    let request = spent.request();
    assert_eq!(server.take(client_address(66), &request), Verdict::Dropped(DropReason::ResumeSpent));
    assert!(reuses(&server).is_empty(), "it may be an echo of the client's own packet");
    server.resume(&mut anna, 3);
    for _ in 0..3 {
        assert_eq!(server.take(client_address(66), &request), Verdict::Dropped(DropReason::ResumeSpent));
    }

    assert_eq!(reuses(&server), [1]);
    assert!(server.inbox(client_address(66)).is_empty());
    server.close();
}

#[test]
fn a_resume_token_of_another_start_is_denied() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    anna.begin_resume(client_address(2));
    let mut restarted = Harness::with_seed(framed_config(), [6; 32]);
    let _somebody_in_the_same_slot = restarted.player(BEN, 9);

    let request = anna.request();
    restarted.talk(&mut anna, &request);

    assert_eq!(anna.denials, 1);
    assert_eq!(restarted.manager.counters().denied(DenyReason::OtherStart), 1);
    restarted.close();
    server.close();
}

#[test]
fn tokens_stay_valid_when_the_public_addresses_change() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);

    server.manager.set_public_addresses(&[([203, 0, 113, 99], 7).into()]).unwrap();
    server.resume(&mut anna, 2);

    assert_eq!(server.last_of(ANNA).cause, Cause::TakenOver);
    server.close();
}

#[test]
fn an_outage_longer_than_inputs_may_be_ahead_mutes_nobody() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let moves = anna.moves(&[100]);
    server.talk(&mut anna, &moves);
    server.advance(40_000);

    server.resume(&mut anna, 2);
    let moves = anna.moves(&[100 + 40 * 60]);
    server.talk(&mut anna, &moves);

    assert_eq!(server.ticks_from(server.id_of(ANNA)), [100, 2_500]);
    server.close();
}

#[test]
fn a_wall_clock_that_steps_keeps_no_player_from_coming_back() {
    for unix_s in [UNIX_S - 100_000, UNIX_S - 60, UNIX_S + 60] {
        let mut server = Harness::framed();
        let mut anna = server.player(ANNA, 1);
        server.call(|manager, now| manager.set_unix_time(now, unix_s));

        server.resume(&mut anna, 2);

        assert_eq!(server.last_of(ANNA).cause, Cause::TakenOver);
        server.close();
    }
}

#[test]
fn tokens_that_a_step_of_the_wall_clock_made_old_are_renewed() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.call(|manager, now| manager.set_unix_time(now, UNIX_S + 100 * 3_600));

    server.live(&mut [&mut anna], 2_000);

    let valid = anna.unspent_tickets().into_iter().filter(|ticket| ticket.expire_unix > UNIX_S + 100 * 3_600);
    assert_eq!(valid.count(), UNSPENT_TOKENS);
    server.close();
}

#[test]
fn each_absence_has_a_window_of_its_own() {
    let mut server = Harness::framed();
    let mut anna = lost_player(&mut server);
    server.advance(50_000);
    server.beat(&mut anna);

    server.advance(5_000 + 59_999);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.advance(1);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::ReconnectExpired));
    server.close();
}
