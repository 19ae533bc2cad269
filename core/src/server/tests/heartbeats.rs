//! Signs of life in both directions: they move liveness and the round-trip time, and never a login or a reconnect.

use core::time::Duration;

use crate::lifecycle::SessionState as State;
use crate::link::frame::{Frame, HeartbeatResponse, MoveArrival};
use crate::{Config, Event};

use super::harness::{Harness, framed_config, raw_config};

const ANNA: u64 = 11;

#[test]
fn an_unconfirmed_peer_gets_ten_keep_alives_a_second() {
    let mut server = Harness::raw();
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);
    let before = anna.keep_alives.len();

    server.advance(1_000);
    server.listen(&mut anna);

    assert_eq!(anna.keep_alives.len() - before, 10);
    assert!(anna.keep_alives.iter().all(|&keep_alive| keep_alive == (server.id_of(ANNA).index, 1_024)));
    server.close();
}

#[test]
fn a_quiet_raw_peer_gets_a_keep_alive_every_heartbeat() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let before = anna.keep_alives.len();

    server.live_raw(&mut [&mut anna], 4_000);

    assert_eq!(anna.keep_alives.len() - before, 8);
    server.close();
}

#[test]
fn nothing_is_sent_to_a_path_that_was_lost() {
    for config in [raw_config(), Config { reconnect_window_ms: Some(3_600_000), ..framed_config() }] {
        let is_raw = config.payloads == crate::Payloads::Raw;
        let mut server = Harness::new(config);
        let _anna = if is_raw { server.raw_player(ANNA, 1) } else { server.player(ANNA, 1) };
        server.advance(5_000);
        let sent = server.sent.len();

        server.advance(50_000);

        assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
        assert_eq!(server.sent.len(), sent);
        server.close();
    }
}

#[test]
fn a_heartbeat_is_answered_at_once_with_its_stamp_and_the_tick_the_game_stands_at() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.call(|manager, now| manager.set_server_tick(now, 600));
    server.advance(7);

    let heartbeat = anna.frames(|writer| assert!(writer.write_heartbeat(4_711)));
    server.talk(&mut anna, &heartbeat);

    let answers =
        anna.heard(|frame| if let Frame::HeartbeatResponse(answer) = frame { Some(answer) } else { None });
    let expected = HeartbeatResponse {
        stamp: 4_711,
        delay_micros: 0,
        server_tick: 600,
        tick_phase_micros: 7_000,
        move_arrival: None,
    };
    assert_eq!(answers.last(), Some(&expected));
    server.close();
}

#[test]
fn a_tick_that_is_told_again_has_begun_when_it_was_told_first() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    for _ in 0..3 {
        server.call(|manager, now| manager.set_server_tick(now, 600));
        server.advance(4);
    }

    let heartbeat = anna.frames(|writer| assert!(writer.write_heartbeat(4_711)));
    server.talk(&mut anna, &heartbeat);

    let phases = anna.heard(|frame| match frame {
        Frame::HeartbeatResponse(answer) => Some((answer.server_tick, answer.tick_phase_micros)),
        _ => None,
    });
    assert_eq!(phases.last(), Some(&(600, 12_000)));
    server.close();
}

#[test]
fn p47_the_worst_arrival_of_an_input_is_reported_once_with_the_answer_to_a_heartbeat() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.call(|manager, now| manager.set_server_tick(now, 600));
    let moves = [anna.moves(&[603]), anna.moves(&[601]), anna.moves(&[700]), anna.moves(&[608, 605])];
    for moves in [&moves[1], &moves[0], &moves[2], &moves[3]] {
        server.talk(&mut anna, moves);
    }

    for stamp in [9_001, 9_002] {
        let heartbeat = anna.frames(|writer| assert!(writer.write_heartbeat(stamp)));
        server.talk(&mut anna, &heartbeat);
    }

    let reports = anna.heard(|frame| match frame {
        Frame::HeartbeatResponse(answer) if answer.stamp > 9_000 => Some(answer.move_arrival),
        _ => None,
    });
    assert_eq!(reports, [Some(MoveArrival { tick: 601, server_tick: 600 }), None]);
    assert_eq!(server.session_of(ANNA).moves().unwrap().late, 0);
    server.close();
}

#[test]
fn the_server_measures_the_round_trip_by_its_own_heartbeats() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.advance(800);
    server.listen(&mut anna);
    let stamps = anna.heard(|frame| if let Frame::Heartbeat { stamp } = frame { Some(stamp) } else { None });

    server.advance(60);
    let (stamp, delay_micros) = (*stamps.last().unwrap(), 20_000);
    let elapsed = server.now.as_micros() - stamp;
    let response =
        HeartbeatResponse { stamp, delay_micros, server_tick: 0, tick_phase_micros: 0, move_arrival: None };
    let answer = anna.frames(|writer| assert!(writer.write_heartbeat_response(&response)));
    server.talk(&mut anna, &answer);

    assert!(server.session_of(ANNA).rtt() <= Some(Duration::from_micros(elapsed - delay_micros)));
    assert!(server.session_of(ANNA).rtt().is_some());
    server.close();
}

#[test]
fn heartbeats_log_nobody_in() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);

    server.live(&mut [&mut anna], 3_000);

    assert_eq!(server.state_of(ANNA), Some(State::TransportConnected));
    server.close();
}

#[test]
fn heartbeats_are_events_only_where_the_host_asked_for_them() {
    for is_wanted in [false, true] {
        let mut server = Harness::new(Config { heartbeat_events: is_wanted, ..framed_config() });
        let mut anna = server.player(ANNA, 1);
        server.live(&mut [&mut anna], 1_000);
        server.advance(2_000);

        let is_told = |wanted: fn(&Event) -> bool| server.events.iter().any(|(event, _)| wanted(event));
        assert_eq!(is_told(|event| matches!(event, Event::HeartbeatReceived { .. })), is_wanted);
        assert_eq!(is_told(|event| matches!(event, Event::HeartbeatSent { .. })), is_wanted);
        server.close();
    }
}

#[test]
fn the_timeout_is_the_tokens_within_the_range_of_the_configuration() {
    for (token_s, timeout_s) in [(-1, 10), (0, 1), (3, 3), (600, 10)] {
        let mut server = Harness::raw();
        server.backend.timeout_seconds = token_s;
        let _anna = server.raw_player(ANNA, 1);
        assert_eq!(server.session_of(ANNA).timeout(), Duration::from_secs(timeout_s));

        server.advance(timeout_s * 1_000 - 1);
        assert_eq!(server.state_of(ANNA), Some(State::LoggedIn));
        server.advance(1);

        assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
        server.close();
    }
}
