//! The sealed packets, everything but the connection request (netcode standard, sections Packets and Reading
//! Encrypted Packets).
//!
//! ```text
//! ┌────────┬──────────────┬─────────────────────┬──────────┐
//! │ prefix │ sequence     │ body                │ MAC      │
//! │ 1 byte │ 1 to 8 bytes │ 0 to 1,200 bytes    │ 16 bytes │
//! └────────┴──────────────┴─────────────────────┴──────────┘
//!   low half: kind; high half: number of sequence bytes
//! ```
//!
//! A receiver calls [`peek`], asks its replay window, calls [`open`], and only then advances the window.

use core::ops::RangeInclusive;

use super::aead::{self, MAC_BYTES};
use super::key::Key;
use super::wire::{Reader, Writer};
use super::{CHALLENGE_TOKEN_BYTES, PACKET_BYTES_MIN, PAYLOAD_BYTES_MAX, VERSION_INFO};

const SEQUENCE_BYTES_MAX: usize = 8;
const CHALLENGE_BODY_BYTES: usize = 8 + CHALLENGE_TOKEN_BYTES;
const KEEP_ALIVE_BODY_BYTES: usize = 4 + 4;

/// The kinds of sealed packets, with their numbers on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketKind {
    /// Server to client: no connection.
    Denied = 1,
    /// Server to client: prove that you receive at your address.
    Challenge = 2,
    /// Client to server: the proof.
    Response = 3,
    /// Both ways: I am here. From the server also: you are connected.
    KeepAlive = 4,
    /// Both ways: the application's bytes.
    Payload = 5,
    /// Both ways: I am gone.
    Disconnect = 6,
}

impl PacketKind {
    const fn from_wire(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Denied,
            2 => Self::Challenge,
            3 => Self::Response,
            4 => Self::KeepAlive,
            5 => Self::Payload,
            6 => Self::Disconnect,
            _ => return None,
        })
    }

    /// How many bytes the body of this kind may have.
    const fn body_bytes(self) -> RangeInclusive<usize> {
        match self {
            Self::Denied | Self::Disconnect => 0..=0,
            Self::Challenge | Self::Response => CHALLENGE_BODY_BYTES..=CHALLENGE_BODY_BYTES,
            Self::KeepAlive => KEEP_ALIVE_BODY_BYTES..=KEEP_ALIVE_BODY_BYTES,
            Self::Payload => 1..=PAYLOAD_BYTES_MAX,
        }
    }

    /// Whether a receiver must refuse a repeated sequence (netcode standard, section Replay Protection).
    pub(crate) const fn is_replay_protected(self) -> bool {
        matches!(self, Self::KeepAlive | Self::Payload | Self::Disconnect)
    }
}

/// What can be read of a sealed packet without a key. Nothing in it is proved yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: PacketKind,
    pub(crate) sequence: u64,
    /// Bytes before the body.
    pub(crate) body_offset: usize,
}

/// Why a datagram cannot be a sealed packet, whatever the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketError {
    /// Shorter than its header and a MAC.
    TooShort,
    /// A packet type that does not exist or is never sealed.
    Kind,
    /// A sequence of no or more than eight bytes.
    SequenceLength,
    /// A body of a length that its kind never has.
    BodyLength,
}

/// Does all the checks that need no key, in the order of the standard, and the one on the body's length too.
pub(crate) fn peek(datagram: &[u8]) -> Result<Header, PacketError> {
    if datagram.len() < PACKET_BYTES_MIN {
        return Err(PacketError::TooShort);
    }
    let (&prefix, rest) = datagram.split_first().ok_or(PacketError::TooShort)?;
    let kind = PacketKind::from_wire(prefix & 0x0f).ok_or(PacketError::Kind)?;
    let sequence_len = usize::from(prefix >> 4);
    if !(1..=SEQUENCE_BYTES_MAX).contains(&sequence_len) {
        return Err(PacketError::SequenceLength);
    }
    let (sequence_bytes, sealed) = rest.split_at_checked(sequence_len).ok_or(PacketError::TooShort)?;
    let body_len = sealed.len().checked_sub(MAC_BYTES).ok_or(PacketError::TooShort)?;
    if !kind.body_bytes().contains(&body_len) {
        return Err(PacketError::BodyLength);
    }
    let sequence = sequence_bytes.iter().rev().fold(0, |sequence, &byte| sequence << 8 | u64::from(byte));
    Ok(Header { kind, sequence, body_offset: 1 + sequence_len })
}

/// A packet in the clear: what [`open`] gives and [`seal`] takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    Denied,
    Challenge { token_sequence: u64, token: &'a mut [u8; CHALLENGE_TOKEN_BYTES] },
    Response { token_sequence: u64, token: &'a mut [u8; CHALLENGE_TOKEN_BYTES] },
    KeepAlive { client_index: u32, max_clients: u32 },
    Payload(&'a [u8]),
    Disconnect,
}

/// Opens a packet in place. `header` is what [`peek`] said of this very `datagram`.
///
/// `None` if it is not authentic, and then `datagram` is overwritten: whoever has several keys to try must try
/// them on copies. A challenge token inside is still sealed and may be opened where it lies.
pub(crate) fn open<'a>(
    datagram: &'a mut [u8],
    header: &Header,
    protocol_id: u64,
    key: &Key,
) -> Option<Packet<'a>> {
    let (head, sealed) = datagram.split_at_mut_checked(header.body_offset)?;
    let associated_data = associated_data(protocol_id, *head.first()?);
    let body = aead::open(key, header.sequence, &associated_data, sealed)?;
    Some(match header.kind {
        PacketKind::Denied => Packet::Denied,
        PacketKind::Challenge => {
            let (token_sequence, token) = read_challenge(body)?;
            Packet::Challenge { token_sequence, token }
        }
        PacketKind::Response => {
            let (token_sequence, token) = read_challenge(body)?;
            Packet::Response { token_sequence, token }
        }
        PacketKind::KeepAlive => {
            let mut reader = Reader::new(body);
            Packet::KeepAlive { client_index: reader.u32()?, max_clients: reader.u32()? }
        }
        PacketKind::Payload => Packet::Payload(body),
        PacketKind::Disconnect => Packet::Disconnect,
    })
}

fn read_challenge(body: &mut [u8]) -> Option<(u64, &mut [u8; CHALLENGE_TOKEN_BYTES])> {
    let (token_sequence, token) = body.split_first_chunk_mut()?;
    Some((u64::from_le_bytes(*token_sequence), token.try_into().ok()?))
}

/// Seals `packet` into the front of `out` and returns its length, at most [`super::PACKET_BYTES_MAX`].
///
/// `None`, with nothing sealed, if `out` is too short or a payload is empty or too long. A pair of key and
/// sequence must never seal two packets.
pub(crate) fn seal(
    packet: &Packet<'_>,
    sequence: u64,
    protocol_id: u64,
    key: &Key,
    out: &mut [u8],
) -> Option<usize> {
    let (kind, body_len) = shape(packet);
    let body = out.get_mut(body_offset(sequence)..)?.get_mut(..body_len)?;
    write_body(packet, body);
    seal_in_place(kind, out, body_len, sequence, protocol_id, key)
}

/// Where in the outgoing buffer the body of a packet with this sequence starts.
pub(crate) fn body_offset(sequence: u64) -> usize {
    1 + sequence_len(sequence)
}

/// Seals a payload that already lies in `out`, `body_len` bytes from [`body_offset`] on, and returns the packet's
/// length.
///
/// `None`, with nothing sealed, if `out` has no room for the MAC or the payload is empty or too long. A pair of
/// key and sequence must never seal two packets.
pub(crate) fn seal_payload_in_place(
    out: &mut [u8],
    body_len: usize,
    sequence: u64,
    protocol_id: u64,
    key: &Key,
) -> Option<usize> {
    seal_in_place(PacketKind::Payload, out, body_len, sequence, protocol_id, key)
}

fn shape(packet: &Packet<'_>) -> (PacketKind, usize) {
    match packet {
        Packet::Denied => (PacketKind::Denied, 0),
        Packet::Challenge { .. } => (PacketKind::Challenge, CHALLENGE_BODY_BYTES),
        Packet::Response { .. } => (PacketKind::Response, CHALLENGE_BODY_BYTES),
        Packet::KeepAlive { .. } => (PacketKind::KeepAlive, KEEP_ALIVE_BODY_BYTES),
        Packet::Payload(payload) => (PacketKind::Payload, payload.len()),
        Packet::Disconnect => (PacketKind::Disconnect, 0),
    }
}

/// Writes into a `body` of the length that [`shape`] gave.
fn write_body(packet: &Packet<'_>, body: &mut [u8]) {
    let mut writer = Writer::zeroed(body);
    match packet {
        Packet::Denied | Packet::Disconnect => {}
        Packet::Challenge { token_sequence, token } | Packet::Response { token_sequence, token } => {
            writer.bytes(&token_sequence.to_le_bytes());
            writer.bytes(&token[..]);
        }
        Packet::KeepAlive { client_index, max_clients } => {
            writer.bytes(&client_index.to_le_bytes());
            writer.bytes(&max_clients.to_le_bytes());
        }
        Packet::Payload(payload) => writer.bytes(payload),
    }
}

fn seal_in_place(
    kind: PacketKind,
    out: &mut [u8],
    body_len: usize,
    sequence: u64,
    protocol_id: u64,
    key: &Key,
) -> Option<usize> {
    if !kind.body_bytes().contains(&body_len) {
        return None;
    }
    let sequence_len = sequence_len(sequence);
    let packet_len = 1 + sequence_len + body_len + MAC_BYTES;
    let (head, sealed) = out.get_mut(..packet_len)?.split_at_mut_checked(1 + sequence_len)?;
    let (body, mac) = sealed.split_last_chunk_mut()?;

    let prefix = prefix(kind, sequence_len);
    let (first, sequence_bytes) = head.split_first_mut()?;
    *first = prefix;
    sequence_bytes.copy_from_slice(&sequence.to_le_bytes()[..sequence_len]);
    *mac = aead::seal(key, sequence, &associated_data(protocol_id, prefix), body);
    Some(packet_len)
}

/// How many bytes are left of `sequence` without its high zero bytes: at least one.
fn sequence_len(sequence: u64) -> usize {
    let used_bits = u64::BITS - sequence.leading_zeros();
    (used_bits.div_ceil(8) as usize).max(1)
}

fn prefix(kind: PacketKind, sequence_len: usize) -> u8 {
    let high = u8::try_from(sequence_len << 4).expect("a sequence has at most 8 bytes");
    high | kind as u8
}

/// Binds a packet to version, protocol and its own prefix byte, so that none can be passed off as another.
fn associated_data(protocol_id: u64, prefix: u8) -> [u8; VERSION_INFO.len() + 8 + 1] {
    let mut bytes = [0; VERSION_INFO.len() + 8 + 1];
    let mut writer = Writer::zeroed(&mut bytes);
    writer.bytes(VERSION_INFO);
    writer.bytes(&protocol_id.to_le_bytes());
    writer.bytes(&[prefix]);
    bytes
}

#[cfg(test)]
mod tests;
