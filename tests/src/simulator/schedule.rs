//! What is to happen, in order of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rejoin::Timestamp;

use super::step::{Datagram, Party};

/// Something that is due at a moment.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// A datagram reaches the address it is for.
    Arrival(Datagram),
    /// A machine asked to be woken.
    Timer(Party),
    /// A stalled or sleeping machine goes on.
    Wake(Party),
    /// An application does what it does again and again.
    Turn(Party),
    /// The server starts again.
    ServerStart,
    /// The server's host holds deadlines no longer.
    HoldEnd,
    /// The incident of this number of the plan.
    Incident(usize),
    /// The faults stop.
    Calm,
    /// The server takes its leave.
    Leave,
}

/// Everything that is due, the earliest first, and of one moment what was scheduled first.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Entry>,
    scheduled: u64,
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    number: u64,
    due: Due,
}

impl Schedule {
    /// Something is due then.
    pub(super) fn add(&mut self, at: Timestamp, due: Due) {
        self.scheduled += 1;
        self.heap.push(Entry { at, number: self.scheduled, due });
    }

    /// Takes what is due next, if that is before `end`.
    pub(super) fn pop_before(&mut self, end: Timestamp) -> Option<(Timestamp, Due)> {
        let is_in_time = self.heap.peek().is_some_and(|entry| entry.at < end);
        let entry = is_in_time.then(|| self.heap.pop()).flatten()?;
        Some((entry.at, entry.due))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest first.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_in_order_of_time_and_then_in_the_order_they_were_scheduled() {
        let mut schedule = Schedule::default();
        for (millis, incident) in [(5, 0), (3, 1), (5, 2), (4, 3)] {
            schedule.add(Timestamp::from_millis(millis), Due::Incident(incident));
        }

        let mut order = Vec::new();
        while let Some((_, Due::Incident(incident))) = schedule.pop_before(Timestamp::from_millis(5)) {
            order.push(incident);
        }
        assert_eq!(order, [1, 3], "what is due at the end waits");
        while let Some((_, Due::Incident(incident))) = schedule.pop_before(Timestamp::from_millis(6)) {
            order.push(incident);
        }
        assert_eq!(order, [1, 3, 0, 2]);
    }
}
