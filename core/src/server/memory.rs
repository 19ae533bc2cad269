//! How much memory sessions and their manager take, and how much they take at most.

use core::net::SocketAddr;

use crate::Config;
use crate::ledger::Record;
use crate::link::frame::TEXT_BYTES_MAX;
use crate::memory::{doubling_bytes_max, vec_bytes};
use crate::movement::Movement;
use crate::netcode::USER_DATA_BYTES;
use crate::timers::TimerWheel;

use super::admission::Admission;
use super::bans::Bans;
use super::content::Content;
use super::directory::Directory;
use super::due::DueSessions;
use super::inspect::SessionView;
use super::manager::MultiSessionManager;
use super::outbox::OutboxLimits;
use super::session::{
    Attempt, AttemptOrigin, RESUME_HANDSHAKES_MAX, Rejection, ResumeHandshake, Session, TakeOvers,
};
use super::table::SessionTable;
use super::way_back::ResumeLedger;

/// How much memory these settings, if they are valid, allow.
impl Config {
    /// The most memory that one session takes, in bytes, whatever its peer sends and its application queues.
    ///
    /// Per session, where payloads are framed; `lanes` is `ordered_lanes`, *L* is `lane_queue_bytes_max` and *M* is `message_bytes_max`:
    ///
    /// | what | how many | bytes each |
    /// |---|---|---|
    /// | the session, its link, its movement | 1 | about 1,400 |
    /// | sending halves of lanes | lanes + 1 | *L* copied, *L* shared by broadcasts, 7/8 *L* to refer to what is shared |
    /// | pieces that are not acknowledged | (lanes + 1) × *L* / 16 | 16 |
    /// | receiving halves of lanes | lanes | *M* of one unfinished message, 81,920 for what is held back |
    /// | pieces held back | lanes × 255 | 32 |
    /// | unreliable messages | 1 | `datagram_queue_bytes_max`, and an eighth of it for their lengths |
    /// | latest-wins values | 1 | 2 × `latest_queue_bytes_max`, and 16,384 to know what is under way |
    /// | keys of such values | `latest_keys` | 50 |
    /// | packets in flight | `packets_in_flight_max` | about 140 |
    /// | states | 1 | 1,150 |
    /// | take-overs within a minute | `take_overs_max` + 1 | 8 |
    /// | counters of refusals, once there are any | 1 | about 400 |
    /// | transitions and refusals | `session_history_max` | 32 |
    /// | handshakes on the way back | 4, and 1 that is complete | 56, and 480 |
    ///
    /// A lane that is not used takes nothing, and a queue that became empty gives back what it had beyond 65,536 bytes, as an unfinished
    /// message does when it is complete: the figure is for a session whose peer and application fill everything at once. An ordinary one
    /// takes a few kilobytes.
    #[must_use]
    pub const fn session_bytes_max(&self) -> usize {
        let attempt_bytes = size_of::<Attempt>() + USER_DATA_BYTES;
        size_of::<Session>()
            + Content::memory_bytes_max(self)
            + size_of::<Movement>()
            + Movement::memory_bytes_max()
            + attempt_bytes
            + doubling_bytes_max::<ResumeHandshake>(RESUME_HANDSHAKES_MAX)
            + ResumeLedger::memory_bytes_max()
            + TakeOvers::memory_bytes_max(self.take_overs_max as usize)
            + size_of::<Rejection>()
            + Record::memory_bytes_max(self.session_history_max)
            // Of a rejection and of a farewell.
            + 2 * TEXT_BYTES_MAX
    }

    /// The most memory that a manager with these settings takes, in bytes: all sessions at their
    /// [bound](Self::session_bytes_max), and beside them
    ///
    /// | what | how many | bytes each |
    /// |---|---|---|
    /// | counters and histories of sessions whose end waits to be polled | `sessions_max` + 1 | about 400, and 32 × `session_history_max` |
    /// | slots, timers, turns | `sessions_max` | about 60, up to twice that where it is no power of two |
    /// | addresses and identities of sessions | 7 × `sessions_max` | about 140 |
    /// | used tokens | `token_history_max` | about 300 |
    /// | handshakes under way | `handshakes_max` | about 800 |
    /// | bans | `bans_max` | about 45 |
    /// | events | 1 | 2 × `event_queue_bytes_max`; more, where one payload may set free more that was held back |
    /// | lifecycle events that wait to be polled | 8 × `sessions_max` | about 110, with user data |
    /// | answers to handshakes | 1 | 3 × `reply_queue_bytes_max` |
    /// | goodbyes that wait to leave | 2 × `sessions_max` | about 480 |
    ///
    /// It holds for a host that polls events and datagrams as the laws of the [`MultiSessionManager`] ask.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        let sessions_max = self.sessions_max as usize;
        [
            size_of::<MultiSessionManager>(),
            sessions_max.saturating_mul(self.session_bytes_max()),
            SessionTable::memory_bytes_max(sessions_max, self.session_history_max),
            DueSessions::memory_bytes_max(sessions_max),
            TimerWheel::memory_bytes_max(sessions_max),
            Directory::memory_bytes_max(sessions_max),
            Admission::memory_bytes_max(self),
            Bans::memory_bytes_max(self.bans_max as usize),
            OutboxLimits::of(self).memory_bytes_max(),
            PUBLIC_ADDRESSES_MAX * size_of::<SocketAddr>(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// As [`Config::validate`] checks.
const PUBLIC_ADDRESSES_MAX: usize = 32;

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
            + self.outbox.memory_bytes()
            + vec_bytes(&self.config.public_addresses)
    }
}

impl SessionView<'_> {
    /// The memory this session takes, in bytes, by what its queues have room for; never more than [`Config::session_bytes_max`]. Of a
    /// message that was broadcast it counts its part.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Session>() + self.0.memory_bytes()
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
