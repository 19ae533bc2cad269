//! Why logins, moves, attempts, inputs of the lifecycle and events are refused.

use core::net::SocketAddr;

use crate::ledger::{AttemptEnd, DroppedEvent, IgnoredInput, LoginRefusal, MoveRefusal, Refusal};
use crate::lifecycle::{Input, LoginPolicy, SessionState, Step, step};
use crate::{
    Config, DATAGRAM_BYTES_MAX, DuplicateIdentity, LifecycleEvent, MultiSessionManager, Prefix, Timestamp,
    Verdict,
};

use super::super::harness::{Harness, client_address, framed_config, raw_config};
use super::super::peer::Peer;
use super::drops::rival_of_a_player;

const ANNA: u64 = 11;
const BEN: u64 = 22;

/// Of these causes the server has counted this one, once, and so has the session if it goes on.
#[track_caller]
fn assert_counted<C: Into<Refusal> + Copy>(server: &Harness, all: &[C], cause: C) {
    let expected: Refusal = cause.into();
    let counters = server.manager.counters();
    for other in all {
        let other: Refusal = (*other).into();
        assert_eq!(counters.refused(other), u64::from(other == expected), "{other} where {expected} was due");
    }
    if let Some(session) = server.manager.session_of(crate::ClientId(ANNA))
        && expected != DroppedEvent::Stalled.into()
    {
        assert_eq!(session.record().refused(expected), 1, "{expected}");
    }
}

#[test]
fn each_cause_of_a_refused_login_is_reached_and_counted_as_itself_and_once() {
    for refusal in LoginRefusal::ALL {
        let server = login_scene(refusal);
        assert_counted(&server, &LoginRefusal::ALL, refusal);
        server.close();
    }
}

fn login_scene(refusal: LoginRefusal) -> Harness {
    match refusal {
        LoginRefusal::Repeated => asking(&[1, 1], framed_config()),
        LoginRefusal::Pending => asking(&[1, 2], framed_config()),
        LoginRefusal::AlreadyLoggedIn => {
            let mut server = Harness::framed();
            let mut anna = server.player(ANNA, 1);
            ask(&mut server, &mut anna, 2);
            server
        }
        LoginRefusal::Rejected => rejected(framed_config()),
        LoginRefusal::AttemptsUsedUp => rejected(Config { login_attempts_max: 1, ..framed_config() }),
        LoginRefusal::Unanswered => {
            let mut server = asking(&[1], framed_config());
            remove(&mut server);
            server
        }
    }
}

#[test]
fn a_login_that_waits_when_its_peer_falls_silent_is_unanswered_once() {
    let mut server = asking(&[1], framed_config());

    server.advance(5_000);

    assert!(server.manager.is_empty());
    assert_counted(&server, &LoginRefusal::ALL, LoginRefusal::Unanswered);
    server.close();
}

#[test]
fn a_request_without_an_attempt_left_ends_the_session_and_is_counted() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    // No peer comes so far: its last rejection ends the session.
    let index = server.id_of(ANNA).index;
    server.manager.table.get_mut(index).unwrap().login.attempts_made = 3;

    ask(&mut server, &mut anna, 1);

    assert!(server.manager.is_empty());
    assert_counted(&server, &LoginRefusal::ALL, LoginRefusal::AttemptsUsedUp);
    server.close();
}

/// A guest who asks to be let in, under these numbers.
fn asking(attempts: &[u64], config: Config) -> Harness {
    let mut server = Harness::new(config);
    let mut anna = server.guest(ANNA, 1);
    for attempt in attempts {
        ask(&mut server, &mut anna, *attempt);
    }
    server
}

fn ask(server: &mut Harness, peer: &mut Peer, attempt: u64) {
    let login = peer.login(attempt, b"credential");
    server.talk(peer, &login);
}

fn rejected(config: Config) -> Harness {
    let mut server = asking(&[1], config);
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.reject_login(now, id, 1, "no")).unwrap();
    server
}

fn remove(server: &mut Harness) {
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.remove(now, id)).unwrap();
}

#[test]
fn each_cause_of_a_refused_move_is_reached_and_counted_as_itself_and_once() {
    for refusal in MoveRefusal::ALL {
        let ticks = match refusal {
            MoveRefusal::Duplicate => [5, 5],
            MoveRefusal::Stale => [10, 5],
            MoveRefusal::TooFarAhead => [5, 100_000],
        };
        let mut server = Harness::framed();
        let mut anna = server.player(ANNA, 1);
        for tick in ticks {
            let packet = anna.moves(&[tick]);
            server.talk(&mut anna, &packet);
        }

        assert_counted(&server, &MoveRefusal::ALL, refusal);
        let counters = server.manager.counters();
        assert_eq!((counters.moves_received, counters.moves_accepted), (2, 1));
        server.close();
    }
}

#[test]
fn each_end_of_an_attempt_is_reached_and_counted_as_itself_and_once() {
    for end in AttemptEnd::ALL {
        let server = attempt_scene(end);
        assert_counted(&server, &AttemptEnd::ALL, end);
        server.close();
    }
}

fn attempt_scene(end: AttemptEnd) -> Harness {
    if end == AttemptEnd::NotWelcome {
        let (mut server, from, hello) = rival_of_a_player();
        server.take(from, &hello);
        return server;
    }
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 2));
    anna.begin_resume(if end == AttemptEnd::PrefixBanned { elsewhere } else { client_address(2) });
    server.shake_hands(&mut anna);
    match end {
        AttemptEnd::TimedOut => server.advance(6_000),
        AttemptEnd::PeerLeft => {
            let goodbye = anna.disconnect();
            server.talk(&mut anna, &goodbye);
        }
        AttemptEnd::Replaced => {
            anna.begin_resume(client_address(3));
            server.shake_hands(&mut anna);
        }
        AttemptEnd::AddressTaken => {
            let mut ben = server.newcomer(BEN, 2);
            server.shake_hands(&mut ben);
        }
        AttemptEnd::SessionEnded => remove(&mut server),
        AttemptEnd::PrefixBanned => {
            let prefix = Prefix::new(elsewhere.ip(), 24).unwrap();
            server.call(|manager, now| manager.ban_prefix(now, prefix, Timestamp::NEVER)).unwrap();
        }
        AttemptEnd::NotWelcome => {}
    }
    server
}

#[test]
fn attempts_that_are_confirmed_are_counted_as_that() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.resume(&mut anna, 2);
    server.guest(ANNA, 3);

    let counters = server.manager.counters();
    assert_eq!((counters.attempts_begun, counters.attempts_confirmed, counters.attempts_ended()), (2, 2, 0));
    server.close();
}

/// What the core never does by itself, except for the last.
#[test]
fn each_input_that_can_be_ignored_is_counted_as_itself_and_once() {
    for ignored in IgnoredInput::ALL {
        let (mut server, input) = input_scene(ignored);
        let index = server.id_of(ANNA).index;

        assert_eq!(server.manager.apply(index, input), Step::Ignored);

        assert_counted(&server, &IgnoredInput::ALL, ignored);
        server.settle();
        server.close();
    }
}

fn input_scene(ignored: IgnoredInput) -> (Harness, Input) {
    let guest = || asking(&[], framed_config());
    let player = |config| {
        let mut server = Harness::new(config);
        server.player(ANNA, 1);
        server
    };
    match ignored {
        IgnoredInput::HandshakeCompleted => (guest(), Input::HandshakeCompleted),
        IgnoredInput::LoginRequested => {
            (asking(&[1], framed_config()), Input::LoginRequested { attempts_left: 1 })
        }
        IgnoredInput::LoginDeadline => (player(framed_config()), Input::LoginDeadline),
        IgnoredInput::LivenessDeadline => {
            let mut server = player(framed_config());
            server.advance(6_000);
            assert_eq!(server.state_of(ANNA), Some(SessionState::ReconnectPending));
            (server, Input::LivenessDeadline)
        }
        IgnoredInput::ResumeCompleted => (guest(), Input::ResumeCompleted),
        IgnoredInput::ResumeConfirmed => (guest(), Input::ResumeConfirmed),
        IgnoredInput::ReconnectDeadline => (player(framed_config()), Input::ReconnectDeadline),
        IgnoredInput::BackendConfirmed => {
            let rejects = Config { duplicate_identity: DuplicateIdentity::Reject, ..framed_config() };
            (player(rejects), Input::BackendConfirmed)
        }
    }
}

#[test]
fn the_inputs_that_can_be_ignored_are_those_that_some_state_of_a_session_ignores() {
    use crate::lifecycle::{DisconnectReason, LifecyclePolicy};
    let inputs = [
        Input::HandshakeCompleted,
        Input::Confirmed,
        Input::LoginRequested { attempts_left: 1 },
        Input::LoginAccepted,
        Input::LoginRejected { code: 1, attempts_left: 1 },
        Input::LoginDeadline,
        Input::LivenessDeadline,
        Input::LivePacket,
        Input::PathTaken,
        Input::ResumeCompleted,
        Input::ResumeConfirmed,
        Input::AttemptEnded,
        Input::ReconnectDeadline,
        Input::BackendConfirmed,
        Input::Ended(DisconnectReason::PeerLeft),
    ];
    let rested_in = SessionState::ALL
        .into_iter()
        .filter(|state| !matches!(state, SessionState::TimedOut | SessionState::Disconnected));
    let policy = LifecyclePolicy {
        login: LoginPolicy::Explicit,
        reconnect: true,
        duplicate: DuplicateIdentity::Reject,
    };

    for input in inputs {
        let is_ignored = rested_in.clone().any(|state| step(Some(state), input, policy) == Step::Ignored);
        assert_eq!(IgnoredInput::of(input).is_some(), is_ignored, "{input:?}");
    }
}

#[test]
fn each_event_that_can_be_dropped_is_counted_as_itself_and_once() {
    for event in DroppedEvent::ALL {
        let mut server = event_scene(event);
        assert_counted(&server, &DroppedEvent::ALL, event);
        server.settle();
        server.close();
    }
}

fn event_scene(event: DroppedEvent) -> Harness {
    let small = |config| Config { event_queue_bytes_max: 1_200, ..config };
    if event == DroppedEvent::TokenReuse {
        let mut server = Harness::new(small(framed_config()));
        let mut anna = server.player(ANNA, 1);
        let request = anna.unspent_tickets()[0].request();
        for port in 2..=3 {
            server.live(&mut [&mut anna], 30_000);
            server.resume(&mut anna, port);
        }
        let talk = anna.frames(|writer| assert!(writer.write_datagram((&[1; 1_149], &[]))));
        assert!(matches!(server.read(anna.address, &talk), Verdict::Accepted(_)));
        server.read(client_address(9), &request);
        return server;
    }
    let mut server = Harness::new(Config { heartbeat_events: true, ..small(raw_config()) });
    let mut anna = server.raw_player(ANNA, 1);
    let talk = anna.payload(&[1; 1_150]);
    assert!(matches!(server.read(anna.address, &talk), Verdict::Accepted(_)));
    match event {
        DroppedEvent::HeartbeatSent => {
            // In steps that are no stall.
            for _ in 0..5 {
                server.oversleep(100);
                server.measured(MultiSessionManager::handle_timeout);
            }
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            assert!(server.measured(|manager, now| manager.poll_transmit(now, &mut buffer)).is_some());
        }
        DroppedEvent::HeartbeatReceived => {
            let keep_alive = anna.keep_alive();
            assert!(matches!(server.read(anna.address, &keep_alive), Verdict::Accepted(_)));
        }
        DroppedEvent::Stalled => {
            server.oversleep(1_000);
            server.measured(MultiSessionManager::handle_timeout);
        }
        DroppedEvent::TokenReuse => {}
    }
    server
}

#[test]
fn events_that_are_never_dropped_have_no_name_for_it() {
    let server = asking(&[1], framed_config());
    let lifecycle: alloc::vec::Vec<LifecycleEvent> = server.lifecycle_of(ANNA);
    let events = lifecycle.into_iter().map(crate::Event::Lifecycle);
    assert!(events.map(|event| DroppedEvent::of(&event)).all(|name| name.is_none()));
    server.close();
}
