//! What leaves: packets of sessions whose turn it is, and goodbyes.

use alloc::boxed::Box;

use crate::Timestamp;
use crate::event::Event;
use crate::farewell::{Farewell, Goodbye, goodbye_code};
use crate::lifecycle::DisconnectReason;
use crate::netcode::connection::Connection;
use crate::netcode::packet::Packet;

use super::MultiSessionManager;
use super::content::Content;
use super::framed::ServerFrames;
use super::manager::Transmit;
use super::session::{Session, UNCONFIRMED_KEEP_ALIVE_MICROS};

impl MultiSessionManager {
    /// Answers and goodbyes go ahead of sessions, which do not wait for them without end: they have a turn now and then.
    pub(super) fn poll_in_turn(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        let from_session = if self.outbox.is_ahead() { None } else { self.poll_due_session(buffer) };
        if from_session.is_some() {
            self.outbox.give_turn();
            return from_session;
        }
        self.outbox.poll_transmit(buffer).or_else(|| self.poll_due_session(buffer))
    }

    /// Lets the session whose turn it is write one packet; sessions take turns.
    pub(super) fn poll_due_session(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some(index) = self.due.pop() {
            let transmit = self.poll_session(index, buffer);
            self.touch(index);
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }

    fn poll_session(&mut self, index: u32, buffer: &mut [u8]) -> Option<Transmit> {
        let now = self.clock.now();
        let heartbeat_micros = self.heartbeat_micros();
        let keep_alive =
            Packet::KeepAlive { client_index: index, max_clients: self.config.sessions_max.max(index + 1) };
        let session = self.table.get_mut(index)?;
        if let Some(attempt) = &mut session.attempt
            && attempt.next_keep_alive <= now
        {
            attempt.next_keep_alive = now.plus_micros(UNCONFIRMED_KEEP_ALIVE_MICROS);
            return transmit(&mut attempt.connection, |connection| connection.seal(&keep_alive, buffer));
        }
        if !session.is_confirmed {
            if session.next_keep_alive > now {
                return None;
            }
            session.next_keep_alive = now.plus_micros(UNCONFIRMED_KEEP_ALIVE_MICROS);
            return transmit(&mut session.connection, |connection| connection.seal(&keep_alive, buffer));
        }
        if let Some(challenge) = self.poll_path_challenge(index, buffer) {
            return Some(challenge);
        }
        let session = self.table.get_mut(index)?;
        if !session.has_live_path() {
            return None;
        }
        let is_framed = session.content.is_framed();
        let heartbeat_due = session.last_sent.plus_micros(heartbeat_micros) <= now;
        let mut sent = self.poll_payload(index, buffer);
        if sent.is_none() && !is_framed && heartbeat_due {
            let session = self.table.get_mut(index)?;
            sent = transmit(&mut session.connection, |connection| connection.seal(&keep_alive, buffer));
            self.note_heartbeat_sent(index);
        }
        if sent.is_some() {
            self.table.get_mut(index)?.last_sent = now;
        }
        sent
    }

    fn poll_payload(&mut self, index: u32, buffer: &mut [u8]) -> Option<Transmit> {
        let now = self.clock.now();
        let session = self.table.get_mut(index)?;
        let is_logged_in = session.is_logged_in();
        let Session {
            id,
            client_id,
            connection,
            content,
            account,
            login,
            movement,
            tokens,
            timeout_micros,
            ..
        } = session;
        let framed = match content {
            Content::Raw(raw) => {
                return transmit(connection, |connection| {
                    connection.seal_payload(buffer, |_, body| raw.write(body))
                });
            }
            Content::Framed(framed) => framed,
        };
        let heartbeats_before = framed.link.heartbeats_sent();
        if !framed.link.is_ready_to_send() {
            account.unsettle();
            framed.link.make_room_to_send(&mut self.pool.room(account));
        }
        let (link, lane_epoch, lanes_kept) = framed.split();
        let mut source = ServerFrames {
            id: *id,
            client_id: *client_id,
            address: connection.address(),
            timeout_micros: *timeout_micros,
            is_logged_in,
            lane_epoch,
            lanes_kept,
            login,
            movement: movement.as_deref_mut(),
            tokens,
            config: &self.config,
            mint: &self.mint,
            clock: &self.clock,
            server_tick: self.server_tick,
            leave: &self.leave,
        };
        let sent = transmit(connection, |connection| {
            connection.seal_payload(buffer, |sequence, body| match body.first_chunk_mut() {
                Some(body) => link.poll_packet(now, sequence, body, &mut source),
                None => 0,
            })
        });
        if framed.link.heartbeats_sent() != heartbeats_before {
            self.note_heartbeat_sent(index);
        }
        sent
    }

    fn note_heartbeat_sent(&mut self, index: u32) {
        self.tell_heartbeat(index, |session, at| Event::HeartbeatSent { session, at });
    }

    /// Tells the peer of a session that has just ended, if its end is news to it: on its path, and where it waits on its way back.
    pub(super) fn say_goodbye(&mut self, session: Session, reason: DisconnectReason) {
        let Some(code) = code_of(reason) else { return };
        let goodbye =
            session.content.is_framed().then(|| Goodbye { code, detail: farewell_detail(&session, reason) });
        self.push_farewell(session.connection, goodbye.clone());
        if let Some(attempt) = session.attempt {
            self.push_farewell(attempt.connection, goodbye);
        }
    }

    /// Queues the last words on a connection, for which the oldest of others may give way.
    pub(super) fn push_farewell(&mut self, connection: Connection, goodbye: Option<Goodbye>) {
        if !self.outbox.push_farewell(Farewell::new(connection, goodbye)) {
            self.counters.farewells_dropped += 1;
        }
    }
}

/// The bytes that go with a goodbye: the host's, or the words of the rejection that was the last one.
fn farewell_detail(session: &Session, reason: DisconnectReason) -> Box<[u8]> {
    match (reason, &session.login.rejection) {
        (DisconnectReason::LoginRefused, Some(rejection)) => rejection.text.as_bytes().into(),
        _ => session.farewell_detail.clone(),
    }
}

impl Session {
    /// Whether [`poll_session`](MultiSessionManager::poll_session) would give a packet now.
    pub(super) fn has_output(&self, now: Timestamp, heartbeat_micros: u64) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.next_keep_alive <= now)
            || (!self.is_confirmed && self.next_keep_alive <= now)
            || self.next_challenge() <= now
            || (self.has_live_path() && self.content.has_output(now, self.last_sent, heartbeat_micros))
    }
}

fn transmit(connection: &mut Connection, seal: impl FnOnce(&mut Connection) -> usize) -> Option<Transmit> {
    let len = seal(connection);
    (len > 0).then(|| Transmit { to: connection.address(), len })
}

/// What a goodbye says (P8); `None` where the peer is not told, because it said so itself, cannot be reached, or shall not know.
fn code_of(reason: DisconnectReason) -> Option<u8> {
    match reason {
        DisconnectReason::Disconnected(_) | DisconnectReason::Banned | DisconnectReason::MemoryHeld => {
            Some(goodbye_code::HOST)
        }
        DisconnectReason::Shutdown => Some(goodbye_code::SHUTDOWN),
        DisconnectReason::LoginRefused => Some(goodbye_code::LOGIN_REFUSED),
        DisconnectReason::LoginTimeout => Some(goodbye_code::LOGIN_TIMEOUT),
        DisconnectReason::Superseded => Some(goodbye_code::SUPERSEDED),
        DisconnectReason::ProtocolViolation => Some(goodbye_code::PROTOCOL_VIOLATION),
        DisconnectReason::Contested => Some(goodbye_code::CONTESTED),
        // For its player both come to the same: it was away for too long.
        DisconnectReason::ReconnectExpired | DisconnectReason::PlaceGivenUp => {
            Some(goodbye_code::RECONNECT_EXPIRED)
        }
        DisconnectReason::Drained => Some(goodbye_code::DRAINED),
        DisconnectReason::PeerLeft
        | DisconnectReason::TimedOut
        | DisconnectReason::Removed
        | DisconnectReason::PathTaken => None,
    }
}
