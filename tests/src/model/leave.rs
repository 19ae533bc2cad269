//! A server that takes its leave: until when whoever is left may stay, and when nobody is.

use rejoin::lifecycle::DisconnectReason;
use rejoin::{Drain, DrainState, Event, Timestamp};

use super::Model;
use crate::laws::{Violation, ensure};

/// How far the server is in taking its leave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leave {
    state: DrainState,
    /// How many sessions it ended itself.
    ended: u32,
}

impl Leave {
    pub(super) fn denies_newcomers(self) -> bool {
        self.state != DrainState::Serving
    }

    pub(super) const fn state(self) -> DrainState {
        self.state
    }

    /// When whoever is left is ended.
    pub(super) fn deadline(self) -> Timestamp {
        match self.state {
            DrainState::Draining { deadline: Some(deadline), .. } => deadline,
            _ => Timestamp::NEVER,
        }
    }

    /// Whether a drain can begin, or another one take its place.
    pub(super) fn can_be(self, drain: &Drain) -> bool {
        let is_reachable =
            drain.other_address.is_none_or(|address| address.port() != 0 && !address.ip().is_unspecified());
        is_reachable && self.state != DrainState::Drained
    }
}

impl Model {
    /// The newest drain counts.
    pub(super) fn drain(&mut self, drain: &Drain) {
        let Drain { within_ms, code, other_address } = *drain;
        let deadline = within_ms.map(|millis| self.now.plus_millis(millis));
        self.leave.state = DrainState::Draining { deadline, code, other_address };
        self.quiet_until = self.quiet_until.min(self.leave.deadline());
    }

    pub(super) fn shutdown(&mut self) {
        if self.leave.state == DrainState::Serving {
            self.drain(&Drain::default());
        }
        self.end_everybody(DisconnectReason::Shutdown);
    }

    /// The deadline of the drain has come.
    pub(super) fn fire_leave(&mut self) {
        if self.leave.deadline() <= self.now {
            if let DrainState::Draining { deadline, .. } = &mut self.leave.state {
                *deadline = None;
            }
            self.end_everybody(DisconnectReason::Drained);
        }
    }

    fn end_everybody(&mut self, reason: DisconnectReason) {
        while let Some(id) = self.sessions.keys().next().copied() {
            self.end(id, reason);
            self.leave.ended += 1;
        }
    }

    /// Whether it is to be told that nobody is left.
    pub(super) fn is_left_by_all(&self) -> bool {
        matches!(self.leave.state, DrainState::Draining { .. }) && self.sessions.is_empty()
    }

    /// It is told that nobody is left: once, and as the last thing there is to tell.
    pub(super) fn hear_drained(&mut self, event: &Event) -> Result<(), Violation> {
        let is_last = self.heard == self.expected.len() && self.is_left_by_all();
        let expected = Event::Drained { at: self.now, ended: self.leave.ended };
        ensure(is_last && *event == expected, || {
            format!("told {event:?}, with {} sessions left; {expected:?}", self.sessions.len())
        })?;
        self.leave.state = DrainState::Drained;
        Ok(())
    }
}
