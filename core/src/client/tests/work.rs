//! What one packet of a server may cost a client, and how long it listens to one that breaks the protocol.

use alloc::vec::Vec;

use super::bench::{Bench, first_server, token, welcome};
use crate::client::{ClientConfig, DropReason, Verdict};
use crate::link::frame::tests::all_frames;
use crate::link::frame::{PAYLOAD_BYTES_MAX, Role, Welcome, check_form};
use crate::netcode::packet::Packet;
use crate::{ConnectToken, Violation};

fn logged_in() -> (Bench, ConnectToken) {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &welcome());
    bench.events();
    bench.drain();
    (bench, token)
}

/// As many of these frames as fit one payload.
fn payload_of<const N: usize>(frame: impl Fn(u8) -> [u8; N]) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(PAYLOAD_BYTES_MAX / N).flat_map(frame).collect()
}

fn give(bench: &mut Bench, token: &ConnectToken, payload: &[u8]) -> Verdict {
    let bytes = bench.seal(token, &Packet::Payload(payload));
    bench.give(&bytes)
}

#[test]
fn one_packet_brings_about_no_more_than_its_bytes() {
    let payloads = [
        ("acceptances", payload_of(|count| [7, count & 0x7F])),
        ("rejections", payload_of(|count| [8, count & 0x7F, 0, 0, 0])),
        ("pieces", payload_of(|count| [0x10, count >> 7, count & 0x7F, 1, b'x'])),
        ("fragments", payload_of(|count| [0x14, count >> 7, count & 0x7F, 1, b'x'])),
        ("datagrams", payload_of(|_| [0x11, 1, b'x'])),
        ("states", payload_of(|count| [0x12, count & 0x7F, 0, 0])),
        ("goodbyes", payload_of(|_| [0x0A, 2, 0])),
    ];
    for (what, payload) in payloads {
        let (mut bench, token) = logged_in();

        let verdict = give(&mut bench, &token, &payload);

        let events = bench.events_with_bytes();
        let bytes: usize = events.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(verdict, Verdict::Accepted, "{what}");
        assert!(events.len() <= payload.len() / 2, "{what}: {} events", events.len());
        assert!(bytes <= payload.len(), "{what}: {bytes} bytes");
        assert!(bench.client.statistics().message_bytes_held_back <= payload.len(), "{what}");
        assert!(bench.drain().len() <= 1, "{what}");
    }
}

#[test]
fn p9_frames_that_cost_the_same_whatever_they_hold_come_once_in_a_packet() {
    let payloads = [
        payload_of(|_| [3, 0, 0, 0, 0]),
        payload_of(|count| [4, count & 0x7F]),
        payload_of(|count| [5, count & 0x7F, 0, 0, 0, 0]),
    ];
    for payload in payloads {
        let (mut bench, token) = logged_in();

        assert_eq!(give(&mut bench, &token, &payload), Verdict::Dropped(DropReason::Violation));

        assert_eq!(bench.client.counters().violations(Violation::RepeatedFrame), 1);
        assert_eq!(bench.drain(), []);
    }
}

#[test]
fn p54_fragments_without_end_stop_at_the_longest_message() {
    const MESSAGE_BYTES_MAX: u32 = 20_000;
    let token = token(1, &[first_server()]);
    let terms = Welcome { message_bytes_max: MESSAGE_BYTES_MAX, ..welcome() };
    let mut bench = Bench::welcomed(ClientConfig::default(), &token, &terms);
    bench.events();
    let mut number = 0;
    for _ in 0..100 {
        let verdict =
            bench.give_frames(&token, |writer| writer.write_fragment(0, number, (&[7; 1_000], &[])));
        match verdict {
            Verdict::Accepted => number += 1,
            refused @ Verdict::Dropped(_) => assert_eq!(refused, Verdict::Dropped(DropReason::Violation)),
        }
        assert!(bench.client.statistics().message_bytes_held_back <= MESSAGE_BYTES_MAX as usize);
    }

    assert_eq!(number * 1_000, u64::from(MESSAGE_BYTES_MAX));
    assert_eq!(bench.client.counters().violations(Violation::MessageTooLong), 100 - number);
    assert_eq!(bench.client.counters().last_violation(), Some(Violation::MessageTooLong));
    assert_eq!(bench.events(), []);
}

#[test]
fn p51_gaps_that_are_held_open_take_one_window_of_each_lane() {
    let (mut bench, token) = logged_in();
    for number in 1..150 {
        bench.give_frames(&token, |writer| writer.write_lane(0, number, (&[7; 1_000], &[])));
    }
    bench.give_frames(&token, |writer| writer.write_lane(0, 256, (b"x", &[])));

    let counters = bench.client.counters();
    assert_eq!(counters.violations(Violation::HoldBackFull), 149 - 131);
    assert_eq!(counters.violations(Violation::BeyondWindow), 1);
    assert_eq!(bench.client.statistics().message_bytes_held_back, 131_000);
    assert_eq!(bench.events(), []);
}

#[test]
fn what_waited_for_a_missing_piece_is_freed_once() {
    let (mut bench, token) = logged_in();
    for number in 1..256 {
        bench.give_frames(&token, |writer| writer.write_lane(0, number, (b"x", &[])));
    }
    assert_eq!(bench.client.statistics().message_bytes_held_back, 255);

    for freed in [256, 0] {
        bench.give_frames(&token, |writer| writer.write_lane(0, 0, (b"x", &[])));
        assert_eq!(bench.events().len(), freed);
    }

    assert_eq!(bench.client.statistics().message_bytes_held_back, 0);
}

#[test]
fn p5_every_frame_cut_short_at_any_byte_is_dropped_with_its_cause_and_does_nothing() {
    let frames = all_frames().into_iter().map(|(_, frame)| frame);
    let of_server = frames.filter(|frame| check_form(frame, Role::Server).is_ok());
    let mut kinds = 0;
    for frame in of_server {
        kinds += 1;
        let (mut bench, token) = logged_in();
        let first = bench.sequence;
        let packets_received = bench.client.statistics().packets_received;
        for len in 1..frame.len() {
            assert_eq!(give(&mut bench, &token, &frame[..len]), Verdict::Dropped(DropReason::Violation));
        }
        let counters = bench.client.counters();
        assert_eq!(counters.violations(Violation::Truncated), bench.sequence - first);
        assert_eq!(counters.dropped_total(), bench.sequence - first);
        assert_eq!(bench.client.statistics().packets_received, packets_received, "nothing to acknowledge");
        assert_eq!(bench.events(), []);
    }
    assert_eq!(kinds, 15, "every frame that a server may send");
}
