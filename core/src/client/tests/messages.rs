//! The message layer at the client's end.

use alloc::vec::Vec;
use core::time::Duration;

use super::bench::{Bench, HEARTBEAT_MS, TIMEOUT_S, WINDOW_MS, first_server, frames, opened, token, welcome};
use crate::SessionId;
use crate::client::{
    ClientConfig, ClientDisconnectReason, ClientEvent, ClientLoginError, ClientSendError, ClientState,
    DropReason, Verdict,
};
use crate::link::frame::{Frame, HeartbeatResponse, MoveArrival, State, Welcome};
use crate::netcode::packet::{Packet, PacketKind};

fn logged_in() -> (Bench, crate::ConnectToken) {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &welcome());
    bench.events();
    bench.drain();
    (bench, token)
}

#[test]
fn p20_hello_is_the_first_packet_and_nothing_but_payloads_follows() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.let_in(&token);

    let sent = opened(&bench.run_for_ms(950), &token);

    assert_eq!(sent.len(), 10);
    for packet in &sent {
        assert_eq!(packet.kind, PacketKind::Payload);
        assert!(matches!(frames(&packet.payload)[0], Frame::Hello(hello) if hello.is_acceptable()));
    }
}

#[test]
fn a_login_made_before_there_is_a_connection_goes_out_with_the_hello() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.client.login(b"secret").unwrap();
    bench.let_in(&token);

    let sent = opened(&bench.drain(), &token);

    let frames = frames(&sent[0].payload);
    assert!(matches!(frames[..], [Frame::Hello(_), Frame::Login { attempt: 1, credential: b"secret" }]));
}

#[test]
fn p41_path_challenges_are_answered_at_once_ahead_of_all_else_and_again_if_they_come_again() {
    let (mut bench, token) = logged_in();
    bench.client.send(0, b"message").unwrap();
    for _ in 0..2 {
        bench.give_frames(&token, |writer| writer.write_path_challenge(7));
        bench.give_frames(&token, |writer| writer.write_path_challenge(9));

        let sent = opened(&bench.drain(), &token);

        let expected = [Frame::PathResponse { value: 7 }, Frame::PathResponse { value: 9 }];
        assert_eq!(frames(&sent[0].payload)[..2], expected);
    }
}

#[test]
fn p27_what_only_players_get_says_that_the_login_was_accepted_when_that_answer_is_late() {
    let token = token(1, &[first_server()]);
    let welcome = Welcome { login_explicit: true, logged_in: false, ..welcome() };
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &welcome);
    bench.client.login(b"secret").unwrap();
    bench.events();
    bench.drain();

    bench.give_frames(&token, |writer| writer.write_lane(0, 0, (b"welcome", b"")));
    bench.give_frames(&token, |writer| writer.write_login_accepted(1));

    assert_eq!(bench.events(), [ClientEvent::LoggedIn, ClientEvent::Message { lane: 0 }]);
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
}

#[test]
fn p22_a_payload_before_the_welcome_is_dropped_and_not_acknowledged() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.let_in(&token);

    let verdict = bench.give_frames(&token, |writer| writer.write_lane(0, 0, (b"early", b"")));

    assert_eq!(verdict, Verdict::Dropped(DropReason::BeforeWelcome));
    let sent = opened(&bench.run_for_ms(300), &token);
    assert!(sent.iter().all(|packet| matches!(frames(&packet.payload)[..], [Frame::Hello(_)])));
    assert_eq!(bench.events(), []);
}

#[test]
fn a_welcome_of_another_version_or_to_another_hello_or_with_other_lanes_is_dropped() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.let_in(&token);
    let sent = opened(&bench.drain(), &token);
    let Frame::Hello(hello) = frames(&sent[0].payload)[0] else { panic!("hello comes first") };
    let right = Welcome { lane_epoch: hello.lane_epoch, ..welcome() };

    for wrong in [
        Welcome { version: 2, ..right },
        Welcome { lane_epoch: right.lane_epoch ^ 1, ..right },
        Welcome { ordered_lanes: 3, ..right },
        Welcome { message_bytes_max: 262_145, ..right },
        Welcome { lane_window_bytes: 131_073, ..right },
        Welcome { latest_keys: 257, ..right },
    ] {
        let verdict = bench.give_frames(&token, |writer| writer.write_welcome(&wrong));
        assert_eq!(verdict, Verdict::Dropped(DropReason::BadWelcome));
    }
    assert_eq!(bench.client.state(), ClientState::Connecting);
    assert_eq!(bench.give_frames(&token, |writer| writer.write_welcome(&right)), Verdict::Accepted);
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
}

#[test]
fn a_server_that_lets_the_client_in_but_never_welcomes_it_is_given_up() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.let_in(&token);

    for _ in 0..10 * u64::from(TIMEOUT_S.unsigned_abs()) {
        bench.run_for_ms(100);
        let keep_alive = bench.keep_alive(&token);
        bench.give(&keep_alive);
    }

    let reason = ClientDisconnectReason::TimedOut;
    assert_eq!(bench.events(), [ClientEvent::Disconnected { reason }]);
}

#[test]
fn p5_a_malformed_payload_does_nothing_and_is_not_acknowledged() {
    let (mut bench, token) = logged_in();

    let bytes = bench.seal(&token, &Packet::Payload(&[0x11, 2, b'h', b'i', 0x7F]));

    assert_eq!(bench.give(&bytes), Verdict::Dropped(DropReason::Violation));
    assert_eq!(bench.events(), []);
    let sent = opened(&bench.run_for_ms(100), &token);
    assert!(sent.iter().all(
        |packet| !matches!(frames(&packet.payload)[0], Frame::Ack(ack) if ack.largest == bench.sequence - 1)
    ));
}

#[test]
fn p13_an_acknowledgement_of_what_was_never_sent_is_a_violation() {
    let (mut bench, token) = logged_in();

    let verdict = bench.give_frames(&token, |writer| writer.write_ack(0, core::iter::once(1..=1)) > 0);

    assert_eq!(verdict, Verdict::Dropped(DropReason::Violation));
}

#[test]
fn p50_messages_arrive_on_the_lane_they_were_sent_on_and_on_no_other() {
    let (mut bench, token) = logged_in();

    bench.give_frames(&token, |writer| writer.write_lane(3, 0, (b"three", b"")));
    let verdict = bench.give_frames(&token, |writer| writer.write_lane(4, 0, (b"nowhere", b"")));
    bench.client.send(2, b"two").unwrap();

    assert_eq!(bench.events_with_bytes(), [(ClientEvent::Message { lane: 3 }, b"three".to_vec())]);
    assert_eq!(verdict, Verdict::Dropped(DropReason::Violation));
    let sent = opened(&bench.drain(), &token);
    let is_sent = |frame: &Frame<'_>| matches!(frame, Frame::Lane { lane: 2, number: 0, message: b"two" });
    assert!(sent.iter().any(|packet| frames(&packet.payload).iter().any(is_sent)));
}

#[test]
fn reliable_messages_are_delivered_once_and_in_order() {
    let (mut bench, token) = logged_in();

    for (number, message) in [(1, b"1"), (0, b"0"), (1, b"1"), (2, b"2"), (0, b"0")] {
        bench.give_frames(&token, |writer| writer.write_lane(0, number, (message, b"")));
    }

    let events = bench.events_with_bytes();
    assert!(events.iter().all(|(event, _)| *event == ClientEvent::Message { lane: 0 }));
    let bytes: Vec<u8> = events.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, b"012");
}

#[test]
fn p45_only_newer_states_are_delivered() {
    let (mut bench, token) = logged_in();

    for server_tick in [5, 4, 5, 9] {
        let state = State { server_tick, acknowledged_tick: None, bytes: b"s" };
        bench.give_frames(&token, |writer| writer.write_state(&state));
    }

    let state = |server_tick| ClientEvent::State { server_tick, acknowledged: None };
    assert_eq!(bench.events(), [state(5), state(9)]);
}

#[test]
fn p46_each_packet_repeats_the_newest_moves_until_they_are_acknowledged() {
    let (mut bench, token) = logged_in();
    let moves = |bench: &mut Bench| -> Vec<u64> {
        let sent = opened(&bench.drain(), &token);
        let frames = frames(&sent[0].payload);
        let moves = frames.iter().find_map(|frame| match frame {
            Frame::Moves(moves) => Some(moves.inputs().map(|(tick, _)| tick).collect()),
            _ => None,
        });
        moves.unwrap()
    };

    let mut seen = Vec::new();
    for tick in [10, 11, 12, 15] {
        bench.client.send_move(tick, b"m").unwrap();
        seen.push(moves(&mut bench));
    }
    let state = State { server_tick: 1, acknowledged_tick: Some(12), bytes: b"" };
    bench.give_frames(&token, |writer| writer.write_state(&state));
    bench.client.send_move(16, b"m").unwrap();
    seen.push(moves(&mut bench));

    assert_eq!(seen[..3], [[10].to_vec(), [11, 10].to_vec(), [12, 11, 10].to_vec()]);
    assert_eq!(seen[3..], [[15, 12, 11].to_vec(), [16, 15].to_vec()]);
}

#[test]
fn p26_moves_are_numbered_above_those_before_and_above_what_the_server_has() {
    let token = token(1, &[first_server()]);
    let terms = Welcome { move_high_water: Some(500), ..welcome() };
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &terms);

    assert_eq!(bench.client.move_high_water(), Some(500));
    assert_eq!(bench.client.send_move(500, b""), Err(ClientSendError::StaleTick));
    assert_eq!(bench.client.send_move(501, b""), Ok(()));
    assert_eq!(bench.client.send_move(501, b""), Err(ClientSendError::StaleTick));
    assert_eq!(bench.client.send_move(502, &[0; 1_151]), Err(ClientSendError::Size));
}

#[test]
fn nothing_is_sent_for_a_player_who_is_not_logged_in() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);

    assert_eq!(bench.client.send(0, b"x"), Err(ClientSendError::NotLoggedIn));
    assert_eq!(bench.client.send_datagram(b"x"), Err(ClientSendError::NotLoggedIn));
    assert_eq!(bench.client.send_move(1, b"x"), Err(ClientSendError::NotLoggedIn));
}

#[test]
fn a_callers_mistakes_are_named() {
    let (mut bench, _) = logged_in();

    assert_eq!(bench.client.send(4, b"x"), Err(ClientSendError::NoSuchLane));
    assert_eq!(bench.client.send(0, b""), Err(ClientSendError::Size));
    assert_eq!(bench.client.send(0, &alloc::vec![0; 262_145]), Err(ClientSendError::Size));
    assert_eq!(bench.client.send_datagram(&[0; 1_151]), Err(ClientSendError::Size));
    assert_eq!(bench.client.login(b"again"), Err(ClientLoginError::AlreadyLoggedIn));
    let mut taken = 0;
    while bench.client.send(0, &[0; 1_000]).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 262);
    assert_eq!(bench.client.send(0, &[0; 1_000]), Err(ClientSendError::Full { bytes_to_acknowledge: 1_000 }));
}

#[test]
fn one_login_attempt_at_a_time_and_none_with_too_large_a_credential() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);

    assert_eq!(bench.client.login(&[0; 1_025]), Err(ClientLoginError::Size));
    assert_eq!(bench.client.login(&[0; 1_024]), Ok(()));
    assert_eq!(bench.client.login(b""), Err(ClientLoginError::Pending));
    bench.client.disconnect(bench.now);
    assert_eq!(bench.client.login(b""), Err(ClientLoginError::Disconnected));
}

#[test]
fn the_longest_message_of_all_is_taken_where_both_ends_allow_it() {
    const LONGEST: u32 = 16_777_216;
    let token = token(1, &[first_server()]);
    let config = ClientConfig {
        message_bytes_max: LONGEST,
        lane_queue_bytes_max: LONGEST as usize,
        ..ClientConfig::default()
    };
    let terms = Welcome { message_bytes_max: LONGEST, ..welcome() };
    let mut bench = Bench::welcomed(config, &token, &terms);

    assert_eq!(bench.client.send(0, &alloc::vec![1; LONGEST as usize]), Ok(()));
}

#[test]
fn payloads_are_refused_while_nobody_takes_the_events_and_taken_again_afterwards() {
    let token = token(1, &[first_server()]);
    let config = ClientConfig { event_queue_bytes_max: 5_000, ..ClientConfig::default() };
    let mut bench = Bench::welcomed(config, &token, &welcome());

    let mut verdicts = Vec::new();
    for _ in 0..10 {
        verdicts.push(bench.give_frames(&token, |writer| writer.write_datagram((&[7; 1_000], &[]))));
    }
    let event_count = bench.events().len();
    let after = bench.give_frames(&token, |writer| writer.write_datagram((&[7; 1_000], &[])));

    assert_eq!(verdicts[4], Verdict::Accepted);
    assert_eq!(verdicts[9], Verdict::Dropped(DropReason::EventsFull));
    assert_eq!(event_count, 2 + 5, "two that tell of the login, and five payloads");
    assert_eq!(after, Verdict::Accepted);
}

#[test]
fn a_path_is_alive_whether_or_not_somebody_takes_the_events() {
    let token = token(1, &[first_server()]);
    let config = ClientConfig { event_queue_bytes_max: 5_000, ..ClientConfig::default() };
    let mut bench = Bench::welcomed(config, &token, &welcome());
    while !bench.client.events.is_full() {
        bench.give_frames(&token, |writer| writer.write_datagram((&[7; 1_000], &[])));
    }

    for _ in 0..100 {
        bench.now = bench.now.plus_millis(100);
        let verdict = bench.give_frames(&token, |writer| writer.write_heartbeat(1));
        assert_eq!(verdict, Verdict::Dropped(DropReason::EventsFull));
        bench.client.handle_timeout(bench.now);
        bench.drain();
    }

    assert_eq!(bench.client.state(), ClientState::LoggedIn);
}

#[test]
fn every_goodbye_code_has_its_reason_and_an_unknown_one_is_the_hosts() {
    use ClientDisconnectReason as Reason;
    let expected = [
        Reason::Host,
        Reason::Host,
        Reason::Shutdown,
        Reason::LoginRefused,
        Reason::LoginTimeout,
        Reason::Superseded,
        Reason::ProtocolViolation,
        Reason::Contested,
        Reason::ReconnectExpired,
        Reason::Drained,
        Reason::Host,
    ];
    for (code, reason) in (0_u8..).zip(expected) {
        let (mut bench, token) = logged_in();

        bench.give_frames(&token, |writer| writer.write_goodbye(code, b"detail"));

        let events = bench.events_with_bytes();
        assert_eq!(events, [(ClientEvent::Disconnected { reason }, b"detail".to_vec())], "code {code}");
    }
}

#[test]
fn nothing_that_arrives_after_the_end_means_anything() {
    let (mut bench, token) = logged_in();
    bench.give_frames(&token, |writer| writer.write_goodbye(2, &[]));
    bench.events();

    let verdict = bench.give_frames(&token, |writer| writer.write_goodbye(2, &[]));

    assert_eq!(verdict, Verdict::Dropped(DropReason::Ended));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.client.send(0, b"x"), Err(ClientSendError::NotLoggedIn));
}

#[test]
fn p38_a_client_that_leaves_says_goodbye_before_it_disconnects() {
    let (mut bench, token) = logged_in();

    bench.client.disconnect(bench.now);

    let sent = opened(&bench.drain(), &token);
    assert!(matches!(frames(&sent[0].payload)[..], [Frame::Goodbye { code: 0, detail: [] }]));
    assert_eq!(sent.len(), 11);
    assert!(sent[1..].iter().all(|packet| packet.kind == PacketKind::Disconnect));
    let reason = ClientDisconnectReason::Left;
    assert_eq!(bench.events(), [ClientEvent::Disconnected { reason }]);
}

#[test]
fn a_goodbye_in_place_of_the_welcome_ends_the_session() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.let_in(&token);
    bench.drain();

    let verdict = bench.give_frames(&token, |writer| writer.write_goodbye(2, b"not now"));

    assert_eq!(verdict, Verdict::Accepted);
    let reason = ClientDisconnectReason::Shutdown;
    let events = bench.events_with_bytes();
    assert_eq!(events, [(ClientEvent::Disconnected { reason }, b"not now".to_vec())]);
}

#[test]
fn what_is_known_of_the_server_is_what_its_welcome_said() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    assert_eq!(bench.client.server_address(), Some(first_server()), "it is tried first");
    assert_eq!((bench.client.session_id(), bench.client.reconnect_window()), (None, None));

    bench.let_in(&token);
    bench.welcome(&token, &welcome());

    assert_eq!(bench.client.server_address(), Some(first_server()));
    assert_eq!(bench.client.session_id().map(SessionId::to_bits), Some(77));
    assert_eq!(bench.client.reconnect_window(), Some(Duration::from_millis(WINDOW_MS)));
    bench.client.disconnect(bench.now);
    assert_eq!(bench.client.server_address(), None);
}

/// Lets the client ask for the server's clock, and answers at once that it is at `server_tick`.
fn answer_heartbeat(
    bench: &mut Bench,
    token: &crate::ConnectToken,
    server_tick: u64,
    move_arrival: Option<MoveArrival>,
) {
    let sent = opened(&bench.run_for_ms(HEARTBEAT_MS), token);
    let stamp = |frame| if let Frame::Heartbeat { stamp } = frame { Some(stamp) } else { None };
    let stamp = sent.iter().flat_map(|packet| frames(&packet.payload)).find_map(stamp).unwrap();
    let response =
        HeartbeatResponse { stamp, delay_micros: 0, server_tick, tick_phase_micros: 0, move_arrival };
    bench.give_frames(token, |writer| writer.write_heartbeat_response(&response));
}

#[test]
fn p47_the_lead_is_what_the_reported_move_took_and_one_tick_more() {
    let (mut bench, token) = logged_in();
    answer_heartbeat(&mut bench, &token, 625, None);
    let sent_at = bench.client.server_clock(bench.now).unwrap().tick;
    bench.client.send_move(700, b"input").unwrap();
    assert_eq!(bench.client.recommended_lead_ticks(), None);

    let arrival = MoveArrival { tick: 700, server_tick: sent_at + 5 };
    answer_heartbeat(&mut bench, &token, 650, Some(arrival));

    assert_eq!(bench.client.recommended_lead_ticks(), Some(6));
}

#[test]
fn each_move_is_carried_as_often_as_the_settings_say_at_least() {
    let token = token(1, &[first_server()]);
    let config = ClientConfig { move_redundancy_min: 5, ..ClientConfig::default() };
    let raw = Bench::new(ClientConfig::raw(), &token);

    let framed = Bench::welcomed(config, &token, &welcome());

    assert_eq!(framed.client.move_redundancy(), Some(5));
    assert_eq!(raw.client.move_redundancy(), None, "raw payloads carry no moves");
}
