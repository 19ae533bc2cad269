//! Reading frames without copying.

use core::ops::RangeInclusive;

use super::{
    ADDRESSES_MAX, Ack, CREDENTIAL_BYTES_MAX, Draining, FURTHER_RANGES_MAX, Frame, FrameError,
    HeartbeatResponse, Hello, LANES_MAX, LoginRejected, MESSAGE_BYTES_MAX, MOVES_MAX, MoveArrival, Moves,
    PAYLOAD_BYTES_MAX, RESUME_TOKEN_BYTES_MAX, ResumeToken, State, TEXT_BYTES_MAX, UNORDERED_LANE,
    VALUE_BYTES_MAX, Welcome, flag, kind,
};
use crate::link::lane::LaneWindow;
use crate::link::varint::{VarintError, read_varint};
use crate::netcode::address;

/// The frames of a payload, until the first that cannot be read.
#[derive(Clone, Debug)]
pub(super) struct FrameReader<'a> {
    cursor: Cursor<'a>,
}

impl<'a> FrameReader<'a> {
    /// Reads from the start of `payload`.
    pub(super) const fn new(payload: &'a [u8]) -> Self {
        Self { cursor: Cursor(payload) }
    }
}

impl<'a> Iterator for FrameReader<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.0.is_empty() {
            return None;
        }
        let frame = read_frame(&mut self.cursor);
        if frame.is_err() {
            // Where the next frame begins is unknown.
            self.cursor = Cursor(&[]);
        }
        Some(frame)
    }
}

/// The bytes that are still to be read.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(FrameError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], FrameError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(FrameError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|&[byte]| byte)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn i32(&mut self) -> Result<i32, FrameError> {
        self.array().map(|bytes| i32::from_le_bytes(*bytes))
    }

    fn varint(&mut self) -> Result<u64, FrameError> {
        let (value, len) = read_varint(self.0).map_err(|error| match error {
            VarintError::Truncated => FrameError::Truncated,
            VarintError::Malformed => FrameError::MalformedVarint,
        })?;
        self.bytes(len)?;
        Ok(value)
    }

    fn byte_string(&mut self, len_max: usize) -> Result<&'a [u8], FrameError> {
        let len = usize::try_from(self.varint()?).map_err(|_| FrameError::OutOfRange)?;
        if len > len_max {
            return Err(FrameError::OutOfRange);
        }
        self.bytes(len)
    }

    /// A count of at most `max`.
    fn count(&mut self, max: usize) -> Result<usize, FrameError> {
        usize::try_from(self.varint()?).ok().filter(|&count| count <= max).ok_or(FrameError::OutOfRange)
    }

    /// The bytes from here up to where `end` begins.
    fn until(self, end: Self) -> &'a [u8] {
        let len = self.0.len().saturating_sub(end.0.len());
        self.0.get(..len).unwrap_or_default()
    }
}

fn read_frame<'a>(cursor: &mut Cursor<'a>) -> Result<Frame<'a>, FrameError> {
    Ok(match cursor.u8()? {
        kind::HELLO => Frame::Hello(read_hello(cursor)?),
        kind::WELCOME => Frame::Welcome(read_welcome(cursor)?),
        kind::ACK => Frame::Ack(read_ack(cursor)?),
        kind::HEARTBEAT => Frame::Heartbeat { stamp: cursor.varint()? },
        kind::HEARTBEAT_RESPONSE => Frame::HeartbeatResponse(HeartbeatResponse {
            stamp: cursor.varint()?,
            delay_micros: cursor.varint()?,
            server_tick: cursor.varint()?,
            tick_phase_micros: cursor.varint()?,
            move_arrival: read_move_arrival(cursor)?,
        }),
        kind::LOGIN => {
            Frame::Login { attempt: cursor.varint()?, credential: cursor.byte_string(CREDENTIAL_BYTES_MAX)? }
        }
        kind::LOGIN_ACCEPTED => Frame::LoginAccepted { attempt: cursor.varint()? },
        kind::LOGIN_REJECTED => Frame::LoginRejected(read_login_rejected(cursor)?),
        kind::RESUME_TOKEN => Frame::ResumeToken(read_resume_token(cursor)?),
        kind::GOODBYE => Frame::Goodbye { code: cursor.u8()?, detail: cursor.byte_string(TEXT_BYTES_MAX)? },
        kind::DRAINING => Frame::Draining(read_draining(cursor)?),
        kind::PATH_CHALLENGE => Frame::PathChallenge { value: cursor.u64()? },
        kind::PATH_RESPONSE => Frame::PathResponse { value: cursor.u64()? },
        kind::LANE => {
            let (lane, number, message) = read_piece(cursor, UNORDERED_LANE)?;
            Frame::Lane { lane, number, message }
        }
        kind::FRAGMENT => {
            let (lane, number, bytes) = read_piece(cursor, LANES_MAX - 1)?;
            Frame::Fragment { lane, number, bytes }
        }
        kind::DATAGRAM => Frame::Datagram { message: read_message(cursor)? },
        kind::STATE => Frame::State(read_state(cursor)?),
        kind::MOVES => Frame::Moves(read_moves(cursor)?),
        kind::LATEST => {
            let (key, version) = (read_key(cursor)?, read_version(cursor)?);
            Frame::Latest { key, version, value: cursor.byte_string(VALUE_BYTES_MAX)? }
        }
        unknown => return Err(FrameError::UnknownType(unknown)),
    })
}

fn read_hello(cursor: &mut Cursor<'_>) -> Result<Hello, FrameError> {
    Ok(Hello { magic: *cursor.array()?, version: cursor.varint()?, lane_epoch: cursor.u64()? })
}

fn read_welcome(cursor: &mut Cursor<'_>) -> Result<Welcome, FrameError> {
    let version = cursor.varint()?;
    let lane_epoch = cursor.u64()?;
    let flags = cursor.u8()?;
    if flags & !flag::ALL != 0 {
        return Err(FrameError::OutOfRange);
    }
    Ok(Welcome {
        version,
        lane_epoch,
        lanes_kept: flags & flag::LANES_KEPT != 0,
        login_explicit: flags & flag::LOGIN_EXPLICIT != 0,
        logged_in: flags & flag::LOGGED_IN != 0,
        session: cursor.u64()?,
        tick_rate_hz: cursor.varint()?,
        server_tick: cursor.varint()?,
        heartbeat_ms: cursor.varint()?,
        timeout_ms: cursor.varint()?,
        reconnect_window_ms: cursor.varint()?,
        ordered_lanes: read_ordered_lanes(cursor)?,
        message_bytes_max: read_message_bytes_max(cursor)?,
        lane_window_bytes: read_lane_window_bytes(cursor)?,
        latest_keys: read_u16(cursor)?,
        move_high_water: if flags & flag::MOVE_HIGH_WATER == 0 { None } else { Some(cursor.varint()?) },
    })
}

fn read_login_rejected<'a>(cursor: &mut Cursor<'a>) -> Result<LoginRejected<'a>, FrameError> {
    Ok(LoginRejected {
        attempt: cursor.varint()?,
        attempts_left: cursor.varint()?,
        code: cursor.varint()?,
        text: core::str::from_utf8(cursor.byte_string(TEXT_BYTES_MAX)?)
            .map_err(|_| FrameError::OutOfRange)?,
    })
}

fn read_resume_token<'a>(cursor: &mut Cursor<'a>) -> Result<ResumeToken<'a>, FrameError> {
    let start = *cursor;
    let generation = cursor.varint()?;
    if generation == 0 {
        return Err(FrameError::OutOfRange);
    }
    let token = ResumeToken {
        generation,
        create_unix: cursor.u64()?,
        expire_unix: cursor.u64()?,
        nonce: cursor.array()?,
        private: cursor.array()?,
        client_to_server_key: cursor.array()?,
        server_to_client_key: cursor.array()?,
        timeout_seconds: cursor.i32()?,
        address_count: cursor.u8()?,
        addresses: &[],
    };
    let addresses = read_addresses(cursor, token.address_count)?;
    let frame_len = 1 + start.until(*cursor).len();
    if frame_len > RESUME_TOKEN_BYTES_MAX {
        return Err(FrameError::OutOfRange);
    }
    Ok(ResumeToken { addresses, ..token })
}

/// Checks the form of a connect token's address list (netcode standard, section Connect Token).
fn read_addresses<'a>(cursor: &mut Cursor<'a>, count: u8) -> Result<&'a [u8], FrameError> {
    const IPV4: u8 = 1;
    const IPV6: u8 = 2;
    if !(1..=ADDRESSES_MAX).contains(&count) {
        return Err(FrameError::OutOfRange);
    }
    let start = *cursor;
    for _ in 0..count {
        match cursor.u8()? {
            IPV4 => cursor.bytes(4 + 2)?,
            IPV6 => cursor.bytes(16 + 2)?,
            _ => return Err(FrameError::OutOfRange),
        };
    }
    Ok(start.until(*cursor))
}

fn read_draining(cursor: &mut Cursor<'_>) -> Result<Draining, FrameError> {
    let announcement = cursor.varint()?;
    if announcement == 0 {
        return Err(FrameError::OutOfRange);
    }
    Ok(Draining {
        announcement,
        code: u32::try_from(cursor.varint()?).map_err(|_| FrameError::OutOfRange)?,
        remaining_ms: if read_bool(cursor)? { Some(cursor.varint()?) } else { None },
        other_address: if read_bool(cursor)? { address::decode(read_addresses(cursor, 1)?) } else { None },
    })
}

/// A byte that is 0 or 1.
fn read_bool(cursor: &mut Cursor<'_>) -> Result<bool, FrameError> {
    match cursor.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(FrameError::OutOfRange),
    }
}

/// How many lanes there are; at least one (P50).
fn read_ordered_lanes(cursor: &mut Cursor<'_>) -> Result<u8, FrameError> {
    let count = cursor.u8()?;
    if (1..=LANES_MAX).contains(&count) { Ok(count) } else { Err(FrameError::OutOfRange) }
}

/// The longest message of a lane; at least one byte (P54).
fn read_message_bytes_max(cursor: &mut Cursor<'_>) -> Result<u32, FrameError> {
    u32::try_from(cursor.varint()?).ok().filter(|&bytes| bytes > 0).ok_or(FrameError::OutOfRange)
}

/// The window of a lane (P51).
fn read_lane_window_bytes(cursor: &mut Cursor<'_>) -> Result<u32, FrameError> {
    let range = LaneWindow::BYTES_MIN..=LaneWindow::BYTES_MAX;
    u32::try_from(cursor.varint()?).ok().filter(|bytes| range.contains(bytes)).ok_or(FrameError::OutOfRange)
}

/// The lane, number and bytes of a message or of a piece of one, on a lane up to `lane_max`.
fn read_piece<'a>(cursor: &mut Cursor<'a>, lane_max: u8) -> Result<(u8, u64, &'a [u8]), FrameError> {
    let lane = cursor.u8()?;
    if lane > lane_max {
        return Err(FrameError::OutOfRange);
    }
    Ok((lane, cursor.varint()?, read_message(cursor)?))
}

/// The application's bytes, of which there is at least one.
fn read_message<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], FrameError> {
    let message = cursor.byte_string(MESSAGE_BYTES_MAX)?;
    if message.is_empty() { Err(FrameError::OutOfRange) } else { Ok(message) }
}

/// The key of a latest-wins value: below the 65,535 that a session has at most.
fn read_key(cursor: &mut Cursor<'_>) -> Result<u16, FrameError> {
    read_u16(cursor).and_then(|key| if key < u16::MAX { Ok(key) } else { Err(FrameError::OutOfRange) })
}

/// The version of a latest-wins value (P71).
fn read_version(cursor: &mut Cursor<'_>) -> Result<u64, FrameError> {
    cursor.varint().and_then(|version| if version > 0 { Ok(version) } else { Err(FrameError::OutOfRange) })
}

/// A varint of at most 65,535.
fn read_u16(cursor: &mut Cursor<'_>) -> Result<u16, FrameError> {
    u16::try_from(cursor.varint()?).map_err(|_| FrameError::OutOfRange)
}

fn read_state<'a>(cursor: &mut Cursor<'a>) -> Result<State<'a>, FrameError> {
    let server_tick = cursor.varint()?;
    let acknowledged_tick = if read_bool(cursor)? { Some(cursor.varint()?) } else { None };
    Ok(State { server_tick, acknowledged_tick, bytes: cursor.byte_string(PAYLOAD_BYTES_MAX)? })
}

fn read_move_arrival(cursor: &mut Cursor<'_>) -> Result<Option<MoveArrival>, FrameError> {
    if !read_bool(cursor)? {
        return Ok(None);
    }
    Ok(Some(MoveArrival { tick: cursor.varint()?, server_tick: cursor.varint()? }))
}

fn read_ack<'a>(cursor: &mut Cursor<'a>) -> Result<Ack<'a>, FrameError> {
    let largest = cursor.varint()?;
    let delay_micros = cursor.varint()?;
    let further_count = cursor.count(FURTHER_RANGES_MAX)?;
    let first_range = cursor.varint()?;
    let mut smallest = largest.checked_sub(first_range).ok_or(FrameError::OutOfRange)?;
    let start = *cursor;
    for _ in 0..further_count {
        smallest = *read_further_range(cursor, smallest)?.start();
    }
    Ok(Ack { largest, delay_micros, first_range, further: start.until(*cursor) })
}

/// The range after the one that ends at `smallest` (P10).
fn read_further_range(cursor: &mut Cursor<'_>, smallest: u64) -> Result<RangeInclusive<u64>, FrameError> {
    let gap = cursor.varint()?;
    let length = cursor.varint()?;
    let end = gap.checked_add(2).and_then(|gap| smallest.checked_sub(gap)).ok_or(FrameError::OutOfRange)?;
    let start = end.checked_sub(length).ok_or(FrameError::OutOfRange)?;
    Ok(start..=end)
}

impl<'a> Ack<'a> {
    /// The sequences it names, the highest range first; the ranges are disjoint and not adjacent.
    pub(crate) const fn ranges(&self) -> AckRanges<'a> {
        let smallest = self.largest.saturating_sub(self.first_range);
        AckRanges { first: Some(smallest..=self.largest), smallest, further: Cursor(self.further) }
    }
}

/// The ranges of an [`Ack`], read as they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct AckRanges<'a> {
    first: Option<RangeInclusive<u64>>,
    smallest: u64,
    further: Cursor<'a>,
}

impl Iterator for AckRanges<'_> {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let range = read_further_range(&mut self.further, self.smallest).ok()?;
        self.smallest = *range.start();
        Some(range)
    }
}

fn read_moves<'a>(cursor: &mut Cursor<'a>) -> Result<Moves<'a>, FrameError> {
    let newest_tick = cursor.varint()?;
    let count = cursor.count(MOVES_MAX)?;
    if count == 0 {
        return Err(FrameError::OutOfRange);
    }
    let start = *cursor;
    let mut earlier_tick = None;
    for _ in 0..count {
        earlier_tick = Some(read_move(cursor, newest_tick, earlier_tick)?.0);
    }
    Ok(Moves { newest_tick, inputs: start.until(*cursor) })
}

/// One input; `later_tick` is that of the input before it, which is the later one (P46).
fn read_move<'a>(
    cursor: &mut Cursor<'a>,
    newest_tick: u64,
    later_tick: Option<u64>,
) -> Result<(u64, &'a [u8]), FrameError> {
    let tick = match later_tick {
        None => newest_tick,
        Some(later) => match cursor.varint()? {
            0 => return Err(FrameError::OutOfRange),
            distance => later.checked_sub(distance).ok_or(FrameError::OutOfRange)?,
        },
    };
    Ok((tick, cursor.byte_string(PAYLOAD_BYTES_MAX)?))
}

impl<'a> Moves<'a> {
    /// The ticks and bytes of its inputs, the newest first; the ticks fall strictly.
    pub(crate) const fn inputs(&self) -> MoveInputs<'a> {
        MoveInputs { newest_tick: self.newest_tick, later_tick: None, inputs: Cursor(self.inputs) }
    }
}

/// The inputs of a [`Moves`], read as they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct MoveInputs<'a> {
    newest_tick: u64,
    later_tick: Option<u64>,
    inputs: Cursor<'a>,
}

impl<'a> Iterator for MoveInputs<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let input = read_move(&mut self.inputs, self.newest_tick, self.later_tick).ok()?;
        self.later_tick = Some(input.0);
        Some(input)
    }
}
