//! The way of a datagram in: whose it is, whether it means anything now, whether it opens, and what it does.

use core::net::SocketAddr;

use super::event::{ClientDisconnectReason, ClientEvent};
use super::framed::Framed;
use super::handshake::{Handshake, HandshakeStep};
use super::path::Path;
use super::resume::HeldToken;
use super::state::ClientState;
use super::verdict::{DropReason, Refusal};
use super::watch::PathWatch;
use super::{ClientSession, Content};
use crate::netcode::PACKET_BYTES_MAX;
use crate::netcode::packet::{self, Header, Packet, PacketKind};

impl ClientSession {
    pub(super) fn receive(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Result<(), Refusal> {
        if self.state == ClientState::Disconnected {
            return Err(DropReason::Ended.into());
        }
        let header = packet::peek(datagram).map_err(|_| DropReason::Malformed)?;
        if header.kind == PacketKind::Response {
            return Err(DropReason::WrongDirection.into());
        }
        let on_path = self.path.as_ref().is_some_and(|path| path.address() == from);
        let on_handshake = self.handshake.as_ref().is_some_and(|handshake| handshake.address() == from);
        if !on_path && !on_handshake {
            return Err(DropReason::UnknownAddress.into());
        }
        let on_path = on_path && Path::expects(&header);
        let on_handshake = on_handshake
            && self.handshake.as_ref().is_some_and(|handshake| handshake.expects(self.now, &header));
        match (on_path, on_handshake) {
            (false, false) => Err(DropReason::Unexpected.into()),
            (true, false) => self.receive_on_path(&header, datagram),
            (false, true) => self.receive_on_handshake(&header, datagram),
            (true, true) => self.receive_on_either(&header, datagram),
        }
    }

    /// The old path and the attempt to replace it go to the same server. A failed open overwrites the bytes, so the first try works
    /// on a copy.
    fn receive_on_either(&mut self, header: &Header, datagram: &mut [u8]) -> Result<(), Refusal> {
        let mut buffer = [0; PACKET_BYTES_MAX];
        let copy = buffer.get_mut(..datagram.len()).ok_or(DropReason::Malformed)?;
        copy.copy_from_slice(datagram);
        match self.receive_on_path(header, copy) {
            Err(Refusal::Dropped(DropReason::Unopened | DropReason::Replayed)) => {
                self.receive_on_handshake(header, datagram)
            }
            result => result,
        }
    }

    fn receive_on_path(&mut self, header: &Header, datagram: &mut [u8]) -> Result<(), Refusal> {
        // Once an attempt responds, the server may have spent its token, and only that attempt leads back: what comes on a lost path
        // then may have been held back by somebody, and must not end the attempt (P61).
        let has_responded = self.handshake.as_ref().is_some_and(Handshake::has_responded);
        let Some(path) = &mut self.path else {
            return Err(DropReason::UnknownAddress.into());
        };
        let received = path.receive(header, datagram)?;
        let stays_lost = path.is_lost && (path.is_left || has_responded);
        let is_open = self.content.framed().is_none_or(Framed::is_open);
        if received.is_newest && received.packet != Packet::Disconnect && is_open && !stays_lost {
            self.mark_path_alive();
        }
        match received.packet {
            // Life is noted even where the content has no room: a host that takes no events for a while loses no path by it.
            Packet::Payload(_) if self.events.is_full() => Err(DropReason::EventsFull.into()),
            Packet::Payload(payload) => self.receive_payload(received.sequence, payload),
            Packet::Disconnect => {
                self.end(ClientDisconnectReason::Closed, &[]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn receive_on_handshake(&mut self, header: &Header, datagram: &mut [u8]) -> Result<(), Refusal> {
        if header.kind == PacketKind::Payload && self.events.is_full() {
            return Err(DropReason::EventsFull.into());
        }
        let pause_micros = self.response_pause_micros();
        let Some(handshake) = &mut self.handshake else {
            return Err(DropReason::UnknownAddress.into());
        };
        match handshake.handle_packet(self.now, pause_micros, header, datagram)? {
            HandshakeStep::Continues => {
                if let (Some(way_back), Some(until)) = (&mut self.way_back, handshake.answer_deadline()) {
                    // Only a session that the server has still is challenged, so it is there until the answer can have come.
                    way_back.give_up_at = way_back.give_up_at.max(until);
                }
            }
            HandshakeStep::Failed(failure) => self.handle_failure(failure),
            HandshakeStep::Completed { sequence, payload } => {
                if let Some(handshake) = self.handshake.take() {
                    self.connect(handshake.into_held());
                }
                // What a payload says before the welcome is told again; that it came is what counts here.
                if let Some(payload) = payload
                    && let Err(violation @ Refusal::Violation(_)) = self.receive_payload(sequence, payload)
                {
                    return Err(violation);
                }
            }
        }
        Ok(())
    }

    /// A server let the client in: its keys are those in use from now on.
    fn connect(&mut self, held: HeldToken) {
        if held.is_resume() {
            self.purse.void(held.generation);
        }
        let watch = self.path.as_ref().map_or(PathWatch::new(), |path| path.watch.successor());
        let hellos = held.hellos.clone();
        self.path = Some(Path::new(held, self.now, watch));
        match &mut self.content {
            Content::Raw(_) => {
                self.state = ClientState::Connected;
                self.events.push(ClientEvent::Connected { login_explicit: false }, &[]);
            }
            Content::Framed(framed) => {
                framed.connection_opened(self.now, hellos);
                let kept_ms = framed.kept_ms().unwrap_or(0);
                if let Some(way_back) = &mut self.way_back {
                    // The server has the session still, and may count the new keys as in use already.
                    way_back.give_up_at = way_back.give_up_at.max(self.now.plus_millis(kept_ms));
                }
            }
        }
    }

    fn receive_payload(&mut self, sequence: u64, payload: &[u8]) -> Result<(), Refusal> {
        match &self.content {
            Content::Raw(_) => {
                self.events.push(ClientEvent::Datagram, payload);
                Ok(())
            }
            Content::Framed(_) => self.receive_frames(sequence, payload),
        }
    }
}
