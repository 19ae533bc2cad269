//! What one packet may cost its receiver: events, bytes, memory and answers within what the packet brought.

use alloc::vec::Vec;

use crate::link::frame::tests::all_frames;
use crate::link::frame::{Frame, PAYLOAD_BYTES_MAX, Role, check_form};
use crate::{Config, DropReason, Event, LifecycleEvent, Verdict, Violation};

use super::harness::{Harness, framed_config};
use super::peer::Peer;

const ANNA: u64 = 11;
/// No frame that tells the application something is shorter.
const BYTES_PER_EVENT_MIN: usize = 2;
/// The bytes between the oldest missing piece of a lane and the newest (P51).
const WINDOW_BYTES: usize = 131_072;

fn patient_config() -> Config {
    Config { violations_max: 1_000, ..framed_config() }
}

/// As many of these frames as fit one payload.
fn payload_of(frames: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut payload = Vec::new();
    for frame in frames {
        if payload.len() + frame.len() > PAYLOAD_BYTES_MAX {
            break;
        }
        payload.extend(frame);
    }
    payload
}

/// A number as a varint of at most two bytes.
fn varint(number: u16) -> Vec<u8> {
    let [low, high] = [number & 0x7F, number >> 7].map(|part| u8::try_from(part).unwrap());
    if high == 0 { [low].into() } else { [low | 0x80, high].into() }
}

/// The shortest piece there is.
fn piece(kind: u8, lane: u8, number: u16) -> Vec<u8> {
    [&[kind, lane][..], &varint(number), &[1, b'x']].concat()
}

/// The most inputs for the fewest bytes.
fn moves(newest_tick: u16) -> Vec<u8> {
    [&[0x13][..], &varint(newest_tick), &[32, 0], &[1, 0].repeat(31)].concat()
}

/// Payloads that make as much as they can of their bytes.
fn busy_payloads() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("logins", payload_of((1..).map(|attempt| [&[6][..], &varint(attempt), &[0]].concat()))),
        ("goodbyes", payload_of((0..).map(|_: u16| [0x0A, 0, 0].into()))),
        ("pieces", payload_of((0..).map(|number| piece(0x10, 0, number)))),
        ("pieces backwards", payload_of((0..200).rev().map(|number| piece(0x10, 0, number)))),
        (
            "pieces of all lanes",
            payload_of((0..).map(|count: u16| piece(0x10, (count % 4) as u8, count / 4))),
        ),
        ("pieces without order", payload_of((0..).map(|number| piece(0x10, 16, number)))),
        ("fragments", payload_of((0..).map(|number| piece(0x14, 0, number)))),
        ("datagrams", payload_of((0..).map(|_: u16| [0x11, 1, b'x'].into()))),
        ("moves", payload_of((1..).map(|frame| moves(frame * 32)))),
        ("moves again", payload_of((0..).map(|_: u16| moves(31)))),
        ("a piece after a gap", payload_of((1..).map(|number| piece(0x10, 0, number)))),
    ]
    .into()
}

/// What a packet brought about: events, their bytes, and datagrams.
fn effect_of(server: &mut Harness, peer: &mut Peer, payload: &[u8]) -> (usize, usize, usize) {
    let datagram = peer.payload(payload);
    let (events, sent) = (server.events.len(), server.sent.len());
    server.talk(peer, &datagram);
    let bytes = server.events[events..].iter().map(|(_, bytes)| bytes.len()).sum();
    (server.events.len() - events, bytes, server.sent.len() - sent)
}

#[test]
fn one_packet_brings_about_no_more_than_its_bytes() {
    for (what, payload) in busy_payloads() {
        for is_player in [true, false] {
            let mut server = Harness::new(patient_config());
            let mut anna = if is_player { server.player(ANNA, 1) } else { server.guest(ANNA, 1) };

            let (events, bytes, answers) = effect_of(&mut server, &mut anna, &payload);

            assert!(payload.len() > 900, "{what}: {}", payload.len());
            assert!(events <= payload.len() / BYTES_PER_EVENT_MIN, "{what}: {events} events");
            assert!(bytes <= payload.len(), "{what}: {bytes} bytes");
            assert!(answers <= 1, "{what}: {answers} answers");
            if let Some(view) = server.manager.session_of(crate::ClientId(ANNA)) {
                assert!(view.statistics().message_bytes_held_back <= payload.len(), "{what}");
            }
            server.close();
        }
    }
}

#[test]
fn the_most_events_of_one_packet_are_its_moves() {
    let mut server = Harness::new(patient_config());
    let mut anna = server.player(ANNA, 1);
    let (_, payload) = busy_payloads().into_iter().find(|(what, _)| *what == "moves").unwrap();

    let (events, _, _) = effect_of(&mut server, &mut anna, &payload);

    let frames = check_form(&payload, Role::Client).unwrap().frames();
    let inputs = frames.map(|frame| if let Frame::Moves(moves) = frame { moves.inputs().count() } else { 0 });
    assert_eq!(events, inputs.sum::<usize>(), "each input is told once");
    assert!(events > payload.len() / 3);
    server.close();
}

#[test]
fn what_waited_for_missing_pieces_is_freed_once_and_no_more_than_it_was() {
    let mut server = Harness::new(patient_config());
    let mut anna = server.player(ANNA, 1);
    let mut brought = 0;
    for lane in 0..4 {
        for numbers in [1..128, 128..256] {
            let payload = payload_of(numbers.map(|number| piece(0x10, lane, number)));
            brought += payload.len();
            assert_eq!(effect_of(&mut server, &mut anna, &payload).0, 0);
        }
    }
    let held_back = server.session_of(ANNA).statistics().message_bytes_held_back;
    assert_eq!(held_back, 4 * 255);
    let missing = payload_of((0..4).map(|lane| piece(0x10, lane, 0)));

    let freed = effect_of(&mut server, &mut anna, &missing);
    let again = effect_of(&mut server, &mut anna, &missing);

    assert_eq!((freed.0, freed.1), (4 * 256, held_back + 4));
    assert!(freed.0 <= brought / BYTES_PER_EVENT_MIN, "all of it was paid for before");
    assert_eq!((again.0, again.1), (0, 0));
    assert_eq!(server.session_of(ANNA).statistics().message_bytes_held_back, 0);
    server.close();
}

#[test]
fn p9_frames_that_cost_the_same_whatever_they_hold_come_once_in_a_packet() {
    let frames: [&[u8]; 3] = [&[3, 0, 0, 0, 0], &[4, 1], &[5, 0, 0, 0, 0, 0]];
    for frame in frames {
        let mut server = Harness::new(patient_config());
        let mut anna = server.player(ANNA, 1);
        let payload = payload_of((0..).map(|_: u16| frame.into()));

        let (events, _, answers) = effect_of(&mut server, &mut anna, &payload);

        assert_eq!((events, answers), (0, 0));
        assert_eq!(server.manager.counters().violations(Violation::RepeatedFrame), 1);
        server.close();
    }
}

#[test]
fn p54_fragments_without_end_stop_at_the_longest_message() {
    const MESSAGE_BYTES_MAX: u32 = 20_000;
    let mut server = Harness::new(Config { message_bytes_max: MESSAGE_BYTES_MAX, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let mut accepted_bytes = 0;
    let mut refused = 0;
    for number in 0..100_u64 {
        let pending = number - refused;
        let fragment = anna.frames(|writer| assert!(writer.write_fragment(0, pending, (&[7; 1_000], &[]))));
        match server.talk(&mut anna, &fragment) {
            Verdict::Accepted(_) => accepted_bytes += 1_000,
            Verdict::Dropped(DropReason::Violation) => refused += 1,
            other => {
                assert_eq!(other, Verdict::Dropped(DropReason::UnknownAddress));
                break;
            }
        }
        let held_back =
            server.manager.session(id).map_or(0, |view| view.statistics().message_bytes_held_back);
        assert!(held_back <= MESSAGE_BYTES_MAX as usize);
    }

    assert_eq!(accepted_bytes, MESSAGE_BYTES_MAX);
    assert_eq!(refused, 9, "as many as are tolerated, and one more");
    assert_eq!(server.manager.counters().violations(Violation::MessageTooLong), 9);
    assert_eq!(server.last_of(ANNA).violation, Some(Violation::MessageTooLong));
    server.close();
}

#[test]
fn p51_gaps_that_are_held_open_take_one_window_of_each_lane() {
    let mut server = Harness::new(patient_config());
    let mut anna = server.player(ANNA, 1);
    for lane in 0..4 {
        for number in 1..150 {
            let piece = anna.frames(|writer| assert!(writer.write_lane(lane, number, (&[7; 1_000], &[]))));
            server.talk(&mut anna, &piece);
        }
        let beyond = anna.frames(|writer| assert!(writer.write_lane(lane, 256, (b"x", &[]))));
        server.talk(&mut anna, &beyond);
    }

    let counters = server.manager.counters();
    assert_eq!(counters.violations(Violation::HoldBackFull), 4 * (149 - 131));
    assert_eq!(counters.violations(Violation::BeyondWindow), 4);
    let held_back = server.session_of(ANNA).statistics().message_bytes_held_back;
    assert_eq!(held_back, 4 * 131_000);
    assert!(held_back <= 4 * WINDOW_BYTES);
    assert!(server.events.iter().all(|(event, _)| !matches!(event, Event::Message { .. })));
    server.close();
}

#[test]
fn p5_every_frame_cut_short_at_any_byte_is_dropped_with_its_cause_and_does_nothing() {
    let frames = all_frames().into_iter().map(|(_, frame)| frame);
    let of_client = frames.filter(|frame| check_form(frame, Role::Client).is_ok());
    let mut kinds = 0;
    for frame in of_client {
        kinds += 1;
        let mut server = Harness::new(patient_config());
        let mut anna = server.player(ANNA, 1);
        let packets_received = server.session_of(ANNA).statistics().packets_received;
        let events = server.events.len();
        for len in 1..frame.len() {
            let before = server.manager.counters().violations(Violation::Truncated);
            let cut = anna.payload(&frame[..len]);

            assert_eq!(server.talk(&mut anna, &cut), Verdict::Dropped(DropReason::Violation));

            assert_eq!(server.manager.counters().violations(Violation::Truncated), before + 1);
        }
        assert_eq!(
            server.session_of(ANNA).statistics().packets_received,
            packets_received,
            "nothing to acknowledge"
        );
        assert_eq!(server.session_of(ANNA).last_violation(), Some(Violation::Truncated));
        assert_eq!(server.events.len(), events);
        server.close();
    }
    assert_eq!(kinds, 12, "every frame that a client may send");
}

#[test]
fn a_session_that_breaks_the_protocol_too_often_ends_with_the_last_cause_and_no_other_does() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    for _ in 0..8 {
        let unknown = anna.payload(&[0x7F]);
        server.talk(&mut anna, &unknown);
    }
    assert_eq!(server.session_of(ANNA).last_violation(), Some(Violation::UnknownFrame));

    let padded = anna.payload(&[0x04, 0x80, 0x00]);
    server.talk(&mut anna, &padded);

    let violations = server.lifecycle_of(ANNA).into_iter().map(|LifecycleEvent { violation, .. }| violation);
    let mut violations: Vec<_> = violations.collect();
    assert_eq!(violations.pop(), Some(Some(Violation::MalformedVarint)));
    assert!(violations.iter().all(Option::is_none));
    server.close();
}
