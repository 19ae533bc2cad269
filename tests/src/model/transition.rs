//! From state to state: what is told of a session, and what follows from where it arrives.

use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use rejoin::{Continuity, Event, LifecycleEvent, SessionId, Violation};

use super::Model;

impl Model {
    /// A session goes to another state, and the application is told.
    pub(super) fn go(&mut self, id: SessionId, to: State, kind: Kind, cause: Cause) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let previous = std::mem::replace(&mut session.state, to);
        let client_id = session.client_id;
        self.tell(id, client_id, Some(previous), to, kind, cause, None);
    }

    /// A session begins; its first state is not entered from anywhere.
    pub(super) fn tell_beginning(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let (client_id, state) = (session.client_id, session.state);
        self.tell(id, client_id, None, state, Kind::TransportConnected, Cause::Handshake, None);
    }

    #[expect(clippy::too_many_arguments, reason = "as many as an event has parts")]
    fn tell(
        &mut self,
        session: SessionId,
        client_id: rejoin::ClientId,
        previous: Option<State>,
        current: State,
        kind: Kind,
        cause: Cause,
        continuity: Option<Continuity>,
    ) {
        let breaks = cause == Cause::Ended(DisconnectReason::ProtocolViolation);
        let violation = breaks.then_some(Violation::DataBeforeLogin);
        let at = self.now;
        self.touched.push(session);
        self.expected.push(Event::Lifecycle(LifecycleEvent {
            session,
            client_id,
            kind,
            previous,
            current,
            at,
            cause,
            continuity,
            violation,
        }));
    }

    /// Somebody asked to log in, or the token says so.
    pub(super) fn login_starts(&mut self, id: SessionId, cause: Cause) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.logins += 1;
        }
        self.go(id, State::LoginPending, Kind::LoginStarted, cause);
    }

    pub(super) fn logs_in(&mut self, id: SessionId, cause: Cause) {
        self.go(id, State::LoggedIn, Kind::LoginSucceeded, cause);
    }

    /// The path is lost. The window begins with the first loss, and does not begin again with an attempt to come back that fails.
    pub(super) fn goes_away(&mut self, id: SessionId, cause: Cause) {
        self.go(id, State::ReconnectPending, Kind::ReconnectScheduled, cause);
        let window_ms = self.rules.reconnect_window_ms.unwrap_or(0);
        let window = self.deadline(u64::from(window_ms) * 1_000);
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.window.get_or_insert(window);
            session.away_since.get_or_insert(now);
        }
    }

    /// A handshake of a player who is away is complete: that is told once of each.
    pub(super) fn attempt_counts(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let is_away = session.state == State::ReconnectPending;
        let resumes = |attempt: &super::session::Attempt| {
            matches!(attempt.origin, super::session::Origin::Resume { .. }) && !attempt.is_announced
        };
        if is_away && let Some(attempt) = session.attempt.as_mut().filter(|attempt| resumes(attempt)) {
            attempt.is_announced = true;
            self.go(id, State::Reconnecting, Kind::ReconnectStarted, Cause::ResumeHandshake);
        }
    }

    /// Nobody is on the way back any more.
    pub(super) fn attempt_ends(&mut self, id: SessionId) {
        if self.sessions.get(&id).is_some_and(|session| session.state == State::Reconnecting) {
            self.goes_away(id, Cause::AttemptUnconfirmed);
        }
    }

    /// The player is back in the same session; the next absence has a window of its own.
    pub(super) fn comes_back(&mut self, id: SessionId, cause: Cause, continuity: Continuity) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.window = None;
        session.away_since = None;
        let previous = std::mem::replace(&mut session.state, State::LoggedIn);
        let client_id = session.client_id;
        self.reconnects += 1;
        self.tell(id, client_id, Some(previous), State::LoggedIn, Kind::Reconnected, cause, Some(continuity));
    }

    /// Another peer proved itself at the address of a session: who is in the game is away, who is on the way in is gone.
    pub(super) fn path_taken(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        match session.state {
            State::LoggedIn if self.rules.reconnect_window_ms.is_some() => {
                self.goes_away(id, Cause::PathTaken);
            }
            state if state.is_away() => {}
            _ => self.end(id, DisconnectReason::PathTaken),
        }
    }

    /// A session ends: nothing leads to it any more. Its slot is free once the application was told.
    pub(super) fn end(&mut self, id: SessionId, reason: DisconnectReason) {
        self.go(id, State::Disconnected, Kind::Disconnected, Cause::Ended(reason));
        let Some(session) = self.sessions.remove(&id) else { return };
        self.clients.retain(|_, other| *other != id);
        self.paths.retain(|_, other| *other != id);
        self.waiting.retain(|_, other| *other != id);
        drop(session);
    }

    /// The slot of a session whose end was told is free, for one of the next generation.
    pub(super) fn slots_follow(&mut self, told: &LifecycleEvent) {
        if told.kind == Kind::Disconnected {
            let next = told.session.generation.wrapping_add(1);
            self.slots.insert(told.session.index, (None, next));
        }
    }
}
