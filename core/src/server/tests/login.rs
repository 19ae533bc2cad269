//! The explicit login, the login by token, and what a second login of one identity does.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::ledger::LoginRefusal;
use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use crate::{
    Config, Continuity, DenyReason, DropReason, DuplicateIdentity, Event, LoginError, SendError, SessionId,
    Verdict,
};

use super::harness::{Harness, UNSPENT_TOKENS, framed_config, raw_config, token_login_config};
use super::peer::Peer;

const ANNA: u64 = 11;

/// Sends a login and returns the session.
fn ask(server: &mut Harness, peer: &mut Peer, attempt: u64) -> SessionId {
    let login = peer.login(attempt, b"secret");
    server.talk(peer, &login);
    server.id_of(ANNA)
}

fn reject(server: &mut Harness, peer: &mut Peer, id: SessionId) {
    server.call(|manager, now| manager.reject_login(now, id, 7, "wrong name")).unwrap();
    server.listen(peer);
}

#[test]
fn an_accepted_login_is_told_to_the_peer_with_the_tokens_to_come_back() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    assert!(anna.welcome().is_some_and(|welcome| welcome.login_explicit && !welcome.logged_in));
    let id = ask(&mut server, &mut anna, 1);
    let (event, credential) = server.events.last().unwrap();
    assert!(matches!(event, Event::Lifecycle(event) if event.kind == Kind::LoginStarted));
    assert_eq!(credential, b"secret");

    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    server.listen(&mut anna);

    assert_eq!(anna.acceptances(), [1]);
    let generations: Vec<u64> = anna.tickets().iter().map(|ticket| ticket.generation).collect();
    assert_eq!(generations, [1, 2, 3]);
    assert_eq!(server.call(|manager, now| manager.accept_login(now, id)), Err(LoginError::NotPending));
    server.close();
}

#[test]
fn a_rejected_peer_learns_why_and_may_try_again() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let id = ask(&mut server, &mut anna, 1);

    reject(&mut server, &mut anna, id);
    assert_eq!(anna.rejections(), [(1, 2, 7, "wrong name".to_string())]);
    assert_eq!(server.last_of(ANNA).cause, Cause::Rejected(7));
    ask(&mut server, &mut anna, 2);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    server.listen(&mut anna);

    assert_eq!(anna.acceptances(), [2]);
    assert_eq!(
        server.kinds_of(ANNA)[1..],
        [Kind::LoginStarted, Kind::LoginFailed, Kind::LoginStarted, Kind::LoginSucceeded]
    );
    server.close();
}

#[test]
fn the_last_rejected_attempt_ends_the_session_and_says_why() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    for attempt in 1..=3 {
        let id = ask(&mut server, &mut anna, attempt);
        reject(&mut server, &mut anna, id);
    }

    assert_eq!(server.state_of(ANNA), None);
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::LoginRefused));
    assert_eq!(anna.goodbyes(), [(3, b"wrong name".to_vec())]);
    server.close();
}

#[test]
fn who_does_not_log_in_in_time_loses_the_slot_however_alive() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);

    server.live(&mut [&mut anna], 9_999);
    assert_eq!(server.state_of(ANNA), Some(State::TransportConnected));
    server.advance(1);
    server.listen(&mut anna);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::LoginTimeout));
    assert_eq!(anna.goodbyes(), [(4, Vec::new())]);
    server.close();
}

#[test]
fn the_login_deadline_holds_while_an_answer_is_pending_and_after_a_rejection() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let id = ask(&mut server, &mut anna, 1);
    server.live(&mut [&mut anna], 5_000);
    reject(&mut server, &mut anna, id);
    ask(&mut server, &mut anna, 2);

    server.live(&mut [&mut anna], 5_000);

    assert_eq!(server.last_of(ANNA).previous, Some(State::LoginPending));
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::LoginTimeout));
    assert_eq!(server.call(|manager, now| manager.accept_login(now, id)), Err(LoginError::UnknownSession));
    server.close();
}

#[test]
fn a_guest_that_falls_silent_is_not_retained() {
    let mut server = Harness::framed();
    let _anna = server.guest(ANNA, 1);

    server.advance(5_000);

    assert_eq!(server.kinds_of(ANNA)[1..], [Kind::TimedOut, Kind::Disconnected]);
    server.close();
}

#[test]
fn a_login_request_again_changes_nothing_while_pending_and_is_answered_again_afterwards() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let id = ask(&mut server, &mut anna, 1);

    ask(&mut server, &mut anna, 1);
    ask(&mut server, &mut anna, 2);
    assert_eq!(server.kinds_of(ANNA), [Kind::TransportConnected, Kind::LoginStarted]);
    let refused =
        [LoginRefusal::Repeated, LoginRefusal::Pending].map(|cause| server.manager.counters().refused(cause));
    assert_eq!(refused, [1, 1]);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    server.listen(&mut anna);
    ask(&mut server, &mut anna, 1);

    assert_eq!(anna.acceptances(), [1, 1]);
    assert_eq!(server.kinds_of(ANNA).len(), 3);
    server.close();
}

#[test]
fn an_answer_that_does_not_fit_the_state_leaves_the_last_rejection_as_it_was() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let id = ask(&mut server, &mut anna, 1);
    server.manager.reject_login(server.now, id, 7, "wrong name").unwrap();

    let again = server.manager.reject_login(server.now, id, 8, "other words");
    server.settle();
    server.listen(&mut anna);

    assert_eq!(again, Err(LoginError::NotPending));
    assert_eq!(anna.rejections(), [(1, 2, 7, "wrong name".to_string())]);
    server.close();
}

#[test]
fn an_answer_lost_on_the_way_is_sent_again() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let id = ask(&mut server, &mut anna, 1);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    let lost = server.inbox(anna.address);
    assert!(!lost.is_empty());

    server.advance(2_000);
    server.listen(&mut anna);

    assert_eq!(anna.acceptances().first(), Some(&1));
    assert_eq!(anna.tickets().len(), UNSPENT_TOKENS);
    server.close();
}

#[test]
fn nothing_can_be_sent_to_who_is_not_logged_in() {
    let mut server = Harness::framed();
    let _anna = server.guest(ANNA, 1);
    let id = server.id_of(ANNA);

    let refusals = server.call(|manager, now| {
        [
            manager.send(now, id, 0, b"message"),
            manager.send_datagram(now, id, b"datagram"),
            manager.publish_state(now, id, 1, b"state"),
        ]
    });

    assert_eq!(refusals, [Err(SendError::NotLoggedIn); 3]);
    assert_eq!(server.call(|manager, now| manager.broadcast(now, 0, b"message")).queued, 0);
    server.close();
}

#[test]
fn who_sends_game_data_before_the_login_breaks_the_protocol() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let id = server.id_of(ANNA);

    for tick in 0..9 {
        assert_eq!(server.state_of(ANNA), Some(State::TransportConnected));
        let moves = anna.moves(&[tick]);
        assert_eq!(server.talk(&mut anna, &moves), Verdict::Dropped(DropReason::Violation));
    }

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::ProtocolViolation));
    assert_eq!(anna.goodbyes(), [(6, Vec::new())]);
    assert!(server.ticks_from(id).is_empty());
    server.close();
}

#[test]
fn what_came_before_a_violation_in_a_packet_is_answered_at_once() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);

    let heartbeat_and_early_message = anna.frames(|writer| {
        assert!(writer.write_heartbeat(5) && writer.write_lane(0, 0, (b"early", &[])));
    });
    server.read(anna.address, &heartbeat_and_early_message);

    assert_eq!(server.manager.poll_timeout().map(|deadline| deadline.at), Some(server.now));
    server.settle();
    server.close();
}

#[test]
fn a_hello_beside_a_violation_is_answered_at_once() {
    let mut server = Harness::framed();
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);

    let hello_and_early_message = anna.frames(|writer| {
        let hello = crate::link::frame::Hello::new(77);
        assert!(writer.write_hello(&hello) && writer.write_lane(0, 0, (b"early", &[])));
    });
    server.read(anna.address, &hello_and_early_message);
    assert_eq!(server.manager.poll_timeout().map(|deadline| deadline.at), Some(server.now));
    server.settle();
    server.listen(&mut anna);

    assert!(anna.welcome().is_some());
    server.close();
}

#[test]
fn where_the_token_is_the_login_the_events_still_come_in_order() {
    let mut server = Harness::new(token_login_config());
    let anna = server.player(ANNA, 1);

    assert_eq!(server.kinds_of(ANNA), [Kind::TransportConnected, Kind::LoginStarted, Kind::LoginSucceeded]);
    assert!(anna.welcome().is_some_and(|welcome| welcome.logged_in && !welcome.login_explicit));
    assert_eq!(anna.acceptances().first(), Some(&0));
    server.close();
}

#[test]
fn a_backend_token_never_skips_an_explicit_login() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let first = server.id_of(ANNA);
    let again = server.guest(ANNA, 2);
    server.listen(&mut anna);

    let second = server.id_of(ANNA);
    assert_ne!(first, second);
    assert_eq!(server.state_of(ANNA), Some(State::TransportConnected));
    assert!(again.welcome().is_some_and(|welcome| !welcome.logged_in));
    assert_eq!(anna.goodbyes(), [(5, Vec::new())], "superseded");
    let old_ends = server.lifecycle_of(ANNA)[3];
    assert_eq!(old_ends.cause, Cause::Ended(DisconnectReason::Superseded));
    assert_eq!(server.call(|manager, now| manager.send(now, first, 0, b"x")), Err(SendError::UnknownSession));
    server.close();
}

#[test]
fn an_unconfirmed_second_handshake_does_not_touch_the_one_who_is_in() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let mut again = server.newcomer(ANNA, 2);
    server.shake_hands(&mut again);

    server.live(&mut [&mut anna], 6_000);

    assert_eq!(server.id_of(ANNA), id);
    assert_eq!(server.kinds_of(ANNA).len(), 3);
    let hello = again.hello();
    assert_eq!(server.talk(&mut again, &hello), Verdict::Dropped(DropReason::UnknownAddress));
    server.close();
}

#[test]
fn a_second_login_is_denied_where_the_policy_rejects_it() {
    let config = Config { duplicate_identity: DuplicateIdentity::Reject, ..framed_config() };
    let mut server = Harness::new(config);
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let mut again = server.newcomer(ANNA, 2);

    let request = again.request();
    server.talk(&mut again, &request);

    assert_eq!(again.denials, 1);
    assert_eq!(server.manager.counters().denied(DenyReason::AlreadyLoggedIn), 1);
    server.beat(&mut anna);
    assert_eq!(server.id_of(ANNA), id);
    server.close();
}

#[test]
fn who_logs_in_while_a_rival_handshake_waits_keeps_the_session_where_the_policy_rejects() {
    let config = Config { duplicate_identity: DuplicateIdentity::Reject, ..framed_config() };
    let mut server = Harness::new(config);
    let mut anna = server.guest(ANNA, 1);
    let mut rival = server.newcomer(ANNA, 2);
    server.shake_hands(&mut rival);
    let id = ask(&mut server, &mut anna, 1);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();

    let hello = rival.hello();
    assert_eq!(server.talk(&mut rival, &hello), Verdict::Dropped(DropReason::NoLongerWelcome));

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    assert!(rival.disconnects > 0, "it is told that it is not connected after all");
    server.close();
}

#[test]
fn a_crash_before_the_login_locks_nobody_out() {
    for policy in [DuplicateIdentity::TakeOver, DuplicateIdentity::Reject] {
        let mut server = Harness::new(Config { duplicate_identity: policy, ..framed_config() });
        let _crashed = server.guest(ANNA, 1);
        let first = server.id_of(ANNA);

        let _again = server.guest(ANNA, 2);

        assert_ne!(server.id_of(ANNA), first);
        assert_eq!(server.lifecycle_of(ANNA)[1].cause, Cause::Ended(DisconnectReason::Superseded));
        server.close();
    }
}

#[test]
fn a_handshake_whose_first_keep_alive_was_lost_can_be_made_again_from_the_same_address() {
    let mut server = Harness::framed();
    let mut crashed = server.newcomer(ANNA, 1);
    server.shake_hands(&mut crashed);

    server.guest(ANNA, 1);

    assert_eq!(server.manager.len(), 1);
    server.close();
}

#[test]
fn the_first_handshake_stays_usable_when_a_second_from_its_address_ends_unconfirmed() {
    let config = Config { timeout_max_ms: 60_000, login_timeout_ms: 60_000, ..framed_config() };
    let mut server = Harness::new(config);
    server.backend.timeout_seconds = 20;
    let mut first = server.newcomer(ANNA, 1);
    server.shake_hands(&mut first);
    let mut second = server.newcomer(ANNA, 1);
    server.shake_hands(&mut second);
    let goodbye = second.disconnect();
    assert!(matches!(server.talk(&mut second, &goodbye), Verdict::Accepted(_)));

    let hello = first.hello();

    assert!(matches!(server.talk(&mut first, &hello), Verdict::Accepted(_)));
    server.close();
}

#[test]
fn where_the_token_is_the_login_a_second_token_continues_the_session_with_fresh_lanes() {
    let mut server = Harness::new(token_login_config());
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let (moves, message) = (anna.moves(&[9]), anna.message(0, b"before"));
    server.talk(&mut anna, &moves);
    server.talk(&mut anna, &message);
    server.backend.timeout_seconds = 8;

    let mut again = server.guest(ANNA, 2);
    let message = again.message(0, b"after");
    server.talk(&mut again, &message);

    assert_eq!(server.id_of(ANNA), id);
    let last = server.last_of(ANNA);
    assert_eq!((last.cause, last.continuity), (Cause::TakenOver, Some(Continuity::Restarted)));
    assert_eq!(server.received_from(id), [&b"input"[..], b"before", b"after"]);
    let welcome = again.welcome().unwrap();
    assert!(welcome.logged_in && !welcome.lanes_kept);
    assert_eq!((welcome.move_high_water, welcome.timeout_ms), (Some(9), 8_000));
    server.close();
}

#[test]
fn who_took_over_with_a_second_token_can_come_back_and_who_was_displaced_cannot() {
    let mut server = Harness::new(token_login_config());
    let mut displaced = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    let mut anna = server.player(ANNA, 2);
    server.listen(&mut displaced);
    assert!(displaced.disconnects > 0);
    displaced.begin_resume(displaced.address);
    let request = displaced.request();
    assert_eq!(server.talk(&mut displaced, &request), Verdict::Dropped(DropReason::ResumeSpent));
    server.advance(5_000);
    server.resume(&mut anna, 3);

    assert_eq!((server.id_of(ANNA), server.last_of(ANNA).cause), (id, Cause::Resumed));
    server.close();
}

#[test]
fn a_raw_player_takes_over_and_reclaims_with_a_new_token_of_the_backend() {
    let mut server = Harness::new(raw_config());
    let _anna = server.raw_player(ANNA, 1);
    let id = server.id_of(ANNA);

    let _elsewhere = server.raw_player(ANNA, 2);
    assert_eq!(server.last_of(ANNA).cause, Cause::TakenOver);
    server.advance(5_000);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.call(|manager, now| manager.send_datagram(now, id, b"meanwhile")).unwrap();
    let _back = server.raw_player(ANNA, 3);

    assert_eq!(server.last_of(ANNA).cause, Cause::Resumed);
    assert_eq!(server.id_of(ANNA), id);
    assert_eq!(
        server.session_of(ANNA).statistics().datagrams_dropped,
        1,
        "what the fresh start cost is counted"
    );
    server.close();
}

#[test]
fn a_response_of_the_first_handshake_is_heard_while_a_second_one_is_under_way_from_its_address() {
    let mut server = Harness::framed();
    let mut first = server.newcomer(ANNA, 1);
    server.shake_hands(&mut first);
    let mut second = server.newcomer(ANNA, 1);
    let request = second.request();
    server.talk(&mut second, &request);
    let keep_alives = first.keep_alives.len();

    let response = first.response();
    assert_eq!(server.talk(&mut first, &response), Verdict::Answered);

    assert_eq!(first.keep_alives.len(), keep_alives + 1, "it may not have heard the one before");
    server.close();
}

#[test]
fn a_first_handshake_hears_its_keep_alive_again_while_a_second_one_waits_elsewhere() {
    let mut server = Harness::framed();
    let mut first = server.newcomer(ANNA, 1);
    server.shake_hands(&mut first);
    let mut second = server.newcomer(ANNA, 2);
    server.shake_hands(&mut second);
    let keep_alives = [first.keep_alives.len(), second.keep_alives.len()];

    let response = first.response();
    server.talk(&mut first, &response);
    server.listen(&mut second);

    assert_eq!([first.keep_alives.len(), second.keep_alives.len()], [keep_alives[0] + 1, keep_alives[1]]);
    server.close();
}
