//! What callers are told about their own mistakes; a send that is refused is counted as that, and nothing of it as the server's.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::super::bench::{Bench, UNIX_S, first_server, token, welcome};
use crate::client::{
    ClientConfig, ClientConfigError, ClientCounters, ClientError, ClientLoginError, ClientSendError,
    ClientSendRefusal, ClientSession, SavedError,
};
use crate::link::frame::Welcome;
use crate::netcode::TokenError;
use crate::{ConnectToken, Timestamp};

/// Of the saved form: where the version, the first generation and its token are.
const VERSION_AT: usize = 7;
const TOKEN_AT: usize = 7 + 1 + 8 + 8 + 1 + 8;

/// Checks that every place from 0 to the last is taken.
fn assert_complete(places: impl IntoIterator<Item = usize>, count: usize) {
    assert_eq!(places.into_iter().collect::<BTreeSet<_>>(), (0..count).collect());
}

fn bad_config() -> (ClientConfig, ClientConfigError) {
    let config = ClientConfig { move_redundancy_min: 0, ..ClientConfig::default() };
    (config, ClientConfigError { field: "move_redundancy_min", value: 0, min: 1, max: 8 })
}

fn player() -> Bench {
    let config = ClientConfig { lane_queue_bytes_max: 1_200, ..ClientConfig::default() };
    Bench::welcomed(config, &token(1, &[first_server()]), &welcome())
}

fn raw() -> Bench {
    Bench::new(ClientConfig::raw(), &token(1, &[first_server()]))
}

#[test]
fn each_reason_why_a_session_cannot_begin_is_reached() {
    fn place(error: ClientError) -> usize {
        match error {
            ClientError::Config(_) => 0,
            ClientError::TokenExpired => 1,
        }
    }
    let token = token(1, &[first_server()]);
    let begin =
        |config, unix_s| ClientSession::new(config, [1; 32], Timestamp::ZERO, &token, unix_s).map(|_| ());
    let (config, error) = bad_config();
    let an_hour_later = UNIX_S + 45 + 3_600;

    let refusals =
        [begin(config, UNIX_S), begin(ClientConfig::default(), an_hour_later)].map(Result::unwrap_err);

    assert_eq!(refusals, [ClientError::Config(error), ClientError::TokenExpired]);
    assert_complete(refusals.map(place), 2);
}

/// What a client with one resume token saves.
fn saved() -> Vec<u8> {
    let backend = token(100, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &backend, &welcome());
    let mut resume: ConnectToken = token(1, &[first_server()]);
    resume.expire_unix = resume.create_unix + 86_400;
    bench.give_resume_token(&backend, 1, &resume);
    let mut saved = Vec::new();
    assert!(bench.client.save(&mut saved));
    saved
}

#[test]
fn each_reason_why_saved_bytes_resume_nothing_is_reached() {
    fn place(error: SavedError) -> usize {
        match error {
            SavedError::Config(_) => 0,
            SavedError::RawPayloads => 1,
            SavedError::Malformed => 2,
            SavedError::Version(_) => 3,
            SavedError::Token(_) => 4,
            SavedError::TokenExpired => 5,
        }
    }
    let resume = |config, saved: &[u8], unix_s| {
        ClientSession::resume(config, [1; 32], Timestamp::ZERO, saved, unix_s).map(|_| ()).unwrap_err()
    };
    let saved = saved();
    let with = |at: usize, byte| {
        let mut changed = saved.clone();
        changed[at] = byte;
        changed
    };
    let (config, error) = bad_config();
    let later = UNIX_S + 86_400 + 3_600;

    let refusals = [
        resume(config, &saved, UNIX_S),
        resume(ClientConfig::raw(), &saved, UNIX_S),
        resume(ClientConfig::default(), &saved[..saved.len() - 1], UNIX_S),
        resume(ClientConfig::default(), &with(VERSION_AT, 9), UNIX_S),
        resume(ClientConfig::default(), &with(TOKEN_AT, b'X'), UNIX_S),
        resume(ClientConfig::default(), &saved, later),
    ];

    assert_eq!(
        refusals,
        [
            SavedError::Config(error),
            SavedError::RawPayloads,
            SavedError::Malformed,
            SavedError::Version(9),
            SavedError::Token(TokenError::Version),
            SavedError::TokenExpired,
        ]
    );
    assert_complete(refusals.map(place), 6);
}

#[test]
fn each_reason_why_something_cannot_be_sent_is_reached() {
    fn place(error: ClientSendError) -> usize {
        match error {
            ClientSendError::NotConnected => 0,
            ClientSendError::NotLoggedIn => 1,
            ClientSendError::Size => 2,
            ClientSendError::Full { .. } => 3,
            ClientSendError::NoSuchLane => 4,
            ClientSendError::FramedOnly => 5,
            ClientSendError::StaleTick => 6,
            ClientSendError::NoSuchKey => 7,
        }
    }
    let (mut player, mut raw) = (player(), raw());
    let mut newcomer = Bench::new(ClientConfig::default(), &token(1, &[first_server()]));
    player.client.send(0, &[7; 1_000]).unwrap();
    player.client.send_move(5, b"input").unwrap();
    let mut expected = player.client.counters().clone();

    let refusals = [
        raw.client.send_datagram(b"x"),
        newcomer.client.send(0, b"x"),
        player.client.send(0, b""),
        player.client.send(0, &[7; 201]),
        player.client.send(4, b"x"),
        raw.client.send(0, b"x"),
        player.client.send_move(5, b"input"),
        player.client.send_latest(256, b"x"),
    ]
    .map(Result::unwrap_err);

    assert_eq!(
        refusals,
        [
            ClientSendError::NotConnected,
            ClientSendError::NotLoggedIn,
            ClientSendError::Size,
            ClientSendError::Full { bytes_to_acknowledge: 1_000 },
            ClientSendError::NoSuchLane,
            ClientSendError::FramedOnly,
            ClientSendError::StaleTick,
            ClientSendError::NoSuchKey,
        ]
    );
    assert_complete(refusals.map(place), 8);
    assert_complete(
        refusals.map(|error| ClientSendRefusal::from(error) as usize),
        ClientSendRefusal::ALL.len(),
    );
    let counted =
        |counters: &ClientCounters| ClientSendRefusal::ALL.map(|refusal| counters.sends_refused(refusal));
    for error in [2, 3, 4, 6, 7].map(|place: usize| refusals[place]) {
        assert_eq!(expected.count_send(Err(error)), Err(error));
    }
    assert_eq!(player.client.counters(), &expected);
    assert_eq!(counted(raw.client.counters()), [1, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(counted(newcomer.client.counters()), [0, 1, 0, 0, 0, 0, 0, 0]);
    assert!([&player, &raw, &newcomer].iter().all(|bench| bench.client.counters().add_up()));
}

#[test]
fn each_reason_why_a_login_cannot_be_made_is_reached() {
    fn place(error: ClientLoginError) -> usize {
        match error {
            ClientLoginError::AlreadyLoggedIn => 0,
            ClientLoginError::Pending => 1,
            ClientLoginError::Size => 2,
            ClientLoginError::FramedOnly => 3,
            ClientLoginError::Disconnected => 4,
        }
    }
    let terms = Welcome { logged_in: false, login_explicit: true, ..welcome() };
    let mut guest = Bench::welcomed(ClientConfig::default(), &token(1, &[first_server()]), &terms);
    let (mut player, mut raw) = (player(), raw());
    let too_large = guest.client.login(&[0; 1_025]);
    guest.client.login(b"credential").unwrap();
    let pending = guest.client.login(b"credential");
    guest.client.disconnect(guest.now);

    let refusals =
        [player.client.login(b""), pending, too_large, raw.client.login(b""), guest.client.login(b"")]
            .map(Result::unwrap_err);

    assert_eq!(
        refusals,
        [
            ClientLoginError::AlreadyLoggedIn,
            ClientLoginError::Pending,
            ClientLoginError::Size,
            ClientLoginError::FramedOnly,
            ClientLoginError::Disconnected,
        ]
    );
    assert_complete(refusals.map(place), 5);
}

#[test]
fn every_mistake_is_told_in_words_of_its_own_and_with_its_figures() {
    let (_, bad_setting) = bad_config();
    let told = [
        (bad_setting.to_string(), &["move_redundancy_min", "0", "1 to 8"][..]),
        (ClientError::TokenExpired.to_string(), &["expired"]),
        (SavedError::RawPayloads.to_string(), &["raw"]),
        (SavedError::Malformed.to_string(), &["saved"]),
        (SavedError::Version(9).to_string(), &["9"]),
        (SavedError::Token(TokenError::AddressType(3)).to_string(), &["token", "type 3"]),
        (SavedError::TokenExpired.to_string(), &["expired"]),
        (ClientSendError::NotConnected.to_string(), &["connected"]),
        (ClientSendError::NotLoggedIn.to_string(), &["logged in"]),
        (ClientSendError::Size.to_string(), &["empty", "larger"]),
        (ClientSendError::Full { bytes_to_acknowledge: 5 }.to_string(), &["full"]),
        (ClientSendError::NoSuchLane.to_string(), &["lane"]),
        (ClientSendError::NoSuchKey.to_string(), &["key"]),
        (ClientSendError::FramedOnly.to_string(), &["raw"]),
        (ClientSendError::StaleTick.to_string(), &["tick"]),
        (ClientLoginError::AlreadyLoggedIn.to_string(), &["already"]),
        (ClientLoginError::Pending.to_string(), &["attempt"]),
        (ClientLoginError::Size.to_string(), &["1,024 bytes"]),
        (ClientLoginError::FramedOnly.to_string(), &["raw", "token"]),
        (ClientLoginError::Disconnected.to_string(), &["ended"]),
    ];

    for (text, parts) in &told {
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
    let texts: BTreeSet<_> = told.iter().map(|(text, _)| text).collect();
    assert_eq!(texts.len(), told.len(), "no two sound the same");
    let of_other_operations =
        [ClientError::Config(bad_setting).to_string(), SavedError::Config(bad_setting).to_string()];
    assert!(of_other_operations.iter().all(|text| *text == told[0].0), "but for the same mistake");
}
