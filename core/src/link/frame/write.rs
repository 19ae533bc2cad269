//! Writing frames into the outgoing packet.

use core::ops::RangeInclusive;

use super::{
    CREDENTIAL_BYTES_MAX, Draining, FURTHER_RANGES_MAX, HeartbeatResponse, Hello, LoginRejected, MOVES_MAX,
    PIECE_BYTES_MAX, RESUME_TOKEN_BYTES_MAX, ResumeToken, State, TEXT_BYTES_MAX, UNORDERED_LANE,
    VALUE_BYTES_MAX, Welcome, flag, kind,
};
use crate::link::varint::{varint_len, write_varint};
use crate::netcode::address::{self, ADDRESS_BYTES_MAX};

/// Appends frames to a payload of bounded size.
///
/// Each `write_*` either writes its whole frame and says `true`, or writes nothing: because there is no room, or because
/// the frame would break a bound of its fields.
#[derive(Debug)]
pub(crate) struct FrameWriter<'a> {
    bytes: &'a mut [u8],
    len: usize,
    /// Bytes at the end that are kept for a later frame.
    reserved_bytes: usize,
}

impl<'a> FrameWriter<'a> {
    /// Writes from the start of `bytes`.
    pub(crate) const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0, reserved_bytes: 0 }
    }

    /// How many bytes are written.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many bytes may still be written.
    pub(crate) const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.len).saturating_sub(self.reserved_bytes)
    }

    /// Whether all of the room is free: what does not fit now never will.
    pub(crate) const fn is_untouched(&self) -> bool {
        self.len == 0 && self.reserved_bytes == 0
    }

    /// Keeps `bytes` bytes free until they are asked for again; 0 releases them.
    pub(crate) const fn reserve(&mut self, bytes: usize) {
        self.reserved_bytes = bytes;
    }

    /// The opening frame of a client.
    pub(crate) fn write_hello(&mut self, hello: &Hello) -> bool {
        self.frame(kind::HELLO, |fields| {
            fields.bytes(&hello.magic)?;
            fields.varint(hello.version)?;
            fields.bytes(&hello.lane_epoch.to_le_bytes())
        })
    }

    /// The answer to a hello.
    pub(crate) fn write_welcome(&mut self, welcome: &Welcome) -> bool {
        let flags = [
            (welcome.lanes_kept, flag::LANES_KEPT),
            (welcome.login_explicit, flag::LOGIN_EXPLICIT),
            (welcome.logged_in, flag::LOGGED_IN),
            (welcome.move_high_water.is_some(), flag::MOVE_HIGH_WATER),
        ];
        let flags = flags.iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag);
        self.frame(kind::WELCOME, |fields| {
            fields.varint(welcome.version)?;
            fields.bytes(&welcome.lane_epoch.to_le_bytes())?;
            fields.bytes(&[flags])?;
            fields.bytes(&welcome.session.to_le_bytes())?;
            fields.varint(welcome.tick_rate_hz)?;
            fields.varint(welcome.server_tick)?;
            fields.varint(welcome.heartbeat_ms)?;
            fields.varint(welcome.timeout_ms)?;
            fields.varint(welcome.reconnect_window_ms)?;
            fields.bytes(&[welcome.ordered_lanes])?;
            fields.varint(welcome.message_bytes_max.into())?;
            fields.varint(welcome.lane_window_bytes.into())?;
            fields.varint(welcome.latest_keys.into())?;
            welcome.move_high_water.map_or(Some(()), |tick| fields.varint(tick))
        })
    }

    /// An ack of as many of `ranges` as there is room for (P12), at most 32; returns how many. They come highest first,
    /// disjoint and not adjacent.
    pub(crate) fn write_ack(
        &mut self,
        delay_micros: u64,
        mut ranges: impl Iterator<Item = RangeInclusive<u64>>,
    ) -> usize {
        let Some(first) = ranges.next() else { return 0 };
        let mut further_count = 0_u8;
        let written = self.frame(kind::ACK, |fields| {
            fields.varint(*first.end())?;
            fields.varint(delay_micros)?;
            let count_at = fields.len;
            fields.varint(0)?;
            fields.varint(first.end().saturating_sub(*first.start()))?;
            let mut smallest = *first.start();
            for range in ranges.take(FURTHER_RANGES_MAX) {
                let gap = smallest.saturating_sub(*range.end()).saturating_sub(2);
                let length = range.end().saturating_sub(*range.start());
                if varint_len(gap) + varint_len(length) > fields.remaining() {
                    break;
                }
                fields.varint(gap)?;
                fields.varint(length)?;
                smallest = *range.start();
                further_count += 1;
            }
            // At most 31, so that it takes the one byte it was given.
            fields.set(count_at, further_count);
            Some(())
        });
        if written { 1 + usize::from(further_count) } else { 0 }
    }

    /// A heartbeat.
    pub(crate) fn write_heartbeat(&mut self, stamp: u64) -> bool {
        self.frame(kind::HEARTBEAT, |fields| fields.varint(stamp))
    }

    /// The answer to a heartbeat.
    pub(crate) fn write_heartbeat_response(&mut self, response: &HeartbeatResponse) -> bool {
        self.frame(kind::HEARTBEAT_RESPONSE, |fields| {
            fields.varint(response.stamp)?;
            fields.varint(response.delay_micros)?;
            fields.varint(response.server_tick)?;
            fields.varint(response.tick_phase_micros)?;
            let Some(arrival) = response.move_arrival else { return fields.bytes(&[0]) };
            fields.bytes(&[1])?;
            fields.varint(arrival.tick)?;
            fields.varint(arrival.server_tick)
        })
    }

    /// A login attempt, its credential at most [`CREDENTIAL_BYTES_MAX`] bytes.
    pub(crate) fn write_login(&mut self, attempt: u64, credential: &[u8]) -> bool {
        self.frame(kind::LOGIN, |fields| {
            fields.varint(attempt)?;
            fields.byte_string(credential, CREDENTIAL_BYTES_MAX)
        })
    }

    /// The answer to a login that is accepted.
    pub(crate) fn write_login_accepted(&mut self, attempt: u64) -> bool {
        self.frame(kind::LOGIN_ACCEPTED, |fields| fields.varint(attempt))
    }

    /// The answer to a login that is rejected.
    pub(crate) fn write_login_rejected(&mut self, rejected: &LoginRejected<'_>) -> bool {
        self.frame(kind::LOGIN_REJECTED, |fields| {
            fields.varint(rejected.attempt)?;
            fields.varint(rejected.attempts_left)?;
            fields.varint(rejected.code)?;
            fields.byte_string(rejected.text.as_bytes(), TEXT_BYTES_MAX)
        })
    }

    /// A token for coming back, at most [`RESUME_TOKEN_BYTES_MAX`] bytes as a frame (P7).
    pub(crate) fn write_resume_token(&mut self, token: &ResumeToken<'_>) -> bool {
        let start = self.len;
        self.frame(kind::RESUME_TOKEN, |fields| {
            fields.varint(token.generation)?;
            fields.bytes(&token.create_unix.to_le_bytes())?;
            fields.bytes(&token.expire_unix.to_le_bytes())?;
            fields.bytes(token.nonce)?;
            fields.bytes(token.private)?;
            fields.bytes(token.client_to_server_key)?;
            fields.bytes(token.server_to_client_key)?;
            fields.bytes(&token.timeout_seconds.to_le_bytes())?;
            fields.bytes(&[token.address_count])?;
            fields.bytes(token.addresses)?;
            (fields.len.saturating_sub(start) <= RESUME_TOKEN_BYTES_MAX).then_some(())
        })
    }

    /// A farewell, its detail at most [`TEXT_BYTES_MAX`] bytes.
    pub(crate) fn write_goodbye(&mut self, code: u8, detail: &[u8]) -> bool {
        self.frame(kind::GOODBYE, |fields| {
            fields.bytes(&[code])?;
            fields.byte_string(detail, TEXT_BYTES_MAX)
        })
    }

    /// A question whether the peer hears what is sent to one of two addresses (P40).
    pub(crate) fn write_path_challenge(&mut self, value: u64) -> bool {
        self.frame(kind::PATH_CHALLENGE, |fields| fields.bytes(&value.to_le_bytes()))
    }

    /// The answer to one (P41).
    pub(crate) fn write_path_response(&mut self, value: u64) -> bool {
        self.frame(kind::PATH_RESPONSE, |fields| fields.bytes(&value.to_le_bytes()))
    }

    /// That the server takes its leave.
    pub(crate) fn write_draining(&mut self, draining: &Draining) -> bool {
        self.frame(kind::DRAINING, |fields| {
            fields.varint(draining.announcement)?;
            fields.varint(draining.code.into())?;
            fields.bytes(&[u8::from(draining.remaining_ms.is_some())])?;
            draining.remaining_ms.map_or(Some(()), |millis| fields.varint(millis))?;
            fields.bytes(&[u8::from(draining.other_address.is_some())])?;
            let Some(other_address) = draining.other_address else { return Some(()) };
            fields.bytes(address::encode(other_address, &mut [0; ADDRESS_BYTES_MAX]))
        })
    }

    /// A reliable message or the last piece of one, given in two parts because it comes out of a ring.
    pub(crate) fn write_lane(&mut self, lane: u8, number: u64, message: (&[u8], &[u8])) -> bool {
        self.write_piece(kind::LANE, lane, number, message)
    }

    /// A piece of a reliable message that goes on (P54), given in two parts because it comes out of a ring.
    pub(crate) fn write_fragment(&mut self, lane: u8, number: u64, piece: (&[u8], &[u8])) -> bool {
        self.write_piece(kind::FRAGMENT, lane, number, piece)
    }

    fn write_piece(&mut self, kind: u8, lane: u8, number: u64, message: (&[u8], &[u8])) -> bool {
        let len = message.0.len() + message.1.len();
        if lane > UNORDERED_LANE || !(1..=PIECE_BYTES_MAX).contains(&len) {
            return false;
        }
        self.frame(kind, |fields| {
            fields.bytes(&[lane])?;
            fields.varint(number)?;
            fields.varint(len as u64)?;
            fields.bytes(message.0)?;
            fields.bytes(message.1)
        })
    }

    /// How many bytes the frame of a piece takes.
    pub(crate) const fn lane_frame_len(number: u64, message_len: usize) -> usize {
        1 + 1 + varint_len(number) + varint_len(message_len as u64) + message_len
    }

    /// An unreliable message, given in two parts because it comes out of a ring.
    pub(crate) fn write_datagram(&mut self, message: (&[u8], &[u8])) -> bool {
        self.frame(kind::DATAGRAM, |fields| {
            fields.varint((message.0.len() + message.1.len()) as u64)?;
            fields.bytes(message.0)?;
            fields.bytes(message.1)
        })
    }

    /// The newest state.
    pub(crate) fn write_state(&mut self, state: &State<'_>) -> bool {
        self.frame(kind::STATE, |fields| {
            fields.varint(state.server_tick)?;
            match state.acknowledged_tick {
                None => fields.bytes(&[0])?,
                Some(tick) => {
                    fields.bytes(&[1])?;
                    fields.varint(tick)?;
                }
            }
            fields.byte_string(state.bytes, usize::MAX)
        })
    }

    /// A latest-wins value, at most [`VALUE_BYTES_MAX`] bytes.
    pub(crate) fn write_latest(&mut self, key: u16, version: u64, value: &[u8]) -> bool {
        self.frame(kind::LATEST, |fields| {
            fields.varint(key.into())?;
            fields.varint(version)?;
            fields.byte_string(value, VALUE_BYTES_MAX)
        })
    }

    /// As many move inputs as there is room for, at most [`MOVES_MAX`], newest first with strictly falling ticks;
    /// returns how many were written.
    pub(crate) fn write_moves<'i>(&mut self, mut inputs: impl Iterator<Item = (u64, &'i [u8])>) -> usize {
        let Some((newest_tick, newest)) = inputs.next() else { return 0 };
        let mut count = 1_u8;
        let written = self.frame(kind::MOVES, |fields| {
            fields.varint(newest_tick)?;
            let count_at = fields.len;
            fields.varint(0)?;
            fields.byte_string(newest, usize::MAX)?;
            let mut later_tick = newest_tick;
            for (tick, input) in inputs.take(MOVES_MAX - 1) {
                let Some(distance) = later_tick.checked_sub(tick).filter(|&distance| distance > 0) else {
                    break;
                };
                let end = fields.len;
                if fields.varint(distance).and_then(|()| fields.byte_string(input, usize::MAX)).is_none() {
                    fields.len = end;
                    break;
                }
                later_tick = tick;
                count += 1;
            }
            // At most 32, so that it takes the one byte it was given.
            fields.set(count_at, count);
            Some(())
        });
        if written { usize::from(count) } else { 0 }
    }

    /// Writes one frame, or takes back what was written of it.
    fn frame(&mut self, kind: u8, write: impl FnOnce(&mut Self) -> Option<()>) -> bool {
        let start = self.len;
        let written = self.bytes(&[kind]).and_then(|()| write(self)).is_some();
        if !written {
            self.len = start;
        }
        written
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        if bytes.len() > self.remaining() {
            return None;
        }
        self.bytes.get_mut(self.len..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }

    fn varint(&mut self, value: u64) -> Option<()> {
        let (bytes, len) = write_varint(value);
        self.bytes(bytes.get(..len)?)
    }

    fn byte_string(&mut self, bytes: &[u8], len_max: usize) -> Option<()> {
        if bytes.len() > len_max {
            return None;
        }
        self.varint(bytes.len() as u64)?;
        self.bytes(bytes)
    }

    /// Overwrites a byte that was written before.
    fn set(&mut self, at: usize, byte: u8) {
        if let Some(written) = self.bytes.get_mut(at) {
            *written = byte;
        }
    }
}
