//! Latest-wins values at the client's end (PROTOCOL.md, section 11).

use super::bench::{Bench, first_server, frames, opened, token, welcome};
use crate::client::{ClientConfig, ClientEvent, ClientSendError, DropReason, Verdict};
use crate::link::frame::{Frame, Welcome};

fn logged_in(terms: &Welcome) -> (Bench, crate::ConnectToken) {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, terms);
    bench.events();
    bench.drain();
    (bench, token)
}

#[test]
fn p71_only_values_newer_than_any_before_of_their_key_are_delivered() {
    let (mut bench, token) = logged_in(&welcome());

    for (key, version, value) in [(8, 3, b"c"), (8, 2, b"b"), (8, 3, b"c"), (0, 1, b"a"), (8, 4, b"d")] {
        let verdict = bench.give_frames(&token, |writer| writer.write_latest(key, version, value));
        assert_eq!(verdict, Verdict::Accepted);
    }

    let latest = |key, value: &[u8; 1]| (ClientEvent::Latest { key }, value.to_vec());
    assert_eq!(bench.events_with_bytes(), [latest(8, b"c"), latest(0, b"a"), latest(8, b"d")]);
    assert_eq!(bench.client.statistics().latest_stale, 2);
}

#[test]
fn p72_the_newest_value_of_a_key_leaves_with_the_next_packet() {
    let (mut bench, token) = logged_in(&welcome());

    for value in [b"a", b"b"] {
        bench.client.send_latest(7, value).unwrap();
    }

    let sent = opened(&bench.drain(), &token);
    let newest = Frame::Latest { key: 7, version: 2, value: b"b" };
    assert_eq!(sent.len(), 1);
    assert!(frames(&sent[0].payload).contains(&newest));
    assert_eq!(bench.client.statistics().latest_replaced, 1);
}

#[test]
fn p70_the_keys_are_those_of_the_welcome_both_ways() {
    let (mut bench, token) = logged_in(&Welcome { latest_keys: 10, ..welcome() });

    assert_eq!(bench.client.send_latest(10, b"x"), Err(ClientSendError::NoSuchKey));
    assert_eq!(bench.client.send_latest(9, b"x"), Ok(()));
    let outside = bench.give_frames(&token, |writer| writer.write_latest(10, 1, b"x"));
    assert_eq!(outside, Verdict::Dropped(DropReason::Violation));
    assert_eq!(bench.events(), []);
}

#[test]
fn values_that_cannot_be_sent_are_refused_to_their_sender() {
    let first = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &first);
    assert_eq!(bench.client.send_latest(0, b"x"), Err(ClientSendError::NotLoggedIn));

    let config = ClientConfig { latest_queue_bytes_max: 1_200, ..ClientConfig::default() };
    let mut bench = Bench::welcomed(config, &first, &welcome());
    assert_eq!(bench.client.send_latest(0, &[0; 1_151]), Err(ClientSendError::Size));
    assert_eq!(bench.client.send_latest(0, &[0; 1_150]), Ok(()));
    let full = ClientSendError::Full { bytes_to_acknowledge: 4 };
    assert_eq!(bench.client.send_latest(1, &[0; 46]), Err(full));
}
