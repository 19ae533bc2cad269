//! The way by which packets travel now.

use core::net::SocketAddr;

use super::handshake::timeout_ms;
use super::resume::HeldToken;
use super::verdict::DropReason;
use super::watch::PathWatch;
use crate::Timestamp;
use crate::netcode::connection::{Connection, ReceiveError, Received};
use crate::netcode::packet::{Header, PacketKind};

/// A completed connection and its signs of life.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) connection: Connection,
    /// The token's; `None` means never.
    pub(super) token_timeout_ms: Option<u64>,
    /// When the last sign of life came: a packet that opened and has a higher sequence than any before. On a framed path that is not
    /// welcomed yet nothing but the welcome counts.
    pub(super) last_live: Timestamp,
    pub(super) last_sent: Timestamp,
    /// Nothing came through for too long. It stays open, for it may revive.
    pub(super) is_lost: bool,
    /// The host has another address now. The server answers to the former one, so what still comes was held back by somebody.
    pub(super) is_left: bool,
    /// Whether questions are answered.
    pub(super) watch: PathWatch,
    /// By how much the host's own lateness has shifted `last_live` during this silence.
    credit_micros: u64,
}

impl Path {
    pub(super) fn new(held: HeldToken, now: Timestamp, watch: PathWatch) -> Self {
        Self {
            token_timeout_ms: timeout_ms(held.token.timeout_seconds()),
            connection: held.connection,
            last_live: now,
            last_sent: now,
            is_lost: false,
            is_left: false,
            watch,
            credit_micros: 0,
        }
    }

    /// The server.
    pub(super) const fn address(&self) -> SocketAddr {
        self.connection.address()
    }

    /// Whether a packet of this kind means something on an open path; others are not even opened.
    pub(super) const fn expects(header: &Header) -> bool {
        matches!(header.kind, PacketKind::KeepAlive | PacketKind::Payload | PacketKind::Disconnect)
    }

    /// Opens a packet. A failed open overwrites `datagram`.
    pub(super) fn receive<'a>(
        &mut self,
        header: &Header,
        datagram: &'a mut [u8],
    ) -> Result<Received<'a>, DropReason> {
        self.connection.receive(header, datagram).map_err(|error| match error {
            ReceiveError::Unopened => DropReason::Unopened,
            ReceiveError::Replayed => DropReason::Replayed,
        })
    }

    /// Notes a sign of life.
    pub(super) fn on_alive(&mut self, now: Timestamp) {
        self.watch.on_alive(now.micros_since(self.last_live));
        self.last_live = self.last_live.max(now);
        self.credit_micros = 0;
    }

    /// Does not count the time in which the host was not there, up to `credit_max_micros` in one silence.
    pub(super) fn credit(&mut self, late_micros: u64, credit_max_micros: u64) {
        let granted = late_micros.min(credit_max_micros.saturating_sub(self.credit_micros));
        self.credit_micros += granted;
        self.last_live = self.last_live.plus_micros(granted);
    }
}
