//! Handshakes: who is let in, who is denied, and who waits for the first packet of whom.

use std::net::SocketAddr;

use rejoin::lifecycle::{DisconnectReason, LifecycleEventKind, SessionState};
use rejoin::{AtCapacity, ClientId, DenyReason, DuplicateIdentity, SessionId};

use super::Model;
use super::session::{Attempt, Origin, Path, Session, Token};
use crate::laws::{Violation, ensure};

impl Model {
    /// The holder of a good token asks to be challenged, and is answered, if the answer finds room.
    pub(super) fn request(&mut self, token: &Token, finds_room: bool) {
        if matches!(token.origin, Origin::Backend { .. }) {
            self.is_denied(token.client_id, finds_room);
        }
    }

    /// A challenge is answered from where it went to, under this token, and the server takes it.
    pub(super) fn response(
        &mut self,
        from: SocketAddr,
        sequence: u64,
        token: &Token,
        finds_room: bool,
    ) -> Result<(), Violation> {
        if self.repeats(from, sequence, token) {
            return Ok(());
        }
        match token.origin {
            Origin::Resume { session, generation } => {
                self.check_way_back(token.client_id, session, generation)?;
                if let Some(found) = self.sessions.get_mut(&session) {
                    found.spent = generation;
                }
                self.attempt(session, from, sequence, token);
                self.attempt_counts(session);
            }
            Origin::Backend { timeout_s } => {
                if self.is_denied(token.client_id, finds_room) {
                    return Ok(());
                }
                if let Some(session) = self.clients.get(&token.client_id).copied() {
                    self.attempt(session, from, sequence, token);
                    self.attempt_ends(session);
                } else {
                    let timeout_micros = self.timeout_micros(timeout_s);
                    self.free_place();
                    self.open(token.client_id, Path::new(from, token.id), timeout_micros)?;
                }
            }
        }
        Ok(())
    }

    /// The handshake is complete already, and its maker has not heard of it; a new response shows that it still tries.
    fn repeats(&mut self, from: SocketAddr, sequence: u64, token: &Token) -> bool {
        let Some(id) = self.waiting.get(&from).copied() else { return false };
        let Some(timeout_micros) = self.sessions.get(&id).map(|session| session.timeout_micros) else {
            return false;
        };
        let deadline = self.deadline(timeout_micros);
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let first_waits = session.waits_at(from) && session.path.token == token.id;
        match session.attempt_at(from) {
            Some(attempt) if attempt.path.token == token.id => {
                if attempt.newest_response < sequence {
                    attempt.newest_response = sequence;
                    attempt.deadline = deadline;
                }
                true
            }
            _ => first_waits,
        }
    }

    /// A token of the server's own leads back to a session that is kept, of the same player, once.
    fn check_way_back(
        &self,
        client_id: ClientId,
        session: SessionId,
        generation: u64,
    ) -> Result<(), Violation> {
        let found = self.sessions.get(&session).filter(|found| found.client_id == client_id);
        ensure(found.is_some_and(|found| found.state.is_logged_in()), || {
            format!("client {client_id} is let back into session {session}, which is not kept for it")
        })?;
        ensure(found.is_some_and(|found| found.spent < generation), || {
            format!(
                "client {client_id} is let back into session {session} by a void token, number {generation}"
            )
        })
    }

    /// Whether the holder of a backend token is denied at present, which is counted if the answer finds room.
    fn is_denied(&mut self, client_id: ClientId, finds_room: bool) -> bool {
        let reason = self.denial(client_id);
        if let Some(reason) = reason.filter(|_| finds_room) {
            *self.denied.entry(reason).or_default() += 1;
        }
        reason.is_some()
    }

    fn denial(&self, client_id: ClientId) -> Option<DenyReason> {
        let rejects = self.rules.duplicate_identity == DuplicateIdentity::Reject;
        let holder = self.clients.get(&client_id).and_then(|id| self.sessions.get(id));
        let taken = self.slots.values().filter(|(holder, _)| holder.is_some()).count();
        if self.bans.get(&client_id).is_some_and(|until| self.now < *until) {
            Some(DenyReason::Banned)
        } else if let Some(holder) = holder {
            (rejects && holder.state.is_logged_in()).then_some(DenyReason::AlreadyLoggedIn)
        } else if self.leave.denies_newcomers() {
            Some(DenyReason::Draining)
        } else {
            let places = self.rules.sessions_max as usize;
            let is_full = match self.rules.at_capacity {
                AtCapacity::Deny => taken >= places,
                AtCapacity::GiveUpLongestAway => {
                    let has_place = self.sessions.len() < places || self.longest_away().is_some();
                    taken >= 2 * places || !has_place
                }
            };
            is_full.then_some(DenyReason::Full)
        }
    }

    /// Whoever waits for its player for longest, while nobody is on the way.
    fn longest_away(&self) -> Option<SessionId> {
        let away = self.sessions.iter().filter(|(_, session)| {
            session.state == SessionState::ReconnectPending && session.attempt.is_none()
        });
        away.min_by_key(|(id, session)| (session.away_since, id.index)).map(|(id, _)| *id)
    }

    /// Where all places are taken, one is given up.
    fn free_place(&mut self) {
        if self.sessions.len() >= self.rules.sessions_max as usize
            && let Some(id) = self.longest_away()
        {
            self.end(id, DisconnectReason::PlaceGivenUp);
        }
    }

    /// What a token says of silence, within the settings; one that says nothing gets the longest.
    pub(super) fn timeout_micros(&self, timeout_s: i32) -> u64 {
        let wanted_ms = u64::try_from(timeout_s).map_or(u64::MAX, |seconds| seconds * 1_000);
        wanted_ms.clamp(self.rules.timeout_min_ms.into(), self.rules.timeout_max_ms.into()) * 1_000
    }

    /// A session begins, in a free slot that the server tells.
    pub(super) fn open(
        &mut self,
        client_id: ClientId,
        path: Path,
        timeout_micros: u64,
    ) -> Result<SessionId, Violation> {
        let id = self.slot_of_newcomer(client_id)?;
        let session = Session {
            client_id,
            state: SessionState::TransportConnected,
            since: self.now,
            timeout_micros,
            path,
            is_confirmed: false,
            trial: None,
            round_trip: None,
            attempt: None,
            last_live: self.now,
            silence: self.deadline(timeout_micros),
            login: self.deadline(u64::from(self.rules.login_timeout_ms) * 1_000),
            window: None,
            away_since: None,
            logins: 0,
            spent: 0,
            confirmed: 0,
            take_overs: Vec::new(),
            violations: 0,
        };
        self.sessions.insert(id, session);
        self.clients.insert(client_id, id);
        self.slots.insert(id.index, (Some(id), id.generation));
        self.opened += 1;
        self.tell_beginning(id);
        self.wait_at(path.address, id);
        Ok(id)
    }

    fn slot_of_newcomer(&self, client_id: ClientId) -> Result<SessionId, Violation> {
        let told = self.told_now().find(|told| told.client_id == client_id);
        let begun = told.filter(|event| event.kind == LifecycleEventKind::TransportConnected);
        let id = begun.map(|event| event.session).ok_or_else(|| {
            let kind = told.map(|event| event.kind);
            Violation::new(format!("client {client_id} gets a session, but told of it is {kind:?}"))
        })?;
        let slot = self.slots.get(&id.index).copied().unwrap_or((None, 0));
        ensure(slot == (None, id.generation), || format!("session {id} got a slot that is {slot:?}"))?;
        Ok(id)
    }

    /// The newest handshake of an identity counts.
    fn attempt(&mut self, id: SessionId, from: SocketAddr, newest_response: u64, token: &Token) {
        self.forget_attempt(id);
        let Some(timeout_micros) = self.sessions.get(&id).map(|session| session.timeout_micros) else {
            return;
        };
        let (deadline, path) = (self.deadline(timeout_micros), Path::new(from, token.id));
        let origin = token.origin;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.attempt = Some(Attempt { path, origin, deadline, newest_response, is_announced: false });
        }
        self.wait_at(from, id);
    }

    /// A handshake waits here; the one of another session that did is given up.
    fn wait_at(&mut self, address: SocketAddr, id: SessionId) {
        let Some(other) = self.waiting.insert(address, id).filter(|other| *other != id) else { return };
        if self.sessions.get(&other).is_some_and(|session| session.waits_at(address)) {
            self.path_taken(other);
        } else {
            self.give_up_attempt(other);
        }
    }

    /// An attempt ends without trace.
    pub(super) fn give_up_attempt(&mut self, id: SessionId) {
        self.forget_attempt(id);
        self.attempt_ends(id);
    }

    pub(super) fn forget_attempt(&mut self, id: SessionId) -> Option<Attempt> {
        let session = self.sessions.get_mut(&id)?;
        let attempt = session.attempt.take()?;
        let address = attempt.path.address;
        if !session.waits_at(address) {
            self.stop_waiting(address, id);
        }
        Some(attempt)
    }

    pub(super) fn stop_waiting(&mut self, address: SocketAddr, id: SessionId) {
        if self.waiting.get(&address) == Some(&id) {
            self.waiting.remove(&address);
        }
    }

    /// The maker of a handshake that waits says goodbye.
    pub(super) fn waiting_peer_leaves(&mut self, id: SessionId, from: SocketAddr) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.attempt_at(from).is_some() {
            self.give_up_attempt(id);
        } else {
            self.end(id, DisconnectReason::PeerLeft);
        }
    }
}
