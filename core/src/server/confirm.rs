//! From a completed handshake to a session that uses it: opening a session, and the first packet under new keys.

use core::net::SocketAddr;

use crate::counters::DropReason;
use crate::event::Continuity;
use crate::lifecycle::{DisconnectReason, Input, SessionState};
use crate::netcode::USER_DATA_BYTES;
use crate::netcode::connection::Connection;
use crate::{ClientId, Timestamp};

use super::manager::{MultiSessionManager, Verdict};
use super::session::{Attempt, AttemptOrigin, Beginning, Session};
use super::transition::Telling;

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
        let beginning = Beginning {
            client_id,
            connection,
            timeout_micros,
            liveness: self.patience(timeout_micros),
            login_deadline: self.patience(u64::from(self.config.login_timeout_ms) * 1_000),
            content: self.new_content(),
        };
        let index = self.table.insert(|id| Session::new(id, beginning, now));
        self.directory.set_client(client_id, index);
        self.apply_telling(
            index,
            Input::HandshakeCompleted,
            Telling { payload: user_data, ..Telling::default() },
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
        let lane_epoch = session.content.confirmation(payload)?;
        let attempt = self
            .table
            .get_mut(index)
            .filter(|session| session.has_attempt_at(from))
            .and_then(|session| session.attempt.take());
        let index = if let Some(attempt) = attempt {
            self.directory.clear_attempt(from, index);
            self.confirm_attempt(index, *attempt, lane_epoch)?
        } else {
            self.confirm_first(index, from);
            index
        };
        self.note_life(index, true);
        let taken = match payload {
            Some(payload) => self.take_payload(index, sequence, payload),
            None => {
                self.note_heartbeat(index);
                Ok(())
            }
        };
        self.touch(index);
        taken?;
        let session = self.table.get(index).ok_or(DropReason::NoLongerWelcome)?;
        Ok(Verdict::Accepted(session.id))
    }

    /// The first handshake of a session is confirmed.
    fn confirm_first(&mut self, index: u32, from: SocketAddr) {
        self.directory.clear_attempt(from, index);
        if let Some(session) = self.table.get_mut(index) {
            session.is_confirmed = true;
        }
        self.take_path(from, index);
        self.apply(index, Input::Confirmed);
    }

    /// A later handshake of an identity is confirmed. Returns the slot of the session that goes on with it.
    fn confirm_attempt(
        &mut self,
        index: u32,
        attempt: Attempt,
        lane_epoch: Option<u64>,
    ) -> Result<u32, DropReason> {
        match attempt.origin {
            AttemptOrigin::Resume { generation } => {
                self.confirm_resume(index, attempt.connection, generation, lane_epoch)
            }
            AttemptOrigin::Backend { timeout_micros, ref user_data } => {
                let user_data = user_data.clone();
                self.confirm_backend(index, attempt.connection, timeout_micros, &user_data)
            }
        }
    }

    fn confirm_resume(
        &mut self,
        index: u32,
        connection: Connection,
        generation: u64,
        lane_epoch: Option<u64>,
    ) -> Result<u32, DropReason> {
        let session = self.table.get_mut(index).ok_or(DropReason::NoLongerWelcome)?;
        session.confirmed_generation = session.confirmed_generation.max(generation);
        let continuity = session.content.continuity_with(lane_epoch);
        self.replace_connection(index, connection, continuity);
        if self.is_contested(index) {
            self.end(index, DisconnectReason::Contested);
            return Err(DropReason::NoLongerWelcome);
        }
        let telling = Telling { continuity: Some(continuity), ..Telling::default() };
        self.apply_telling(index, Input::ResumeConfirmed, telling);
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
        let telling = Telling { continuity: Some(Continuity::Restarted), ..Telling::default() };
        match self.apply_telling(index, Input::BackendConfirmed, telling).edges().last() {
            Some(edge) if edge.to == SessionState::Disconnected => {
                let address = connection.address();
                let successor = self.open_session(client_id, connection, timeout_micros, user_data);
                self.confirm_first(successor, address);
                Ok(successor)
            }
            Some(_) => {
                self.replace_connection(index, connection, Continuity::Restarted);
                if let Some(session) = self.table.get_mut(index) {
                    session.timeout_micros = timeout_micros;
                }
                Ok(index)
            }
            None => Err(DropReason::NoLongerWelcome),
        }
    }

    /// Goes on with new keys, on a new path.
    fn replace_connection(&mut self, index: u32, connection: Connection, continuity: Continuity) {
        let to = connection.address();
        let now = self.clock.now();
        let Some(session) = self.table.get_mut(index) else { return };
        let former = core::mem::replace(&mut session.connection, connection);
        let was_confirmed = core::mem::replace(&mut session.is_confirmed, true);
        session.last_sent = now;
        session.content.connection_replaced(now, continuity);
        if was_confirmed {
            self.directory.clear_path(former.address(), index);
        } else {
            self.directory.clear_attempt(former.address(), index);
        }
        self.take_path(to, index);
    }

    /// Makes `address` the path of the session in slot `index`. A session that is displaced loses its path, not itself.
    fn take_path(&mut self, address: SocketAddr, index: u32) {
        if let Some(displaced) = self.directory.set_path(address, index) {
            self.apply(displaced, Input::PathTaken);
            self.resume_attempt_goes_on(displaced);
            self.touch(displaced);
        }
    }

    /// Whether living paths of this session were taken over too often: then somebody else holds its tokens too.
    fn is_contested(&mut self, index: u32) -> bool {
        let now = self.clock.now();
        let alive_within_micros = 2 * self.heartbeat_micros();
        let take_overs_max = self.config.take_overs_max;
        let Some(session) = self.table.get_mut(index) else { return false };
        let was_alive = !session.is_away() && is_recent(session.last_live, now, alive_within_micros);
        was_alive && session.take_overs.count(now) > take_overs_max
    }
}

fn is_recent(moment: Timestamp, now: Timestamp, within_micros: u64) -> bool {
    now.micros_since(moment) <= within_micros
}
