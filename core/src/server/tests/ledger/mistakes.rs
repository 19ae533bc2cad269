//! What callers are told about their own mistakes; a send that is refused is counted as that, and nothing of it as somebody else's.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec;
use core::net::SocketAddr;

use crate::ledger::SendRefusal;
use crate::{
    BanError, ClientId, Config, ConfigError, LoginError, LoginPolicy, MultiSessionManager, Prefix, SendError,
    SessionId, Timestamp, UnknownSession,
};

use super::super::harness::{Harness, client_address, framed_config, raw_config, tight_config};

const ANNA: u64 = 11;
const BEN: u64 = 22;

/// Checks that every place from 0 to the last is taken.
fn assert_complete(places: impl IntoIterator<Item = usize>, count: usize) {
    assert_eq!(places.into_iter().collect::<BTreeSet<_>>(), (0..count).collect());
}

/// A session that has ended.
fn stale(server: &mut Harness) -> SessionId {
    server.guest(BEN, 2);
    let id = server.id_of(BEN);
    server.call(|manager, now| manager.remove(now, id)).unwrap();
    id
}

#[test]
fn each_reason_why_something_cannot_be_sent_is_reached() {
    fn place(error: SendError) -> usize {
        match error {
            SendError::UnknownSession => 0,
            SendError::NotLoggedIn => 1,
            SendError::Size { .. } => 2,
            SendError::NoSuchLane => 3,
            SendError::Full { .. } => 4,
            SendError::RawPayloads => 5,
            SendError::NoSuchKey => 6,
            SendError::NoMemory => 7,
        }
    }
    let mut server = Harness::new(Config { lane_queue_bytes_max: 1_200, ..framed_config() });
    let stale = stale(&mut server);
    let _anna = server.player(ANNA, 1);
    let _ben = server.guest(BEN, 2);
    let (anna, ben) = (server.id_of(ANNA), server.id_of(BEN));
    let mut raw = Harness::raw();
    raw.raw_player(ANNA, 1);
    let raw_anna = raw.id_of(ANNA);
    let mut tight = Harness::new(tight_config());
    let _carl = tight.player(BEN, 1);
    let carl = tight.id_of(BEN);
    let long = vec![7; 19_000];
    let mut expected = server.manager.counters().clone();
    server.manager.send(server.now, anna, 0, &[7; 1_000]).unwrap();
    tight.manager.send(tight.now, carl, 0, &long).unwrap();

    let refusals = [
        server.manager.send(server.now, stale, 0, b"x"),
        server.manager.send(server.now, ben, 0, b"x"),
        server.manager.send(server.now, anna, 0, b""),
        server.manager.send(server.now, anna, 4, b"x"),
        server.manager.send(server.now, anna, 0, &[7; 201]),
        raw.manager.send(raw.now, raw_anna, 0, b"x"),
        server.manager.send_latest(server.now, anna, 256, b"x"),
        tight.manager.send(tight.now, carl, 1, &long),
    ]
    .map(Result::unwrap_err);

    assert_eq!(
        refusals,
        [
            SendError::UnknownSession,
            SendError::NotLoggedIn,
            SendError::Size { bytes: 0, max: 1_200 },
            SendError::NoSuchLane,
            SendError::Full { bytes_to_acknowledge: 1_000 },
            SendError::RawPayloads,
            SendError::NoSuchKey,
            SendError::NoMemory,
        ]
    );
    assert_complete(refusals.map(place), 8);
    assert_complete(refusals.map(|error| SendRefusal::from(error) as usize), SendRefusal::ALL.len());
    let counted_elsewhere = [SendRefusal::RawPayloads, SendRefusal::NoMemory];
    let of_others = counted_elsewhere.map(|refusal| {
        [&raw, &tight].map(|server| server.manager.counters().refused(refusal)).iter().sum::<u64>()
    });
    let of_framed =
        refusals.map(SendRefusal::from).into_iter().filter(|cause| !counted_elsewhere.contains(cause));
    of_framed.for_each(|refusal| expected.refuse(refusal));
    expected.sends_requested += 7;
    expected.sends_queued += 1;
    assert_eq!((server.manager.counters(), of_others), (&expected, [1, 1]));
    server.close();
    raw.close();
    tight.close();
}

#[test]
fn each_reason_why_a_login_cannot_be_answered_is_reached() {
    fn place(error: LoginError) -> usize {
        match error {
            LoginError::UnknownSession => 0,
            LoginError::NotPending => 1,
        }
    }
    let mut server = Harness::framed();
    let stale = stale(&mut server);
    let _anna = server.guest(ANNA, 1);
    let guest = server.id_of(ANNA);
    let before = server.manager.counters().clone();

    let accepted = [stale, guest].map(|id| server.manager.accept_login(server.now, id).unwrap_err());
    let rejected = [stale, guest].map(|id| server.manager.reject_login(server.now, id, 1, "").unwrap_err());

    assert_eq!(accepted, rejected);
    assert_complete(accepted.map(place), 2);
    assert_eq!(server.manager.counters(), &before);
    server.close();
}

#[test]
fn a_full_list_of_bans_and_a_stale_handle_are_told() {
    fn place(error: BanError) -> usize {
        match error {
            BanError::Full => 0,
        }
    }
    let mut server = Harness::new(Config { bans_max: 1, ..framed_config() });
    let stale = stale(&mut server);
    server.manager.ban(server.now, ClientId(BEN), Timestamp::NEVER).unwrap();
    let before = server.manager.counters().clone();

    let full = server.manager.ban(server.now, ClientId(ANNA), Timestamp::NEVER);

    assert_complete(full.err().map(place), 1);
    assert_eq!(server.manager.disconnect(server.now, stale, 1, b""), Err(UnknownSession));
    assert_eq!(server.manager.remove(server.now, stale), Err(UnknownSession));
    assert_eq!(server.manager.counters(), &before);
    server.close();
}

#[test]
fn each_reason_why_a_configuration_is_refused_is_reached_before_anything_is_made() {
    fn place(error: &ConfigError) -> usize {
        match error {
            ConfigError::OutOfRange { .. } => 0,
            ConfigError::PublicAddresses { .. } => 1,
            ConfigError::UnreachableAddress(_) => 2,
            ConfigError::RawNeedsTokenLogin => 3,
            ConfigError::ExemptPrefixes { .. } => 4,
        }
    }
    let exempt = Prefix::new(client_address(1).ip(), 24).unwrap();
    let wildcard = SocketAddr::from(([0, 0, 0, 0], 40_000));
    let configs = [
        Config { tick_hz: 0, ..framed_config() },
        Config { public_addresses: vec![], ..framed_config() },
        Config { public_addresses: vec![client_address(1); 33], ..framed_config() },
        Config { public_addresses: vec![wildcard], ..framed_config() },
        Config { login: LoginPolicy::Explicit, ..raw_config() },
        Config { exempt_prefixes: vec![exempt; 33], ..framed_config() },
    ];

    let refusals = configs
        .map(|config| MultiSessionManager::new(config, [1; 32], Timestamp::ZERO, 0).map(|_| ()).unwrap_err());

    assert_eq!(
        refusals,
        [
            ConfigError::OutOfRange { field: "tick_hz", value: 0, min: 1, max: 1_000 },
            ConfigError::PublicAddresses { count: 0 },
            ConfigError::PublicAddresses { count: 33 },
            ConfigError::UnreachableAddress(wildcard),
            ConfigError::RawNeedsTokenLogin,
            ConfigError::ExemptPrefixes { count: 33 },
        ]
    );
    assert_complete(refusals.iter().map(place), 5);
}

#[test]
fn every_mistake_is_told_in_words_of_its_own_and_with_its_figures() {
    let full = SendError::Full { bytes_to_acknowledge: 1_000 };
    let out_of_range = ConfigError::OutOfRange { field: "tick_hz", value: 0, min: 1, max: 1_000 };
    let told = [
        (UnknownSession.to_string(), &[][..]),
        (BanError::Full.to_string(), &["banned"]),
        (LoginError::NotPending.to_string(), &["login"]),
        (SendError::NotLoggedIn.to_string(), &["logged in"]),
        (SendError::Size { bytes: 9_001, max: 1_200 }.to_string(), &["9001", "1200"]),
        (SendError::NoSuchLane.to_string(), &["lane"]),
        (SendError::NoSuchKey.to_string(), &["key"]),
        (full.to_string(), &["1000 bytes"]),
        (SendError::RawPayloads.to_string(), &["raw"]),
        (SendError::NoMemory.to_string(), &["memory"]),
        (out_of_range.to_string(), &["tick_hz", "0", "1 to 1000"]),
        (ConfigError::PublicAddresses { count: 33 }.to_string(), &["33", "1 to 32"]),
        (ConfigError::UnreachableAddress(client_address(1)).to_string(), &["198.51.100.7:1"]),
        (ConfigError::RawNeedsTokenLogin.to_string(), &["raw", "TokenIsLogin"]),
    ];

    for (text, parts) in &told {
        assert!(!text.is_empty() && parts.iter().all(|part| text.contains(part)), "{text}");
    }
    let texts: BTreeSet<_> = told.iter().map(|(text, _)| text).collect();
    assert_eq!(texts.len(), told.len(), "no two sound the same");
    let of_other_operations = [LoginError::UnknownSession.to_string(), SendError::UnknownSession.to_string()];
    assert!(of_other_operations.iter().all(|text| *text == told[0].0), "but for the same mistake");
}
