//! What is written down for one session: its own refusals and nobody else's, and what it went through lately.

use alloc::vec::Vec;

use crate::ledger::{
    DropReason, HistoryEntry, Incident, LoginRefusal, MoveRefusal, Refusal, SendRefusal, Violation,
};
use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use crate::{Config, Event, SessionId};

use super::super::harness::{Harness, client_address, framed_config};
use super::super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;

fn with_history(entries: u8) -> Harness {
    Harness::new(Config { session_history_max: entries, ..framed_config() })
}

fn refusals(server: &Harness, id: SessionId) -> Vec<(Refusal, u64)> {
    server.manager.record(id).expect("a record").refusals().collect()
}

fn say(server: &mut Harness, peer: &mut Peer, payload: &[u8]) {
    let packet = peer.payload(payload);
    server.talk(peer, &packet);
}

#[test]
fn a_session_to_which_nothing_was_refused_has_no_record_however_often_its_moves_come() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    for _ in 0..3 {
        let moves = anna.moves(&[3, 2, 1]);
        server.talk(&mut anna, &moves);
    }

    let id = server.id_of(ANNA);
    assert!(server.manager.table.get(id.index).is_some_and(|session| session.record.is_none()));
    assert_eq!(refusals(&server, id), [(MoveRefusal::Duplicate.into(), 6)]);
    server.close();
}

#[test]
fn what_only_claims_to_be_from_a_player_is_not_written_down_for_it() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let genuine = anna.heartbeat();
    let mut forged = anna.heartbeat();
    *forged.last_mut().unwrap() ^= 1;
    server.take(anna.address, &genuine);

    for datagram in [&forged[..], &genuine, &[], &[0x15, 0, 0]] {
        server.take(anna.address, datagram);
    }

    assert_eq!(refusals(&server, server.id_of(ANNA)), []);
    let reasons = [DropReason::Unopened, DropReason::Replayed, DropReason::Empty, DropReason::Malformed];
    assert_eq!(reasons.map(|reason| server.dropped(reason)), [1; 4]);
    server.close();
}

#[test]
fn each_session_has_its_own_refusals_and_together_they_are_those_of_the_server() {
    let mut server = Harness::framed();
    let (mut anna, mut ben) = (server.player(ANNA, 1), server.guest(BEN, 2));
    let [id_of_anna, id_of_ben] = [ANNA, BEN].map(|client_id| server.id_of(client_id));

    say(&mut server, &mut anna, &[0x7F]);
    say(&mut server, &mut anna, &[0x7F]);
    say(&mut server, &mut ben, &[0x04]);
    for attempt in [1, 1] {
        let login = ben.login(attempt, b"credential");
        server.talk(&mut ben, &login);
    }
    let far = anna.moves(&[100_000]);
    server.talk(&mut anna, &far);
    assert!(server.call(|manager, now| manager.send(now, id_of_anna, 0, b"")).is_err());
    assert_eq!(server.call(|manager, now| manager.broadcast(now, 99, b"x").refused.len()), 1);

    assert_eq!(
        refusals(&server, id_of_anna),
        [
            (DropReason::Violation.into(), 2),
            (Violation::UnknownFrame.into(), 2),
            (MoveRefusal::TooFarAhead.into(), 1),
            (SendRefusal::Size.into(), 1),
            (SendRefusal::NoSuchLane.into(), 1),
        ]
    );
    assert_eq!(
        refusals(&server, id_of_ben),
        [
            (DropReason::Violation.into(), 1),
            (Violation::Truncated.into(), 1),
            (LoginRefusal::Repeated.into(), 1),
        ]
    );
    for refusal in Refusal::all() {
        let of_sessions: u64 = [id_of_anna, id_of_ben]
            .map(|id| server.manager.record(id).unwrap().refused(refusal))
            .iter()
            .sum();
        assert_eq!(server.manager.counters().refused(refusal), of_sessions, "{refusal}");
    }
    server.close();
}

#[test]
fn a_record_survives_the_connection() {
    let mut server = with_history(20);
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    say(&mut server, &mut anna, &[0x7F]);

    server.advance(6_000);
    server.resume(&mut anna, 2);

    let record = server.session_of(ANNA).record();
    assert_eq!(record.refused(Violation::UnknownFrame), 1);
    let told: Vec<_> = record.history().map(|entry| entry.incident).collect();
    let transitions = server.lifecycle_of(ANNA).into_iter().map(|event| Incident::Transition {
        kind: event.kind,
        to: event.current,
        cause: event.cause,
    });
    let mut expected: Vec<_> = transitions.collect();
    expected.insert(3, Incident::Refused(Violation::UnknownFrame.into()));
    assert_eq!(told, expected);
    assert_eq!(server.id_of(ANNA), id);
    server.close();
}

#[test]
fn a_spent_token_is_written_down_for_the_session_it_names() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.resume(&mut anna, 2);
    let request = anna.request();

    server.take(client_address(7), &request);

    assert_eq!(refusals(&server, server.id_of(ANNA)), [(DropReason::ResumeSpent.into(), 1)]);
    server.close();
}

#[test]
fn the_history_says_when_and_how_often_and_its_oldest_entry_gives_way() {
    let mut server = with_history(2);
    let mut anna = server.guest(ANNA, 1);
    let began = server.session_of(ANNA).since();
    let history =
        |server: &Harness| -> Vec<HistoryEntry> { server.session_of(ANNA).record().history().collect() };
    let connected = Incident::Transition {
        kind: Kind::TransportConnected,
        to: State::TransportConnected,
        cause: Cause::Handshake,
    };
    assert_eq!(history(&server), [HistoryEntry { at: began, times: 1, incident: connected }]);

    for attempt in [1, 1, 1] {
        server.advance(100);
        let login = anna.login(attempt, b"credential");
        server.talk(&mut anna, &login);
    }

    let started = Incident::Transition {
        kind: Kind::LoginStarted,
        to: State::LoginPending,
        cause: Cause::LoginRequest,
    };
    let repeated = Incident::Refused(LoginRefusal::Repeated.into());
    assert_eq!(
        history(&server),
        [
            HistoryEntry { at: began.plus_millis(100), times: 1, incident: started },
            HistoryEntry { at: began.plus_millis(300), times: 2, incident: repeated },
        ]
    );
    server.close();
}

#[test]
fn a_payload_that_breaks_the_protocol_is_one_entry_of_the_history() {
    let mut server = with_history(2);
    let mut anna = server.player(ANNA, 1);
    for _ in 0..3 {
        say(&mut server, &mut anna, &[0x7F]);
    }

    let record = server.session_of(ANNA).record();
    let told: Vec<_> = record.history().map(|entry| (entry.times, entry.incident)).collect();
    assert_eq!(told[1], (3, Incident::Refused(Violation::UnknownFrame.into())));
    assert!(matches!(told[0], (1, Incident::Transition { kind: Kind::LoginSucceeded, .. })));
    assert_eq!(record.refused(DropReason::Violation), 3);
    server.close();
}

#[test]
fn what_a_session_went_through_can_be_read_when_its_end_is_told_and_until_the_next_event() {
    let mut server = with_history(4);
    let mut anna = server.player(ANNA, 1);
    server.guest(BEN, 3);
    let [id, id_of_ben] = [ANNA, BEN].map(|client_id| server.id_of(client_id));
    let moves = anna.moves(&[100_000, 1]);
    server.talk(&mut anna, &moves);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);
    let (manager, now) = (&mut server.manager, server.now);
    manager.remove(now, id).unwrap();
    manager.remove(now, id_of_ben).unwrap();
    let last = |manager: &crate::MultiSessionManager| {
        let record = manager.record(id)?;
        Some((record.refused(MoveRefusal::TooFarAhead), record.history().last()?.incident))
    };
    let ended = Incident::Transition {
        kind: Kind::Disconnected,
        to: State::Disconnected,
        cause: Cause::Ended(DisconnectReason::Removed),
    };

    assert_eq!(last(manager), Some((1, ended)), "its end waits to be told");
    let event = manager.poll_event(&mut Vec::new());
    assert!(matches!(event, Some(Event::Lifecycle(event)) if event.kind == Kind::Disconnected));
    assert_eq!(last(manager), Some((1, ended)), "it is told");
    assert!(manager.poll_event(&mut Vec::new()).is_some(), "that of the other");
    assert_eq!(last(manager), None, "the application has gone on");
    assert!(manager.record(id_of_ben).is_some());
    assert_eq!(manager.poll_event(&mut Vec::new()), None);
    assert!(manager.record(id_of_ben).is_some(), "nothing else has happened");
}

#[test]
fn records_are_reckoned_and_bounded_also_of_sessions_that_have_ended() {
    for entries in [0, 3, 255] {
        let mut server = with_history(entries);
        let mut players: Vec<Peer> = (1..=4_u16).map(|port| server.player(port.into(), port)).collect();
        for round in 0..300 {
            for peer in &mut players {
                let moves = peer.moves(&[1_000_000 + round]);
                server.take(peer.address, &moves);
                let login = peer.login(round, b"again");
                server.take(peer.address, &login);
            }
        }
        server.check_reckoning(1_000);
        let ids: Vec<_> = server.manager.sessions().map(|view| view.id()).collect();
        for id in &ids[1..] {
            server.measured(|manager, now| manager.remove(now, *id)).unwrap();
            server.check_memory();
        }
        server.check_reckoning(3_000);
        server.settle();
        server.close();
    }
}
