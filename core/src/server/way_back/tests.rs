use super::*;
use crate::netcode::CONNECT_TOKEN_BYTES;
use std::vec::Vec;

use allocation_counter::measure;

const SESSION: SessionId = SessionId { index: 3, generation: 9 };

fn mint() -> ResumeMint {
    ResumeMint::new(7, Key::new([1; 32]), 99, Key::new([2; 32]))
}

fn content(addresses: &[SocketAddr]) -> ResumeContent<'_> {
    ResumeContent {
        session: SESSION,
        client_id: ClientId(5),
        generation: 4,
        create_unix: 1_000,
        timeout_seconds: 10,
        addresses,
    }
}

fn bytes(token: &ConnectToken) -> [u8; CONNECT_TOKEN_BYTES] {
    let mut bytes = [0; CONNECT_TOKEN_BYTES];
    token.write(&mut bytes);
    bytes
}

fn nonce(token: &ConnectToken) -> Vec<u8> {
    bytes(token)[37..61].to_vec()
}

#[test]
fn the_same_content_gives_the_same_token_and_another_content_another_nonce() {
    let here: SocketAddr = "203.0.113.1:40000".parse().unwrap();
    let other: SocketAddr = "203.0.113.2:40000".parse().unwrap();
    let (at_home, elsewhere, both) = ([here], [other], [here, other]);
    let token = mint().mint(&content(&at_home)).unwrap();
    assert_eq!(bytes(&token), bytes(&mint().mint(&content(&at_home)).unwrap()));

    let changed = [
        content(&elsewhere),
        content(&both),
        ResumeContent { create_unix: 1_001, ..content(&at_home) },
        ResumeContent { generation: 5, ..content(&at_home) },
        ResumeContent { timeout_seconds: 11, ..content(&at_home) },
        ResumeContent { session: SessionId { index: 3, generation: 10 }, ..content(&at_home) },
    ];
    for content in changed {
        assert_ne!(nonce(&mint().mint(&content).unwrap()), nonce(&token), "{content:?}");
    }
}

#[test]
fn a_token_is_told_by_its_tag_by_the_start_that_made_it_and_by_no_other() {
    let here = ["203.0.113.1:40000".parse().unwrap()];
    let token = mint().mint(&content(&here)).unwrap();
    let other = mint().mint(&ResumeContent { generation: 5, ..content(&here) }).unwrap();
    let tag = mint().tag_of(token.expire_unix, &token.nonce);

    assert!(tag.is_some() && tag != mint().tag_of(other.expire_unix, &other.nonce));
    assert_eq!(mint().tag_of(token.expire_unix + 1, &token.nonce), None);
    for place in 0..TOKEN_NONCE_BYTES {
        let mut nonce = token.nonce;
        nonce[place] ^= 1;
        assert_eq!(mint().tag_of(token.expire_unix, &nonce), None, "byte {place}");
    }
    let next_start = ResumeMint::new(7, Key::new([1; 32]), 99, Key::new([3; 32]));
    assert_eq!(next_start.tag_of(token.expire_unix, &token.nonce), None);
}

#[test]
fn a_claim_is_recognised_by_the_start_that_made_it_and_by_no_other() {
    let ours = mint();
    let claim = ResumeClaim {
        boot_id: 99,
        session: SESSION,
        generation: 4,
        secret: ours.derive(SESSION, 4, b"secret", &[]),
    };
    assert_eq!(ResumeClaim::read(&claim.write()), Some(claim));
    assert!(ours.is_own(&claim) && ours.is_genuine(&claim));

    assert!(!ours.is_genuine(&ResumeClaim { generation: 5, ..claim }));
    let next_start = ResumeMint::new(7, Key::new([1; 32]), 100, Key::new([3; 32]));
    assert!(!next_start.is_own(&claim) && !next_start.is_genuine(&claim));
}

#[test]
fn user_data_of_a_backend_is_no_claim() {
    assert_eq!(ResumeClaim::read(&[0; USER_DATA_BYTES]), None);
}

#[test]
fn three_unspent_tokens_are_kept_with_the_client() {
    let mut ledger = ResumeLedger::default();
    let mut sent = Vec::new();
    ledger.replenish(100, |generation| sent.push(generation));
    assert_eq!(sent, [1, 2, 3]);

    ledger.spend(1);
    ledger.replenish(100, |generation| sent.push(generation));
    assert_eq!(sent, [1, 2, 3, 4]);
    assert!(!ledger.is_unspent(1) && (2..=4).all(|generation| ledger.is_unspent(generation)));
    assert!(!ledger.is_unspent(5), "it was never made");

    ledger.spend(3);
    ledger.replenish(100, |generation| sent.push(generation));
    assert_eq!(sent, [1, 2, 3, 4, 5, 6]);
    assert!(!ledger.is_unspent(2), "completing a later generation makes the earlier ones void");
}

#[test]
fn tokens_are_renewed_long_before_they_expire_and_the_old_ones_stay_valid() {
    let mut ledger = ResumeLedger::default();
    ledger.replenish(0, |_| ());
    let mut renewed = Vec::new();
    ledger.replenish(RENEW_AFTER_S - 1, |generation| renewed.push(generation));
    assert_eq!(renewed, []);
    for round in 1..5 {
        ledger.replenish(RENEW_AFTER_S * round, |generation| renewed.push(generation));
    }
    assert_eq!(renewed, (4..=15).collect::<Vec<_>>());
    assert!((1..=15).all(|generation| ledger.is_unspent(generation)));
    assert!(ledger.outstanding().count() <= OUTSTANDING_MAX);
}

#[test]
fn a_generation_can_be_sent_again_until_it_is_spent() {
    let mut ledger = ResumeLedger::default();
    ledger.replenish(77, |_| ());
    assert_eq!(ledger.create_unix(1), Some(77));
    ledger.spend(1);
    assert_eq!((ledger.create_unix(1), ledger.create_unix(2)), (None, Some(77)));
}

#[test]
fn a_ledger_takes_memory_only_for_more_tokens_than_are_wanted_and_no_more_than_is_reckoned() {
    let mut ledger = ResumeLedger::default();
    ledger.replenish(0, |_| {});
    assert_eq!(ledger.memory_bytes(), 0);

    let allocated = measure(|| ledger.replenish(RENEW_AFTER_S, |_| {}));

    assert_eq!(u64::try_from(allocated.bytes_current), Ok(ledger.memory_bytes() as u64));
    assert_eq!(ledger.memory_bytes(), ResumeLedger::memory_bytes_max());
}

#[test]
fn a_logged_claim_shows_no_secret() {
    let secret = mint().derive(SESSION, 4, b"secret", &[]);
    let claim = ResumeClaim { boot_id: 99, session: SESSION, generation: 4, secret };

    let shown = std::format!("{claim:?}");

    assert!(shown.contains("generation: 4"));
    assert!(!shown.contains("secret") && !shown.contains(&std::format!("{secret:?}")));
}

#[test]
fn tokens_that_are_renewed_may_still_be_sent_beside_what_renews_them_and_older_ones_may_not() {
    let mut ledger = ResumeLedger::default();
    ledger.replenish(0, |_| {});
    ledger.replenish(RENEW_AFTER_S, |_| {});
    assert!(ledger.outstanding().eq(1..=6));

    ledger.replenish(2 * RENEW_AFTER_S, |_| {});

    assert!(ledger.outstanding().eq(4..=9));
}
