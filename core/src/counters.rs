//! What was refused, and how often: every datagram that does nothing has exactly one cause.

use crate::cause_counts::CauseCounts;
use crate::ledger::{AttemptEnd, LoginRefusal, MoveRefusal, Refusal, SendRefusal};
use crate::violation::Violation;

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
    /// A payload for which the event queue has no room, or whose session has more in it than is free; its sender will repeat what was
    /// reliable.
    EventsFull,
    /// A handshake packet whose answer found no room in the outbox.
    RepliesFull,
    /// A confirmed handshake that no longer fits: its session ended, or refuses a second login.
    NoLongerWelcome,
    /// A payload whose messages would take more memory than its session may; its sender will repeat what was reliable.
    SessionMemory,
    /// A session packet from an unknown port of an IP address that has sessions, when there was no budget left to search for its own.
    SearchesSpent,
    /// A request or a response for which the budget of everything unproved is gone.
    UnprovedBudget,
    /// A session packet beyond what its peer may send in a second. It counts as a sign of life; its content does not count, and its sender
    /// will repeat what was reliable.
    SessionBudget,
    /// A request or a response from a banned prefix.
    PrefixBanned,
}

impl DropReason {
    /// All causes, in the order of [`Counters::dropped`].
    pub const ALL: [Self; 31] = [
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
        Self::SessionMemory,
        Self::SearchesSpent,
        Self::UnprovedBudget,
        Self::SessionBudget,
        Self::PrefixBanned,
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

/// Totals since the manager was made. What is refused is counted by its cause, as [`ledger`](crate::ledger) lists them; what adds up is
/// said there.
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
    /// Goodbyes that gave way to newer ones before all of their packets left.
    pub farewells_dropped: u64,
    /// Sessions opened.
    pub sessions_opened: u64,
    /// Returns to a session.
    pub reconnects: u64,
    /// Login requests, of which each is accepted, refused, or waits for an answer.
    pub login_requests: u64,
    /// Login requests that the application accepted.
    pub logins_accepted: u64,
    /// Move inputs of players, of which each counts or is refused.
    pub moves_received: u64,
    /// Move inputs that count.
    pub moves_accepted: u64,
    /// Sends that the application asked for, a broadcast once for each player.
    pub sends_requested: u64,
    /// Sends that were queued.
    pub sends_queued: u64,
    /// Completed handshakes that were to replace a connection, of which each is confirmed, ends otherwise, or waits.
    pub attempts_begun: u64,
    /// Those that were confirmed, and did.
    pub attempts_confirmed: u64,
    /// How often a session was asked whether its port is another one.
    pub path_trials: u64,
    /// How often it was, and the session followed.
    pub paths_moved: u64,
    refused: CauseCounts<{ Refusal::COUNT }>,
}

impl Counters {
    /// How often this was refused.
    #[must_use]
    pub fn refused(&self, refusal: impl Into<Refusal>) -> u64 {
        self.refused.of(refusal.into().place())
    }

    /// Everything that was refused, and how often; in the order of [`Refusal::all`].
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::all().map(|refusal| (refusal, self.refused(refusal))).filter(|(_, times)| *times > 0)
    }

    /// How many datagrams were dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.refused(reason)
    }

    /// How many datagrams were dropped in all.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.total(DropReason::ALL)
    }

    /// How many payloads broke the protocol in this way. Over all ways that makes as many as were dropped as
    /// [`DropReason::Violation`].
    #[must_use]
    pub fn violations(&self, violation: Violation) -> u64 {
        self.refused(violation)
    }

    /// How many requests were denied for `reason`.
    #[must_use]
    pub fn denied(&self, reason: DenyReason) -> u64 {
        self.refused(reason)
    }

    /// How many requests were denied in all; they are among those that were answered.
    #[must_use]
    pub fn denied_total(&self) -> u64 {
        self.total(DenyReason::ALL)
    }

    /// How many login requests were refused in all.
    #[must_use]
    pub fn logins_refused(&self) -> u64 {
        self.total(LoginRefusal::ALL)
    }

    /// How many move inputs were refused in all.
    #[must_use]
    pub fn moves_refused(&self) -> u64 {
        self.total(MoveRefusal::ALL)
    }

    /// How many sends were refused in all.
    #[must_use]
    pub fn sends_refused(&self) -> u64 {
        self.total(SendRefusal::ALL)
    }

    /// How many completed handshakes ended without being confirmed in all.
    #[must_use]
    pub fn attempts_ended(&self) -> u64 {
        self.total(AttemptEnd::ALL)
    }

    fn total<const N: usize>(&self, causes: [impl Into<Refusal>; N]) -> u64 {
        causes.into_iter().fold(0, |sum, cause| sum.saturating_add(self.refused(cause)))
    }

    /// Counts a refusal.
    pub(crate) fn refuse(&mut self, refusal: impl Into<Refusal>) {
        self.refused.count(refusal.into().place());
    }

    /// Whether every datagram has one fate, and everything else that is finished within a call as well.
    pub(crate) fn add_up(&self) -> bool {
        self.datagrams_received == self.accepted + self.answered + self.dropped_total()
            && self.dropped(DropReason::Violation) == self.total(Violation::ALL)
            && self.moves_received == self.moves_accepted + self.moves_refused()
            && self.sends_requested == self.sends_queued + self.sends_refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_counter_of_its_own() {
        let mut counters = Counters::default();
        for refusal in Refusal::all() {
            counters.refuse(refusal);
            assert_eq!(counters.refused(refusal), 1, "{refusal}");
        }
        assert_eq!(counters.refusals().count(), Refusal::COUNT);
        assert_eq!(counters.dropped_total(), DropReason::ALL.len() as u64);
        assert_eq!(counters.denied_total(), DenyReason::ALL.len() as u64);
        assert_eq!(counters.logins_refused(), LoginRefusal::ALL.len() as u64);
        assert_eq!(counters.moves_refused(), MoveRefusal::ALL.len() as u64);
        assert_eq!(counters.sends_refused(), SendRefusal::ALL.len() as u64);
        assert_eq!(counters.attempts_ended(), AttemptEnd::ALL.len() as u64);
    }
}
