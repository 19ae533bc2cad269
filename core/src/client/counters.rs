//! What a client refused, and was refused: every datagram that did nothing, and every send that was not queued, has exactly one cause.

use super::error::ClientSendError;
use super::refusal::ClientSendRefusal;
use super::verdict::{DropReason, Refusal};
use crate::cause_counts::CauseCounts;
use crate::violation::{Violation, ViolationCounts};

/// Totals of the datagrams given to a client, and of what its application sent, since it was made.
///
/// Datagrams received = accepted + dropped; sends requested = queued + refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Datagrams given to `handle_datagram`: those that were accepted and those that were dropped.
    pub datagrams_received: u64,
    /// Datagrams that belonged to the session and were new.
    pub accepted: u64,
    /// Messages, values and moves that the application wanted to send.
    pub sends_requested: u64,
    /// Those that were queued.
    pub sends_queued: u64,
    sends_refused: CauseCounts<{ ClientSendRefusal::ALL.len() }>,
    dropped: CauseCounts<{ DropReason::ALL.len() }>,
    violations: ViolationCounts,
    last_violation: Option<Violation>,
}

impl ClientCounters {
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

    /// How many payloads of the server broke the protocol in this way. Over all ways that makes as many as were dropped as
    /// [`DropReason::Violation`].
    #[must_use]
    pub fn violations(&self, violation: Violation) -> u64 {
        self.violations.of(violation as usize)
    }

    /// How the server broke the protocol last; `None` if it never did.
    #[must_use]
    pub const fn last_violation(&self) -> Option<Violation> {
        self.last_violation
    }

    /// How many sends were refused for this reason.
    #[must_use]
    pub fn sends_refused(&self, refusal: ClientSendRefusal) -> u64 {
        self.sends_refused.of(refusal as usize)
    }

    /// How many sends were refused in all.
    #[must_use]
    pub fn sends_refused_total(&self) -> u64 {
        self.sends_refused.total()
    }

    /// Counts what became of a send.
    pub(super) fn count_send(&mut self, result: Result<(), ClientSendError>) -> Result<(), ClientSendError> {
        self.sends_requested = self.sends_requested.saturating_add(1);
        match result {
            Ok(()) => self.sends_queued = self.sends_queued.saturating_add(1),
            Err(error) => self.sends_refused.count(ClientSendRefusal::from(error) as usize),
        }
        result
    }

    /// Whether every datagram and every send has one fate.
    pub(super) fn add_up(&self) -> bool {
        self.datagrams_received == self.accepted + self.dropped_total()
            && self.sends_requested == self.sends_queued + self.sends_refused_total()
    }

    /// Counts what became of a datagram.
    pub(super) fn count(&mut self, result: Result<(), Refusal>) {
        self.datagrams_received = self.datagrams_received.saturating_add(1);
        let Err(refusal) = result else {
            self.accepted = self.accepted.saturating_add(1);
            return;
        };
        self.dropped.count(refusal.reason() as usize);
        if let Refusal::Violation(violation) = refusal {
            self.violations.count(violation as usize);
            self.last_violation = Some(violation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_counter_of_its_own() {
        let mut counters = ClientCounters::default();
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            counters.count(Err(reason.into()));
            assert_eq!(counters.dropped(reason), 1);
        }
        assert_eq!(counters.dropped_total(), DropReason::ALL.len() as u64);
        assert_eq!(counters.last_violation(), None);
        for (index, refusal) in ClientSendRefusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index);
        }
    }
}
