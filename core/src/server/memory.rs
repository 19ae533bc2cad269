//! How much memory sessions and their manager take, and how much they take at most.

mod report;

pub use report::{MemoryBound, MemoryReport};

use crate::Config;
use crate::ledger::Record;
use crate::link::frame::TEXT_BYTES_MAX;
use crate::memory::{doubling_bytes_max, vec_bytes};
use crate::movement::Movement;
use crate::netcode::USER_DATA_BYTES;

use super::content::Content;
use super::inspect::SessionView;
use super::manager::MultiSessionManager;
use super::search_budget::SearchBudget;
use super::session::{
    Attempt, AttemptOrigin, RESUME_HANDSHAKES_MAX, Rejection, ResumeHandshake, Session, TakeOvers,
};
use super::trial_path::TrialPath;
use super::way_back::ResumeLedger;

/// How much memory these settings, if they are valid, allow: [`memory_report`](Self::memory_report) says for what, and what happens at each bound.
impl Config {
    /// The most memory that one session takes, in bytes, whatever its peer sends and its application queues: its
    /// [cap](Self::session_cap_bytes), or less where its own bounds do not allow that much.
    ///
    /// That is for a session whose peer and application fill everything at once. An ordinary one takes a few kilobytes.
    #[must_use]
    pub const fn session_bytes_max(&self) -> usize {
        let unbounded = self.session_bytes_unbounded();
        if unbounded < self.session_cap_bytes { unbounded } else { self.session_cap_bytes }
    }

    /// The memory that is fixed for a session, in bytes, and counts as its own from the beginning: for what is never refused, so that no session is ever at a
    /// standstill.
    #[must_use]
    pub const fn session_fixed_bytes(&self) -> usize {
        size_of::<Session>() + Content::fixed_bytes(self) + session_beside_content_bytes_max(self)
    }

    /// What a session would take if memory had no bounds but those of its queues.
    pub(crate) const fn session_bytes_unbounded(&self) -> usize {
        size_of::<Session>() + Content::memory_bytes_max(self) + session_beside_content_bytes_max(self)
    }

    /// The most memory that a manager with these settings takes, in bytes: the ceiling. It is the sum of the server's part of the
    /// [report](Self::memory_report).
    ///
    /// It holds for a host that polls events and datagrams as the laws of the [`MultiSessionManager`] ask.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        self.memory_report().total_bytes()
    }
}

/// What a session takes at most beside its place and its content.
const fn session_beside_content_bytes_max(config: &Config) -> usize {
    size_of::<Movement>()
        + Movement::memory_bytes_max()
        + size_of::<Attempt>()
        + USER_DATA_BYTES
        + size_of::<TrialPath>()
        + doubling_bytes_max::<ResumeHandshake>(RESUME_HANDSHAKES_MAX)
        + ResumeLedger::memory_bytes_max()
        + TakeOvers::memory_bytes_max(config.take_overs_max as usize)
        + size_of::<Rejection>()
        + Record::memory_bytes_max(config.session_history_max)
        // Of a rejection and of a farewell.
        + 2 * TEXT_BYTES_MAX
}

impl MultiSessionManager {
    /// The memory this manager takes, in bytes, all sessions and queues included; never more than [`Config::memory_bytes_max`].
    ///
    /// It counts what containers have room for rather than what is in them, and visits every session: for a status page, not for a
    /// loop.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let sessions: usize = self.table.iter().map(Session::memory_bytes).sum();
        size_of::<Self>()
            + sessions
            + self.table.memory_bytes()
            + self.due.memory_bytes()
            + self.timers.memory_bytes()
            + self.directory.memory_bytes()
            + self.admission.memory_bytes()
            + self.bans.memory_bytes()
            + self.pool.memory_bytes()
            + SearchBudget::memory_bytes()
            + self.budget.memory_bytes()
            + self.outbox.memory_bytes()
            + vec_bytes(&self.config.public_addresses)
            + vec_bytes(&self.config.exempt_prefixes)
    }
}

impl SessionView<'_> {
    /// The memory this session takes, in bytes, by what its queues have room for; never more than [`Config::session_bytes_max`]. Of a
    /// message that was broadcast it counts its part, while all of it counts where memory is refused.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Session>() + self.0.memory_bytes()
    }

    /// The memory that counts as this session's own, in bytes, against its quota, its cap and the pool: what is fixed for it, what its queues have room
    /// for, and what is promised to them. Never less than [`memory_bytes`](Self::memory_bytes).
    #[must_use]
    pub const fn charged_bytes(&self) -> usize {
        self.0.account.total_bytes()
    }
}

impl Session {
    /// The memory it takes beyond its own place.
    fn memory_bytes(&self) -> usize {
        let movement =
            self.movement.as_ref().map_or(0, |movement| size_of::<Movement>() + movement.memory_bytes());
        let rejection = self
            .login
            .rejection
            .as_ref()
            .map_or(0, |rejection| size_of::<Rejection>() + rejection.text.len());
        self.content.memory_bytes()
            + movement
            + self.attempt.as_deref().map_or(0, Attempt::memory_bytes)
            + self.trial.as_deref().map_or(0, size_of_val::<TrialPath>)
            + vec_bytes(&self.resume_handshakes)
            + self.tokens.memory_bytes()
            + self.take_overs.memory_bytes()
            + rejection
            + self.record.as_deref().map_or(0, Record::memory_bytes)
            + self.farewell_detail.len()
    }
}

impl Attempt {
    /// The memory it takes, its own place included.
    fn memory_bytes(&self) -> usize {
        let user_data = match &self.origin {
            AttemptOrigin::Resume { .. } => 0,
            AttemptOrigin::Backend { user_data, .. } => size_of_val::<[u8; USER_DATA_BYTES]>(user_data),
        };
        size_of::<Self>() + user_data
    }
}
