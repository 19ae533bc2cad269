//! The last things that happened to one session.

use alloc::collections::VecDeque;

use crate::Timestamp;
use crate::lifecycle::{Cause, LifecycleEventKind, SessionState};
use crate::memory::{deque_bytes, reserve_deque};

use super::{MoveRefusal, Refusal};

/// What happened, when, and how often in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When; the last time, if it happened several times in a row.
    pub at: Timestamp,
    /// How often in a row, with nothing else between.
    pub times: u32,
    /// What.
    pub incident: Incident,
}

/// One thing in a session's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incident {
    /// The state changed, as an [`Event::Lifecycle`](crate::Event::Lifecycle) told.
    Transition {
        /// What happened.
        kind: LifecycleEventKind,
        /// The state after.
        to: SessionState,
        /// Why.
        cause: Cause,
    },
    /// Something was refused.
    Refused(Refusal),
}

impl Incident {
    /// Whether it is worth a place: duplicates of move inputs come all the time, by intent, and would push everything else out.
    const fn is_notable(self) -> bool {
        !matches!(self, Self::Refused(Refusal::Move(MoveRefusal::Duplicate)))
    }
}

/// The newest entries of a history.
#[derive(Debug)]
pub(super) struct History {
    entries: VecDeque<HistoryEntry>,
    entries_max: u8,
}

impl History {
    pub(super) const fn new(entries_max: u8) -> Self {
        Self { entries: VecDeque::new(), entries_max }
    }

    /// Notes what happened; the oldest entry gives way.
    pub(super) fn note(&mut self, at: Timestamp, incident: Incident) {
        if self.entries_max == 0 || !incident.is_notable() {
            return;
        }
        if let Some(newest) = self.entries.back_mut().filter(|newest| newest.incident == incident) {
            newest.at = at;
            newest.times = newest.times.saturating_add(1);
            return;
        }
        if self.entries.len() >= self.entries_max.into() {
            self.entries.pop_front();
        }
        reserve_deque(&mut self.entries, 1, self.entries_max.into());
        self.entries.push_back(HistoryEntry { at, times: 1, incident });
    }

    /// The entries, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = HistoryEntry> {
        self.entries.iter().copied()
    }

    /// The memory it takes beyond its own place.
    pub(super) fn memory_bytes(&self) -> usize {
        deque_bytes(&self.entries)
    }

    /// The most memory it takes beyond its own place.
    pub(super) const fn memory_bytes_max(entries_max: u8) -> usize {
        entries_max as usize * size_of::<HistoryEntry>()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::ledger::{LoginRefusal, SendRefusal};

    const FULL: Incident = Incident::Refused(Refusal::Send(SendRefusal::Full));
    const PENDING: Incident = Incident::Refused(Refusal::Login(LoginRefusal::Pending));

    fn noted(entries_max: u8, incidents: &[Incident]) -> Vec<(u64, u32, Incident)> {
        let mut history = History::new(entries_max);
        for (second, incident) in (0..).zip(incidents) {
            history.note(Timestamp::from_micros(second), *incident);
            assert!(history.memory_bytes() <= History::memory_bytes_max(entries_max));
        }
        history.iter().map(|entry| (entry.at.as_micros(), entry.times, entry.incident)).collect()
    }

    #[test]
    fn the_oldest_gives_way_and_what_comes_in_a_row_is_one_entry() {
        let entries = noted(2, &[PENDING, FULL, FULL, FULL, PENDING]);
        assert_eq!(entries, [(3, 3, FULL), (4, 1, PENDING)]);
    }

    #[test]
    fn a_history_of_none_notes_nothing_and_takes_no_memory() {
        assert_eq!(noted(0, &[PENDING, FULL]), []);
    }

    #[test]
    fn the_longest_history_takes_what_is_reckoned() {
        let incidents: Vec<_> = [PENDING, FULL].into_iter().cycle().take(1_000).collect();
        assert_eq!(noted(255, &incidents).len(), 255);
    }

    #[test]
    fn duplicates_of_moves_are_no_news() {
        let duplicate = Incident::Refused(Refusal::Move(MoveRefusal::Duplicate));
        let stale = Incident::Refused(Refusal::Move(MoveRefusal::Stale));
        assert_eq!(noted(4, &[stale, duplicate, stale]), [(2, 2, stale)]);
    }
}
