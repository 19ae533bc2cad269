//! A session that outlives its process.

use alloc::vec::Vec;

use super::bench::{
    Bench, TIMEOUT_MS, TIMEOUT_S, UNIX_S, WINDOW_MS, first_server, opened, resume_token, token, welcome,
};
use crate::client::{
    ClientConfig, ClientDisconnectReason, ClientEvent, ClientSession, ClientState, SavedError,
};
use crate::{CONNECT_TOKEN_BYTES, Timestamp, TokenError};

const HEAD_BYTES: usize = 7 + 1 + 8 + 8 + 1;

fn logged_in(generations: &[u8]) -> Bench {
    Bench::with_resume_tokens(generations).0
}

fn saved(bench: &Bench) -> Vec<u8> {
    let mut out = b"what was there".to_vec();
    assert!(bench.client.save(&mut out));
    out
}

fn resume(saved: &[u8]) -> Result<ClientSession, SavedError> {
    ClientSession::resume(ClientConfig::default(), [4; 32], Timestamp::ZERO, saved, UNIX_S)
}

fn generations(saved: &[u8]) -> Vec<u64> {
    let tokens = saved[HEAD_BYTES..].chunks(8 + CONNECT_TOKEN_BYTES);
    tokens.map(|token| u64::from_le_bytes(*token.first_chunk().unwrap())).collect()
}

#[test]
fn another_process_tries_the_lowest_saved_generation_from_a_random_sequence() {
    let bench = logged_in(&[4, 5]);
    let mut bench = Bench::with(resume(&saved(&bench)).unwrap(), Timestamp::ZERO);
    let fourth = resume_token(4);

    assert!(bench.drain()[0].is_request_of(&fourth));
    let challenge = bench.challenge(&fourth);
    bench.give(&challenge);
    let responses = opened(&bench.drain(), &fourth);

    assert!(responses[0].sequence > 1_000 && responses[0].sequence < 1 << 40);
}

#[test]
fn a_process_that_has_not_come_back_yet_saves_what_it_was_given() {
    let saved_before = saved(&logged_in(&[4, 5]));
    let bench = Bench::with(resume(&saved_before).unwrap(), Timestamp::ZERO);

    assert_eq!(saved(&bench), saved_before);
}

#[test]
fn two_processes_have_two_lane_epochs_and_the_second_begins_as_connected() {
    let first = logged_in(&[4]);
    let mut second = Bench::with(resume(&saved(&first)).unwrap(), Timestamp::ZERO);

    second.let_in(&resume_token(4));
    second.welcome(&resume_token(4), &welcome());

    assert_ne!(first.lane_epoch, second.lane_epoch);
    assert_eq!(second.events(), [ClientEvent::Connected { login_explicit: false }, ClientEvent::LoggedIn]);
}

#[test]
fn p63_a_token_that_something_was_sealed_under_is_not_saved_nor_one_below_it() {
    let mut bench = logged_in(&[1, 2, 3]);
    assert_eq!(generations(&saved(&bench)), [1, 2, 3]);

    bench.client.network_changed(bench.now);
    bench.drain();
    assert_eq!(generations(&saved(&bench)), [1, 2, 3], "a request is not sealed under the token's keys");
    for generation in [1, 2] {
        let challenge = bench.challenge(&resume_token(generation));
        bench.give(&challenge);
        bench.drain();
        bench.client.network_changed(bench.now);
        bench.drain();
    }

    assert_eq!(generations(&saved(&bench)), [3]);
}

#[test]
fn a_process_that_waits_for_its_next_try_tries_at_once_when_the_network_changes() {
    let timeout_ms = u64::from(TIMEOUT_S.unsigned_abs()) * 1_000;
    let first = logged_in(&[4]);
    let mut bench = Bench::with(resume(&saved(&first)).unwrap(), Timestamp::ZERO);
    bench.run_for_ms(timeout_ms);
    assert_eq!(bench.drain(), [], "nobody answered, so that it pauses");

    bench.client.network_changed(bench.now);

    assert!(bench.drain().first().is_some_and(|sent| sent.is_request_of(&resume_token(4))));
}

#[test]
fn where_there_is_no_token_nothing_is_saved() {
    let bench = logged_in(&[]);
    let mut out = b"what was there".to_vec();

    assert!(!bench.client.save(&mut out));
    assert_eq!(out, b"");
}

#[test]
fn a_session_that_has_ended_is_not_saved() {
    let mut bench = logged_in(&[1]);
    bench.client.disconnect(bench.now);

    assert!(!bench.client.save(&mut Vec::new()));
}

#[test]
fn saved_bytes_cut_short_or_lengthened_anywhere_are_refused() {
    let saved = saved(&logged_in(&[1, 2]));

    for len in (0..saved.len()).step_by(7).chain(0..HEAD_BYTES + 9) {
        assert_eq!(resume(&saved[..len]).err(), Some(SavedError::Malformed), "{len} bytes");
    }
    assert_eq!(resume(&[&saved[..], b"x"].concat()).err(), Some(SavedError::Malformed));
}

#[test]
fn another_form_another_order_and_a_bad_token_are_refused_by_name() {
    let saved = saved(&logged_in(&[1, 2]));
    let with = |at: usize, byte: u8| {
        let mut changed = saved.clone();
        changed[at] = byte;
        resume(&changed).err()
    };

    assert_eq!(with(7, 2), Some(SavedError::Version(2)));
    assert_eq!(with(HEAD_BYTES, 0), Some(SavedError::Malformed), "generation 0");
    assert_eq!(with(HEAD_BYTES, 2), Some(SavedError::Malformed), "generation 2 twice");
    assert_eq!(with(HEAD_BYTES + 8, b'X'), Some(SavedError::Token(TokenError::Version)));
}

#[test]
fn saved_tokens_that_expired_long_ago_and_raw_payloads_are_refused() {
    let saved = saved(&logged_in(&[1]));
    let later = UNIX_S + 86_400 + 3_600;

    let expired = ClientSession::resume(ClientConfig::default(), [4; 32], Timestamp::ZERO, &saved, later);
    let raw = ClientSession::resume(ClientConfig::raw(), [4; 32], Timestamp::ZERO, &saved, UNIX_S);

    assert_eq!(expired.err(), Some(SavedError::TokenExpired));
    assert_eq!(raw.err(), Some(SavedError::RawPayloads));
}

#[test]
fn a_resumed_session_gives_up_when_the_server_cannot_keep_it_any_longer() {
    let saved = saved(&logged_in(&[1]));
    let mut bench = Bench::with(resume(&saved).unwrap(), Timestamp::ZERO);

    bench.run_for_ms(TIMEOUT_MS + WINDOW_MS - 1);
    assert_eq!(bench.client.state(), ClientState::Connecting);
    bench.run_for_ms(1);

    let reason = ClientDisconnectReason::ReconnectExpired;
    assert_eq!(bench.events(), [ClientEvent::Disconnected { reason }]);
}

#[test]
fn a_resumed_session_whose_last_token_expires_is_gone_at_once_for_it_has_no_path_to_hope_for() {
    let backend = token(100, &[first_server()]);
    let mut bench = logged_in(&[]);
    let mut short_lived = resume_token(1);
    short_lived.expire_unix = short_lived.create_unix + 3;
    bench.give_resume_token(&backend, 1, &short_lived);
    let mut bench = Bench::with(resume(&saved(&bench)).unwrap(), Timestamp::ZERO);

    bench.run_for_ms(2_999);
    assert_eq!(bench.events(), []);
    bench.run_for_ms(1);

    let reason = ClientDisconnectReason::SessionGone;
    assert_eq!(bench.events(), [ClientEvent::Disconnected { reason }]);
    assert_eq!(bench.client.poll_timeout(), None);
}
