//! What time does to a session.

use crate::ledger::AttemptEnd;
use crate::lifecycle::{Input, SessionState};
use crate::planted::{PlantedBug, is_planted};

use super::MultiSessionManager;
use super::clock::PeerDeadline;
use super::session::Session;

impl MultiSessionManager {
    /// Handles every deadline of the session in slot `index` that has passed.
    pub(super) fn fire(&mut self, index: u32) {
        self.fire_login(index);
        self.fire_trial(index);
        self.fire_liveness(index);
        self.fire_attempt(index);
        self.fire_reconnect(index);
        self.fire_content(index);
        if is_planted(PlantedBug::TimerLostWhileAway) && self.table.get(index).is_some_and(Session::is_away) {
            return;
        }
        self.touch(index);
        self.ensure_progress(index);
    }

    /// What fired lies in the future now, or has produced output (law 3): anything else would spin.
    fn ensure_progress(&mut self, index: u32) {
        let now = self.clock.now();
        let Some(session) = self.table.get(index) else { return };
        let stuck = !self.due.contains(index) && self.timers.deadline_of(index).is_some_and(|at| at <= now);
        debug_assert!(!stuck, "session {} has a deadline in the past and no output", session.id);
        if stuck {
            self.timers.arm(index, now.plus_millis(1));
        }
    }

    pub(super) fn has_passed(&self, deadline: PeerDeadline) -> bool {
        deadline.ends_at(&self.clock) <= self.clock.now()
    }

    fn fire_login(&mut self, index: u32) {
        let Some(session) = self.table.get(index) else { return };
        if !session.is_logged_in() && self.has_passed(session.login.deadline) {
            self.apply(index, Input::LoginDeadline);
        }
    }

    fn fire_liveness(&mut self, index: u32) {
        let Some(session) = self.table.get(index) else { return };
        if session.is_away() || !self.has_passed(session.liveness) {
            return;
        }
        self.apply(index, Input::LivenessDeadline);
        self.resume_attempt_goes_on(index);
    }

    /// A resume handshake that completed before the path was lost counts from now on. One that was told of before goes on in silence.
    pub(super) fn resume_attempt_goes_on(&mut self, index: u32) {
        let resumes = self.table.get(index).is_some_and(|session| {
            session.state.get() == Some(SessionState::ReconnectPending)
                && session
                    .attempt
                    .as_ref()
                    .is_some_and(|attempt| attempt.origin.is_resume() && !attempt.is_announced)
        });
        if resumes {
            self.announce_resume(index);
        }
    }

    fn fire_attempt(&mut self, index: u32) {
        let Some(attempt) = self.table.get(index).and_then(|session| session.attempt.as_ref()) else {
            return;
        };
        if self.has_passed(attempt.deadline) {
            self.abandon_attempt(index, AttemptEnd::TimedOut);
        }
    }

    fn fire_reconnect(&mut self, index: u32) {
        let Some(session) = self.table.get(index) else { return };
        if session.is_away() && session.reconnect.is_some_and(|window| self.has_passed(window)) {
            self.apply(index, Input::ReconnectDeadline);
        }
    }

    fn fire_content(&mut self, index: u32) {
        let (now, unix_s) = (self.clock.now(), self.clock.unix_s());
        let Some(session) = self.table.get_mut(index) else { return };
        if session.has_live_path() {
            session.handle_content_timeout(now, unix_s);
        }
    }

    /// After anything happened to a session: lists it if it has output, and sees to it that its timer is early enough.
    pub(super) fn touch(&mut self, index: u32) {
        self.settle_if_needed(index);
        let now = self.clock.now();
        let heartbeat_micros = self.heartbeat_micros();
        let Some(session) = self.table.get(index) else { return };
        let mut next = session.peer_deadline_at(&self.clock);
        if session.has_output(now, heartbeat_micros) {
            self.due.push(index);
        } else {
            next = next.min(session.next_output(heartbeat_micros));
        }
        // A deadline that moved later is noticed when the timer fires: moving it at each packet would cost more.
        if self
            .timers
            .deadline_of(index)
            .is_none_or(|armed| next < armed && !is_planted(PlantedBug::TimerLostOnRevival))
        {
            self.timers.arm(index, next);
        }
    }

    pub(super) fn heartbeat_micros(&self) -> u64 {
        u64::from(self.config.heartbeat_ms) * 1_000
    }
}
