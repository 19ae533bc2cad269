//! Acks: both halves of the bookkeeping they come from and go to, against sets.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::Timestamp;
use crate::link::frame::Ack;
use crate::link::received::{ACK_RANGES_MAX, AckUrgency, ReceivedPackets};
use crate::link::rtt::RttEstimator;
use crate::link::sent::{AckError, SentPackets};

/// How many sequences at most were sent before the one that is drawn.
const SENT_MAX: u64 = 64;
/// A packet is lost when one so many sequences later was acknowledged.
const LOST_BEHIND: u64 = 3;

/// Gives an ack that was read to a sender, and lets a receiver make one that names the same packets.
pub(super) fn check_use(ack: &Ack<'_>) {
    settle(ack);
    remember(ack);
}

/// A sender that sent some of what the ack names. Which, the delay says: it has no other meaning here.
fn settle(ack: &Ack<'_>) {
    let choice = ack.delay_micros;
    let last = ack.largest.saturating_add(choice % 4).saturating_sub(1);
    let first = last.saturating_sub(choice / 4 % SENT_MAX);
    let mut sent = SentPackets::new(usize::try_from(SENT_MAX).expect("a small number"));
    let mut unsettled = BTreeSet::new();
    for sequence in first..=last {
        if sequence % 5 == 3 {
            sent.on_sent_unrecorded(sequence);
        } else {
            let urgency = if sequence % 2 == 0 { AckUrgency::Urgent } else { AckUrgency::Lazy };
            assert_eq!(sent.on_sent(sequence, Timestamp::ZERO, 100, urgency, sequence), None);
            unsettled.insert(sequence);
        }
    }

    let is_known = |range: RangeInclusive<u64>| first <= *range.start() && *range.end() <= last;
    let covered: BTreeSet<_> = unsettled.iter().copied().filter(|&sequence| names(ack, sequence)).collect();
    let mut rtt = RttEstimator::new();
    // The second time it settles nothing.
    for expected in [covered.clone(), BTreeSet::new()] {
        let mut acked = BTreeSet::new();
        let result = sent.on_ack(Timestamp::ZERO, ack.ranges(), choice, &mut rtt, |_, carried| {
            assert!(acked.insert(carried.expect("nothing was handed back before")));
        });
        if !ack.ranges().all(is_known) {
            assert_eq!(result, Err(AckError::NeverSent));
            assert!(acked.is_empty(), "an ack that is refused settles nothing");
            return;
        }
        assert_eq!(result.map(|acked| acked.packets as usize), Ok(expected.len()));
        assert_eq!(acked, expected);
    }
    unsettled.retain(|sequence| !covered.contains(sequence));
    check_lost(ack, &mut sent, &rtt, unsettled);
}

/// What lies far enough behind the ack is lost at once, and nothing else.
fn check_lost(ack: &Ack<'_>, sent: &mut SentPackets<u64>, rtt: &RttEstimator, unsettled: BTreeSet<u64>) {
    let is_lost =
        |sequence: &u64| ack.largest.checked_sub(*sequence).is_some_and(|behind| behind >= LOST_BEHIND);
    let (expected, left): (Vec<_>, Vec<_>) = unsettled.into_iter().partition(is_lost);
    let mut lost = Vec::new();
    let counted = sent.detect_lost(Timestamp::ZERO, rtt, |sequence| lost.push(sequence));
    assert_eq!(lost, expected);
    assert_eq!(counted.packets as usize, expected.len());
    let urgent = left.iter().filter(|&sequence| sequence % 2 == 0).count();
    assert_eq!((sent.packets_in_flight(), sent.bytes_in_flight()), (urgent, 100 * urgent as u64));
}

fn names(ack: &Ack<'_>, sequence: u64) -> bool {
    ack.ranges().any(|range| range.contains(&sequence))
}

/// A receiver that got the newest packets of each range, in an order that the delay says: its own ack names them, and forgets them later.
fn remember(ack: &Ack<'_>) {
    let mut arrivals = Vec::new();
    // One by one: flattened and optimized it decides by a value that may not be there, which changes nothing, but memcheck objects.
    ack.ranges().for_each(|range| arrivals.extend(newest_of(range)));
    // A turn may part the packets of one range for a while: one range more, for which there has to be room.
    if ack.ranges().count() < ACK_RANGES_MAX {
        let turn = usize::try_from(ack.delay_micros % 64).expect("a small number");
        let len = arrivals.len();
        arrivals.rotate_left(turn % len);
    }
    if ack.delay_micros & 64 != 0 {
        arrivals.reverse();
    }
    let mut received = ReceivedPackets::default();
    for &sequence in &arrivals {
        received.insert(sequence, Timestamp::ZERO, AckUrgency::Lazy);
    }
    let expected: Vec<_> = ack
        .ranges()
        .map(|range| (*range.start()).max(range.end().saturating_sub(2))..=*range.end())
        .collect();
    assert_eq!(received.ranges().collect::<Vec<_>>(), expected);
    for range in &expected {
        // They wait for an acknowledgement.
        received.forget_through(*range.end());
        assert_eq!(received.ranges().count(), expected.len());
    }
    received.on_ack_sent();
    for (count, range) in expected.iter().enumerate().rev() {
        received.forget_through(*range.end());
        assert_eq!(received.ranges().count(), count);
    }
}

/// The last of a range, and the one or two before it.
fn newest_of(range: RangeInclusive<u64>) -> impl Iterator<Item = u64> {
    range.rev().take(3)
}
