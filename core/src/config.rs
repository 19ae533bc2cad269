//! What an embedder decides, checked once.

use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use crate::lifecycle::{DuplicateIdentity, LifecyclePolicy, LoginPolicy};
use crate::link::LinkLimits;
use crate::link::lane::LaneWindow;
use crate::netcode::Key;
use crate::planted::{PlantedBug, is_planted};
use crate::prefix::Prefix;
use crate::rate::Rate;
use crate::server::{BURST_OPENS_MIN, EXEMPT_PREFIXES_MAX};

/// What netcode payloads carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Payloads {
    /// The message layer of `PROTOCOL.md`: lanes, latest-wins values, login, heartbeats, moves, state, resume tokens.
    #[default]
    Framed,
    /// The application's own bytes, 1 to 1,200 of them, for foreign netcode clients. The token is the login.
    Raw,
}

/// Whether the private key was in use before this start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyHistory {
    /// It may have been: tokens that could have been used before the start are refused.
    ///
    /// Tokens tell time in whole seconds. One that is made in the very second of the start and has the longest lifetime is taken, so that
    /// a server which has just started can be joined: it could have been used before only if the server came back within that second.
    #[default]
    Reused,
    /// It was drawn at this start.
    Fresh,
}

/// What a newcomer with a good token meets where all places are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtCapacity {
    /// It is denied.
    #[default]
    Deny,
    /// It gets the place of the player who has been away the longest: that session ends as
    /// [`PlaceGivenUp`](crate::lifecycle::DisconnectReason::PlaceGivenUp) when the newcomer's handshake is complete. Only a session in `ReconnectPending` gives its place up, one whose
    /// player is in the game, or has a handshake that waits for its confirmation, never does; where there is none the newcomer is denied.
    GiveUpLongestAway,
}

/// The settings of a [`MultiSessionManager`](crate::MultiSessionManager).
///
/// Make one with [`Config::new`] and change what differs; the manager checks it when it is made. Each field says its unit, its range and,
/// where it costs memory, how much; [`session_bytes_max`](Self::session_bytes_max) and [`memory_bytes_max`](Self::memory_bytes_max) add it
/// all up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The game and its version; both ends must have the same. Any number.
    pub protocol_id: u64,
    /// The key shared with the backend that makes connect tokens.
    pub private_key: Key,
    /// Whether `private_key` was in use before this start. Default: `Reused`.
    pub key_history: KeyHistory,
    /// The addresses by which clients reach this server, 1 to 32: tokens must name one of them, and resume tokens list them.
    pub public_addresses: Vec<SocketAddr>,
    /// What payloads carry. Default: `Framed`.
    pub payloads: Payloads,
    /// Who decides that a player is logged in. Default: `Explicit`; must be `TokenIsLogin` where payloads are raw.
    pub login: LoginPolicy,
    /// What a second login of the same identity does. Default: `TakeOver`.
    pub duplicate_identity: DuplicateIdentity,
    /// Sessions at most, 1 to 16,777,216. Default 1,024.
    pub sessions_max: u32,
    /// Milliseconds between heartbeats, 10 to 60,000. Default 500.
    pub heartbeat_ms: u32,
    /// The shortest silence that can end a path, in milliseconds, 100 to `timeout_max_ms`, and more than
    /// `heartbeat_ms`. A token's timeout is raised to it. Default 1,000.
    pub timeout_min_ms: u32,
    /// The longest silence that a path survives, in milliseconds, up to 3,600,000, and more than `heartbeat_ms`. A token's timeout is
    /// lowered to it. Default 10,000.
    pub timeout_max_ms: u32,
    /// How long a session waits for its player, in milliseconds, 1 to 86,400,000. `None`: a lost path ends the session. Default 60,000.
    pub reconnect_window_ms: Option<u32>,
    /// How long a peer may hold a slot without logging in, in milliseconds, 1 to 3,600,000. Default 10,000.
    pub login_timeout_ms: u32,
    /// Login attempts of one session, 1 to 255. Default 3.
    pub login_attempts_max: u32,
    /// The longest lifetime of a backend token, in seconds, 1 to 86,400. Default 45.
    pub token_lifetime_max_s: u32,
    /// How far the backend's clock may be ahead of this server's, in seconds, up to 3,600. Default 5.
    pub clock_skew_s: u32,
    /// Handshakes under way at most, 1 to 1,048,576; about 800 bytes each. Default 1,024.
    pub handshakes_max: u32,
    /// Unexpired backend tokens remembered at most, `handshakes_max` to 16,777,216; about 300 bytes each. Default 65,536.
    pub token_history_max: u32,
    /// Banned identities at most, 1 to 16,777,216; about 45 bytes each. Default 65,536.
    pub bans_max: u32,
    /// The game's ticks a second, 1 to 1,000. Default 60.
    pub tick_hz: u32,
    /// How far a move input may be ahead of the reference, in ticks, 1 to 65,536. Default 120.
    pub move_ticks_ahead_max: u64,
    /// The longest state published for one session, in bytes, 0 to 1,150. Default 1,150.
    pub state_bytes_max: usize,
    /// Reliable, ordered lanes of a session in each direction, 1 to 16. Default 4. One that is used holds back at most
    /// `lane_window_bytes` of what it receives and what has come of one unfinished message; one that is not takes no memory.
    pub ordered_lanes: u8,
    /// The longest message on a lane, in either direction, in bytes, 1 to 16,777,216; one that is longer than `lane_queue_bytes_max`
    /// cannot be sent. Default 262,144.
    pub message_bytes_max: u32,
    /// How far a lane's sender may be ahead of its receiver, in either direction, in bytes, 16,384 to 1,048,576. A lane moves at most this much
    /// in a round trip, and may hold as much back. Default 131,072.
    pub lane_window_bytes: u32,
    /// Reliable messages queued on one lane of one session, in bytes, 1,200 to 16,777,216, and at most one for each 16 of them; a session has `ordered_lanes` such queues
    /// and one for the lane without order, each of which takes memory only when it is used. Default 262,144.
    pub lane_queue_bytes_max: usize,
    /// Unreliable messages queued for one session, in bytes, 1,200 to 16,777,216, and at most one for each 16 of them; the oldest goes
    /// first. Default 16,384.
    pub datagram_queue_bytes_max: usize,
    /// Keys for latest-wins values of a session in each direction, 0 to 65,535. Default 256. A session that uses them takes 40 bytes for
    /// each key up to the highest that was sent, and 8 for each up to the highest that was received.
    pub latest_keys: u16,
    /// Latest-wins values of one session that its player has not acknowledged, in bytes, with 4 beside each value, 1,200 to 16,777,216;
    /// their memory is at most twice that. Default 65,536.
    pub latest_queue_bytes_max: usize,
    /// Packets of one session whose fate is remembered until they are acknowledged or lost, 16 to 8,192; about 140 bytes each, taken
    /// as they are needed. While so many are under way, reliable messages wait. Default 1,024.
    pub packets_in_flight_max: u16,
    /// Bytes that are sent to one session at most, in a second, 8,000 to 4,294,967,295, each packet counted with 53 bytes of headers. Inputs and states go
    /// first, reliable messages take what they leave; when even they are more, datagrams are dropped, and of states only the newest leave. Only where
    /// payloads are framed. `None`, the default: as many as the path carries.
    pub bandwidth_max_bytes_per_s: Option<u32>,
    /// Bytes of events that wait for `poll_event`, with the events themselves, 1,200 to 268,435,456. A payload that does not fit is
    /// refused, as is one whose session has more in the queue than is free; one that fits may pass the bound by the events it brings forth, at most one for two of its bytes and one for each
    /// message its lanes held back. Default 1,048,576.
    pub event_queue_bytes_max: usize,
    /// Bytes of handshake answers that wait for `poll_transmit`, 1,200 to 268,435,456. Default 262,144.
    pub reply_queue_bytes_max: usize,
    /// Lateness of the host, in milliseconds, above which deadlines are shifted, 10 to 60,000. Default 250.
    pub stall_threshold_ms: u32,
    /// The most that one deadline of one session is shifted, in milliseconds, up to 3,600,000. Default 30,000.
    pub stall_credit_max_ms: u32,
    /// Protocol violations that a session survives, 0 to 1,000. Default 8.
    pub violations_max: u32,
    /// Take-overs of a live path by another process within 60 seconds that a session survives, 1 to 1,000: two who hold the tokens of one
    /// identity take it from each other without end. A client that takes over its own path, whose lanes go on, is none of them; where payloads
    /// are raw one process cannot be told from another, and each take-over counts. Default 3.
    pub take_overs_max: u32,
    /// Whether heartbeats are events. Default: no.
    pub heartbeat_events: bool,
    /// Entries in the history of each session, 0 to 255: its last transitions and refusals, for [`SessionRecord::history`](crate::ledger::SessionRecord::history). About
    /// 32 bytes each, and 400 beside them where there are any. Default 0.
    pub session_history_max: u8,
    /// Memory that each session is sure of, whatever others do, in bytes: at least what is [fixed](Self::session_fixed_bytes) for a session and 4,096, up to
    /// 1,073,741,824. Default 65,536.
    pub session_quota_bytes: usize,
    /// The most memory that one session takes, in bytes, what it has of the pool included: at least its quota and, where sessions need the pool, the longest
    /// message; up to 4,294,967,295. Default 2,097,152.
    pub session_cap_bytes: usize,
    /// Memory that all sessions together take beyond their quotas, in bytes: at least twice the longest message where sessions need the pool; up to
    /// 1,099,511,627,776. A session takes of it until it has as much as is left. Default 67,108,864.
    pub pool_bytes_max: usize,
    /// How long a session may have memory of the pool for a message that is not complete while others are refused it, in milliseconds, 1 to
    /// 3,600,000. Default 30,000.
    pub pool_grant_ms: u32,
    /// What a newcomer meets where all places are taken. Default: `Deny`.
    pub at_capacity: AtCapacity,
    /// How much is done in a second to find the sessions of packets that come from unknown ports of IP addresses which have sessions, 0 to 1,000,000: a
    /// search counts, and so does each session that a packet is tried on, under a microsecond of work. One IP address gets a quarter. A player whose
    /// router changes its port is followed by that; 0: nobody is, and comes back as after any loss. Only where payloads are framed: a raw client does not
    /// answer the question whether it is there. Default 4,000.
    pub port_searches_per_s: u32,
    /// What requests, responses and packets that do not open may cost in a second, all together and from all the world, in opens of a small
    /// packet, of about 0.4 microseconds each: 1,000 to 100,000,000. A request costs 8, so the default of 100,000 lets 12,500 players a second
    /// ask to come in, for 4 % of a core. When it is gone, prefixes that spent little and those who come back are served first.
    pub unproved_opens_per_s: u32,
    /// What of it may be spent at once after a quiet time, 1,024 to 100,000,000. Half of it is kept back for prefixes that spent little
    /// and for those who come back. Default 100,000.
    pub unproved_opens_burst: u32,
    /// Prefixes of proxies and load balancers, behind which everybody comes from one address, at most 32: each of their addresses, with
    /// its port, has a share of its own when the budget of the unproved is gone. Default: none.
    pub exempt_prefixes: Vec<Prefix>,
    /// Datagrams that one session's peer may send in a second, 100 to 10,000,000. Of those beyond it the content is dropped, and not
    /// acknowledged: what is reliable comes again, and its sender slows down. Default 10,000: five times what fills 20 Mbit/s with full
    /// packets, and about 2 % of a core.
    pub session_datagrams_per_s: u32,
    /// How many of them may come at once after a quiet time, or while the host was late, 100 to 10,000,000. Default 10,000.
    pub session_datagrams_burst: u32,
    /// Banned prefixes at most, 1 to 1,048,576; about 60 bytes each. Default 4,096.
    pub prefix_bans_max: u32,
}

impl Config {
    /// The default settings for a game with this protocol id, this private key and one public address.
    #[must_use]
    pub fn new(protocol_id: u64, private_key: Key, public_address: SocketAddr) -> Self {
        Self {
            protocol_id,
            private_key,
            key_history: KeyHistory::default(),
            public_addresses: alloc::vec![public_address],
            payloads: Payloads::default(),
            login: LoginPolicy::default(),
            duplicate_identity: DuplicateIdentity::default(),
            sessions_max: 1_024,
            heartbeat_ms: 500,
            timeout_min_ms: 1_000,
            timeout_max_ms: 10_000,
            reconnect_window_ms: Some(60_000),
            login_timeout_ms: 10_000,
            login_attempts_max: 3,
            token_lifetime_max_s: 45,
            clock_skew_s: 5,
            handshakes_max: 1_024,
            token_history_max: 65_536,
            bans_max: 65_536,
            tick_hz: 60,
            move_ticks_ahead_max: 120,
            state_bytes_max: 1_150,
            ordered_lanes: 4,
            message_bytes_max: 262_144,
            lane_window_bytes: 131_072,
            lane_queue_bytes_max: 262_144,
            datagram_queue_bytes_max: 16_384,
            packets_in_flight_max: 1_024,
            bandwidth_max_bytes_per_s: None,
            latest_keys: 256,
            latest_queue_bytes_max: 65_536,
            event_queue_bytes_max: 1_048_576,
            reply_queue_bytes_max: 262_144,
            stall_threshold_ms: 250,
            stall_credit_max_ms: 30_000,
            violations_max: 8,
            take_overs_max: 3,
            heartbeat_events: false,
            session_history_max: 0,
            session_quota_bytes: 65_536,
            session_cap_bytes: 2_097_152,
            pool_bytes_max: 67_108_864,
            pool_grant_ms: 30_000,
            at_capacity: AtCapacity::default(),
            port_searches_per_s: 4_000,
            unproved_opens_per_s: 100_000,
            unproved_opens_burst: 100_000,
            exempt_prefixes: Vec::new(),
            session_datagrams_per_s: 10_000,
            session_datagrams_burst: 10_000,
            prefix_bans_max: 4_096,
        }
    }

    /// The same settings for foreign netcode clients: raw payloads, and the token is the login.
    #[must_use]
    pub fn raw(mut self) -> Self {
        self.payloads = Payloads::Raw;
        self.login = LoginPolicy::TokenIsLogin;
        self
    }

    /// Checks every range and every relation between fields.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check(self.ranges())?;
        // These are reckoned from the others, which have to be within their ranges for that.
        check(self.memory_ranges())?;
        if self.public_addresses.is_empty() || self.public_addresses.len() > 32 {
            return Err(ConfigError::PublicAddresses { count: self.public_addresses.len() });
        }
        if let Some(&address) = self.public_addresses.iter().find(|address| !is_reachable(address)) {
            return Err(ConfigError::UnreachableAddress(address));
        }
        if self.exempt_prefixes.len() > EXEMPT_PREFIXES_MAX {
            return Err(ConfigError::ExemptPrefixes { count: self.exempt_prefixes.len() });
        }
        if self.payloads == Payloads::Raw && self.login == LoginPolicy::Explicit {
            return Err(ConfigError::RawNeedsTokenLogin);
        }
        Ok(())
    }

    fn ranges(&self) -> impl Iterator<Item = Range> {
        let timeout_max_ms = u64::from(self.timeout_max_ms);
        let heartbeat_ms = u64::from(self.heartbeat_ms);
        let session = [
            ("sessions_max", self.sessions_max.into(), 1, 16_777_216),
            ("heartbeat_ms", heartbeat_ms, 10, 60_000),
            ("timeout_max_ms", timeout_max_ms, heartbeat_ms + 1, 3_600_000),
            ("timeout_min_ms", self.timeout_min_ms.into(), (heartbeat_ms + 1).max(100), timeout_max_ms),
            ("reconnect_window_ms", self.reconnect_window_ms.unwrap_or(1).into(), 1, 86_400_000),
            ("login_timeout_ms", self.login_timeout_ms.into(), 1, 3_600_000),
            ("login_attempts_max", self.login_attempts_max.into(), 1, 255),
            ("token_lifetime_max_s", self.token_lifetime_max_s.into(), 1, 86_400),
            ("clock_skew_s", self.clock_skew_s.into(), 0, 3_600),
            ("handshakes_max", self.handshakes_max.into(), 1, 1_048_576),
            ("bans_max", self.bans_max.into(), 1, 16_777_216),
            ("tick_hz", self.tick_hz.into(), 1, 1_000),
            ("move_ticks_ahead_max", self.move_ticks_ahead_max, 1, 65_536),
            ("state_bytes_max", self.state_bytes_max as u64, 0, 1_150),
        ];
        let server = [
            ("event_queue_bytes_max", self.event_queue_bytes_max as u64, 1_200, 268_435_456),
            ("reply_queue_bytes_max", self.reply_queue_bytes_max as u64, 1_200, 268_435_456),
            ("stall_threshold_ms", self.stall_threshold_ms.into(), 10, 60_000),
            ("stall_credit_max_ms", self.stall_credit_max_ms.into(), 0, 3_600_000),
            ("violations_max", self.violations_max.into(), 0, 1_000),
            ("take_overs_max", self.take_overs_max.into(), 1, 1_000),
            ("port_searches_per_s", self.port_searches_per_s.into(), 0, 1_000_000),
            ("token_history_max", self.token_history_max.into(), self.handshakes_max.into(), 16_777_216),
            ("unproved_opens_per_s", self.unproved_opens_per_s.into(), 1_000, 100_000_000),
            ("unproved_opens_burst", self.unproved_opens_burst.into(), BURST_OPENS_MIN.into(), 100_000_000),
            ("session_datagrams_per_s", self.session_datagrams_per_s.into(), 100, 10_000_000),
            ("session_datagrams_burst", self.session_datagrams_burst.into(), 100, 10_000_000),
            ("prefix_bans_max", self.prefix_bans_max.into(), 1, 1_048_576),
        ];
        session.into_iter().chain(self.link_limits().ranges()).chain(server)
    }

    /// Where sessions need the pool, it suffices for the longest message of one whose quota is full, if nobody else needs any of it.
    fn memory_ranges(&self) -> [Range; 4] {
        let quota = self.session_quota_bytes;
        let needs_pool = self.payloads == Payloads::Framed && self.session_bytes_unbounded() > quota;
        let longest = if needs_pool { self.link_limits().longest_message_bytes_max() } else { 0 };
        let (quota_min, cap_min) = (self.session_fixed_bytes() + 4_096, quota.saturating_add(longest));
        [
            ("session_quota_bytes", quota as u64, quota_min as u64, 1 << 30),
            ("session_cap_bytes", self.session_cap_bytes as u64, cap_min as u64, u32::MAX.into()),
            ("pool_bytes_max", self.pool_bytes_max as u64, 2 * longest as u64, 1 << 40),
            ("pool_grant_ms", self.pool_grant_ms.into(), 1, 3_600_000),
        ]
    }

    /// The bounds of one session's queues, as the settings say.
    pub(crate) const fn link_limits(&self) -> LinkLimits {
        LinkLimits {
            ordered_lanes: self.ordered_lanes,
            lane_queue_bytes_max: self.lane_queue_bytes_max,
            message_bytes_max: self.message_bytes_max,
            lane_window: LaneWindow::new(self.lane_window_bytes),
            lane_queue_pieces_max: self.lane_queue_bytes_max / LinkLimits::MESSAGE_BYTES_TYPICAL,
            datagram_queue_bytes_max: self.datagram_queue_bytes_max,
            datagram_queue_messages_max: self.datagram_queue_bytes_max / LinkLimits::MESSAGE_BYTES_TYPICAL,
            latest_keys: self.latest_keys,
            latest_queue_bytes_max: self.latest_queue_bytes_max,
            packets_in_flight_max: self.packets_in_flight_max,
            bandwidth_max_bytes_per_s: self.bandwidth_max_bytes_per_s,
        }
    }

    /// Slots of sessions at most: that of a session which gave its place up is free only when its end was seen.
    pub(crate) const fn slots_max(&self) -> usize {
        let sessions = self.sessions_max as usize;
        match self.at_capacity {
            AtCapacity::Deny => sessions,
            AtCapacity::GiveUpLongestAway => 2 * sessions,
        }
    }

    /// What one session's peer may send.
    pub(crate) fn session_rate(&self) -> Rate {
        let is_filled = !is_planted(PlantedBug::SessionBudgetNeverFilled);
        let per_s = if is_filled { self.session_datagrams_per_s } else { 0 };
        Rate { per_s, burst: self.session_datagrams_burst }
    }

    pub(crate) fn lifecycle_policy(&self) -> LifecyclePolicy {
        LifecyclePolicy {
            login: self.login,
            reconnect: self.reconnect_window_ms.is_some(),
            duplicate: self.duplicate_identity,
        }
    }
}

/// A setting: its name, what it is, and the least and the most it may be.
type Range = (&'static str, u64, u64, u64);

fn check(ranges: impl IntoIterator<Item = Range>) -> Result<(), ConfigError> {
    let outside = ranges.into_iter().find(|(_, value, min, max)| value < min || value > max);
    outside.map_or(Ok(()), |(field, value, min, max)| Err(ConfigError::OutOfRange { field, value, min, max }))
}

/// Whether anybody can be told to go there: no wildcard, and a port.
pub(crate) fn is_reachable(address: &SocketAddr) -> bool {
    !address.ip().is_unspecified() && address.port() != 0
}

/// Why a [`Config`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number is outside its range.
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it was set to.
        value: u64,
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
    },
    /// There must be 1 to 32 public addresses.
    PublicAddresses {
        /// How many there are.
        count: usize,
    },
    /// No client can send to this public address: it is a wildcard, or its port is 0.
    UnreachableAddress(SocketAddr),
    /// With raw payloads there is no login message, so the token has to be the login.
    RawNeedsTokenLogin,
    /// There are more than 32 exempt prefixes.
    ExemptPrefixes {
        /// How many there are.
        count: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { field, value, min, max } => {
                write!(f, "{field} is {value}, it must be {min} to {max}")
            }
            Self::PublicAddresses { count } => {
                write!(f, "there are {count} public addresses, there must be 1 to 32")
            }
            Self::UnreachableAddress(address) => {
                write!(f, "no client can send to the public address {address}: name a real address and port")
            }
            Self::RawNeedsTokenLogin => f.write_str("raw payloads need `login: LoginPolicy::TokenIsLogin`"),
            Self::ExemptPrefixes { count } => {
                write!(f, "there are {count} exempt prefixes, there must be at most 32")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(1, Key::new([7; 32]), "203.0.113.1:40000".parse().unwrap())
    }

    #[test]
    fn the_defaults_are_valid_framed_and_raw() {
        assert_eq!(config().validate(), Ok(()));
        assert_eq!(config().raw().validate(), Ok(()));
    }

    #[test]
    fn a_number_out_of_range_is_named_with_its_range() {
        let mut config = config();
        config.tick_hz = 0;
        let error = config.validate().unwrap_err();
        assert_eq!(error, ConfigError::OutOfRange { field: "tick_hz", value: 0, min: 1, max: 1_000 });
        assert_eq!(std::format!("{error}"), "tick_hz is 0, it must be 1 to 1000");
    }

    #[test]
    fn numbers_out_of_all_proportion_are_refused_like_any_other() {
        let largest = Config {
            take_overs_max: u32::MAX,
            message_bytes_max: u32::MAX,
            lane_window_bytes: u32::MAX,
            lane_queue_bytes_max: usize::MAX,
            datagram_queue_bytes_max: usize::MAX,
            latest_queue_bytes_max: usize::MAX,
            event_queue_bytes_max: usize::MAX,
            reply_queue_bytes_max: usize::MAX,
            session_quota_bytes: usize::MAX,
            session_cap_bytes: usize::MAX,
            pool_bytes_max: usize::MAX,
            ..config()
        };
        let quota = Config { session_quota_bytes: usize::MAX, ..config() };
        for config in [largest.clone().raw(), largest, quota.clone().raw(), quota] {
            assert!(matches!(config.validate(), Err(ConfigError::OutOfRange { .. })));
        }
    }

    #[test]
    fn timeouts_that_contradict_each_other_are_refused() {
        let mut config = config();
        config.timeout_max_ms = config.heartbeat_ms;
        assert!(matches!(config.validate(), Err(ConfigError::OutOfRange { field: "timeout_max_ms", .. })));
    }

    #[test]
    fn a_wildcard_public_address_is_refused() {
        let mut config = config();
        let wildcard = "0.0.0.0:40000".parse().unwrap();
        config.public_addresses.push(wildcard);
        assert_eq!(config.validate(), Err(ConfigError::UnreachableAddress(wildcard)));
    }

    #[test]
    fn raw_payloads_need_the_token_to_be_the_login() {
        let mut config = config();
        config.payloads = Payloads::Raw;
        assert_eq!(config.validate(), Err(ConfigError::RawNeedsTokenLogin));
    }
}
