//! Frames: what is read is within its bounds, writing it again gives the same bytes, and acks settle what they name.

use alloc::vec::Vec;

use super::acks;
use super::input::Input;
use crate::link::frame::{
    Ack, CREDENTIAL_BYTES_MAX, Frame, FrameWriter, LANES_MAX, MESSAGE_BYTES_MAX, MOVES_MAX, Moves,
    PAYLOAD_BYTES_MAX, RESUME_TOKEN_BYTES_MAX, Role, TEXT_BYTES_MAX, UNORDERED_LANE, VALUE_BYTES_MAX,
    check_form,
};

/// The most ranges of an ack.
const RANGES_MAX: usize = 32;

/// Reads a payload, as the server from a client or the other way round, and writes its frames again.
///
/// # Panics
///
/// If a frame is beyond its bounds, or the payload is not what its frames make.
pub fn frames(input: &[u8]) {
    let mut input = Input::new(input);
    let sender = if input.u8() & 1 == 0 { Role::Client } else { Role::Server };
    let payload = input.rest();
    let Ok(checked) = check_form(payload, sender) else { return };
    assert!((1..=PAYLOAD_BYTES_MAX).contains(&payload.len()), "{} bytes", payload.len());
    let mut rewritten = Vec::new();
    for frame in checked.frames() {
        check_bounds(&frame, sender);
        let bytes = write_alone(&frame);
        check_room(&frame, bytes.len());
        rewritten.extend_from_slice(&bytes);
    }
    assert_eq!(rewritten, payload, "the frames of a payload make the payload");
    assert_eq!(checked.len(), payload.len());
}

fn check_bounds(frame: &Frame<'_>, sender: Role) {
    let (is_client, is_server) = (sender == Role::Client, sender == Role::Server);
    match *frame {
        Frame::Hello(_) | Frame::PathResponse { .. } => assert!(is_client),
        Frame::Welcome(welcome) => {
            assert!(is_server && (1..=LANES_MAX).contains(&welcome.ordered_lanes));
            assert!(welcome.message_bytes_max > 0 && welcome.lane_window_bytes >= 16_384);
        }
        Frame::Ack(ack) => check_ack(&ack),
        Frame::Heartbeat { .. } | Frame::HeartbeatResponse(_) => {}
        Frame::Login { credential, .. } => assert!(is_client && credential.len() <= CREDENTIAL_BYTES_MAX),
        Frame::LoginAccepted { .. } | Frame::PathChallenge { .. } | Frame::State(_) => assert!(is_server),
        Frame::LoginRejected(rejected) => assert!(is_server && rejected.text.len() <= TEXT_BYTES_MAX),
        Frame::ResumeToken(token) => {
            assert!(is_server && token.generation > 0 && (1..=32).contains(&token.address_count));
        }
        Frame::Goodbye { detail, .. } => assert!(detail.len() <= TEXT_BYTES_MAX),
        Frame::Draining(draining) => assert!(is_server && draining.announcement > 0),
        Frame::Lane { lane, message, .. } => {
            assert!(lane <= UNORDERED_LANE && (1..=MESSAGE_BYTES_MAX).contains(&message.len()));
        }
        Frame::Fragment { lane, bytes, .. } => {
            assert!(lane < LANES_MAX && (1..=MESSAGE_BYTES_MAX).contains(&bytes.len()));
        }
        Frame::Datagram { message } => assert!((1..=MESSAGE_BYTES_MAX).contains(&message.len())),
        Frame::Moves(moves) => check_moves(&moves, sender),
        Frame::Latest { key, version, value } => {
            assert!(key < u16::MAX && version > 0 && value.len() <= VALUE_BYTES_MAX);
        }
    }
}

fn check_ack(ack: &Ack<'_>) {
    let ranges: Vec<_> = ack.ranges().collect();
    assert!((1..=RANGES_MAX).contains(&ranges.len()), "{} ranges", ranges.len());
    assert_eq!(*ranges[0].end(), ack.largest);
    assert!(ranges.iter().all(|range| range.start() <= range.end()), "{ranges:?}");
    let is_apart = |pair: &[core::ops::RangeInclusive<u64>]| pair[0].start() - pair[1].end() >= 2;
    assert!(ranges.windows(2).all(is_apart), "{ranges:?}");
    acks::check_use(ack);
}

fn check_moves(moves: &Moves<'_>, sender: Role) {
    let ticks: Vec<_> = moves.inputs().map(|(tick, _)| tick).collect();
    assert!(sender == Role::Client && (1..=MOVES_MAX).contains(&ticks.len()), "{} moves", ticks.len());
    assert!(ticks.windows(2).all(|pair| pair[0] > pair[1]), "{ticks:?}");
}

fn write_alone(frame: &Frame<'_>) -> Vec<u8> {
    let mut buffer = [0; PAYLOAD_BYTES_MAX];
    let mut writer = FrameWriter::new(&mut buffer);
    assert!(write(frame, &mut writer), "a frame that was read can be written: {frame:?}");
    let len = writer.len();
    assert!(!matches!(frame, Frame::ResumeToken(_)) || len <= RESUME_TOKEN_BYTES_MAX);
    buffer[..len].to_vec()
}

/// A frame takes the room it needs, and without it none at all; acks and moves may leave the oldest out.
fn check_room(frame: &Frame<'_>, len: usize) {
    let mut buffer = [0; PAYLOAD_BYTES_MAX];
    assert!(write(frame, &mut FrameWriter::new(&mut buffer[..len])));
    let mut writer = FrameWriter::new(&mut buffer[..len - 1]);
    let is_whole = write(frame, &mut writer);
    let written = writer.len();
    if written > 0 {
        assert!(!is_whole && matches!(frame, Frame::Ack(_) | Frame::Moves(_)), "half a frame: {frame:?}");
        let sender = if matches!(frame, Frame::Moves(_)) { Role::Client } else { Role::Server };
        assert!(check_form(&buffer[..written], sender).is_ok(), "a shortened frame is well-formed");
    }
}

/// Writes a frame; says whether nothing is missing.
fn write(frame: &Frame<'_>, to: &mut FrameWriter<'_>) -> bool {
    match *frame {
        Frame::Hello(hello) => to.write_hello(&hello),
        Frame::Welcome(welcome) => to.write_welcome(&welcome),
        Frame::Ack(ack) => to.write_ack(ack.delay_micros, ack.ranges()) == ack.ranges().count(),
        Frame::Heartbeat { stamp } => to.write_heartbeat(stamp),
        Frame::HeartbeatResponse(response) => to.write_heartbeat_response(&response),
        Frame::Login { attempt, credential } => to.write_login(attempt, credential),
        Frame::LoginAccepted { attempt } => to.write_login_accepted(attempt),
        Frame::LoginRejected(rejected) => to.write_login_rejected(&rejected),
        Frame::ResumeToken(token) => to.write_resume_token(&token),
        Frame::Goodbye { code, detail } => to.write_goodbye(code, detail),
        Frame::Draining(draining) => to.write_draining(&draining),
        Frame::PathChallenge { value } => to.write_path_challenge(value),
        Frame::PathResponse { value } => to.write_path_response(value),
        Frame::Lane { lane, number, message } => {
            to.write_lane(lane, number, message.split_at(message.len() / 2))
        }
        Frame::Fragment { lane, number, bytes } => {
            to.write_fragment(lane, number, bytes.split_at(bytes.len() / 2))
        }
        Frame::Datagram { message } => to.write_datagram(message.split_at(message.len() / 2)),
        Frame::State(state) => to.write_state(&state),
        Frame::Moves(moves) => to.write_moves(moves.inputs()) == moves.inputs().count(),
        Frame::Latest { key, version, value } => to.write_latest(key, version, value),
    }
}
