//! From a completed handshake to a session that uses it: opening a session, and the first packet under new keys.

use alloc::boxed::Box;
use core::net::SocketAddr;

use crate::counters::DropReason;
use crate::event::Continuity;
use crate::farewell::{Goodbye, goodbye_code};
use crate::ledger::AttemptEnd;
use crate::lifecycle::{DisconnectReason, Input, SessionState};
use crate::netcode::USER_DATA_BYTES;
use crate::netcode::connection::Connection;
use crate::planted::{PlantedBug, is_planted};
use crate::rate::TokenBucket;
use crate::{ClientId, Timestamp};

use super::content::Content;
use super::manager::{MultiSessionManager, Verdict};
use super::pool::Account;
use super::session::{Attempt, AttemptOrigin, NewSession, Session};
use super::transition::EventDetail;

impl MultiSessionManager {
    /// Gives a slot to an identity that has none: the first moment at which a session exists.
    pub(super) fn open_session(
        &mut self,
        client_id: ClientId,
        connection: Connection,
        timeout_micros: u64,
        user_data: &[u8; USER_DATA_BYTES],
    ) -> u32 {
        let address = connection.address();
        let now = self.clock.now();
        let new = NewSession {
            client_id,
            connection,
            timeout_micros,
            liveness: self.clock.peer_deadline(timeout_micros),
            login_deadline: self.clock.peer_deadline(u64::from(self.config.login_timeout_ms) * 1_000),
            content: Content::new(&self.config, now),
            account: Account::new(self.config.session_fixed_bytes()),
            datagrams: TokenBucket::full(now, self.config.session_rate()),
        };
        let index = self.table.insert(|id| Session::new(id, new, now));
        self.directory.set_client(client_id, index);
        self.apply_with(
            index,
            Input::HandshakeCompleted,
            EventDetail { payload: user_data, ..EventDetail::default() },
        );
        self.claim_for_attempt(address, index);
        self.touch(index);
        index
    }

    /// Takes the first packet under keys that were not confirmed. It confirms them if its content may (with frames: a hello).
    pub(super) fn confirm(
        &mut self,
        index: u32,
        from: SocketAddr,
        sequence: u64,
        payload: Option<&[u8]>,
    ) -> Result<Verdict, DropReason> {
        let session = self.table.get(index).ok_or(DropReason::UnknownAddress)?;
        let has_attempt = session.has_attempt_at(from);
        let confirmation = session.content.confirmation(payload);
        let lane_epoch = confirmation.map_err(|reason| self.drop_of(index, reason))?;
        let index = if has_attempt {
            self.confirm_attempt(index, lane_epoch)?
        } else {
            self.confirm_first(index, from);
            index
        };
        let id = self.table.get(index).ok_or(DropReason::NoLongerWelcome)?.id;
        self.note_life(index, true);
        let taken = self.take_content(index, sequence, payload);
        self.touch(index);
        taken.map(|()| Verdict::Accepted(id)).map_err(|reason| self.drop_of(index, reason))
    }

    fn take_content(&mut self, index: u32, sequence: u64, payload: Option<&[u8]>) -> Result<(), DropReason> {
        if let Some(payload) = payload {
            return self.take_payload(index, sequence, payload);
        }
        self.note_heartbeat(index);
        Ok(())
    }

    /// The first handshake of a session is confirmed.
    fn confirm_first(&mut self, index: u32, from: SocketAddr) {
        self.directory.clear_attempt(from, index);
        if let Some(session) = self.table.get_mut(index) {
            session.is_confirmed = true;
        }
        self.join_ip(index);
        self.take_path(from, index);
        self.apply(index, Input::Confirmed);
    }

    /// A later handshake of an identity is confirmed. Returns the slot of the session that goes on with it.
    fn confirm_attempt(&mut self, index: u32, lane_epoch: Option<u64>) -> Result<u32, DropReason> {
        let session = self.table.get(index).ok_or(DropReason::NoLongerWelcome)?;
        let continuity = session.continuity_of_attempt(lane_epoch);
        if self.is_contested(index, continuity) {
            // With the attempt still there, so that both sides are told.
            self.end(index, DisconnectReason::Contested);
            return Err(DropReason::NoLongerWelcome);
        }
        let attempt = self.take_attempt(index).ok_or(DropReason::NoLongerWelcome)?;
        let Attempt { connection, origin, .. } = *attempt;
        match origin {
            AttemptOrigin::Resume { generation } => {
                self.confirm_resume(index, connection, generation, continuity)
            }
            AttemptOrigin::Backend { timeout_micros, user_data } => {
                self.confirm_backend(index, connection, timeout_micros, &user_data)
            }
        }
    }

    fn confirm_resume(
        &mut self,
        index: u32,
        connection: Connection,
        generation: u64,
        continuity: Continuity,
    ) -> Result<u32, DropReason> {
        let session = self.table.get_mut(index).ok_or(DropReason::NoLongerWelcome)?;
        session.confirmed_generation = session.confirmed_generation.max(generation);
        self.counters.attempts_confirmed += 1;
        self.replace_connection(index, connection, continuity);
        let detail = EventDetail { continuity: Some(continuity), ..EventDetail::default() };
        self.apply_with(index, Input::ResumeConfirmed, detail);
        Ok(index)
    }

    fn confirm_backend(
        &mut self,
        index: u32,
        connection: Connection,
        timeout_micros: u64,
        user_data: &[u8; USER_DATA_BYTES],
    ) -> Result<u32, DropReason> {
        let session = self.table.get(index).ok_or(DropReason::NoLongerWelcome)?;
        let client_id = session.client_id;
        let detail = EventDetail { payload: user_data, continuity: Some(Continuity::Restarted) };
        if is_planted(PlantedBug::SupersededNotEnded) {
            return Ok(self.open_confirmed(client_id, connection, timeout_micros, user_data));
        }
        match self.apply_with(index, Input::BackendConfirmed, detail).edges().last() {
            Some(edge) if edge.to == SessionState::Disconnected => {
                self.counters.attempts_confirmed += 1;
                Ok(self.open_confirmed(client_id, connection, timeout_micros, user_data))
            }
            Some(_) => {
                self.counters.attempts_confirmed += 1;
                self.hand_over(index, connection, timeout_micros);
                Ok(index)
            }
            None => {
                // It was let in before the other one logged in: it has to be told.
                self.push_farewell(connection, None);
                self.refuse_of(index, AttemptEnd::NotWelcome);
                Err(self.drop_of(index, DropReason::NoLongerWelcome))
            }
        }
    }

    /// Gives a slot to an identity whose former session has ended, by a handshake that is confirmed already.
    fn open_confirmed(
        &mut self,
        client_id: ClientId,
        connection: Connection,
        timeout_micros: u64,
        user_data: &[u8; USER_DATA_BYTES],
    ) -> u32 {
        let address = connection.address();
        let index = self.open_session(client_id, connection, timeout_micros, user_data);
        self.confirm_first(index, address);
        index
    }

    /// Gives a session that goes on to whoever holds the newest token of its backend: the former holder is told, and can come back no
    /// more.
    fn hand_over(&mut self, index: u32, connection: Connection, timeout_micros: u64) {
        let goodbye = self.table.get_mut(index).and_then(|session| {
            session.timeout_micros = timeout_micros;
            session.tokens.void_all();
            session.content.is_framed().then(superseded)
        });
        if let Some(former) = self.replace_connection(index, connection, Continuity::Restarted) {
            self.push_farewell(former, goodbye);
        }
    }

    /// Goes on with new keys, on a new path; returns the former connection.
    ///
    /// The session is that of a player who is logged in, so that its first handshake was confirmed long ago.
    fn replace_connection(
        &mut self,
        index: u32,
        connection: Connection,
        continuity: Continuity,
    ) -> Option<Connection> {
        let to = connection.address();
        let now = self.clock.now();
        let session = self.table.get_mut(index)?;
        let former = core::mem::replace(&mut session.connection, connection);
        session.last_sent = now;
        session.content.connection_replaced(now, continuity);
        self.directory.clear_path(former.address(), index);
        self.directory.leave_ip(former.address().ip(), index);
        self.end_trial(index);
        self.join_ip(index);
        self.take_path(to, index);
        Some(former)
    }

    /// Lets packets from other ports of its IP address be looked for in the session. A client of raw payloads answers no challenge, and
    /// is not followed.
    fn join_ip(&mut self, index: u32) {
        let follows = |session: &&Session| session.content.is_framed() && self.config.port_searches_per_s > 0;
        if let Some(session) = self.table.get(index).filter(follows) {
            self.directory.join_ip(session.connection.address().ip(), index);
        }
    }

    /// Makes `address` the path of the session in slot `index`. A session that is displaced loses its path, not itself.
    fn take_path(&mut self, address: SocketAddr, index: u32) {
        self.leave_trial_at(address);
        if let Some(displaced) = self.directory.set_path(address, index) {
            self.apply(displaced, Input::PathTaken);
            self.resume_attempt_goes_on(displaced);
            self.touch(displaced);
        }
    }

    /// Whether this take-over of a living path is one too many: then somebody else holds the tokens of this identity too (P66).
    ///
    /// Whoever continues what the session knows is the process that has it already. It gave a path up for dead whose last packets are
    /// not long ago, as happens where many are lost.
    fn is_contested(&mut self, index: u32, continuity: Continuity) -> bool {
        if continuity == Continuity::Kept {
            return false;
        }
        let now = self.clock.now();
        let alive_within_micros = 2 * self.heartbeat_micros();
        let take_overs_max = self.config.take_overs_max;
        let Some(session) = self.table.get_mut(index) else { return false };
        let was_alive = !session.is_away() && is_recent(session.last_live, now, alive_within_micros);
        was_alive && session.take_overs.count(now) > take_overs_max as usize
    }
}

fn superseded() -> Goodbye {
    Goodbye { code: goodbye_code::SUPERSEDED, detail: Box::default() }
}

fn is_recent(moment: Timestamp, now: Timestamp, within_micros: u64) -> bool {
    now.micros_since(moment) <= within_micros
}
