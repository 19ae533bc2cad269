//! Which packets of a key epoch arrived, and when that has to be acknowledged.

use core::ops::RangeInclusive;

use smallvec::SmallVec;

use crate::Timestamp;
use crate::memory::{doubling_bytes_max, small_vec_bytes};

/// The longest time that an acknowledgement somebody waits for is held back.
pub(crate) const MAX_ACK_DELAY_MICROS: u64 = 25_000;
/// How many disjoint ranges are remembered.
pub(crate) const ACK_RANGES_MAX: usize = 32;
/// As many unacknowledged urgent packets are acknowledged at once.
const URGENT_PACKETS_PER_ACK: u8 = 2;

/// What the content of a packet asks of its receiver; of several frames the most urgent counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AckUrgency {
    /// Nothing: it is reported only along with packets that want it. Acknowledgements themselves are of this kind,
    /// or two ends would acknowledge each other for ever.
    None,
    /// To be acknowledged in the next packet that is sent anyway.
    Lazy,
    /// To be acknowledged within [`MAX_ACK_DELAY_MICROS`], if need be by a packet of its own.
    Urgent,
}

/// The packet sequences of one key epoch that arrived. Repeated packets are filtered out before they get here.
#[derive(Debug, Default)]
pub(crate) struct ReceivedPackets {
    /// Newest first, disjoint and not adjacent. One range suffices while nothing is lost.
    ranges: SmallVec<[SequenceRange; 2]>,
    largest: Option<Arrival>,
    /// Of those that arrived since the last acknowledgement was sent and want one.
    smallest_unacknowledged: Option<u64>,
    ack_wanted: bool,
    urgent_unacknowledged: u8,
    ack_due: Option<Timestamp>,
    /// The sequence that came first in this key epoch.
    first_sequence: u64,
    /// Sequences that were passed over and have not come since, in all key epochs.
    missed: u64,
}

#[derive(Clone, Copy, Debug)]
struct SequenceRange {
    low: u64,
    high: u64,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    sequence: u64,
    at: Timestamp,
}

impl ReceivedPackets {
    /// Remembers a packet that arrived at `now` and what it asks for.
    ///
    /// When [`ACK_RANGES_MAX`] ranges are in use, the oldest gives way; a packet older than all of them is not
    /// remembered, so its sender takes it for lost and sends its content again.
    pub(crate) fn insert(&mut self, sequence: u64, now: Timestamp, wants_ack: AckUrgency) {
        self.count_missed(sequence);
        let in_order = self.largest.is_none_or(|largest| sequence.checked_sub(largest.sequence) == Some(1));
        if self.largest.is_none_or(|largest| sequence > largest.sequence) {
            self.largest = Some(Arrival { sequence, at: now });
        }
        if wants_ack != AckUrgency::None {
            let smallest_before = self.smallest_unacknowledged.unwrap_or(sequence);
            self.smallest_unacknowledged = Some(smallest_before.min(sequence));
        }
        self.add_to_ranges(sequence);
        self.schedule_ack(now, wants_ack, in_order);
    }

    /// How many packets did not come, of those between the first and the newest of each key epoch. One that comes late is
    /// taken off again.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// When an acknowledgement has to be sent by itself; `None` if nothing urgent waits for one.
    ///
    /// That is [`MAX_ACK_DELAY_MICROS`] after the first urgent packet, or at once after a second one, and at once
    /// when a packet that wants an acknowledgement leaves or fills a gap, for its sender to learn of the loss.
    pub(crate) fn ack_due(&self) -> Option<Timestamp> {
        self.ack_due
    }

    /// Whether a packet that is sent now should carry an acknowledgement.
    pub(crate) fn has_unsent_ack(&self) -> bool {
        self.ack_wanted
    }

    /// What arrived, newest first, disjoint.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> + Clone + '_ {
        self.ranges.iter().map(|range| range.low..=range.high)
    }

    /// When the packet with the largest sequence arrived; the delay that an acknowledgement states counts from it.
    pub(crate) fn largest_received_at(&self) -> Option<Timestamp> {
        self.largest.map(|largest| largest.at)
    }

    /// To be called when the ranges were written into a packet: everything so far is acknowledged.
    pub(crate) fn on_ack_sent(&mut self) {
        self.smallest_unacknowledged = None;
        self.ack_wanted = false;
        self.urgent_unacknowledged = 0;
        self.ack_due = None;
    }

    /// Forgets what lies at or below `sequence`, for ranges the peer is known to have seen.
    ///
    /// Without it, every packet ever lost would leave a gap in each acknowledgement to come. A packet that arrived late,
    /// and waits for an acknowledgement, is kept, and so is what lies above it.
    pub(crate) fn forget_through(&mut self, sequence: u64) {
        let sequence = match self.smallest_unacknowledged {
            None => sequence,
            Some(0) => return,
            Some(smallest) => sequence.min(smallest - 1),
        };
        self.ranges.retain(|range| range.high > sequence);
        if let Some(oldest) = self.ranges.last_mut() {
            oldest.low = oldest.low.max(sequence.saturating_add(1));
        }
    }

    /// The memory it takes beyond its own place.
    pub(crate) fn memory_bytes(&self) -> usize {
        small_vec_bytes(&self.ranges)
    }

    /// The most memory it takes beyond its own place.
    pub(crate) const fn memory_bytes_max() -> usize {
        doubling_bytes_max::<SequenceRange>(ACK_RANGES_MAX)
    }

    /// Forgets everything but the count of missed packets, acknowledgements owed as well: sequences mean nothing under the next key.
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
        self.largest = None;
        self.on_ack_sent();
    }

    fn count_missed(&mut self, sequence: u64) {
        match self.largest.map(|largest| largest.sequence) {
            None => self.first_sequence = sequence,
            Some(largest) if sequence > largest => {
                self.missed = self.missed.saturating_add(sequence - largest - 1);
            }
            Some(_) if sequence > self.first_sequence => self.missed = self.missed.saturating_sub(1),
            Some(_) => {}
        }
    }

    fn schedule_ack(&mut self, now: Timestamp, wants_ack: AckUrgency, in_order: bool) {
        if wants_ack == AckUrgency::None {
            return;
        }
        self.ack_wanted = true;
        if wants_ack == AckUrgency::Urgent {
            self.urgent_unacknowledged = self.urgent_unacknowledged.saturating_add(1);
            self.bring_ack_forward(now.plus_micros(MAX_ACK_DELAY_MICROS));
        }
        if !in_order || self.urgent_unacknowledged >= URGENT_PACKETS_PER_ACK {
            self.bring_ack_forward(now);
        }
    }

    fn bring_ack_forward(&mut self, at: Timestamp) {
        self.ack_due = Some(self.ack_due.map_or(at, |due| due.min(at)));
    }

    fn add_to_ranges(&mut self, sequence: u64) {
        let ranges = &mut self.ranges;
        let older = ranges.iter().position(|range| range.low <= sequence).unwrap_or(ranges.len());
        let older_high = ranges.get(older).map(|range| range.high);
        if older_high.is_some_and(|high| sequence <= high) {
            return;
        }
        let extends_older = older_high.is_some_and(|high| sequence - high == 1);
        let newer = older.checked_sub(1).filter(|newer| ranges[*newer].low - sequence == 1);
        match newer {
            Some(newer) if extends_older => {
                ranges[newer].low = ranges[older].low;
                ranges.remove(older);
            }
            Some(newer) => ranges[newer].low = sequence,
            None if extends_older => ranges[older].high = sequence,
            None if older == ACK_RANGES_MAX => {}
            None => {
                ranges.truncate(ACK_RANGES_MAX - 1);
                ranges.insert(older, SequenceRange { low: sequence, high: sequence });
            }
        }
    }
}

#[cfg(test)]
mod tests;
