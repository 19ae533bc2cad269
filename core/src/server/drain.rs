//! Taking one's leave: no newcomers, everybody who is in is told, and an end.

use core::fmt;
use core::net::SocketAddr;

use crate::Timestamp;
use crate::config::is_reachable;
use crate::event::Event;
use crate::lifecycle::DisconnectReason;
use crate::link::control::Control;
use crate::link::frame::Draining;

use super::MultiSessionManager;
use super::manager::{Deadline, DeadlineCause};

/// How a server takes its leave, and what its players are told of it (PROTOCOL.md, section 12).
///
/// The default has no deadline, code 0, and names no other address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drain {
    /// For how long players may stay, in milliseconds from now; whoever is left then is ended as
    /// [`DisconnectReason::Drained`]. Neither a stall of the host nor [`set_hold`](MultiSessionManager::set_hold) prolongs it. `None`: as long as
    /// they like.
    pub within_ms: Option<u64>,
    /// The host's own code for the cause, which players are told.
    pub code: u32,
    /// Where players may go instead. They are told and decide; a connect token for it is the backend's to give.
    pub other_address: Option<SocketAddr>,
}

impl Drain {
    /// Checks that what players would be told makes sense.
    pub fn validate(&self) -> Result<(), DrainError> {
        match self.other_address.filter(|address| !is_reachable(address)) {
            Some(address) => Err(DrainError::UnreachableAddress(address)),
            None => Ok(()),
        }
    }
}

/// Why a drain cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrainError {
    /// Nobody can reach that address: it is a wildcard, or its port is 0.
    UnreachableAddress(SocketAddr),
    /// The last session has ended and that was told: there is nobody left to drain.
    AlreadyDrained,
}

/// How far a server is in taking its leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrainState {
    /// It is not: newcomers are let in.
    #[default]
    Serving,
    /// New identities are denied; who is in stays, and may come back.
    Draining {
        /// When whoever is left is ended; `None` if nobody is.
        deadline: Option<Timestamp>,
        /// The host's own code for the cause.
        code: u32,
        /// Where players may go instead.
        other_address: Option<SocketAddr>,
    },
    /// Nobody is left, which [`Event::Drained`] told, and nobody is let in any more.
    Drained,
}

/// What the manager keeps of it.
#[derive(Debug, Default)]
pub(super) struct Leave {
    state: DrainState,
    /// Counts what players were told, from 1.
    announcement: u64,
    /// How many sessions the deadline or a shutdown ended.
    ended: u32,
}

impl Leave {
    /// Whether identities without a session are denied.
    pub(super) fn denies_newcomers(&self) -> bool {
        self.state != DrainState::Serving
    }

    /// When whoever is left has to go; `None` if nobody has to.
    fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            DrainState::Draining { deadline, .. } => deadline,
            _ => None,
        }
    }

    /// What a player is told now, if anything.
    pub(super) fn notice(&self, now: Timestamp) -> Option<Draining> {
        let DrainState::Draining { deadline, code, other_address } = self.state else { return None };
        let remaining_ms = deadline.map(|deadline| deadline.micros_since(now) / 1_000);
        Some(Draining { announcement: self.announcement, code, remaining_ms, other_address })
    }
}

impl MultiSessionManager {
    /// Takes leave: identities without a session are denied from now on. Sessions go on, and their players may come back, until the
    /// last one has left or the deadline comes; then [`Event::Drained`] tells that nobody is left.
    ///
    /// Everybody who is in is told, and told again after each way back to a session; where payloads are raw, nobody is, for want of
    /// frames. To call it again replaces what was said before, deadline included, and tells everybody anew. There is no way back to
    /// serving: who was told to go may have gone.
    pub fn drain(&mut self, now: Timestamp, drain: Drain) -> Result<(), DrainError> {
        self.enter(now);
        drain.validate()?;
        let Drain { within_ms, code, other_address } = drain;
        if self.leave.state == DrainState::Drained {
            return Err(DrainError::AlreadyDrained);
        }
        let deadline = within_ms.map(|millis| self.clock.now().plus_millis(millis));
        self.leave.state = DrainState::Draining { deadline, code, other_address };
        self.leave.announcement += 1;
        for index in 0..self.table.index_end() {
            self.tell_drain(index);
            self.touch(index);
        }
        Ok(())
    }

    /// How far the server is in taking its leave.
    #[must_use]
    pub fn drain_state(&self) -> DrainState {
        self.leave.state
    }

    /// Ends every session and refuses new ones. The goodbyes are then waiting in [`poll_transmit`](Self::poll_transmit), the
    /// `Disconnected` events in [`poll_event`](Self::poll_event), and after them [`Event::Drained`].
    pub fn shutdown(&mut self, now: Timestamp) {
        self.enter(now);
        if self.leave.state == DrainState::Serving {
            let Drain { code, other_address, .. } = Drain::default();
            self.leave.state = DrainState::Draining { deadline: None, code, other_address };
        }
        self.end_all(DisconnectReason::Shutdown);
    }

    /// Ends whoever is left when the deadline has come.
    pub(super) fn fire_drain(&mut self) {
        if self.leave.deadline().is_none_or(|deadline| deadline > self.clock.now()) {
            return;
        }
        if let DrainState::Draining { deadline, .. } = &mut self.leave.state {
            *deadline = None;
        }
        self.end_all(DisconnectReason::Drained);
    }

    fn end_all(&mut self, reason: DisconnectReason) {
        let before = self.table.live();
        for index in 0..self.table.index_end() {
            self.end(index, reason);
        }
        let ended = before.saturating_sub(self.table.live());
        self.leave.ended = self.leave.ended.saturating_add(u32::try_from(ended).unwrap_or(u32::MAX));
    }

    /// Queues the announcement for one session, if there is one.
    pub(super) fn tell_drain(&mut self, index: u32) {
        if !matches!(self.leave.state, DrainState::Draining { .. }) {
            return;
        }
        let announcement = self.leave.announcement;
        if let Some(session) = self.table.get_mut(index) {
            session.queue_control(Control::Draining(announcement));
        }
    }

    /// Whether it is to be told that nobody is left.
    pub(super) fn is_drain_over(&self) -> bool {
        matches!(self.leave.state, DrainState::Draining { .. }) && self.table.live() == 0
    }

    /// Tells once that nobody is left, after everything else there was to tell.
    pub(super) fn poll_drained(&mut self) -> Option<Event> {
        if !self.is_drain_over() {
            return None;
        }
        self.leave.state = DrainState::Drained;
        Some(Event::Drained { at: self.clock.now(), ended: self.leave.ended })
    }

    /// When the drain ends whoever is left.
    pub(super) fn drain_deadline(&self) -> Option<Deadline> {
        let at = self.leave.deadline().filter(|&at| at < Timestamp::NEVER)?;
        Some(Deadline { at, cause: DeadlineCause::Drain })
    }
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnreachableAddress(address) => write!(f, "nobody can reach {address}"),
            Self::AlreadyDrained => f.write_str("the server is drained already"),
        }
    }
}

impl core::error::Error for DrainError {}
