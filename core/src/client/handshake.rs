//! The netcode handshake with one token (netcode standard, section Client State Machine).

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::resume::HeldToken;
use super::verdict::DropReason;
use crate::Timestamp;
use crate::link::frame::{FrameWriter, Hello};
use crate::netcode::connection::ReceiveError;
use crate::netcode::packet::{Header, Packet, PacketKind};
use crate::netcode::request::RequestPacket;
use crate::netcode::{CHALLENGE_TOKEN_BYTES, REQUEST_BYTES};

/// Ten requests or responses a second.
const SEND_INTERVAL_MS: u64 = 100;
/// A response that goes unanswered for so long may have come to a server that has forgotten the handshake, or never knew the
/// address it now comes from. From then on requests go out as well (P62).
const ASK_AGAIN_MS: u64 = 1_000;

/// Goes through the addresses of a token until a server lets the client in.
///
/// The connection under the token's keys is the same for all addresses, so that no sequence is used twice.
#[derive(Debug)]
pub(super) struct Handshake {
    held: HeldToken,
    address_index: usize,
    stage: Stage,
    next_send: Timestamp,
    /// Whether the question left that goes ahead of the next request.
    is_preceded: bool,
    /// When the address counts as silent.
    address_deadline: Timestamp,
}

#[derive(Debug)]
enum Stage {
    Requesting,
    Responding(Response),
}

/// The answer to a challenge.
#[derive(Debug)]
struct Response {
    token_sequence: u64,
    token: Box<[u8; CHALLENGE_TOKEN_BYTES]>,
    /// From when on every other packet is a request.
    ask_again_at: Timestamp,
    is_request_next: bool,
    /// Whether it left at least once.
    is_sent: bool,
    /// From when on a hello waits to follow it.
    hello_due: Option<Timestamp>,
}

impl Response {
    fn new(token_sequence: u64, token: &[u8; CHALLENGE_TOKEN_BYTES], now: Timestamp) -> Self {
        Self {
            token_sequence,
            token: Box::new(*token),
            ask_again_at: now.plus_millis(ASK_AGAIN_MS),
            is_request_next: true,
            is_sent: false,
            hello_due: None,
        }
    }

    fn asks_again(&self, now: Timestamp) -> bool {
        now >= self.ask_again_at
    }

    /// Takes the turn: whether a request goes out this time.
    fn takes_turn_to_request(&mut self, now: Timestamp) -> bool {
        let is_request = self.asks_again(now) && self.is_request_next;
        self.is_request_next = !is_request;
        is_request
    }

    /// A server that had forgotten the handshake asks anew. It is answered in turn, not at once, so that challenges that are
    /// repeated by somebody cause no more packets than silence does.
    fn replace(&mut self, token_sequence: u64, token: &[u8; CHALLENGE_TOKEN_BYTES]) {
        self.token_sequence = token_sequence;
        *self.token = *token;
        self.is_request_next = false;
    }
}

/// How a handshake ends without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeFailure {
    Denied,
    TimedOut,
    TokenExpired,
}

/// What a packet of the server did to the handshake.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HandshakeStep<'a> {
    /// It goes on.
    Continues,
    /// It ends.
    Failed(HandshakeFailure),
    /// The server let the client in; with the payload, if it was one that said so.
    Completed { sequence: u64, payload: Option<&'a [u8]> },
}

impl Handshake {
    /// Begins with the first address: at once, or, where the token was just tried in another attempt, when that one would have gone on.
    pub(super) fn new(held: HeldToken, now: Timestamp) -> Self {
        let mut handshake = Self {
            held,
            address_index: 0,
            stage: Stage::Requesting,
            next_send: now,
            is_preceded: false,
            address_deadline: now,
        };
        handshake.try_address(0, now);
        handshake.next_send = handshake.held.next_send.max(now);
        handshake
    }

    /// The server that is tried.
    pub(super) fn address(&self) -> SocketAddr {
        self.held.connection.address()
    }

    /// Whether a server asked for a response.
    pub(super) const fn is_responding(&self) -> bool {
        matches!(self.stage, Stage::Responding(_))
    }

    /// Whether a response left, so that the server may have completed its side.
    pub(super) const fn has_responded(&self) -> bool {
        matches!(&self.stage, Stage::Responding(response) if response.is_sent)
    }

    /// Until when the server may let the client in, once it has asked for a response; `None` also where that has no end.
    pub(super) fn answer_deadline(&self) -> Option<Timestamp> {
        (self.is_responding() && self.address_deadline < Timestamp::NEVER).then_some(self.address_deadline)
    }

    pub(super) const fn held(&self) -> &HeldToken {
        &self.held
    }

    pub(super) fn into_held(self) -> HeldToken {
        self.held
    }

    /// Begins again with the first address, as after a change of network.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.try_address(0, now);
    }

    /// There is nothing left for which the response would wait.
    pub(super) fn respond_now(&mut self, now: Timestamp) {
        if self.is_responding() && !self.has_responded() {
            self.next_send = now;
        }
    }

    /// Takes a packet from [`address`](Self::address). A failed open overwrites `datagram`. A challenge is answered after `pause_micros`.
    pub(super) fn handle_packet<'a>(
        &mut self,
        now: Timestamp,
        pause_micros: u64,
        header: &Header,
        datagram: &'a mut [u8],
    ) -> Result<HandshakeStep<'a>, DropReason> {
        let received = self.held.connection.receive(header, datagram).map_err(|error| match error {
            ReceiveError::Unopened => DropReason::Unopened,
            ReceiveError::Replayed => DropReason::Replayed,
        })?;
        let sequence = received.sequence;
        Ok(match received.packet {
            Packet::Denied => self.handle_denied(now),
            Packet::Challenge { token_sequence, token } => {
                self.handle_challenge(now, pause_micros, token_sequence, token);
                HandshakeStep::Continues
            }
            Packet::KeepAlive { .. } => HandshakeStep::Completed { sequence, payload: None },
            Packet::Payload(payload) => HandshakeStep::Completed { sequence, payload: Some(payload) },
            Packet::Response { .. } | Packet::Disconnect => return Err(DropReason::Unexpected),
        })
    }

    /// Whether a packet of this kind means something now; others are not even opened.
    pub(super) fn expects(&self, now: Timestamp, header: &Header) -> bool {
        match header.kind {
            PacketKind::Denied => true,
            PacketKind::Challenge => self.is_requesting(now),
            PacketKind::KeepAlive | PacketKind::Payload => self.is_responding(),
            PacketKind::Response | PacketKind::Disconnect => false,
        }
    }

    /// Gives up an address, or all of them, when their time is over.
    ///
    /// A response to a resume token is not given up while there is no other token: the server may have completed its side, and then
    /// the token opens no second handshake (P61).
    pub(super) fn handle_timeout(
        &mut self,
        now: Timestamp,
        has_other_token: bool,
    ) -> Option<HandshakeFailure> {
        if now >= self.held.expires_at {
            return Some(HandshakeFailure::TokenExpired);
        }
        if now < self.address_deadline {
            return None;
        }
        if self.is_responding() && self.held.is_resume() {
            if has_other_token {
                return Some(HandshakeFailure::TimedOut);
            }
            self.address_deadline = self.deadline_from(now);
            return None;
        }
        self.try_next_address(now, HandshakeFailure::TimedOut)
    }

    /// When something is to be done or sent.
    pub(super) fn poll_timeout(&self) -> Timestamp {
        let hello_due = match &self.stage {
            Stage::Responding(response) => response.hello_due,
            Stage::Requesting => None,
        };
        let due = self.next_send.min(self.address_deadline).min(self.held.expires_at);
        hello_due.map_or(due, |hello_due| hello_due.min(due))
    }

    /// Writes the next request or response, if it is time, or the hello that follows a response; returns its length.
    ///
    /// A server that completes the handshake of a resume token knows what its holder will say first. It need not wait for the keep-alive that
    /// says the same of the server, which saves a round trip. The response is sent before it, and repeated with it.
    pub(super) fn poll_transmit(
        &mut self,
        now: Timestamp,
        hello: Option<&Hello>,
        buffer: &mut [u8],
    ) -> Option<usize> {
        if self.take_hello_due() {
            return self.write_hello(hello?, buffer);
        }
        if now < self.next_send {
            return None;
        }
        let sends_hello = hello.is_some() && self.held.is_resume();
        let response = match &mut self.stage {
            Stage::Responding(response) => (!response.takes_turn_to_request(now)).then_some(response),
            Stage::Requesting => None,
        };
        let len = match response {
            Some(Response { token_sequence, token, is_sent, hello_due, .. }) => {
                *is_sent = true;
                *hello_due = sends_hello.then_some(now);
                let packet = Packet::Response { token_sequence: *token_sequence, token };
                self.held.connection.seal(&packet, buffer)
            }
            None => self.write_request(buffer)?,
        };
        self.next_send = now.plus_millis(SEND_INTERVAL_MS);
        self.held.next_send = self.next_send;
        self.is_preceded = false;
        (len > 0).then_some(len)
    }

    /// Whether this is the moment for the question that goes ahead of the request: there is one for each that goes out before any is answered.
    pub(super) fn take_question_due(&mut self, now: Timestamp) -> bool {
        let is_due = matches!(self.stage, Stage::Requesting) && now >= self.next_send && !self.is_preceded;
        self.is_preceded |= is_due;
        is_due
    }

    /// Whether requests go out, alone or in turn with responses.
    fn is_requesting(&self, now: Timestamp) -> bool {
        match &self.stage {
            Stage::Requesting => true,
            Stage::Responding(response) => response.asks_again(now),
        }
    }

    fn take_hello_due(&mut self) -> bool {
        match &mut self.stage {
            Stage::Responding(response) => response.hello_due.take().is_some(),
            Stage::Requesting => false,
        }
    }

    fn write_hello(&mut self, hello: &Hello, buffer: &mut [u8]) -> Option<usize> {
        let HeldToken { connection, hellos, .. } = &mut self.held;
        let sequence = connection.next_sequence();
        let len = connection.seal_payload(buffer, |_, room| {
            let mut writer = FrameWriter::new(room);
            writer.write_hello(hello);
            writer.len()
        });
        let first = hellos.as_ref().map_or(sequence, |sent| *sent.start());
        *hellos = Some(first..=sequence);
        (len > 0).then_some(len)
    }

    fn write_request(&self, buffer: &mut [u8]) -> Option<usize> {
        let token = &self.held.token;
        let request =
            RequestPacket { expire_unix: token.expire_unix, nonce: &token.nonce, private: &token.private };
        request.write(token.protocol_id, buffer.first_chunk_mut()?);
        Some(REQUEST_BYTES)
    }

    fn handle_challenge(
        &mut self,
        now: Timestamp,
        pause_micros: u64,
        token_sequence: u64,
        token: &[u8; CHALLENGE_TOKEN_BYTES],
    ) {
        match &mut self.stage {
            // The deadline stays: a server that challenges without end lets nobody in.
            Stage::Responding(response) => response.replace(token_sequence, token),
            Stage::Requesting => {
                self.stage = Stage::Responding(Response::new(token_sequence, token, now));
                self.next_send = now.plus_micros(pause_micros);
                self.address_deadline = self.deadline_from(now);
            }
        }
    }

    fn handle_denied(&mut self, now: Timestamp) -> HandshakeStep<'static> {
        // All addresses of a resume token are the same server (P65).
        let failure = if self.held.is_resume() {
            Some(HandshakeFailure::Denied)
        } else {
            self.try_next_address(now, HandshakeFailure::Denied)
        };
        failure.map_or(HandshakeStep::Continues, HandshakeStep::Failed)
    }

    fn try_next_address(&mut self, now: Timestamp, failure: HandshakeFailure) -> Option<HandshakeFailure> {
        let next = self.address_index + 1;
        if next >= self.held.token.addresses().len() {
            return Some(failure);
        }
        self.try_address(next, now);
        None
    }

    fn try_address(&mut self, index: usize, now: Timestamp) {
        self.address_index = index;
        if let Some(&address) = self.held.token.addresses().get(index) {
            self.held.connection.set_address(address);
        }
        self.stage = Stage::Requesting;
        self.next_send = now;
        self.address_deadline = self.deadline_from(now);
    }

    fn deadline_from(&self, now: Timestamp) -> Timestamp {
        timeout_ms(self.held.token.timeout_seconds).map_or(Timestamp::NEVER, |millis| now.plus_millis(millis))
    }
}

/// A token's timeout in milliseconds; `None` if it has none. Zero would end everything at once and counts as one second.
pub(super) fn timeout_ms(timeout_seconds: i32) -> Option<u64> {
    u64::try_from(timeout_seconds).ok().map(|seconds| seconds.max(1) * 1_000)
}
