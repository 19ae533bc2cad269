//! Every bound of memory in one table: what it is set to, what it costs, and what happens when it is reached.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use crate::ledger::Record;
use crate::link::lane::{LaneReceivers, LaneSenders};
use crate::link::latest::{LatestReceiver, LatestSender};
use crate::link::{LinkLimits, RECORD_BYTES};
use crate::server::admission::Admission;
use crate::server::bans::BanList;
use crate::server::budget::{EXEMPT_PREFIXES_MAX, UnprovedBudget};
use crate::server::directory::Directory;
use crate::server::due::DueSessions;
use crate::server::manager::MultiSessionManager;
use crate::server::outbox::OutboxLimits;
use crate::server::pool::MemoryPool;
use crate::server::search_budget::SearchBudget;
use crate::server::session::TakeOvers;
use crate::server::table::SessionTable;
use crate::timers::TimerWheel;
use crate::{ClientId, Config, Payloads, Prefix};

/// As [`Config::validate`] checks.
const PUBLIC_ADDRESSES_MAX: usize = 32;

/// One bound of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBound {
    /// The field of [`Config`] that sets it.
    pub name: &'static str,
    /// What it is set to, in the unit of that field.
    pub value: u64,
    /// The memory that it allows, in bytes.
    pub bytes: usize,
    /// What happens when it is reached.
    pub at_bound: &'static str,
}

/// The bounds of a server's memory, and those of each session's. Its `Display` is a table, with the bytes of each.
///
/// What they are by default:
///
#[doc = include_str!("report.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    server: Vec<MemoryBound>,
    session: Vec<MemoryBound>,
}

impl MemoryReport {
    /// The bounds that together are the ceiling of the server's memory.
    #[must_use]
    pub fn server(&self) -> &[MemoryBound] {
        &self.server
    }

    /// The bounds within one session. They may all be reached at once only as far as its quota and the pool go.
    #[must_use]
    pub fn session(&self) -> &[MemoryBound] {
        &self.session
    }

    /// The ceiling of the server's memory, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.server.iter().map(|bound| bound.bytes).fold(0, usize::saturating_add)
    }
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| of the server | is | bytes at most | at the bound |")?;
        writeln!(f, "|---|---|---|---|")?;
        self.server.iter().try_for_each(|bound| bound.fmt(f))?;
        writeln!(f, "| in all | | {} | |", self.total_bytes())?;
        writeln!(f)?;
        writeln!(f, "| of one session | is | bytes at most | at the bound |")?;
        writeln!(f, "|---|---|---|---|")?;
        self.session.iter().try_for_each(|bound| bound.fmt(f))
    }
}

impl fmt::Display for MemoryBound {
    /// One row of the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, bytes, at_bound } = self;
        writeln!(f, "| `{name}` | {value} | {bytes} | {at_bound} |")
    }
}

impl Config {
    /// Every bound of memory, what it costs with these settings, and what happens when it is reached.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        let session = match self.payloads {
            Payloads::Framed => self.framed_bounds(),
            Payloads::Raw => self.raw_bounds(),
        };
        MemoryReport { server: self.server_bounds(), session: [session, self.session_bounds()].concat() }
    }

    fn server_bounds(&self) -> Vec<MemoryBound> {
        let sessions = self.sessions_max as usize;
        let outbox = OutboxLimits::of(self);
        let unbounded = self.session_bytes_unbounded();
        let own = unbounded.min(self.session_quota_bytes);
        let shared = sessions.saturating_mul(unbounded - own).min(self.pool_bytes_max);
        let slots = self.slots_max();
        let places = SessionTable::memory_bytes_max(slots, self.session_history_max)
            + DueSessions::memory_bytes_max(slots)
            + TimerWheel::memory_bytes_max(slots)
            + Directory::memory_bytes_max(sessions)
            + MemoryPool::memory_bytes_max(sessions)
            + outbox.per_session_bytes_max();
        let tokens = Admission::history_bytes_max(self);
        vec![
            bound(
                "sessions_max",
                sessions,
                places,
                "a newcomer is denied (`DenyReason::Full`), or gets the place of the longest away (`at_capacity`)",
            ),
            bound(
                "session_quota_bytes",
                self.session_quota_bytes,
                sessions.saturating_mul(own),
                "a session takes of the pool",
            ),
            bound(
                "pool_bytes_max",
                self.pool_bytes_max,
                shared,
                "payloads are not acknowledged whose messages would need more (`DropReason::SessionMemory`), messages and \
                 values are refused (`SendError::NoMemory`), the oldest datagrams go",
            ),
            bound(
                "session_cap_bytes",
                self.session_cap_bytes,
                self.session_bytes_max(),
                "as for the pool; so much is added to the ceiling for what is moved while it grows",
            ),
            bound(
                "handshakes_max",
                self.handshakes_max as usize,
                Admission::memory_bytes_max(self) - tokens,
                "requests are dropped (`DropReason::HandshakesFull`)",
            ),
            bound(
                "token_history_max",
                self.token_history_max as usize,
                tokens,
                "requests are dropped (`DropReason::TokenHistoryFull`)",
            ),
            bound(
                "bans_max",
                self.bans_max as usize,
                BanList::<ClientId>::memory_bytes_max(self.bans_max as usize),
                "`BanError::Full`",
            ),
            bound(
                "prefix_bans_max",
                self.prefix_bans_max as usize,
                BanList::<Prefix>::memory_bytes_max(self.prefix_bans_max as usize),
                "`BanError::Full`",
            ),
            bound(
                "port_searches_per_s",
                self.port_searches_per_s as usize,
                SearchBudget::memory_bytes(),
                "packets from unknown ports are dropped (`DropReason::SearchesSpent`); the shares of IP addresses take the same for any figure",
            ),
            bound(
                "event_queue_bytes_max",
                self.event_queue_bytes_max,
                outbox.events_bytes_max(),
                "payloads are not acknowledged (`DropReason::EventsFull`), events that may be lost are",
            ),
            bound(
                "reply_queue_bytes_max",
                self.reply_queue_bytes_max,
                outbox.replies_bytes_max(),
                "requests are dropped (`DropReason::RepliesFull`)",
            ),
            bound(
                "exempt_prefixes",
                self.exempt_prefixes.len(),
                UnprovedBudget::memory_bytes_max() + EXEMPT_PREFIXES_MAX * size_of::<Prefix>(),
                "`ConfigError::ExemptPrefixes` beyond 32; the shares of all prefixes are counted here",
            ),
            bound(
                "public_addresses",
                self.public_addresses.len(),
                size_of::<MultiSessionManager>() + PUBLIC_ADDRESSES_MAX * size_of::<SocketAddr>(),
                "`ConfigError::PublicAddresses` beyond 32; the manager itself is counted here",
            ),
        ]
    }

    /// What both kinds of payloads have.
    fn session_bounds(&self) -> Vec<MemoryBound> {
        let take_overs = self.take_overs_max as usize;
        vec![
            bound(
                "take_overs_max",
                take_overs,
                TakeOvers::memory_bytes_max(take_overs),
                "the session ends (`DisconnectReason::Contested`)",
            ),
            bound(
                "session_history_max",
                self.session_history_max.into(),
                Record::memory_bytes_max(self.session_history_max),
                "the oldest entry goes",
            ),
            bound(
                "session_quota_bytes",
                self.session_quota_bytes,
                self.session_fixed_bytes(),
                "of its quota so much is fixed, for what is never refused",
            ),
        ]
    }

    fn raw_bounds(&self) -> Vec<MemoryBound> {
        let bytes = self.session_bytes_unbounded() - self.session_fixed_bytes();
        vec![bound(
            "datagram_queue_bytes_max",
            self.datagram_queue_bytes_max,
            bytes,
            "the oldest payload goes",
        )]
    }

    fn framed_bounds(&self) -> Vec<MemoryBound> {
        let limits: LinkLimits = self.link_limits();
        let lanes = usize::from(self.ordered_lanes);
        let messages = lanes * self.message_bytes_max as usize;
        let keys = LatestSender::memory_bytes_max(0, self.latest_keys)
            + LatestReceiver::memory_bytes_max(self.latest_keys);
        vec![
            bound(
                "ordered_lanes",
                lanes,
                LaneSenders::places_bytes_max(&limits) + LaneReceivers::places_bytes_max(&limits),
                "`SendError::NoSuchLane`; of the peer `Violation::NoSuchLane`",
            ),
            bound(
                "lane_queue_bytes_max",
                self.lane_queue_bytes_max,
                LaneSenders::memory_bytes_max(&limits) - LaneSenders::places_bytes_max(&limits),
                "`SendError::Full`",
            ),
            bound(
                "lane_window_bytes",
                self.lane_window_bytes as usize,
                LaneReceivers::memory_bytes_max(&limits)
                    - LaneReceivers::places_bytes_max(&limits)
                    - messages,
                "messages wait; what the peer sends beyond is `Violation::BeyondWindow` or `Violation::HoldBackFull`",
            ),
            bound(
                "message_bytes_max",
                self.message_bytes_max as usize,
                messages,
                "`SendError::Size`; of the peer `Violation::MessageTooLong`",
            ),
            bound(
                "datagram_queue_bytes_max",
                self.datagram_queue_bytes_max,
                limits.datagrams_bytes_max(),
                "the oldest datagram goes",
            ),
            bound(
                "latest_keys",
                self.latest_keys.into(),
                keys,
                "`SendError::NoSuchKey`; of the peer `Violation::NoSuchKey`",
            ),
            bound(
                "latest_queue_bytes_max",
                self.latest_queue_bytes_max,
                2 * self.latest_queue_bytes_max,
                "`SendError::Full`",
            ),
            bound(
                "packets_in_flight_max",
                self.packets_in_flight_max.into(),
                usize::from(self.packets_in_flight_max) * RECORD_BYTES,
                "what is reliable waits",
            ),
            bound("state_bytes_max", self.state_bytes_max, self.state_bytes_max, "`SendError::Size`"),
        ]
    }
}

const fn bound(name: &'static str, value: usize, bytes: usize, at_bound: &'static str) -> MemoryBound {
    MemoryBound { name, value: value as u64, bytes, at_bound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use alloc::format;
    use alloc::string::String;

    fn config() -> Config {
        Config::new(1, Key::new([7; 32]), "203.0.113.1:40000".parse().unwrap())
    }

    /// The table without bytes, which are not the same on every machine.
    fn table() -> String {
        let report = config().memory_report();
        let row =
            |bound: &MemoryBound| format!("| `{}` | {} | {} |\n", bound.name, bound.value, bound.at_bound);
        let rows = |bounds: &[MemoryBound]| bounds.iter().map(row).collect::<String>();
        let [server, session] = ["the server", "one session"]
            .map(|whose| format!("| of {whose} | default | at the bound |\n|---|---|---|\n"));
        format!("{server}{}\n{session}{}", rows(report.server()), rows(report.session()))
    }

    #[test]
    fn the_published_table_is_what_the_report_says() {
        let published = include_str!("report.md");
        let actual = table();
        if published != actual {
            std::println!("{actual}");
        }
        assert_eq!(published, actual, "core/src/server/memory/report.md must hold what is printed above");
    }

    #[test]
    fn the_ceiling_is_what_sessions_are_sure_of_the_pool_and_little_more() {
        let report = config().memory_report();
        let total = report.total_bytes();
        assert_eq!(total, config().memory_bytes_max());
        assert!(total < 200 << 20, "{total}");
        let without_pool = Config { pool_bytes_max: config().pool_bytes_max / 2, ..config() };
        assert_eq!(without_pool.memory_bytes_max(), total - config().pool_bytes_max / 2);
    }
}
