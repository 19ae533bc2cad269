//! Which packets of a key epoch are in flight, and which of them are acknowledged, lost or worth a probe.
//!
//! Recovery works on packets, as in RFC 9002: what a lost packet carried is handed back to be sent again in
//! another packet, so nothing that is sent needs a timer of its own.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

use super::received::{AckUrgency, MAX_ACK_DELAY_MICROS};
use super::rtt::RttEstimator;
use crate::Timestamp;
use crate::memory::{Room, Thrift, deque_bytes, reserve_deque};

/// A packet is lost when one so many sequences later was acknowledged (RFC 9002, section 6.1.1).
const PACKET_THRESHOLD: u64 = 3;
/// How many packets' contents one probe time-out hands back (RFC 9002, section 6.2.4).
const PACKETS_PER_PROBE: usize = 2;
/// The wait between probes doubles so often; a session that stays silent for long ends by its own deadline.
const PTO_DOUBLINGS_MAX: u8 = 6;
/// So many packets can be recorded whatever else takes memory: else nothing reliable could leave.
const PACKETS_GUARANTEED: usize = 16;

/// An acknowledgement that no correct peer sends. It changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckError {
    /// It covers a sequence outside those that were sent in this key epoch.
    NeverSent,
    /// A range ends before it starts, or the ranges are not disjoint and newest first.
    Disordered,
}

/// What an acknowledgement settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acked {
    /// How many packets it was the first to acknowledge.
    pub(crate) packets: u32,
    /// When the packet was sent that gave a round-trip sample; `None` if none did.
    pub(crate) sample_sent_at: Option<Timestamp>,
}

/// The packets that were found lost at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// How many.
    pub(crate) packets: u32,
    /// When the newest of them was sent.
    pub(crate) newest_sent_at: Timestamp,
    /// The longest time between the sendings of two urgent ones with no acknowledged packet between, in microseconds. Packets
    /// that were sent before the first round-trip sample do not count, and others may be far apart because nothing probes for them.
    pub(crate) longest_run_micros: u64,
}

/// A packet that has just been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckedPacket {
    /// When it was sent.
    pub(crate) sent_at: Timestamp,
    /// What of it counted as in flight, in bytes.
    pub(crate) bytes_in_flight: u16,
}

/// The packets of one key epoch that ask for an acknowledgement and have none yet, oldest first.
///
/// `T` says what a packet carried. It is handed back exactly once: acknowledged, lost, displaced, or for a probe.
#[derive(Debug)]
pub(crate) struct SentPackets<T> {
    /// Ascending by sequence. The first is never an acknowledged one.
    packets: VecDeque<SentPacket<T>>,
    /// The most that are recorded.
    capacity: usize,
    /// How many of them there is memory for now.
    affordable: usize,
    /// Of the packets that are urgent.
    bytes_in_flight: u64,
    /// From the first to the last sequence of the epoch, recorded or not.
    sequences: Option<RangeInclusive<u64>>,
    largest_acked: Option<u64>,
    first_sample_at: Option<Timestamp>,
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

impl<T> SentPacket<T> {
    const fn bytes_in_flight(&self) -> u16 {
        if self.urgent { self.bytes } else { 0 }
    }
}

impl<T> SentPackets<T> {
    /// An empty record of at most `capacity` packets (at least one). Memory is taken as it is needed and kept.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            packets: VecDeque::new(),
            capacity: if capacity == 0 { 1 } else { capacity },
            affordable: usize::MAX,
            bytes_in_flight: 0,
            sequences: None,
            largest_acked: None,
            first_sample_at: None,
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
        self.forget_acked_front();
        let urgent = urgency == AckUrgency::Urgent;
        if urgent {
            self.urgent_in_flight += 1;
            self.bytes_in_flight += u64::from(bytes);
            self.last_urgent_at = now;
        }
        // An idle session has one or two packets in flight: the default growth would begin with room for four.
        reserve_deque(&mut self.packets, 1, self.capacity.min(self.affordable));
        self.packets.push_back(SentPacket {
            sequence,
            sent_at: now,
            carried: Some(carried),
            bytes,
            urgent,
            acked: false,
        });
        displaced.and_then(|packet| packet.carried)
    }

    /// Notes a packet that asks for no acknowledgement, since acknowledgements of others may cover it.
    pub(crate) fn on_sent_unrecorded(&mut self, sequence: u64) {
        debug_assert!(self.sequences.as_ref().is_none_or(|sent| sequence > *sent.end()), "sequences ascend");
        let first = self.sequences.as_ref().map_or(sequence, |sent| *sent.start());
        self.sequences = Some(first..=sequence);
    }

    /// Notes packets that left before all others of this key epoch, between the first and the last of these sequences.
    pub(crate) fn on_sent_elsewhere(&mut self, sequences: RangeInclusive<u64>) {
        debug_assert!(self.sequences.is_none(), "they are the first");
        self.sequences = Some(sequences);
    }

    /// Takes an acknowledgement: `ranges` disjoint and newest first, and how long the peer held it back.
    ///
    /// Hands over each newly acknowledged packet and what it carried, range by range, oldest first within each; nothing where that was
    /// handed back for a probe. The largest sequence, if newly acknowledged, is a sample for `rtt`.
    ///
    /// To be followed by [`detect_lost`](Self::detect_lost). After that at most two acknowledged packets are left in the record, so the
    /// work is bounded by the number of ranges and of packets that they settle, however large the record is.
    pub(crate) fn on_ack(
        &mut self,
        now: Timestamp,
        ranges: impl Iterator<Item = RangeInclusive<u64>> + Clone,
        ack_delay_micros: u64,
        rtt: &mut RttEstimator,
        mut each_acked: impl FnMut(AckedPacket, Option<T>),
    ) -> Result<Acked, AckError> {
        let mut acked = Acked::default();
        let Some(largest) = self.checked_largest(ranges.clone())? else { return Ok(acked) };
        self.largest_acked = self.largest_acked.max(Some(largest));
        for range in ranges {
            let first = self.packets.partition_point(|packet| packet.sequence < *range.start());
            let covered = self.packets.iter_mut().skip(first);
            for packet in covered.take_while(|packet| packet.sequence <= *range.end()) {
                if packet.acked {
                    continue;
                }
                packet.acked = true;
                if packet.sequence == largest {
                    rtt.update(now.micros_since(packet.sent_at), ack_delay_micros);
                    acked.sample_sent_at = Some(packet.sent_at);
                }
                acked.packets += 1;
                self.urgent_in_flight -= usize::from(packet.urgent);
                self.bytes_in_flight -= u64::from(packet.bytes_in_flight());
                let settled =
                    AckedPacket { sent_at: packet.sent_at, bytes_in_flight: packet.bytes_in_flight() };
                each_acked(settled, packet.carried.take());
            }
        }
        if acked.packets > 0 {
            self.forget_acked_front();
            self.pto_doublings = 0;
        }
        if acked.sample_sent_at.is_some() {
            self.first_sample_at = self.first_sample_at.or(Some(now));
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
    ) -> Lost {
        let mut lost = Lost::default();
        let mut run_start = None;
        while self.loss_time(rtt).is_some_and(|at| at <= now)
            && let Some(packet) = self.remove_oldest()
        {
            lost.packets += 1;
            lost.newest_sent_at = packet.sent_at;
            if packet.urgent && self.first_sample_at.is_some_and(|first| packet.sent_at >= first) {
                let run_start = *run_start.get_or_insert(packet.sent_at);
                lost.longest_run_micros = lost.longest_run_micros.max(packet.sent_at.micros_since(run_start));
            }
            packet.carried.into_iter().for_each(&mut each_lost);
            if self.forget_acked_front() {
                run_start = None;
            }
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
        self.first_sample_at = None;
        self.urgent_in_flight = 0;
        self.last_urgent_at = Timestamp::ZERO;
        self.last_pto_at = Timestamp::ZERO;
        self.pto_doublings = 0;
    }

    /// Forgets all packets that are not settled: they went where nobody hears. That some arrived all the same is nothing to act on.
    pub(crate) fn abandon_all(&mut self, each_unacked: impl FnMut(T)) -> u32 {
        let packets = self.packets.iter().filter(|packet| !packet.acked).count();
        self.packets.drain(..).filter_map(|packet| packet.carried).for_each(each_unacked);
        self.bytes_in_flight = 0;
        self.urgent_in_flight = 0;
        self.pto_doublings = 0;
        u32::try_from(packets).unwrap_or(u32::MAX)
    }

    /// Whether the next recorded packet will displace the oldest.
    pub(crate) fn is_full(&self) -> bool {
        self.packets.len() >= self.capacity.min(self.affordable)
    }

    /// Whether one packet more can be recorded without more memory.
    pub(crate) fn is_ready(&self) -> bool {
        self.packets.len() < self.packets.capacity()
    }

    /// Sees to it that one packet more can be recorded. Where there is no memory for that, the record is full.
    pub(crate) fn make_room(&mut self, room: &mut Room) {
        if self.has_room(room) && self.packets.len() < self.capacity {
            room.reserve_deque(&mut self.packets, 1, self.capacity);
        }
    }

    /// Whether [`make_room`](Self::make_room) finds room; remembers it until the next time.
    pub(crate) fn has_room(&mut self, room: &mut Room) -> bool {
        let wanted = (self.packets.len() + 1).min(self.capacity);
        let charge = Self::charge(wanted * size_of::<SentPacket<T>>());
        let has_room = room.plan(charge.saturating_sub(self.charged_bytes()));
        self.affordable = if has_room { usize::MAX } else { self.packets.capacity().max(PACKETS_GUARANTEED) };
        has_room
    }

    /// What is charged for it beyond the [guaranteed](Self::GUARANTEED_BYTES) part.
    pub(crate) fn charged_bytes(&self) -> usize {
        Self::charge(deque_bytes(&self.packets))
    }

    /// The memory that a record has whatever else takes memory.
    pub(crate) const GUARANTEED_BYTES: usize = PACKETS_GUARANTEED * size_of::<SentPacket<T>>();

    /// What is charged for so much memory.
    const fn charge(bytes: usize) -> usize {
        bytes.saturating_sub(Self::GUARANTEED_BYTES)
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        thrift.shrink_deque(&mut self.packets);
    }

    /// How many packets are recorded whose silence means nothing.
    pub(crate) fn lazy_packets(&self) -> usize {
        self.packets.len() - self.urgent_in_flight
    }

    /// The memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        deque_bytes(&self.packets)
    }

    /// The most memory that a record of `capacity` packets takes.
    pub(crate) const fn memory_bytes_max(capacity: usize) -> usize {
        capacity * size_of::<SentPacket<T>>()
    }

    /// How many packets are in flight: those that are acknowledged without delay, so that their silence means something.
    pub(crate) fn packets_in_flight(&self) -> usize {
        self.urgent_in_flight
    }

    /// The size of these packets.
    pub(crate) fn bytes_in_flight(&self) -> u64 {
        self.bytes_in_flight
    }

    fn remove_oldest(&mut self) -> Option<SentPacket<T>> {
        let oldest = self.packets.pop_front()?;
        self.bytes_in_flight -= u64::from(oldest.bytes_in_flight());
        self.urgent_in_flight -= usize::from(oldest.urgent);
        Some(oldest)
    }

    /// Takes out the acknowledged packets that are the oldest; says whether there were any.
    fn forget_acked_front(&mut self) -> bool {
        let len_before = self.packets.len();
        while self.packets.pop_front_if(|packet| packet.acked).is_some() {}
        self.packets.len() < len_before
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
