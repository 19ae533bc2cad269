//! The ledger of refusals: each cause there is, reached by the smallest scenario, moves its own counter by one and no other.
//!
//! The scenarios are chosen by a `match` without a wildcard: a cause that is added compiles only with a scenario of its own.

mod mistakes;

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::bench::{Bench, first_server, second_server, token, welcome};
use crate::client::{ClientConfig, ClientCounters, DropReason, Verdict};
use crate::link::frame::Welcome;
use crate::netcode::CHALLENGE_TOKEN_BYTES;
use crate::netcode::packet::Packet;
use crate::{ConnectToken, Violation};

/// A client, and the datagram that it refuses next with where it comes from.
type Scene = (Bench, SocketAddr, Vec<u8>);

#[test]
fn each_cause_of_a_drop_is_reached_and_counted_as_itself_and_once() {
    for reason in DropReason::ALL {
        play(scene(reason), reason);
    }
}

#[test]
fn each_violation_a_server_can_commit_is_reached_and_counted_as_itself_and_once() {
    for violation in Violation::ALL {
        let Some(scene) = violation_scene(violation) else { continue };

        let counters = play(scene, DropReason::Violation);

        assert_eq!(counters.violations(violation), 1);
        assert_eq!(counters.last_violation(), Some(violation));
    }
}

/// Plays a scene to its end; gives what it added to the counters.
fn play((mut bench, from, datagram): Scene, reason: DropReason) -> ClientCounters {
    let before = bench.client.counters().clone();
    let packets_received = bench.client.statistics().packets_received;
    assert_eq!(before.dropped_total(), 0);

    assert_eq!(bench.give_from(from, &datagram), Verdict::Dropped(reason));

    let counters = bench.client.counters().clone();
    assert_eq!((counters.dropped(reason), counters.dropped_total()), (1, 1));
    assert_eq!(counters.accepted, before.accepted);
    assert_eq!(bench.client.statistics().packets_received, packets_received, "nothing to acknowledge");
    assert_eq!(counters.datagrams_received, counters.accepted + counters.dropped_total());
    let violations: u64 = Violation::ALL.into_iter().map(|violation| counters.violations(violation)).sum();
    assert_eq!(violations, counters.dropped(DropReason::Violation));
    counters
}

fn scene(reason: DropReason) -> Scene {
    match reason {
        DropReason::Malformed => of_player(|_, _| [0x15, 0, 0].into()),
        DropReason::WrongDirection => of_player(|bench, token| {
            bench.seal(token, &Packet::Response { token_sequence: 1, token: &mut [5; CHALLENGE_TOKEN_BYTES] })
        }),
        DropReason::UnknownAddress => {
            let (bench, _, packet) = of_player(Bench::keep_alive);
            (bench, second_server(), packet)
        }
        DropReason::Unexpected => {
            let token = token(1, &[first_server()]);
            let mut bench = Bench::new(ClientConfig::default(), &token);
            let keep_alive = bench.keep_alive(&token);
            (bench, first_server(), keep_alive)
        }
        DropReason::Unopened => of_player(|bench, token| {
            let mut packet = bench.keep_alive(token);
            *packet.last_mut().unwrap() ^= 1;
            packet
        }),
        DropReason::Replayed => of_player(|bench, token| {
            let packet = bench.keep_alive(token);
            assert_eq!(bench.give(&packet), Verdict::Accepted);
            packet
        }),
        DropReason::BeforeWelcome => of_newcomer(|bench, token| payload(bench, token, &[0x04, 1])),
        DropReason::BadWelcome => of_newcomer(|bench, token| {
            let mut bytes = [0; 64];
            let mut writer = crate::link::frame::FrameWriter::new(&mut bytes);
            assert!(writer.write_welcome(&Welcome { version: 2, ..welcome() }));
            let len = writer.len();
            payload(bench, token, &bytes[..len])
        }),
        DropReason::Violation => of_player(|bench, token| payload(bench, token, &[0x7F])),
        DropReason::EventsFull => of_player(|bench, token| {
            while !bench.client.events.is_full() {
                let taken = bench.give_frames(token, |writer| writer.write_datagram((&[7; 1_150], &[])));
                assert_eq!(taken, Verdict::Accepted);
            }
            payload(bench, token, &[0x04, 1])
        }),
        DropReason::Ended => of_player(|bench, token| {
            let packet = bench.keep_alive(token);
            bench.client.disconnect(bench.now);
            packet
        }),
    }
}

/// A payload of the server with this violation; `None` for those that only a client can commit.
fn violation_scene(violation: Violation) -> Option<Scene> {
    let bytes: &[u8] = match violation {
        Violation::UnknownFrame => &[0x7F],
        Violation::Truncated => &[0x04],
        Violation::MalformedVarint => &[0x04, 0x80, 0x00],
        Violation::OutOfRange => &[0x10, 17, 0, 1, b'x'],
        Violation::WrongRole => &[0x06, 1, 0],
        Violation::RepeatedFrame => &[0x04, 1, 0x04, 2],
        Violation::AckNeverSent => &[0x03, 1, 0, 0, 0],
        Violation::NoSuchLane => &[0x10, 4, 0, 1, b'x'],
        Violation::NoSuchKey => &[0x15, 0x80, 0x02, 1, 1, b'x'],
        Violation::BeyondWindow => &[0x10, 0, 0x80, 0x02, 1, b'x'],
        Violation::MessageTooLong => {
            let terms = Welcome { message_bytes_max: 3, ..welcome() };
            let four = [0x10, 0, 0, 4, b'f', b'o', b'u', b'r'];
            return Some(of_player_with(&terms, |bench, token| payload(bench, token, &four)));
        }
        Violation::HoldBackFull => {
            return Some(of_player(|bench, token| {
                for number in 1..=114 {
                    let taken =
                        bench.give_frames(token, |writer| writer.write_lane(0, number, (&[7; 1_149], &[])));
                    assert_eq!(taken, Verdict::Accepted);
                }
                payload(bench, token, &[&[0x10, 0, 115, 87][..], &[7; 87]].concat())
            }));
        }
        Violation::LaneEpochChanged | Violation::DataBeforeLogin => return None,
    };
    Some(of_player(|bench, token| payload(bench, token, bytes)))
}

fn payload(bench: &mut Bench, token: &ConnectToken, bytes: &[u8]) -> Vec<u8> {
    bench.seal(token, &Packet::Payload(bytes))
}

/// A client that was let in and has not been welcomed.
fn of_newcomer(make: impl FnOnce(&mut Bench, &ConnectToken) -> Vec<u8>) -> Scene {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::default(), &token);
    bench.let_in(&token);
    let datagram = make(&mut bench, &token);
    (bench, first_server(), datagram)
}

fn of_player(make: impl FnOnce(&mut Bench, &ConnectToken) -> Vec<u8>) -> Scene {
    of_player_with(&welcome(), make)
}

/// A client that is logged in.
fn of_player_with(terms: &Welcome, make: impl FnOnce(&mut Bench, &ConnectToken) -> Vec<u8>) -> Scene {
    let token = token(1, &[first_server()]);
    let config = ClientConfig { event_queue_bytes_max: 100_000, ..ClientConfig::default() };
    let mut bench = Bench::welcomed(config, &token, terms);
    let datagram = make(&mut bench, &token);
    (bench, first_server(), datagram)
}
