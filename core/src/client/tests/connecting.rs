//! The netcode handshake of the first token.

use super::bench::{Bench, Sent, TIMEOUT_S, UNIX_S, first_server, opened, second_server, token, welcome};
use crate::client::{
    ClientConfig, ClientDisconnectReason, ClientError, ClientEvent, ClientSession, ClientState, DropReason,
    Verdict,
};
use crate::netcode::packet::{Packet, PacketKind};
use crate::{Timestamp, Violation};

const TIMEOUT_MS: u64 = 1_000 * TIMEOUT_S as u64;

fn ended(reason: ClientDisconnectReason) -> ClientEvent {
    ClientEvent::Disconnected { reason }
}

#[test]
fn a_payload_that_completes_the_handshake_and_breaks_the_protocol_is_counted() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    let challenge = bench.challenge(&token);
    bench.give(&challenge);
    bench.drain();

    let no_frame = bench.seal(&token, &Packet::Payload(&[0x7F]));

    assert_eq!(bench.give(&no_frame), Verdict::Dropped(DropReason::Violation));
    assert_eq!(bench.client.counters().violations(Violation::UnknownFrame), 1);
    bench.welcome(&token, &welcome());
    assert_eq!(bench.client.state(), ClientState::LoggedIn);
}

#[test]
fn requests_leave_ten_times_a_second_until_the_challenge_and_responses_after_it() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    let requests = bench.run_for_ms(950);
    let challenge = bench.challenge(&token);
    let verdict = bench.give(&challenge);
    let responses = bench.run_for_ms(950);

    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(requests.len(), 10);
    assert!(requests.iter().all(|sent| sent.is_request_of(&token) && sent.to == first_server()));
    assert_eq!(responses.len(), 10);
    assert!(opened(&responses, &token).iter().all(|packet| packet.kind == PacketKind::Response));
}

#[test]
fn the_keep_alive_of_the_server_connects_and_nothing_before_it_does() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    let early = bench.keep_alive(&token);
    assert_eq!(bench.give(&early), Verdict::Dropped(DropReason::Unexpected));
    assert_eq!(bench.client.state(), ClientState::Connecting);
    bench.let_in(&token);

    assert_eq!(bench.client.state(), ClientState::Connected);
    assert_eq!(bench.events(), [ClientEvent::Connected { login_explicit: false }]);
}

#[test]
fn a_payload_that_opens_connects_as_a_keep_alive_does_and_is_delivered() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);
    let challenge = bench.challenge(&token);
    bench.give(&challenge);

    let payload = bench.seal(&token, &Packet::Payload(b"hi"));
    bench.give(&payload);

    let events = bench.events_with_bytes();
    assert_eq!(events[1], (ClientEvent::Datagram, b"hi".to_vec()));
    assert_eq!(events.len(), 2);
}

#[test]
fn challenges_and_denials_mean_nothing_once_connected() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);
    bench.let_in(&token);

    let challenge = bench.challenge(&token);
    let denied = bench.seal(&token, &Packet::Denied);

    assert_eq!(bench.give(&challenge), Verdict::Dropped(DropReason::Unexpected));
    assert_eq!(bench.give(&denied), Verdict::Dropped(DropReason::Unexpected));
    assert_eq!(bench.client.state(), ClientState::Connected);
}

#[test]
fn a_second_challenge_does_not_replace_the_first() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);
    let challenge = bench.challenge(&token);
    bench.give(&challenge);

    let second = bench.challenge(&token);

    assert_eq!(bench.give(&second), Verdict::Dropped(DropReason::Unexpected));
}

#[test]
fn a_response_without_an_answer_is_followed_by_requests_too_and_the_challenge_they_bring_is_answered() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);
    let challenge = bench.challenge(&token);
    bench.give(&challenge);

    let sent = bench.run_for_ms(1_000);
    let newer = bench.seal(&token, &Packet::Challenge { token_sequence: 8, token: &mut [6; 300] });
    let verdict = bench.give(&newer);
    let at_once = bench.drain();
    let next = opened(&bench.run_for_ms(100), &token);

    assert!(sent.last().unwrap().is_request_of(&token));
    assert_eq!(sent.iter().filter(|sent| sent.is_request_of(&token)).count(), 1);
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(at_once, [], "a challenge that comes again causes no more packets");
    assert_eq!(next[0].kind, PacketKind::Response);
    assert_eq!(next[0].challenge, Some((8, [6; 300])));
}

#[test]
fn challenges_without_end_do_not_keep_a_client_at_a_server() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    for _ in 0..TIMEOUT_MS / 100 {
        let challenge = bench.challenge(&token);
        bench.give(&challenge);
        bench.run_for_ms(100);
    }

    assert_eq!(bench.events(), [ended(ClientDisconnectReason::TimedOut)]);
}

#[test]
fn packets_from_elsewhere_or_under_other_keys_mean_nothing() {
    let token = token(1, &[first_server(), second_server()]);
    let other = super::bench::token(2, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    let challenge = bench.challenge(&token);
    let foreign = bench.challenge(&other);

    assert_eq!(bench.give_from(second_server(), &challenge), Verdict::Dropped(DropReason::UnknownAddress));
    assert_eq!(bench.give(&foreign), Verdict::Dropped(DropReason::Unopened));
    assert!(bench.drain().iter().all(|sent| sent.is_request_of(&token)));
}

#[test]
fn a_silent_server_is_given_up_after_the_tokens_timeout_and_the_sequence_goes_on_at_the_next() {
    let token = token(1, &[first_server(), second_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);
    let challenge = bench.challenge(&token);
    bench.give(&challenge);
    let at_first = opened(&bench.run_for_ms(TIMEOUT_MS - 1), &token);

    let requests = bench.run_for_ms(50);
    let challenge = bench.challenge(&token);
    bench.give_from(second_server(), &challenge);
    let at_second = opened(&bench.run_for_ms(200), &token);

    assert!(requests.iter().any(|sent| sent.is_request_of(&token) && sent.to == second_server()));
    assert!(at_first[0].sequence < 1 << 40);
    assert_eq!(at_second[0].sequence, at_first.last().unwrap().sequence + 1);
}

#[test]
fn when_every_server_is_silent_the_session_ends_once() {
    let token = token(1, &[first_server(), second_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    bench.run_for_ms(2 * TIMEOUT_MS - 1);
    assert_eq!(bench.events(), []);
    bench.run_for_ms(1);

    assert_eq!(bench.events(), [ended(ClientDisconnectReason::TimedOut)]);
    assert_eq!(bench.client.poll_timeout(), None);
    assert_eq!(bench.run_for_ms(60_000), []);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_denial_leads_to_the_next_server_and_at_the_last_to_the_end() {
    let token = token(1, &[first_server(), second_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    let denied = bench.seal(&token, &Packet::Denied);
    bench.give(&denied);
    assert!(bench.drain().iter().all(|sent: &Sent| sent.to == second_server()));
    let denied = bench.seal(&token, &Packet::Denied);
    bench.give_from(second_server(), &denied);

    assert_eq!(bench.events(), [ended(ClientDisconnectReason::Denied)]);
}

#[test]
fn a_token_that_expires_on_the_way_ends_the_session() {
    let servers = [first_server(); 20];
    let token = token(1, &servers);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    bench.run_for_ms(44_999);
    assert_eq!(bench.client.state(), ClientState::Connecting);
    bench.run_for_ms(1);

    assert_eq!(bench.events(), [ended(ClientDisconnectReason::TokenExpired)]);
}

#[test]
fn a_clock_that_is_an_hour_fast_does_not_refuse_a_token_but_a_long_expired_one_is_refused() {
    let token = token(1, &[first_server()]);
    let begin = |unix_s| {
        ClientSession::new(ClientConfig::raw(), [0; 32], Timestamp::ZERO, &token, unix_s).map(|_| ()).err()
    };

    assert_eq!(begin(UNIX_S + 3_600), None);
    assert_eq!(begin(UNIX_S + 45 + 3_600), Some(ClientError::TokenExpired));
}

#[test]
fn a_change_of_network_begins_the_handshake_again_without_repeating_a_sequence() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);
    let challenge = bench.challenge(&token);
    bench.give(&challenge);
    let before = opened(&bench.run_for_ms(200), &token);

    bench.client.network_changed(bench.now);
    let requests = bench.drain();
    let challenge = bench.challenge(&token);
    bench.give(&challenge);
    let after = opened(&bench.drain(), &token);

    assert!(requests[0].is_request_of(&token));
    assert_eq!(after[0].sequence, before.last().unwrap().sequence + 1);
}

#[test]
fn leaving_before_the_first_welcome_takes_no_other_session_over() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.let_in(&token);

    bench.client.disconnect(bench.now);

    assert!(opened(&bench.drain(), &token).iter().all(|packet| packet.kind == PacketKind::Disconnect));
}

#[test]
fn leaving_while_the_server_may_have_let_the_client_in_tells_it_so() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);
    let challenge = bench.challenge(&token);
    bench.give(&challenge);

    bench.client.disconnect(bench.now);

    let farewell = opened(&bench.drain(), &token);
    assert_eq!(farewell.len(), 10);
    assert!(farewell.iter().all(|packet| packet.kind == PacketKind::Disconnect));
    assert_eq!(bench.events(), [ended(ClientDisconnectReason::Left)]);
    assert_eq!(bench.client.poll_timeout(), None);
}
