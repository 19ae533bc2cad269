//! The loss of a path and the way back (PROTOCOL.md, section 10).

use alloc::vec::Vec;

use super::bench::{
    Bench, HEARTBEAT_MS, Sent, TIMEOUT_MS, TIMEOUT_S, WINDOW_MS, first_server, frames, opened, requests_of,
    resume_token, token, welcome,
};
use crate::client::{ClientConfig, ClientDisconnectReason, ClientEvent, ClientState, DropReason, Verdict};
use crate::link::frame::{Frame, Welcome};
use crate::netcode::packet::{Packet, PacketKind};
use crate::{ConnectToken, Continuity};

/// Half the timeout, as that is no more than two seconds and no less than three heartbeats.
const DEAD_MS: u64 = TIMEOUT_MS / 2;
const TOKEN_TIMEOUT_MS: u64 = 1_000 * TIMEOUT_S as u64;

/// A client that is logged in and has resume tokens of these generations, whose keys are numbered alike.
fn logged_in(generations: &[u8]) -> (Bench, ConnectToken) {
    let (mut bench, backend) = Bench::with_resume_tokens(generations);
    bench.run_for_ms(50);
    (bench, backend)
}

/// The same, and the path has been silent for long enough.
fn away(generations: &[u8]) -> (Bench, ConnectToken, Vec<Sent>) {
    let (mut bench, backend) = logged_in(generations);
    bench.run_for_ms(DEAD_MS - 51);
    assert_eq!(bench.events(), []);
    let sent = bench.run_for_ms(1);
    assert_eq!(bench.events(), [ClientEvent::PathLost]);
    (bench, backend, sent)
}

fn has_ended(bench: &mut Bench, reason: ClientDisconnectReason) -> bool {
    bench.events().last() == Some(&ClientEvent::Disconnected { reason })
}

#[test]
fn a_dead_path_is_told_and_the_lowest_generation_is_tried_at_once() {
    let (bench, _, sent) = away(&[1, 2]);

    assert_eq!(bench.client.state(), ClientState::Away);
    assert_eq!(requests_of(&sent, &resume_token(1)), 1);
    assert_eq!(requests_of(&sent, &resume_token(2)), 0);
}

#[test]
fn the_old_path_is_tried_once_a_heartbeat_while_the_attempt_runs() {
    let (mut bench, backend, _) = away(&[1, 2]);
    bench.client.send(0, b"waits").unwrap();

    let mut sent = Vec::new();
    for tick in 0..4 * HEARTBEAT_MS / 20 {
        bench.client.send_move(1_000 + tick, b"move").unwrap();
        sent.extend(bench.run_for_ms(20));
    }

    let on_old_path = opened(&sent, &backend).len() as u64;
    assert!((3..=5).contains(&on_old_path), "{on_old_path} packets");
}

#[test]
fn a_path_that_revives_is_kept_and_the_attempt_abandoned() {
    let (mut bench, backend, _) = away(&[1, 2]);

    bench.give_frames(&backend, |writer| writer.write_heartbeat(1));
    let sent = bench.run_for_ms(300);

    assert_eq!(bench.events(), [ClientEvent::Reconnected { continuity: Continuity::Kept }]);
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
    assert_eq!(requests_of(&sent, &resume_token(1)), 0);
    assert_eq!(bench.client.resume_tokens(), 2, "a request alone spends no token");
}

#[test]
fn a_repeated_packet_of_the_old_path_revives_nothing() {
    let (mut bench, backend) = logged_in(&[1]);
    let recorded = bench.keep_alive(&backend);
    bench.give(&recorded);
    bench.run_for_ms(DEAD_MS);
    bench.events();

    assert_eq!(bench.give(&recorded), Verdict::Dropped(DropReason::Replayed));
    assert_eq!(bench.client.state(), ClientState::Away);
}

#[test]
fn a_packet_of_the_old_path_that_was_held_back_revives_nothing() {
    let (mut bench, backend) = logged_in(&[1]);
    let held_back = bench.keep_alive(&backend);
    let later = bench.keep_alive(&backend);
    bench.give(&later);
    bench.run_for_ms(DEAD_MS);
    bench.events();

    assert_eq!(bench.give(&held_back), Verdict::Accepted);
    assert_eq!(bench.client.state(), ClientState::Away);
}

#[test]
fn the_attempts_keep_alive_replaces_the_path_and_hello_comes_first() {
    let (mut bench, backend, _) = away(&[1, 2]);
    let first = resume_token(1);

    bench.let_in(&first);
    let sent = bench.run_for_ms(350);

    assert_eq!(opened(&sent, &backend), []);
    let hellos = opened(&sent, &first);
    assert_eq!(hellos.len(), 4, "ten a second");
    for packet in &hellos {
        assert!(
            matches!(frames(&packet.payload)[0], Frame::Hello(hello) if hello.lane_epoch == bench.lane_epoch)
        );
    }
    assert_eq!(bench.events(), [], "not back before the welcome");
}

#[test]
fn a_welcome_that_keeps_the_lanes_ends_the_way_back_without_loss() {
    let (mut bench, _, _) = away(&[1, 2]);
    bench.client.send(0, b"said while away").unwrap();
    let first = resume_token(1);
    bench.let_in(&first);

    bench.welcome(&first, &Welcome { lanes_kept: true, ..welcome() });
    let sent = opened(&bench.run_for_ms(10), &first);

    assert_eq!(bench.events(), [ClientEvent::Reconnected { continuity: Continuity::Kept }]);
    let has_message = |payload: &[u8]| {
        frames(payload)
            .iter()
            .any(|frame| matches!(frame, Frame::Lane { lane: 0, number: 0, message: b"said while away" }))
    };
    assert!(sent.iter().any(|packet| has_message(&packet.payload)));
    assert_eq!(bench.client.resume_tokens(), 1, "the generation is spent");
}

#[test]
fn a_welcome_that_does_not_keep_the_lanes_says_so() {
    let (mut bench, _, _) = away(&[1]);
    let first = resume_token(1);
    bench.let_in(&first);

    bench.welcome(&first, &welcome());

    assert_eq!(bench.events(), [ClientEvent::Reconnected { continuity: Continuity::Restarted }]);
}

#[test]
fn sequences_begin_at_zero_under_a_token_of_this_process_and_at_random_under_the_backends() {
    let (mut bench, backend, sent) = away(&[1]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);

    let responses = opened(&bench.drain(), &first);

    assert_eq!((responses[0].kind, responses[0].sequence), (PacketKind::Response, 0));
    let under_backend = opened(&sent, &backend);
    assert!(under_backend.iter().all(|packet| packet.sequence > 1_000 && packet.sequence < 1 << 41));
}

#[test]
fn a_token_that_was_answered_and_fails_makes_way_for_the_next() {
    let (mut bench, _, _) = away(&[1, 2]);
    let challenge = bench.challenge(&resume_token(1));
    bench.give(&challenge);

    bench.run_for_ms(TOKEN_TIMEOUT_MS - 1);
    let sent = bench.run_for_ms(1);

    assert_eq!(requests_of(&sent, &resume_token(2)), 1);
}

#[test]
fn a_token_that_nobody_answered_is_tried_again_and_the_next_one_kept() {
    let (mut bench, _, _) = away(&[1, 2]);

    let sent = bench.run_for_ms(3 * TOKEN_TIMEOUT_MS);

    assert!(requests_of(&sent, &resume_token(1)) > 2 * (TOKEN_TIMEOUT_MS / 100) as usize);
    assert_eq!(requests_of(&sent, &resume_token(2)), 0);
}

#[test]
fn what_was_held_back_on_the_old_path_does_not_end_an_attempt_that_responds() {
    let (mut bench, backend, _) = away(&[1, 2]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);
    bench.run_for_ms(100);

    let held_back = bench.seal(&backend, &Packet::KeepAlive { client_index: 0, max_clients: 1 });
    bench.give(&held_back);
    let sent = bench.run_for_ms(500);

    assert_eq!(bench.client.state(), ClientState::Away);
    assert!(!opened(&sent, &first).is_empty(), "it goes on responding");
}

#[test]
fn what_comes_on_the_old_path_after_the_network_changed_revives_nothing() {
    let (mut bench, backend, _) = away(&[1, 2]);
    let now = bench.now;
    bench.client.network_changed(now);

    let held_back = bench.seal(&backend, &Packet::KeepAlive { client_index: 0, max_clients: 1 });
    bench.give(&held_back);
    let sent = bench.run_for_ms(500);

    assert_eq!(bench.client.state(), ClientState::Away);
    assert!(requests_of(&sent, &resume_token(1)) > 0);
}

#[test]
fn the_last_token_is_tried_again_after_a_pause_that_grows() {
    let (mut bench, _, mut sent) = away(&[1]);
    let first = resume_token(1);

    sent.extend(bench.run_for_ms(WINDOW_MS - 1_000));

    let times: Vec<_> = sent.iter().filter(|sent| sent.is_request_of(&first)).map(|sent| sent.at).collect();
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1].micros_since(pair[0]) / 1_000).collect();
    let long: Vec<u64> = pauses.into_iter().filter(|pause| *pause > 110).collect();
    assert!(long.len() >= 4, "{long:?}");
    assert!((125..=350).contains(&long[0]) && (500..=1_100).contains(&long[2]), "{long:?}");
}

#[test]
fn a_response_to_the_last_token_is_repeated_in_turn_with_requests_as_long_as_the_server_keeps_the_session() {
    let (mut bench, _, _) = away(&[1]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);

    let in_the_first_second = bench.run_for_ms(999);
    let later = bench.run_for_ms(WINDOW_MS - 2_000);

    assert_eq!(requests_of(&in_the_first_second, &first), 0);
    let requests = requests_of(&later, &first) as u64;
    let sealed_later = opened(&later, &first);
    let responses_later =
        sealed_later.iter().filter(|packet| packet.kind == PacketKind::Response).count() as u64;
    assert!(requests.abs_diff(responses_later) <= 1 && requests >= (WINDOW_MS - 3_000) / 200);
    let sealed = opened(&[in_the_first_second, later].concat(), &first);
    let sequences = sealed.iter().map(|packet| packet.sequence);
    assert!(sequences.eq(0..sealed.len() as u64), "no sequence is used twice");
}

#[test]
fn a_denied_resume_token_means_that_the_session_is_gone() {
    let (mut bench, _, _) = away(&[1, 2]);

    let denied = bench.seal(&resume_token(1), &Packet::Denied);
    bench.give(&denied);

    assert!(has_ended(&mut bench, ClientDisconnectReason::SessionGone));
}

#[test]
fn the_search_ends_with_the_window() {
    let (mut bench, _, _) = away(&[1, 2]);

    bench.run_for_ms(TIMEOUT_MS + WINDOW_MS - DEAD_MS - 1);
    assert_eq!(bench.client.state(), ClientState::Away);
    bench.run_for_ms(1);

    assert!(has_ended(&mut bench, ClientDisconnectReason::ReconnectExpired));
    assert_eq!(bench.client.poll_timeout(), None);
}

#[test]
fn a_challenge_at_the_end_of_the_window_is_answered_and_the_answer_waited_for() {
    let (mut bench, _, _) = away(&[1]);
    bench.run_for_ms(TIMEOUT_MS + WINDOW_MS - DEAD_MS - 1);

    let challenge = bench.challenge(&resume_token(1));
    bench.give(&challenge);
    bench.run_for_ms(TOKEN_TIMEOUT_MS - 1);
    assert_eq!(bench.client.state(), ClientState::Away);
    bench.run_for_ms(1);

    assert!(has_ended(&mut bench, ClientDisconnectReason::ReconnectExpired));
}

#[test]
fn without_tokens_the_old_path_is_what_is_hoped_for() {
    let (mut bench, backend, _) = away(&[]);
    bench.run_for_ms(10_000);

    let keep_alive = bench.keep_alive(&backend);
    bench.give(&keep_alive);

    assert_eq!(bench.events(), [ClientEvent::Reconnected { continuity: Continuity::Kept }]);
}

#[test]
fn a_change_of_network_does_not_wait_for_silence() {
    let (mut bench, _) = logged_in(&[1, 2]);

    bench.client.network_changed(bench.now);
    let sent = bench.drain();

    assert_eq!(bench.events(), [ClientEvent::PathLost]);
    assert_eq!(requests_of(&sent, &resume_token(1)), 1);
}

#[test]
fn a_change_of_network_leaves_a_session_without_tokens_as_it_is() {
    let (mut bench, _) = logged_in(&[]);

    bench.client.network_changed(bench.now);

    assert_eq!((bench.events(), bench.client.state()), (Vec::new(), ClientState::LoggedIn));
}

#[test]
fn a_welcome_that_comes_after_its_path_was_given_up_for_dead_tells_once_of_the_return() {
    let (mut bench, _, _) = away(&[1, 2]);
    let first = resume_token(1);
    bench.let_in(&first);
    let sent = bench.run_for_ms(2 * TOKEN_TIMEOUT_MS);
    assert!(requests_of(&sent, &resume_token(2)) > 0, "the path is dead");

    let restarted = Welcome { lane_epoch: bench.lane_epoch, lanes_kept: false, ..welcome() };
    bench.give_frames(&first, |writer| writer.write_welcome(&restarted));

    assert_eq!(bench.events(), [ClientEvent::Reconnected { continuity: Continuity::Restarted }]);
}

#[test]
fn p62_a_change_of_network_after_a_response_takes_the_next_token() {
    let (mut bench, _, _) = away(&[1, 2]);
    let challenge = bench.challenge(&resume_token(1));
    bench.give(&challenge);
    bench.drain();

    bench.client.network_changed(bench.now);
    let sent = bench.drain();

    assert_eq!(requests_of(&sent, &resume_token(2)), 1);
}

#[test]
fn p62_changes_of_network_while_nobody_answers_make_no_token_void() {
    let (mut bench, _, _) = away(&[1, 2]);
    let first = resume_token(1);

    for _ in 0..10 {
        bench.client.network_changed(bench.now);
        let sent = bench.run_for_ms(250);
        assert_eq!((requests_of(&sent, &first), requests_of(&sent, &resume_token(2))), (3, 0));
    }
    bench.let_in(&first);

    assert_eq!(bench.client.resume_tokens(), 1, "generation 2");
}

#[test]
fn a_second_path_that_dies_before_its_welcome_makes_way_for_the_next_token() {
    let (mut bench, _, _) = away(&[1, 2]);
    bench.let_in(&resume_token(1));

    let sent = bench.run_for_ms(DEAD_MS);

    assert_eq!(requests_of(&sent, &resume_token(2)), 1);
    assert_eq!(bench.events(), [], "the path was lost once");
}

#[test]
fn a_welcome_that_comes_late_is_taken_and_the_next_attempt_abandoned() {
    let (mut bench, _, _) = away(&[1, 2]);
    let first = resume_token(1);
    bench.let_in(&first);
    bench.run_for_ms(DEAD_MS);

    let keep_alive = bench.keep_alive(&first);
    bench.give(&keep_alive);
    assert_eq!(requests_of(&bench.run_for_ms(100), &resume_token(2)), 1, "a keep-alive is no welcome");
    let late = Welcome { lane_epoch: bench.lane_epoch, lanes_kept: true, ..welcome() };
    bench.give_frames(&first, |writer| writer.write_welcome(&late));

    assert_eq!(bench.events(), [ClientEvent::Reconnected { continuity: Continuity::Kept }]);
    assert_eq!(requests_of(&bench.run_for_ms(1_000), &resume_token(2)), 0);
    assert_eq!(bench.client.resume_tokens(), 1);
}

#[test]
fn a_completed_generation_voids_those_below_it() {
    let (mut bench, _, _) = away(&[1, 2, 3]);
    let challenge = bench.challenge(&resume_token(1));
    bench.give(&challenge);
    bench.drain();
    bench.client.network_changed(bench.now);
    let second = resume_token(2);
    bench.let_in(&second);
    bench.welcome(&second, &Welcome { lanes_kept: true, ..welcome() });

    bench.give_resume_token(&second, 1, &resume_token(1));

    assert_eq!(bench.client.resume_tokens(), 1, "generation 3");
}

#[test]
fn a_path_that_is_silent_before_anybody_is_logged_in_ends_the_session() {
    let backend = token(100, &[first_server()]);
    let terms = Welcome { logged_in: false, login_explicit: true, ..welcome() };
    let mut bench = Bench::welcomed(ClientConfig::default(), &backend, &terms);

    bench.run_for_ms(TIMEOUT_MS - 1);
    assert_eq!(bench.client.state(), ClientState::Connected);
    bench.run_for_ms(1);

    assert!(has_ended(&mut bench, ClientDisconnectReason::TimedOut));
}

#[test]
fn a_host_that_was_away_does_not_hold_it_against_the_server() {
    let (mut bench, backend) = logged_in(&[1]);
    bench.now = bench.now.plus_millis(DEAD_MS + 500);

    bench.client.handle_timeout(bench.now);
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
    let keep_alive = bench.keep_alive(&backend);
    bench.give(&keep_alive);
    bench.run_for_ms(DEAD_MS - 1);

    assert_eq!(bench.events(), []);
}

#[test]
fn p64_after_goodbye_with_superseded_nothing_comes_back() {
    let (mut bench, backend) = logged_in(&[1, 2]);

    bench.give_frames(&backend, |writer| writer.write_goodbye(5, &[]));

    assert!(has_ended(&mut bench, ClientDisconnectReason::Superseded));
    assert_eq!(bench.run_for_ms(WINDOW_MS), []);
}

#[test]
fn a_disconnect_of_the_old_path_ends_the_session_even_while_away() {
    let (mut bench, backend, _) = away(&[1]);

    let disconnect = bench.seal(&backend, &Packet::Disconnect);
    bench.give(&disconnect);

    assert!(has_ended(&mut bench, ClientDisconnectReason::Closed));
}

#[test]
fn a_disconnect_under_the_keys_of_an_attempt_means_nothing() {
    let (mut bench, _, _) = away(&[1]);
    let first = resume_token(1);
    let challenge = bench.challenge(&first);
    bench.give(&challenge);

    let disconnect = bench.seal(&first, &Packet::Disconnect);

    assert_eq!(bench.give(&disconnect), Verdict::Dropped(DropReason::Unopened));
    assert_eq!(bench.client.state(), ClientState::Away);
}

#[test]
fn a_client_whose_last_token_expires_still_hopes_for_its_old_path() {
    let (mut bench, backend) = logged_in(&[]);
    let mut short_lived = resume_token(1);
    short_lived.expire_unix = short_lived.create_unix + 6;
    bench.give_resume_token(&backend, 1, &short_lived);
    bench.run_for_ms(10_000);
    assert_eq!((bench.client.state(), bench.client.resume_tokens()), (ClientState::Away, 0));
    bench.events();

    let keep_alive = bench.keep_alive(&backend);
    bench.give(&keep_alive);

    assert_eq!(bench.events(), [ClientEvent::Reconnected { continuity: Continuity::Kept }]);
}
