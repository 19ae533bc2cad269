//! Which packets of a key epoch are in flight, and which of them are acknowledged, lost or worth a probe.
//!
//! Recovery works on packets, as in RFC 9002: what a lost packet carried is handed back to be sent again in
//! another packet, so nothing that is sent needs a timer of its own.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

use super::received::{AckUrgency, MAX_ACK_DELAY_MICROS};
use super::rtt::RttEstimator;
use crate::Timestamp;

/// A packet is lost when one so many sequences later was acknowledged (RFC 9002, section 6.1.1).
const PACKET_THRESHOLD: u64 = 3;
/// How many packets' contents one probe time-out hands back (RFC 9002, section 6.2.4).
const PACKETS_PER_PROBE: usize = 2;
/// The wait between probes doubles so often; a session that stays silent for long ends by its own deadline.
const PTO_DOUBLINGS_MAX: u8 = 6;

/// An acknowledgement that no correct peer sends. It changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckError {
    /// It covers a sequence outside those that were sent in this key epoch.
    NeverSent,
    /// A range ends before it starts, or the ranges are not disjoint and newest first.
    Disordered,
}

/// How many packets an operation took out of flight, and their size together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PacketTotals {
    /// The number of packets.
    pub(crate) packets: u32,
    /// Their sizes, as given when they were sent.
    pub(crate) bytes: u64,
}

impl PacketTotals {
    fn add(&mut self, bytes: u16) {
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }
}

/// The packets of one key epoch that ask for an acknowledgement and have none yet, oldest first.
///
/// `T` says what a packet carried. It is handed back exactly once: acknowledged, lost, displaced, or for a probe.
#[derive(Debug)]
pub(crate) struct SentPackets<T> {
    packets: VecDeque<SentPacket<T>>,
    capacity: usize,
    bytes_in_flight: u64,
    /// From the first to the last sequence of the epoch, recorded or not.
    sequences: Option<RangeInclusive<u64>>,
    largest_acked: Option<u64>,
    /// How many of the packets are urgent.
    urgent_in_flight: usize,
    last_urgent_at: Timestamp,
    last_pto_at: Timestamp,
    pto_doublings: u8,
}

#[derive(Debug)]
struct SentPacket<T> {
    sequence: u64,
    sent_at: Timestamp,
    /// `None` once it was handed back for a probe; the packet may still be acknowledged.
    carried: Option<T>,
    bytes: u16,
    urgent: bool,
    acked: bool,
}

impl<T> SentPackets<T> {
    /// An empty record of at most `capacity` packets (at least one). Memory is taken as it is needed and kept.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            packets: VecDeque::new(),
            capacity: if capacity == 0 { 1 } else { capacity },
            bytes_in_flight: 0,
            sequences: None,
            largest_acked: None,
            urgent_in_flight: 0,
            last_urgent_at: Timestamp::ZERO,
            last_pto_at: Timestamp::ZERO,
            pto_doublings: 0,
        }
    }

    /// Records a packet that asks for an acknowledgement, and whether its peer sends one without being asked again:
    /// only then does its silence mean something. Sequences must ascend within a key epoch.
    ///
    /// When the record [is full](Self::is_full), the oldest packet gives way as if it were lost: what it carried
    /// is returned and has to be sent again.
    #[must_use = "what a displaced packet carried has to be sent again"]
    pub(crate) fn on_sent(
        &mut self,
        sequence: u64,
        now: Timestamp,
        bytes: u16,
        urgency: AckUrgency,
        carried: T,
    ) -> Option<T> {
        self.on_sent_unrecorded(sequence);
        let displaced = if self.is_full() { self.remove_oldest() } else { None };
        let urgent = urgency == AckUrgency::Urgent;
        if urgent {
            self.urgent_in_flight += 1;
            self.last_urgent_at = now;
        }
        if self.packets.len() == self.packets.capacity() {
            // An idle session has one or two packets in flight: the default growth would begin with room for four.
            self.packets.reserve_exact(self.packets.len().max(1));
        }
        self.packets.push_back(SentPacket {
            sequence,
            sent_at: now,
            carried: Some(carried),
            bytes,
            urgent,
            acked: false,
        });
        self.bytes_in_flight += u64::from(bytes);
        displaced.and_then(|packet| packet.carried)
    }

    /// Notes a packet that asks for no acknowledgement, since acknowledgements of others may cover it.
    pub(crate) fn on_sent_unrecorded(&mut self, sequence: u64) {
        debug_assert!(self.sequences.as_ref().is_none_or(|sent| sequence > *sent.end()), "sequences ascend");
        let first = self.sequences.as_ref().map_or(sequence, |sent| *sent.start());
        self.sequences = Some(first..=sequence);
    }

    /// Takes an acknowledgement: `ranges` disjoint and newest first, and how long the peer held it back.
    ///
    /// Hands over what the newly acknowledged packets carried, newest first. The largest sequence, if newly
    /// acknowledged, is a sample for `rtt`. To be followed by [`detect_lost`](Self::detect_lost).
    pub(crate) fn on_ack(
        &mut self,
        now: Timestamp,
        ranges: impl Iterator<Item = RangeInclusive<u64>> + Clone,
        ack_delay_micros: u64,
        rtt: &mut RttEstimator,
        mut each_acked: impl FnMut(T),
    ) -> Result<PacketTotals, AckError> {
        let Some(largest) = self.checked_largest(ranges.clone())? else {
            return Ok(PacketTotals::default());
        };
        self.largest_acked = self.largest_acked.max(Some(largest));
        let mut acked = PacketTotals::default();
        let mut ranges = ranges.peekable();
        for packet in self.packets.iter_mut().rev() {
            while ranges.next_if(|range| *range.start() > packet.sequence).is_some() {}
            if !ranges.peek().is_some_and(|range| range.contains(&packet.sequence)) {
                continue;
            }
            if packet.sequence == largest {
                rtt.update(now.micros_since(packet.sent_at), ack_delay_micros);
            }
            packet.acked = true;
            acked.add(packet.bytes);
            self.urgent_in_flight -= usize::from(packet.urgent);
            packet.carried.take().into_iter().for_each(&mut each_acked);
        }
        if acked.packets > 0 {
            self.packets.retain(|packet| !packet.acked);
            self.bytes_in_flight -= acked.bytes;
            self.pto_doublings = 0;
        }
        Ok(acked)
    }

    /// Takes out the packets that count as lost at `now` and hands over what they carried, oldest first.
    ///
    /// To be called after each acknowledgement and at the [`loss_time`](Self::loss_time).
    pub(crate) fn detect_lost(
        &mut self,
        now: Timestamp,
        rtt: &RttEstimator,
        mut each_lost: impl FnMut(T),
    ) -> PacketTotals {
        let mut lost = PacketTotals::default();
        while self.loss_time(rtt).is_some_and(|at| at <= now)
            && let Some(packet) = self.remove_oldest()
        {
            lost.add(packet.bytes);
            packet.carried.into_iter().for_each(&mut each_lost);
        }
        lost
    }

    /// When the oldest packet counts as lost; `None` while no later one was acknowledged.
    ///
    /// A packet three sequences below an acknowledged one is lost already, and its time is that of its sending.
    pub(crate) fn loss_time(&self, rtt: &RttEstimator) -> Option<Timestamp> {
        let oldest = self.packets.front()?;
        let sequences_behind = self.largest_acked?.checked_sub(oldest.sequence)?;
        if sequences_behind >= PACKET_THRESHOLD {
            Some(oldest.sent_at)
        } else {
            Some(oldest.sent_at.plus_micros(rtt.loss_delay_micros()))
        }
    }

    /// When to send a probe because nothing was heard; `None` if nothing urgent is in flight, or while a
    /// [`loss_time`](Self::loss_time) is set, which then comes first (RFC 9002, section 6.2.1).
    ///
    /// Packets that are not urgent are acknowledged whenever the peer happens to send, which may be seconds later.
    pub(crate) fn pto_deadline(&self, rtt: &RttEstimator) -> Option<Timestamp> {
        if self.urgent_in_flight == 0 || self.loss_time(rtt).is_some() {
            return None;
        }
        let wait_micros = rtt.pto_micros(MAX_ACK_DELAY_MICROS).saturating_mul(1 << self.pto_doublings);
        Some(self.last_urgent_at.max(self.last_pto_at).plus_micros(wait_micros))
    }

    /// To be called when the [`pto_deadline`](Self::pto_deadline) has come: moves it on, twice as far each time.
    ///
    /// Hands over what the oldest urgent packets carry, of two at most, to be sent again; the packets stay in flight.
    /// Returns of how many; the caller sends a probe even if it is none.
    pub(crate) fn on_pto(&mut self, now: Timestamp, mut each_requeued: impl FnMut(T)) -> usize {
        self.last_pto_at = now;
        self.pto_doublings = (self.pto_doublings + 1).min(PTO_DOUBLINGS_MAX);
        let urgent = self.packets.iter_mut().filter(|packet| packet.urgent);
        let carried = urgent.filter_map(|packet| packet.carried.take());
        carried.take(PACKETS_PER_PROBE).map(&mut each_requeued).count()
    }

    /// Ends the key epoch: hands over what all packets in flight carried, oldest first, and forgets every sequence.
    pub(crate) fn drain_all(&mut self, each_unacked: impl FnMut(T)) {
        self.packets.drain(..).filter_map(|packet| packet.carried).for_each(each_unacked);
        self.bytes_in_flight = 0;
        self.sequences = None;
        self.largest_acked = None;
        self.urgent_in_flight = 0;
        self.last_urgent_at = Timestamp::ZERO;
        self.last_pto_at = Timestamp::ZERO;
        self.pto_doublings = 0;
    }

    /// Whether the next recorded packet will displace the oldest.
    pub(crate) fn is_full(&self) -> bool {
        self.packets.len() >= self.capacity
    }

    /// How many packets are recorded.
    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// The size of all recorded packets that are in flight.
    #[cfg(test)]
    pub(crate) fn bytes_in_flight(&self) -> u64 {
        self.bytes_in_flight
    }

    fn remove_oldest(&mut self) -> Option<SentPacket<T>> {
        let oldest = self.packets.pop_front()?;
        self.bytes_in_flight -= u64::from(oldest.bytes);
        self.urgent_in_flight -= usize::from(oldest.urgent);
        Some(oldest)
    }

    /// The largest sequence acknowledged, if all ranges make sense; `None` if there are no ranges.
    fn checked_largest(
        &self,
        ranges: impl Iterator<Item = RangeInclusive<u64>>,
    ) -> Result<Option<u64>, AckError> {
        let mut largest = None;
        let mut start_of_newer = None;
        for range in ranges {
            let (start, end) = range.into_inner();
            if start > end || start_of_newer.is_some_and(|newer| end >= newer) {
                return Err(AckError::Disordered);
            }
            if !self.sequences.as_ref().is_some_and(|sent| sent.contains(&start) && sent.contains(&end)) {
                return Err(AckError::NeverSent);
            }
            largest = largest.or(Some(end));
            start_of_newer = Some(start);
        }
        Ok(largest)
    }
}

#[cfg(test)]
mod tests;
