//! One key epoch of one end: the keys of a completed handshake and what must be remembered beside them.

use core::net::SocketAddr;

use super::aead::MAC_BYTES;
use super::packet::{self, Header, Packet};
use super::replay::ReplayWindow;
use super::{Key, PAYLOAD_BYTES_MAX};
use crate::planted::{PlantedBug, is_planted};

/// A path to a peer with the keys that protect it. A session gets a new one at each way back.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    protocol_id: u64,
    send_key: Key,
    receive_key: Key,
    next_sequence: u64,
    replay: ReplayWindow,
}

/// A packet that is authentic and new.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    /// What it is.
    pub(crate) packet: Packet<'a>,
    /// Its sequence.
    pub(crate) sequence: u64,
    /// Whether its sequence is higher than any before: only such a packet is a sign of life.
    pub(crate) is_newest: bool,
}

/// Why a packet is nothing to this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiveError {
    /// It does not open under this key.
    Unopened,
    /// It was received before, or is too old to tell.
    Replayed,
}

impl Connection {
    /// A connection whose first packet is sealed with `first_sequence`.
    ///
    /// Whoever makes it answers for the rule that no pair of key and sequence is ever used twice.
    pub(crate) fn new(
        address: SocketAddr,
        protocol_id: u64,
        send_key: Key,
        receive_key: Key,
        first_sequence: u64,
    ) -> Self {
        Self {
            address,
            protocol_id,
            send_key,
            receive_key,
            next_sequence: first_sequence,
            replay: ReplayWindow::new(),
        }
    }

    /// Where the peer is.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends to another address from now on; keys and sequences stay.
    pub(crate) const fn set_address(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// The highest sequence that has arrived.
    pub(crate) const fn newest_received(&self) -> Option<u64> {
        self.replay.most_recent()
    }

    /// Whether a packet opens under the peer's key, whatever its sequence. It changes nothing but `datagram`, which is overwritten.
    pub(crate) fn opens(&self, header: &Header, datagram: &mut [u8]) -> bool {
        packet::open(datagram, header, self.protocol_id, &self.receive_key).is_some()
    }

    /// How long the next packet is if it holds a payload of so many bytes.
    pub(crate) fn payload_packet_bytes(&self, payload_bytes: usize) -> usize {
        packet::body_offset(self.next_sequence) + payload_bytes + MAC_BYTES
    }

    /// The key that the peer's packets open with.
    pub(crate) const fn receive_key(&self) -> &Key {
        &self.receive_key
    }

    /// The sequence of the next packet.
    pub(crate) const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Opens a packet in place; the replay window is asked before the open and moved after it.
    ///
    /// A failed open overwrites `datagram`.
    pub(crate) fn receive<'a>(
        &mut self,
        header: &Header,
        datagram: &'a mut [u8],
    ) -> Result<Received<'a>, ReceiveError> {
        let protected = header.kind.is_replay_protected();
        if protected && !self.replay.is_fresh(header.sequence) && !is_planted(PlantedBug::ReplaysAccepted) {
            return Err(ReceiveError::Replayed);
        }
        let is_newest = protected && self.replay.most_recent().is_none_or(|newest| header.sequence > newest);
        if protected && is_planted(PlantedBug::WindowAdvancedBeforeOpen) {
            self.replay.advance(header.sequence);
        }
        let packet = packet::open(datagram, header, self.protocol_id, &self.receive_key)
            .ok_or(ReceiveError::Unopened)?;
        if protected {
            self.replay.advance(header.sequence);
        }
        Ok(Received { packet, sequence: header.sequence, is_newest })
    }

    /// Seals a packet into the front of `out` and returns its length; 0, with no sequence used, if it does not fit.
    pub(crate) fn seal(&mut self, packet: &Packet<'_>, out: &mut [u8]) -> usize {
        let len = packet::seal(packet, self.next_sequence, self.protocol_id, &self.send_key, out);
        self.count_sealed(len)
    }

    /// Seals a payload that `write` puts into place, given its sequence, and returns the packet's length; 0, with no sequence used,
    /// if `write` has nothing to send.
    pub(crate) fn seal_payload(
        &mut self,
        out: &mut [u8],
        write: impl FnOnce(u64, &mut [u8]) -> usize,
    ) -> usize {
        let sequence = self.next_sequence;
        let offset = packet::body_offset(sequence);
        let Some(room) = out.get_mut(offset..) else { return 0 };
        let body_bytes = room.len().min(PAYLOAD_BYTES_MAX);
        let body_len = write(sequence, &mut room[..body_bytes]);
        let len = packet::seal_payload_in_place(out, body_len, sequence, self.protocol_id, &self.send_key);
        self.count_sealed(len)
    }

    fn count_sealed(&mut self, len: Option<usize>) -> usize {
        if len.is_some() {
            // 2^64 packets are never reached: the sequence starts at 2^62 at most on a server.
            self.next_sequence = self.next_sequence.saturating_add(1);
        }
        len.unwrap_or(0)
    }
}
