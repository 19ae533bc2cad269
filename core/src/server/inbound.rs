//! What arrives: each datagram is routed by its first byte and its source, opened, and given to its session.

use core::net::SocketAddr;

use crate::counters::DropReason;
use crate::event::{Continuity, Event};
use crate::ledger::DroppedEvent;
use crate::lifecycle::{DisconnectReason, Input};
use crate::netcode::PAYLOAD_BYTES_MAX;
use crate::netcode::connection::ReceiveError;
use crate::netcode::packet::{self, Header, Packet, PacketKind};
use crate::netcode::request::REQUEST_PREFIX;
use crate::{SessionId, Timestamp};

use super::content::Content;
use super::manager::{MultiSessionManager, Verdict, packet_buffer};
use super::transition::EventDetail;

impl MultiSessionManager {
    pub(super) fn route(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Result<Verdict, DropReason> {
        match datagram.first() {
            None => Err(DropReason::Empty),
            Some(&REQUEST_PREFIX) => self.handle_request(from, datagram),
            Some(_) => {
                let header = packet::peek(datagram).map_err(|_| DropReason::Malformed)?;
                match header.kind {
                    PacketKind::Denied | PacketKind::Challenge => Err(DropReason::WrongDirection),
                    PacketKind::Response => self.handle_response(from, &header, datagram),
                    PacketKind::KeepAlive | PacketKind::Payload | PacketKind::Disconnect => {
                        self.handle_session_packet(from, &header, datagram)
                    }
                }
            }
        }
    }

    /// A packet of a session: of the one whose path `from` is, or of one whose handshake from there waits for its confirmation.
    fn handle_session_packet(
        &mut self,
        from: SocketAddr,
        header: &Header,
        datagram: &mut [u8],
    ) -> Result<Verdict, DropReason> {
        let place = self.directory.place(from);
        match (place.path, place.trial, place.attempt) {
            (None, None, None) => self.receive_from_unknown_port(from, header, datagram),
            (None, None, Some(index)) => self.receive_unconfirmed(index, from, header, datagram),
            (Some(index), _, None) => self.receive_on_path(index, from, header, datagram),
            (Some(index), _, attempt) | (None, Some(index), attempt) => {
                // A failed open destroys the buffer, so the first of two keys works on a copy.
                let mut copy = packet_buffer();
                let copy = copy.get_mut(..datagram.len()).ok_or(DropReason::Malformed)?;
                copy.copy_from_slice(datagram);
                let reason = match self.receive_on_path(index, from, header, copy) {
                    Err(reason @ (DropReason::Unopened | DropReason::Replayed)) => reason,
                    other => return other,
                };
                let other_owner = match attempt {
                    Some(attempt) => self.receive_unconfirmed(attempt, from, header, datagram),
                    // The port may be another player's now, whose port moved as well.
                    None => self.receive_from_unknown_port(from, header, datagram),
                };
                other_owner.map_err(|other| if other == DropReason::UnknownAddress { reason } else { other })
            }
        }
    }

    /// A packet on the path of a session whose handshake is confirmed, or from its port on trial.
    pub(super) fn receive_on_path(
        &mut self,
        index: u32,
        from: SocketAddr,
        header: &Header,
        datagram: &mut [u8],
    ) -> Result<Verdict, DropReason> {
        let (now, rate) = (self.clock.now(), self.config.session_rate());
        let room = self.check_room_for_events(index, header);
        let session = self.table.get_mut(index).ok_or(DropReason::UnknownAddress)?;
        let (id, is_on_trial) = (session.id, session.is_on_trial(from));
        let bytes = datagram.len();
        let received = match session.connection.receive(header, datagram) {
            Ok(received) => received,
            Err(error) => return Err(self.count_failed_receive(error)),
        };
        let is_within_budget = session.datagrams.try_take(now, rate, 1);
        if is_on_trial {
            self.note_on_trial(index, bytes, received.is_newest);
        }
        let shows_life = received.is_newest && !is_on_trial;
        let taken = match received.packet {
            Packet::Disconnect => {
                self.end(index, DisconnectReason::PeerLeft);
                Ok(())
            }
            // Life is noted even where the content counts for nothing: one peer that fills the queue silences nobody.
            Packet::KeepAlive { .. } | Packet::Payload(_) if !is_within_budget => {
                self.note_life(index, shows_life);
                Err(DropReason::SessionBudget)
            }
            Packet::KeepAlive { .. } => {
                self.note_life(index, shows_life);
                self.note_heartbeat(index);
                Ok(())
            }
            Packet::Payload(payload) => {
                self.note_life(index, shows_life);
                room.and_then(|()| self.take_payload(index, received.sequence, payload))
            }
            Packet::Denied | Packet::Challenge { .. } | Packet::Response { .. } => {
                Err(DropReason::WrongDirection)
            }
        };
        // Also after a violation: what came before it in the packet may have to be answered.
        self.touch(index);
        taken.map(|()| Verdict::Accepted(id)).map_err(|reason| self.drop_of(index, reason))
    }

    /// A packet under keys whose handshake is not confirmed: the first keep-alive or payload confirms it.
    fn receive_unconfirmed(
        &mut self,
        index: u32,
        from: SocketAddr,
        header: &Header,
        datagram: &mut [u8],
    ) -> Result<Verdict, DropReason> {
        self.check_room_for_events(index, header)?;
        let session = self.table.get_mut(index).ok_or(DropReason::UnknownAddress)?;
        let id = session.id;
        let connection = session.unconfirmed_at(from).ok_or(DropReason::UnknownAddress)?;
        let received = match connection.receive(header, datagram) {
            Ok(received) => received,
            Err(error) => return Err(self.count_failed_receive(error)),
        };
        match received.packet {
            Packet::Disconnect => {
                self.peer_gave_up(index, from);
                self.touch(index);
                Ok(Verdict::Accepted(id))
            }
            Packet::KeepAlive { .. } => self.confirm(index, from, received.sequence, None),
            Packet::Payload(payload) => self.confirm(index, from, received.sequence, Some(payload)),
            Packet::Denied | Packet::Challenge { .. } | Packet::Response { .. } => {
                Err(DropReason::WrongDirection)
            }
        }
    }

    /// A packet is not the peer's: if that took an open to find out, it is charged.
    fn count_failed_receive(&mut self, error: ReceiveError) -> DropReason {
        match error {
            ReceiveError::Unopened => {
                self.budget.charge_failed_opens(self.clock.now(), 1);
                DropReason::Unopened
            }
            ReceiveError::Replayed => DropReason::Replayed,
        }
    }

    /// Refuses the content of a payload if the events it may cause do not fit: its sender will repeat what was reliable.
    fn check_room_for_events(&self, index: u32, header: &Header) -> Result<(), DropReason> {
        let held_back = self.table.get(index).map_or(0, |session| session.content.held_back_bytes());
        let fits = header.kind != PacketKind::Payload
            || self.outbox.has_room_for(index, PAYLOAD_BYTES_MAX + held_back);
        if fits { Ok(()) } else { Err(DropReason::EventsFull) }
    }

    /// A packet of the current key epoch opened. Only one with a higher sequence than any before is a sign of life.
    pub(super) fn note_life(&mut self, index: u32, is_newest: bool) {
        if !is_newest {
            return;
        }
        let now = self.clock.now();
        let Some(session) = self.table.get_mut(index) else { return };
        session.last_live = now;
        session.liveness = self.clock.peer_deadline(session.timeout_micros);
        self.apply_with(
            index,
            Input::LivePacket,
            EventDetail { continuity: Some(Continuity::Kept), ..EventDetail::default() },
        );
    }

    pub(super) fn note_heartbeat(&mut self, index: u32) {
        self.tell_heartbeat(index, |session, at| Event::HeartbeatReceived { session, at });
    }

    /// Tells of a heartbeat if the host wants to know and the event queue has room.
    pub(super) fn tell_heartbeat(&mut self, index: u32, event: impl FnOnce(SessionId, Timestamp) -> Event) {
        let Some(session) = self.table.get(index).filter(|_| self.config.heartbeat_events) else { return };
        self.push_event_or_drop(event(session.id, self.clock.now()));
    }

    /// Queues an event that may be lost; `false` if it was, for want of room.
    pub(super) fn push_event_or_drop(&mut self, event: Event) -> bool {
        let is_queued = self.outbox.push_event_or_drop(event);
        if !is_queued && let Some((dropped, session)) = DroppedEvent::of(&event) {
            match session.and_then(|id| self.table.resolve(id)) {
                Some(index) => self.refuse_of(index, dropped),
                None => self.refuse(dropped),
            }
        }
        is_queued
    }

    /// Gives the content of a payload to whom it belongs.
    pub(super) fn take_payload(
        &mut self,
        index: u32,
        sequence: u64,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let Some(session) = self.table.get(index) else { return Ok(()) };
        match session.content {
            Content::Framed(_) => self.take_frames(index, sequence, payload),
            Content::Raw(_) => {
                self.outbox.push_event(Event::Datagram { session: session.id }, payload);
                Ok(())
            }
        }
    }
}
