//! What was refused, and how often: every datagram that does nothing has exactly one cause.

use crate::cause_counts::CauseCounts;
use crate::violation::{Violation, ViolationCounts};

/// Why a datagram was dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Zero bytes.
    Empty,
    /// Not the shape of any netcode packet: a bad prefix byte, or a size outside its type's range.
    Malformed,
    /// A packet type that only a server sends.
    WrongDirection,
    /// A request of another netcode version or another game.
    WrongProtocol,
    /// A request with a token that has expired.
    TokenExpired,
    /// A request with a token that expires later than any token this server accepts.
    TokenLifetime,
    /// A request with a token that may have been used before this server started.
    TokenBeforeStart,
    /// A request whose private part does not open, or is malformed inside.
    TokenUnreadable,
    /// A request with a token for other server addresses.
    TokenForOtherServer,
    /// A request with a token whose handshake has completed.
    TokenConsumed,
    /// The history of used tokens has no room; it never evicts.
    TokenHistoryFull,
    /// Too many handshakes are under way.
    HandshakesFull,
    /// Too many unexpired tokens of one identity.
    ClientTokensFull,
    /// A resume token whose generation is spent or was never made.
    ResumeSpent,
    /// A resume token that this server did not make.
    ResumeForged,
    /// A response from an address with no handshake under way, or sealed under other keys.
    ResponseUnexpected,
    /// A response whose challenge is not the one this server gave to this token.
    ChallengeMismatch,
    /// A session packet from an address without a session.
    UnknownAddress,
    /// A session packet that does not open.
    Unopened,
    /// A session packet that was received before, or is too old to tell.
    Replayed,
    /// A payload before the first hello of its key epoch.
    BeforeHello,
    /// A hello of another version, or not a hello at all.
    BadHello,
    /// A payload that breaks the protocol; counts as a [`Violation`] of its session.
    Violation,
    /// A payload for which the event queue has no room; its sender will repeat what was reliable.
    EventsFull,
    /// A handshake packet whose answer found no room in the outbox.
    RepliesFull,
    /// A confirmed handshake that no longer fits: its session ended, or refuses a second login.
    NoLongerWelcome,
}

impl DropReason {
    /// All causes, in the order of [`Counters::dropped`].
    pub const ALL: [Self; 26] = [
        Self::Empty,
        Self::Malformed,
        Self::WrongDirection,
        Self::WrongProtocol,
        Self::TokenExpired,
        Self::TokenLifetime,
        Self::TokenBeforeStart,
        Self::TokenUnreadable,
        Self::TokenForOtherServer,
        Self::TokenConsumed,
        Self::TokenHistoryFull,
        Self::HandshakesFull,
        Self::ClientTokensFull,
        Self::ResumeSpent,
        Self::ResumeForged,
        Self::ResponseUnexpected,
        Self::ChallengeMismatch,
        Self::UnknownAddress,
        Self::Unopened,
        Self::Replayed,
        Self::BeforeHello,
        Self::BadHello,
        Self::Violation,
        Self::EventsFull,
        Self::RepliesFull,
        Self::NoLongerWelcome,
    ];
}

/// Why a request was answered with *denied*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DenyReason {
    /// All session slots are taken.
    Full,
    /// The server drains and takes no new identities.
    Draining,
    /// The identity is banned.
    Banned,
    /// The identity is logged in and the policy rejects a second login.
    AlreadyLoggedIn,
    /// A resume token of a session that has ended.
    SessionEnded,
    /// A resume token of another start of this server.
    OtherStart,
}

impl DenyReason {
    /// All reasons, in the order of [`Counters::denied`].
    pub const ALL: [Self; 6] = [
        Self::Full,
        Self::Draining,
        Self::Banned,
        Self::AlreadyLoggedIn,
        Self::SessionEnded,
        Self::OtherStart,
    ];
}

/// Totals since the manager was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams given to `handle_datagram`.
    pub datagrams_received: u64,
    /// Datagrams handed out by `poll_transmit`.
    pub datagrams_sent: u64,
    /// Datagrams taken by a session.
    pub accepted: u64,
    /// Handshake packets that were answered.
    pub answered: u64,
    /// Answers that found no room in the outbox, and goodbyes that gave way to newer ones before all of their packets left.
    pub replies_dropped: u64,
    /// Events that found no room: of heartbeats, stalls and reused tokens.
    pub events_dropped: u64,
    /// Sessions opened.
    pub sessions_opened: u64,
    /// Returns to a session.
    pub reconnects: u64,
    /// Inputs of the lifecycle that had no meaning in the state they met.
    pub inputs_ignored: u64,
    dropped: CauseCounts<{ DropReason::ALL.len() }>,
    denied: CauseCounts<{ DenyReason::ALL.len() }>,
    violations: ViolationCounts,
}

impl Counters {
    /// How many datagrams were dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.of(reason as usize)
    }

    /// How many datagrams were dropped in all.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.total()
    }

    /// How many payloads broke the protocol in this way. Over all ways that makes as many as were dropped as
    /// [`DropReason::Violation`].
    #[must_use]
    pub fn violations(&self, violation: Violation) -> u64 {
        self.violations.of(violation as usize)
    }

    /// How many requests were denied for `reason`.
    #[must_use]
    pub fn denied(&self, reason: DenyReason) -> u64 {
        self.denied.of(reason as usize)
    }

    /// How many requests were denied in all.
    #[must_use]
    pub fn denied_total(&self) -> u64 {
        self.denied.total()
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.dropped.count(reason as usize);
    }

    /// Counts what a payload did, beside its drop.
    pub(crate) fn count_violation(&mut self, violation: Violation) {
        self.violations.count(violation as usize);
    }

    pub(crate) fn count_denied(&mut self, reason: DenyReason) {
        self.denied.count(reason as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_counter_of_its_own() {
        let mut counters = Counters::default();
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            counters.count_drop(reason);
            assert_eq!(counters.dropped(reason), 1);
        }
        for (index, reason) in DenyReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            counters.count_denied(reason);
            assert_eq!(counters.denied(reason), 1);
        }
        assert_eq!(counters.dropped_total(), DropReason::ALL.len() as u64);
        assert_eq!(counters.denied_total(), DenyReason::ALL.len() as u64);
    }
}
