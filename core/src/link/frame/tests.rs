mod writing;

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Range, RangeInclusive};

use super::*;
use crate::link::varint::{varint_len, write_varint};

const NONCE: [u8; 24] = [0x11; 24];
const PRIVATE: [u8; 1024] = [0x22; 1024];
const KEY_OUT: [u8; 32] = [0x33; 32];
const KEY_IN: [u8; 32] = [0x44; 32];
/// Port 40000 of both loopback addresses.
const ADDRESSES: [u8; 26] =
    [1, 127, 0, 0, 1, 0x40, 0x9C, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x40, 0x9C];

fn token() -> ResumeToken<'static> {
    ResumeToken {
        generation: 7,
        create_unix: 1_700_000_000,
        expire_unix: 1_700_086_400,
        nonce: &NONCE,
        private: &PRIVATE,
        client_to_server_key: &KEY_OUT,
        server_to_client_key: &KEY_IN,
        timeout_seconds: -1,
        address_count: 2,
        addresses: &ADDRESSES,
    }
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        lane_epoch: 0x0102_0304_0506_0708,
        lanes_kept: true,
        login_explicit: false,
        logged_in: true,
        session: u64::MAX,
        tick_rate_hz: 60,
        server_tick: 300,
        heartbeat_ms: 1_000,
        timeout_ms: 5_000,
        reconnect_window_ms: 30_000,
        ordered_lanes: 4,
        message_bytes_max: 262_144,
        lane_window_bytes: 131_072,
        latest_keys: 256,
        move_high_water: Some(299),
    }
}

fn rejected() -> LoginRejected<'static> {
    LoginRejected { attempt: 2, attempts_left: 1, code: 403, text: "nein, später" }
}

fn response() -> HeartbeatResponse {
    HeartbeatResponse {
        stamp: u64::MAX,
        delay_micros: 12,
        server_tick: 900,
        tick_phase_micros: 16_000,
        move_arrival: Some(MoveArrival { tick: 890, server_tick: 888 }),
    }
}

fn draining() -> Draining {
    Draining {
        announcement: 3,
        code: 200,
        remaining_ms: Some(30_000),
        other_address: Some("[2001:db8::7]:40001".parse().unwrap()),
    }
}

fn state() -> State<'static> {
    State { server_tick: 77, acknowledged_tick: Some(76), bytes: b"here" }
}

fn moves<'a>() -> impl Iterator<Item = (u64, &'a [u8])> {
    [(500, &b"newest"[..]), (499, b""), (490, b"older")].into_iter()
}

const RANGES: [RangeInclusive<u64>; 3] = [1_000..=1_005, 998..=998, 0..=300];

/// Every frame once, with the role that sends it.
pub(crate) fn all_frames() -> Vec<(Role, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |sender, write: &dyn Fn(&mut FrameWriter<'_>) -> bool| {
        let mut bytes = [0; PAYLOAD_BYTES_MAX];
        let mut writer = FrameWriter::new(&mut bytes);
        assert!(write(&mut writer));
        let len = writer.len();
        all.push((sender, bytes[..len].to_vec()));
    };
    add(Role::Client, &|to| to.write_hello(&Hello::new(99)));
    add(Role::Server, &|to| to.write_welcome(&welcome()));
    add(Role::Client, &|to| to.write_ack(25_000, RANGES.into_iter()) == 3);
    add(Role::Client, &|to| to.write_heartbeat(123_456));
    add(Role::Server, &|to| to.write_heartbeat_response(&response()));
    add(Role::Client, &|to| to.write_login(1, b"secret"));
    add(Role::Server, &|to| to.write_login_accepted(1));
    add(Role::Server, &|to| to.write_login_rejected(&rejected()));
    add(Role::Server, &|to| to.write_resume_token(&token()));
    add(Role::Server, &|to| to.write_goodbye(2, b"see you"));
    add(Role::Client, &|to| to.write_lane(5, 300, (b"ab", b"c")));
    add(Role::Client, &|to| to.write_datagram((b"x", b"yz")));
    add(Role::Server, &|to| to.write_state(&state()));
    add(Role::Client, &|to| to.write_moves(moves()) == 3);
    add(Role::Server, &|to| to.write_fragment(6, 301, (b"ab", b"cd")));
    add(Role::Client, &|to| to.write_latest(300, 7, b"newest"));
    add(Role::Server, &|to| to.write_draining(&draining()));
    add(Role::Server, &|to| to.write_path_challenge(0x0102_0304_0506_0708));
    add(Role::Client, &|to| to.write_path_response(u64::MAX));
    all
}

fn only_frame(payload: &[u8], sender: Role) -> Frame<'_> {
    let checked = check_form(payload, sender).unwrap();
    let mut frames = checked.frames();
    let frame = frames.next().unwrap();
    assert!(frames.next().is_none());
    frame
}

/// A payload of raw parts: bytes as they are, numbers as varints.
enum Part<'a> {
    Bytes(&'a [u8]),
    Varint(u64),
}
use Part::{Bytes, Varint};

fn payload(parts: &[Part<'_>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for part in parts {
        match part {
            Bytes(bytes) => payload.extend_from_slice(bytes),
            Varint(value) => {
                let (bytes, len) = write_varint(*value);
                payload.extend_from_slice(&bytes[..len]);
            }
        }
    }
    payload
}

#[test]
fn every_frame_is_read_as_it_was_written() {
    let frames = all_frames();
    assert_eq!(frames.len(), 19);
    for (index, (sender, payload)) in frames.iter().enumerate() {
        let frame = only_frame(payload, *sender);
        match (index, frame) {
            (0, Frame::Hello(read)) => {
                assert_eq!(read, Hello::new(99));
                assert!(read.is_acceptable());
            }
            (1, Frame::Welcome(read)) => assert_eq!(read, welcome()),
            (2, Frame::Ack(read)) => {
                assert_eq!((read.largest, read.delay_micros), (1_005, 25_000));
                assert_eq!(read.ranges().collect::<Vec<_>>(), RANGES);
            }
            (3, Frame::Heartbeat { stamp }) => assert_eq!(stamp, 123_456),
            (4, Frame::HeartbeatResponse(read)) => assert_eq!(read, response()),
            (5, Frame::Login { attempt, credential }) => {
                assert_eq!((attempt, credential), (1, &b"secret"[..]));
            }
            (6, Frame::LoginAccepted { attempt }) => assert_eq!(attempt, 1),
            (7, Frame::LoginRejected(read)) => assert_eq!(read, rejected()),
            (8, Frame::ResumeToken(read)) => assert!(read == token()),
            (9, Frame::Goodbye { code, detail }) => assert_eq!((code, detail), (2, &b"see you"[..])),
            (10, Frame::Lane { lane, number, message }) => {
                assert_eq!((lane, number, message), (5, 300, &b"abc"[..]));
            }
            (11, Frame::Datagram { message }) => assert_eq!(message, b"xyz"),
            (12, Frame::State(read)) => assert_eq!(read, state()),
            (13, Frame::Moves(read)) => assert!(read.inputs().eq(moves())),
            (14, Frame::Fragment { lane, number, bytes }) => {
                assert_eq!((lane, number, bytes), (6, 301, &b"abcd"[..]));
            }
            (15, Frame::Latest { key, version, value }) => {
                assert_eq!((key, version, value), (300, 7, &b"newest"[..]));
            }
            (16, Frame::Draining(read)) => assert_eq!(read, draining()),
            (17, Frame::PathChallenge { value }) => assert_eq!(value, 0x0102_0304_0506_0708),
            (18, Frame::PathResponse { value }) => assert_eq!(value, u64::MAX),
            (_, other) => panic!("frame {index} was read as {other:?}"),
        }
    }
}

#[test]
fn frames_of_one_payload_are_read_in_order() {
    let mut joined = Vec::new();
    for (_, frame) in all_frames().iter().filter(|(sender, _)| *sender == Role::Client) {
        joined.extend_from_slice(frame);
    }
    let checked = check_form(&joined, Role::Client).unwrap();
    let kinds: Vec<_> = checked.frames().map(|frame| core::mem::discriminant(&frame)).collect();
    assert_eq!(kinds.len(), 9);
    assert!(matches!(checked.frames().last(), Some(Frame::PathResponse { .. })));
    assert_eq!(checked.len(), joined.len());
}

#[test]
fn a_frame_cut_short_at_any_byte_is_truncated() {
    for (sender, payload) in all_frames() {
        for cut in 1..payload.len() {
            assert_eq!(check_form(&payload[..cut], sender).err(), Some(FrameError::Truncated), "{payload:?}");
        }
    }
}

#[test]
fn a_good_frame_does_not_save_a_bad_one_behind_it() {
    for (sender, mut payload) in all_frames() {
        payload.push(0x7F);
        assert_eq!(check_form(&payload, sender).err(), Some(FrameError::UnknownType(0x7F)));
    }
}

#[test]
fn every_type_byte_without_a_frame_is_unknown() {
    let known = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0A, 0x0B, 0x0C, 0x0D, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15];
    for kind in (0..=u8::MAX).filter(|kind| !known.contains(kind)) {
        assert_eq!(check_form(&[kind; 40], Role::Client).err(), Some(FrameError::UnknownType(kind)));
    }
}

#[test]
fn a_payload_holds_1_to_1200_bytes() {
    assert_eq!(check_form(&[], Role::Client).err(), Some(FrameError::Truncated));
    let goodbyes = [0x0A, 0x00, 0x00].repeat(400);
    assert_eq!(check_form(&goodbyes, Role::Client).unwrap().frames().count(), 400);
    let too_long = [0x0A, 0x00, 0x00].repeat(401);
    assert_eq!(check_form(&too_long, Role::Client).err(), Some(FrameError::OutOfRange));
}

#[test]
fn a_frame_of_the_other_role_is_refused() {
    for (index, (sender, payload)) in all_frames().into_iter().enumerate() {
        let other = if sender == Role::Client { Role::Server } else { Role::Client };
        let expected = match payload[0] {
            0x03 | 0x04 | 0x05 | 0x0A | 0x10 | 0x11 | 0x14 | 0x15 => None,
            _ => Some(FrameError::WrongRole),
        };
        assert_eq!(check_form(&payload, other).err(), expected, "frame {index}");
    }
}

#[test]
fn p9_a_payload_has_at_most_one_frame_each_of_the_types_up_to_heartbeat_response() {
    for (sender, frame) in all_frames() {
        let twice = frame.repeat(2);
        if twice.len() > PAYLOAD_BYTES_MAX {
            continue;
        }
        let expected = (frame[0] <= 0x05).then_some(FrameError::Repeated);
        assert_eq!(check_form(&twice, sender).err(), expected, "{:#04x}", frame[0]);
    }
}

#[test]
fn a_padded_varint_is_malformed_in_any_frame() {
    for payload in [&[0x04, 0x80, 0x00][..], &[0x07, 0x81, 0x00], &[0x11, 0x81, 0x80, 0x00, b'x']] {
        assert_eq!(check_form(payload, Role::Server).err(), Some(FrameError::MalformedVarint));
    }
}

#[track_caller]
fn assert_out_of_range<const COUNT: usize>(sender: Role, payloads: [(&str, Vec<u8>); COUNT]) {
    for (what, payload) in payloads {
        assert_eq!(check_form(&payload, sender).err(), Some(FrameError::OutOfRange), "{what}");
    }
}

#[test]
fn figures_of_a_welcome_outside_their_range_are_refused() {
    let bytes = &all_frames()[1].1;
    let keys_at = bytes.len() - varint_len(299) - varint_len(256);
    let window_at = keys_at - varint_len(131_072);
    let limit_at = window_at - varint_len(262_144);
    let with = |figure: Range<usize>, value: u64| {
        payload(&[Bytes(&bytes[..figure.start]), Varint(value), Bytes(&bytes[figure.end..])])
    };
    let lanes = |count| with(limit_at - 1..limit_at, count);
    let limit = |bytes_max| with(limit_at..window_at, bytes_max);
    let window = |window_bytes| with(window_at..keys_at, window_bytes);
    let keys = |count| with(keys_at..keys_at + varint_len(256), count);

    for good in [lanes(1), lanes(16), limit(1), window(16_384), window(1_048_576), keys(65_535)] {
        assert!(check_form(&good, Role::Server).is_ok());
    }
    let refused = [
        ("flag 16", with(10..11, u64::from(bytes[10] | 16))),
        ("no lanes", lanes(0)),
        ("17 lanes", lanes(17)),
        ("message limit 0", limit(0)),
        ("message limit 2^32", limit(1 << 32)),
        ("lane window of 16,383 bytes", window(16_383)),
        ("lane window above 1 MiB", window(1_048_577)),
        ("65,536 keys", keys(65_536)),
    ];
    assert_out_of_range(Role::Server, refused);
}

#[test]
fn values_of_a_server_outside_their_range_are_refused() {
    let token_bytes = &all_frames()[8].1;
    let with = |at: usize, byte: u8| {
        let mut changed = token_bytes.clone();
        changed[at] = byte;
        changed
    };
    let count_at = token_bytes.len() - ADDRESSES.len() - 1;
    let refused = [
        ("generation 0", with(1, 0)),
        ("no address", with(count_at, 0)),
        ("33 addresses", with(count_at, 33)),
        ("address type 3", with(count_at + 1, 3)),
        ("text not UTF-8", payload(&[Bytes(&[8, 1, 1, 0, 1, 0xFF])])),
        ("text of 256 bytes", payload(&[Bytes(&[8, 1, 1, 0]), Varint(256), Bytes(&[b'a'; 256])])),
        ("acknowledged 2", payload(&[Bytes(&[0x12, 5, 2, 0, 0])])),
        ("announcement 0", payload(&[Bytes(&[0x0D, 0, 0, 0, 0])])),
        ("code 2^32", payload(&[Bytes(&[0x0D, 1]), Varint(1 << 32), Bytes(&[0, 0])])),
        ("timed 2", payload(&[Bytes(&[0x0D, 1, 0, 2, 0, 0])])),
        ("two other addresses", payload(&[Bytes(&[0x0D, 1, 0, 0, 2]), Bytes(&ADDRESSES)])),
        ("other address of type 3", payload(&[Bytes(&[0x0D, 1, 0, 0, 1, 3, 127, 0, 0, 1, 1, 1])])),
        ("judged 2", payload(&[Bytes(&[5, 1, 1, 1, 1, 2, 0, 0])])),
    ];
    assert_out_of_range(Role::Server, refused);
}

#[test]
fn values_of_a_client_outside_their_range_are_refused() {
    let refused = [
        ("credential of 1,025 bytes", payload(&[Bytes(&[6, 1]), Varint(1_025), Bytes(&[0; 1_025])])),
        ("detail of 256 bytes", payload(&[Bytes(&[0x0A, 1]), Varint(256), Bytes(&[0; 256])])),
        ("lane 17", payload(&[Bytes(&[0x10, 17, 0, 1, b'a'])])),
        ("fragment of lane 16", payload(&[Bytes(&[0x14, 16, 0, 1, b'a'])])),
        ("empty fragment", payload(&[Bytes(&[0x14, 0, 0, 0])])),
        ("fragment of 1,151 bytes", payload(&[Bytes(&[0x14, 0, 0]), Varint(1_151), Bytes(&[0; 1_151])])),
        ("empty message", payload(&[Bytes(&[0x10, 0, 0, 0])])),
        ("message of 1,151 bytes", payload(&[Bytes(&[0x10, 0, 0]), Varint(1_151), Bytes(&[0; 1_151])])),
        ("key 65,535", payload(&[Bytes(&[0x15]), Varint(65_535), Bytes(&[1, 0])])),
        ("version 0", payload(&[Bytes(&[0x15, 5, 0, 0])])),
        ("value of 1,151 bytes", payload(&[Bytes(&[0x15, 5, 1]), Varint(1_151), Bytes(&[0; 1_151])])),
        ("no move", payload(&[Bytes(&[0x13, 5, 0])])),
        ("33 moves", payload(&[Bytes(&[0x13]), Varint(100), Bytes(&[33, 0]), Bytes(&[1, 0].repeat(32))])),
        ("tick distance 0", payload(&[Bytes(&[0x13, 5, 2, 0, 0, 0])])),
        ("tick below zero", payload(&[Bytes(&[0x13, 5, 2, 0, 6, 0])])),
        ("32 further ranges", payload(&[Bytes(&[3]), Varint(100), Bytes(&[0, 32, 0]), Bytes(&[0; 64])])),
        ("a length of 2^64 - 1", payload(&[Bytes(&[0x11]), Varint(u64::MAX)])),
    ];
    assert_out_of_range(Role::Client, refused);
}

#[test]
fn p7_a_resume_token_frame_of_1175_bytes_is_read_and_a_longer_one_refused() {
    let short = &all_frames()[8].1;
    let after_generation = &short[2..short.len() - ADDRESSES.len() - 1];
    let frame = |generation: u64| {
        payload(&[
            Bytes(&[kind::RESUME_TOKEN]),
            Varint(generation),
            Bytes(after_generation),
            Bytes(&[5]),
            Bytes(&[1, 127, 0, 0, 1, 0x40, 0x9C].repeat(5)),
        ])
    };
    for (generation_bits, len, refusal) in [
        (42, 1_175, None),
        (49, 1_176, Some(FrameError::OutOfRange)),
        (56, 1_177, Some(FrameError::OutOfRange)),
    ] {
        let frame = frame(1 << (generation_bits - 1));
        assert_eq!(frame.len(), len);
        assert_eq!(check_form(&frame, Role::Server).err(), refusal, "{len} bytes");
    }
}

#[test]
fn p10_ranges_below_zero_are_malformed() {
    let ack = |largest, first, further: &[(u64, u64)]| {
        let mut parts =
            vec![Bytes(&[3]), Varint(largest), Varint(0), Varint(further.len() as u64), Varint(first)];
        parts.extend(further.iter().flat_map(|&(gap, length)| [Varint(gap), Varint(length)]));
        check_form(&payload(&parts), Role::Client).err()
    };
    assert_eq!(ack(5, 5, &[]), None);
    assert_eq!(ack(5, 6, &[]), Some(FrameError::OutOfRange));
    assert_eq!(ack(5, 1, &[(0, 2)]), None);
    assert_eq!(ack(5, 1, &[(0, 3)]), Some(FrameError::OutOfRange));
    assert_eq!(ack(5, 1, &[(2, 0)]), None);
    assert_eq!(ack(5, 1, &[(3, 0)]), Some(FrameError::OutOfRange));
    assert_eq!(ack(5, 1, &[(u64::MAX, 0)]), Some(FrameError::OutOfRange));
    assert_eq!(ack(u64::MAX, 0, &[(u64::MAX - 2, 0)]), None);
    assert_eq!(ack(u64::MAX, u64::MAX, &[]), None);
}

#[test]
fn p12_the_most_urgent_frame_of_a_packet_decides() {
    for (sender, payload) in all_frames() {
        let expected = match payload[0] {
            0x03 | 0x0A | 0x0B | 0x0C => AckUrgency::None,
            0x04 | 0x05 | 0x11 | 0x12 | 0x13 | 0x15 => AckUrgency::Lazy,
            _ => AckUrgency::Urgent,
        };
        assert_eq!(check_form(&payload, sender).unwrap().ack_urgency(), expected);
    }
    let mut mixed = all_frames()[10].1.clone();
    mixed.extend_from_slice(&[0x04, 0x00]);
    assert_eq!(check_form(&mixed, Role::Client).unwrap().ack_urgency(), AckUrgency::Urgent);
}

#[test]
fn p23_only_a_hello_of_this_version_with_a_lane_epoch_is_acceptable() {
    let good = Hello::new(1);
    assert!(good.is_acceptable());
    assert!(!Hello::new(0).is_acceptable());
    assert!(!Hello { version: 2, ..good }.is_acceptable());
    assert!(!Hello { magic: *b"REJOIN\n\n", ..good }.is_acceptable());
}

#[test]
fn a_logged_token_shows_no_key() {
    let shown = std::format!("{:?}", token());
    assert!(shown.contains('7') && !shown.contains("51"));
}

#[test]
fn changed_and_random_bytes_are_read_or_refused_but_never_harm() {
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(random >> 33).unwrap() % below
    };
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..200 {
        for (sender, mut payload) in all_frames() {
            for _ in 0..3 {
                let at = next(payload.len().min(40));
                payload[at] = next(256).to_le_bytes()[0];
            }
            let Ok(checked) = check_form(&payload, sender) else {
                refused += 1;
                continue;
            };
            accepted += 1;
            for frame in checked.frames() {
                match frame {
                    Frame::Ack(ack) => assert!(ack.ranges().all(|range| range.start() <= range.end())),
                    Frame::Moves(moves) => {
                        assert!(moves.inputs().is_sorted_by(|newer, older| newer.0 > older.0));
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(accepted > 100 && refused > 100);
}

#[test]
fn p27_what_belongs_to_a_player_and_nothing_else_needs_a_login() {
    const OF_PLAYERS: [u8; 6] =
        [kind::LANE, kind::FRAGMENT, kind::DATAGRAM, kind::STATE, kind::MOVES, kind::LATEST];
    for (sender, payload) in all_frames() {
        let frame = only_frame(&payload, sender);
        assert_eq!(frame.needs_login(), OF_PLAYERS.contains(&payload[0]), "{frame:?}");
    }
}
