//! What a client was sent and refused: every datagram that did nothing has exactly one cause.

use super::verdict::{DropReason, Refusal};
use crate::cause_counts::CauseCounts;
use crate::violation::{Violation, ViolationCounts};

/// Totals of the datagrams given to a client since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Datagrams given to `handle_datagram`: those that were accepted and those that were dropped.
    pub datagrams_received: u64,
    /// Datagrams that belonged to the session and were new.
    pub accepted: u64,
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
    }
}
