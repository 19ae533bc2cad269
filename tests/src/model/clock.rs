//! Time: deadlines, what fires when, and hosts that are late.
//!
//! A host may hold all deadlines about peers for a while, as for a debugger. A host that comes later than it was asked to holds that against nobody: all deadlines about peers move by as much, each up to a limit, and
//! none fires before the host had a chance to read what waited.

use rejoin::lifecycle::SessionState;
use rejoin::{Event, SessionId, Timestamp};

use super::Model;
use super::session::Session;
use super::trial::Trial;
use crate::laws::{Violation, ensure};

/// How long after a deadline a host may come, in microseconds: clocks that drift show no full ones.
const GRAIN_MICROS: u64 = 10;

/// Until when a peer has time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Timestamp,
    late_before: u64,
    held_before: u64,
}

impl Deadline {
    /// The same with so much more time.
    pub(super) fn longer_by(self, micros: u64) -> Self {
        Self { at: self.at.plus_micros(micros), ..self }
    }
}

impl Model {
    /// The clock shows this; it never goes back. The host came as soon as it was asked to, or sooner.
    pub(super) fn move_to(&mut self, now: Timestamp) -> Result<(), Violation> {
        if now <= self.now {
            return Ok(());
        }
        self.check_nobody_overdue(now)?;
        self.check_asked()?;
        self.now = now;
        Ok(())
    }

    /// The host comes so much later than it was asked to, and it was asked to come in time.
    pub(super) fn note_late(&mut self, now: Timestamp, micros: u64) -> Result<(), Violation> {
        self.check_nobody_overdue(Timestamp::from_micros(now.as_micros().saturating_sub(micros)))?;
        self.check_asked()?;
        self.now = self.now.max(now);
        self.forgive(micros);
        Ok(())
    }

    fn forgive(&mut self, micros: u64) {
        let late_ms = micros / 1_000;
        if late_ms >= self.rules.stall_threshold_ms.into() {
            if self.held_since.is_none() {
                self.late_micros += micros;
            }
            self.reads_first = true;
            self.expected.push(Event::Stalled { late_ms });
        }
    }

    /// A peer gets so much time from now on.
    pub(super) fn deadline(&mut self, micros: u64) -> Deadline {
        self.deadline_since(self.now, micros)
    }

    /// The same from a moment on since which the host was not late.
    pub(super) fn deadline_since(&mut self, since: Timestamp, micros: u64) -> Deadline {
        let at = since.plus_micros(micros);
        self.quiet_until = self.quiet_until.min(at);
        Deadline { at, late_before: self.late_micros, held_before: self.held_until_now() }
    }

    /// The host holds all deadlines, or lets them go on with what was left of them.
    pub(super) fn hold(&mut self, hold: bool) {
        if hold {
            self.held_since = self.held_since.or(Some(self.now));
        } else {
            self.held_micros = self.held_until_now();
            self.held_since = None;
        }
        self.find_quiet();
    }

    fn held_until_now(&self) -> u64 {
        self.held_micros + self.held_since.map_or(0, |since| self.now.micros_since(since))
    }

    fn end_of(&self, deadline: Deadline) -> Timestamp {
        if self.held_since.is_some() {
            return Timestamp::NEVER;
        }
        let late_max = u64::from(self.rules.stall_credit_max_ms) * 1_000;
        let late = (self.late_micros - deadline.late_before).min(late_max);
        deadline.at.plus_micros(late + self.held_micros - deadline.held_before)
    }

    pub(super) fn has_passed(&self, deadline: Deadline) -> bool {
        self.end_of(deadline) <= self.now
    }

    /// The earliest of the deadlines that count in the state of a session: silence or the reconnect window, the login, an attempt.
    fn earliest_of(&self, session: &Session) -> Timestamp {
        let path = if session.state.is_away() { session.window } else { Some(session.silence) };
        let login = (!session.state.is_logged_in()).then_some(session.login);
        let attempt = session.attempt.as_ref().map(|attempt| attempt.deadline);
        let trial = session.trial.as_ref().and_then(Trial::deadline);
        let ends = [path, login, attempt, trial].into_iter().flatten().map(|deadline| self.end_of(deadline));
        ends.min().unwrap_or(Timestamp::NEVER)
    }

    /// The host lets deadlines fire. Which session's are first the server decides.
    pub(super) fn fire(&mut self) {
        if std::mem::take(&mut self.reads_first) {
            return;
        }
        self.fire_leave();
        while let Some(session) = self.next_move().or_else(|| self.next_due()) {
            self.fire_session(session);
        }
        self.note_questions_over();
        self.find_quiet();
    }

    fn next_due(&self) -> Option<SessionId> {
        let due = self.sessions.iter().filter(|(_, session)| self.earliest_of(session) <= self.now);
        let due: Vec<_> = due.map(|(id, _)| *id).collect();
        let told = self.next_told().map(|told| told.session);
        told.filter(|told| due.contains(told)).or_else(|| due.first().copied())
    }

    fn fire_session(&mut self, id: SessionId) {
        let is_due = |model: &Self, deadline: fn(&Session) -> Option<Deadline>| {
            let deadline = model.sessions.get(&id).and_then(deadline);
            deadline.is_some_and(|deadline| model.has_passed(deadline))
        };
        if is_due(self, |session| (!session.state.is_logged_in()).then_some(session.login)) {
            self.login_time_over(id);
        }
        self.conclude_trial(id);
        if is_due(self, |session| (!session.state.is_away()).then_some(session.silence)) {
            self.falls_silent(id);
        }
        if is_due(self, |session| session.attempt.as_ref().map(|attempt| attempt.deadline)) {
            self.give_up_attempt(id);
        }
        if is_due(self, |session| session.window.filter(|_| session.state.is_away())) {
            self.window_over(id);
        }
    }

    fn find_quiet(&mut self) {
        let ends = self.sessions.values().map(|session| self.earliest_of(session));
        self.quiet_until = ends.chain([self.leave.deadline()]).min().unwrap_or(Timestamp::NEVER);
    }

    /// No deadline has passed by `local`, until when the host has let fire whatever it was asked to.
    pub(super) fn check_nobody_overdue(&mut self, local: Timestamp) -> Result<(), Violation> {
        if self.quiet_until.plus_micros(GRAIN_MICROS) >= local {
            return Ok(());
        }
        self.find_quiet();
        ensure(self.quiet_until.plus_micros(GRAIN_MICROS) >= local, || {
            let first =
                self.sessions.iter().find(|(_, session)| self.earliest_of(session) == self.quiet_until);
            let who = first.map(|(id, session)| format!("session {id} in {}", session.state));
            let who = who.unwrap_or_else(|| "whoever is left".to_owned());
            format!("at {local} nobody was asked to come for {who}, whose time ended at {}", self.quiet_until)
        })
    }
}

impl Model {
    fn login_time_over(&mut self, id: SessionId) {
        self.end(id, rejoin::lifecycle::DisconnectReason::LoginTimeout);
    }

    fn window_over(&mut self, id: SessionId) {
        self.end(id, rejoin::lifecycle::DisconnectReason::ReconnectExpired);
    }

    /// Silence ends a path. A player who is in the game has a while to come back; anybody else is gone.
    fn falls_silent(&mut self, id: SessionId) {
        use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
        let Some(session) = self.sessions.get(&id) else { return };
        let is_kept = session.state == SessionState::LoggedIn && self.rules.reconnect_window_ms.is_some();
        self.go(id, SessionState::TimedOut, LifecycleEventKind::TimedOut, Cause::Silence);
        if is_kept {
            self.goes_away(id, Cause::Silence);
            self.attempt_counts(id);
        } else {
            self.end(id, DisconnectReason::TimedOut);
        }
    }
}
