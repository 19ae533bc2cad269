//! The only place that changes a session's state, and it does what [`lifecycle::step`] says.

use alloc::boxed::Box;

use crate::event::{Continuity, Event, LifecycleEvent};
use crate::ledger::{AttemptEnd, IgnoredInput, LoginRefusal};
use crate::lifecycle::{self, Cause, DisconnectReason, Edge, Input, LifecycleEventKind, SessionState, Step};
use crate::movement::Movement;
use crate::planted::{PlantedBug, is_planted};

use super::MultiSessionManager;

/// The state of a session. Its field is private to this file, so nothing else can change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CurrentState(Option<SessionState>);

impl CurrentState {
    /// The state; `None` until the session's first event.
    pub(super) const fn get(self) -> Option<SessionState> {
        self.0
    }
}

/// What an event about a transition carries beside it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EventDetail<'a> {
    /// The bytes that go with the event, for inputs that bring about one at most.
    pub(super) payload: &'a [u8],
    /// Whether the lanes go on, for `Reconnected`.
    pub(super) continuity: Option<Continuity>,
}

impl MultiSessionManager {
    /// Lets `input` happen to the session in slot `index`.
    pub(super) fn apply(&mut self, index: u32, input: Input) -> Step {
        self.apply_with(index, input, EventDetail::default())
    }

    /// As [`apply`](Self::apply), with more to tell.
    pub(super) fn apply_with(&mut self, index: u32, input: Input, detail: EventDetail<'_>) -> Step {
        let Some(session) = self.table.get(index) else { return Step::Ignored };
        let step = lifecycle::step(session.state.get(), input, self.policy);
        if step == Step::Ignored
            && let Some(ignored) = IgnoredInput::of(input)
        {
            self.refuse_of(index, ignored);
        }
        for edge in step.edges() {
            self.note_what_ends(index, edge);
            self.take_edge(index, edge, detail);
        }
        if let Some(edge) = step.edges().last() {
            self.arrive(index, edge);
        }
        step
    }

    fn take_edge(&mut self, index: u32, edge: Edge, detail: EventDetail<'_>) {
        let Some(session) = self.table.get_mut(index) else { return };
        let previous = session.state.0.replace(edge.to);
        let event = LifecycleEvent {
            session: session.id,
            client_id: session.client_id,
            kind: edge.event,
            previous,
            current: edge.to,
            at: self.clock.now(),
            cause: edge.cause,
            continuity: detail.continuity.filter(|_| edge.event == LifecycleEventKind::Reconnected),
            violation: session
                .content
                .last_violation()
                .filter(|_| edge.cause == Cause::Ended(DisconnectReason::ProtocolViolation)),
        };
        self.note_transition(index, &event);
        self.outbox.push_event(Event::Lifecycle(event), detail.payload);
    }

    /// A login that waits for its answer, and an attempt to come back or take over, end with the session: ahead of it, so that the end is
    /// the last of the session's history.
    fn note_what_ends(&mut self, index: u32, edge: Edge) {
        let Some(session) = self.table.get(index) else { return };
        let has_attempt = session.attempt.is_some();
        let login_waits = session.state.get() == Some(SessionState::LoginPending);
        if login_waits && matches!(edge.to, SessionState::TimedOut | SessionState::Disconnected) {
            self.refuse_of(index, LoginRefusal::Unanswered);
        }
        if has_attempt && edge.to == SessionState::Disconnected {
            self.refuse_of(index, AttemptEnd::SessionEnded);
        }
    }

    /// What follows from resting in a state.
    fn arrive(&mut self, index: u32, edge: Edge) {
        let window_micros = u64::from(self.config.reconnect_window_ms.unwrap_or(0)) * 1_000;
        let window = self.clock.peer_deadline(window_micros);
        let now = self.clock.now();
        self.list_if_away(index, edge.to);
        let Some(session) = self.table.get_mut(index) else { return };
        match edge.to {
            SessionState::LoggedIn => {
                if edge.event == LifecycleEventKind::LoginSucceeded {
                    self.counters.logins_accepted += u64::from(edge.cause == Cause::Accepted);
                    session.movement = Some(Box::new(Movement::new(now)));
                    self.welcome_in(index);
                } else {
                    if !is_planted(PlantedBug::ReconnectWindowKept) {
                        session.reconnect = None;
                    }
                    if is_planted(PlantedBug::MovementForgotten) {
                        session.movement = Some(Box::new(Movement::new(now)));
                    }
                    self.counters.reconnects += 1;
                }
            }
            SessionState::ReconnectPending => {
                // An attempt that ended unconfirmed does not start the window again.
                session.reconnect.get_or_insert(window);
            }
            SessionState::Disconnected => {
                if let Cause::Ended(reason) = edge.cause {
                    self.close_session(index, reason);
                }
            }
            SessionState::TransportConnected => self.counters.sessions_opened += 1,
            SessionState::LoginPending
            | SessionState::LoginFailed
            | SessionState::TimedOut
            | SessionState::Reconnecting => {}
        }
    }

    /// To be called when a session has an attempt, or has none any more.
    pub(super) fn list_if_nobody_is_on_the_way(&mut self, index: u32) {
        if let Some(state) = self.table.get(index).and_then(|session| session.state.get()) {
            self.list_if_away(index, state);
        }
    }

    /// A session that rests in `ReconnectPending`, with no handshake of its player that waits for its confirmation, may have to give its place up; a way back
    /// that fails does not make it wait anew.
    fn list_if_away(&mut self, index: u32, state: SessionState) {
        let now = self.clock.now();
        let Some(session) = self.table.get_mut(index) else { return };
        if state == SessionState::ReconnectPending {
            let since = *session.away_since.get_or_insert(now);
            if session.attempt.is_none() {
                self.directory.set_away(since, index);
            } else {
                self.directory.clear_away(since, index);
            }
            return;
        }
        if let Some(since) = session.away_since {
            self.directory.clear_away(since, index);
        }
        if !state.is_away() {
            session.away_since = None;
        }
    }

    /// Ends the session in slot `index`, if there is one.
    pub(super) fn end(&mut self, index: u32, reason: DisconnectReason) {
        self.apply(index, Input::Ended(reason));
    }

    /// Takes an ended session out of every index and says goodbye where that is due.
    fn close_session(&mut self, index: u32, reason: DisconnectReason) {
        self.timers.disarm(index);
        if is_planted(PlantedBug::EventAfterDisconnected) {
            self.note_heartbeat(index);
        }
        let Some(mut session) = self.table.end(index) else { return };
        self.pool.release(index, &mut session.account);
        self.directory.clear_client(session.client_id, index);
        let address = session.connection.address();
        if !is_planted(PlantedBug::IndexNotCleaned) {
            self.directory.clear_path(address, index);
        }
        self.directory.clear_attempt(address, index);
        self.directory.leave_ip(address.ip(), index);
        if let Some(trial) = session.trial.as_ref().and_then(|trial| trial.address()) {
            self.directory.clear_trial(trial, index);
        }
        if let Some(attempt) = &session.attempt {
            self.directory.clear_attempt(attempt.connection.address(), index);
        }
        for handshake in &session.resume_handshakes {
            self.directory.clear_resume(handshake.address, index);
        }
        self.say_goodbye(*session, reason);
    }
}
