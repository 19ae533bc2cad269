use std::collections::BTreeSet;
use std::vec::Vec;

use allocation_counter::measure;

use super::*;

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn received(sequences: impl IntoIterator<Item = u64>) -> ReceivedPackets {
    let mut packets = ReceivedPackets::default();
    for sequence in sequences {
        packets.insert(sequence, ms(0), AckUrgency::None);
    }
    packets
}

fn ranges(packets: &ReceivedPackets) -> Vec<RangeInclusive<u64>> {
    packets.ranges().collect()
}

#[test]
fn packets_in_order_make_one_range() {
    assert_eq!(ranges(&received(1_000..1_500)), [1_000..=1_499]);
}

#[test]
fn gaps_separate_ranges_and_late_packets_join_them() {
    let mut packets = received([10, 12, 13, 17]);
    assert_eq!(ranges(&packets), [17..=17, 12..=13, 10..=10]);
    packets.insert(11, ms(0), AckUrgency::None);
    assert_eq!(ranges(&packets), [17..=17, 10..=13]);
    packets.insert(16, ms(0), AckUrgency::None);
    packets.insert(14, ms(0), AckUrgency::None);
    packets.insert(8, ms(0), AckUrgency::None);
    assert_eq!(ranges(&packets), [16..=17, 10..=14, 8..=8]);
    packets.insert(15, ms(0), AckUrgency::None);
    assert_eq!(ranges(&packets), [10..=17, 8..=8]);
}

#[test]
fn the_ends_of_the_sequence_space_are_ordinary_sequences() {
    let mut packets = received([0, u64::MAX, 1, u64::MAX - 1]);
    assert_eq!(ranges(&packets), [u64::MAX - 1..=u64::MAX, 0..=1]);
    packets.forget_through(u64::MAX);
    assert_eq!(ranges(&packets), []);
}

#[test]
fn the_oldest_range_gives_way_when_all_are_in_use() {
    let mut packets = received((0..32).map(|n| 100 + 2 * n));
    packets.insert(50, ms(0), AckUrgency::None);
    assert_eq!((packets.ranges().count(), packets.ranges().last()), (32, Some(100..=100)));
    packets.insert(200, ms(0), AckUrgency::None);
    assert_eq!((packets.ranges().next(), packets.ranges().last()), (Some(200..=200), Some(102..=102)));
    packets.insert(101, ms(0), AckUrgency::None);
    assert_eq!((packets.ranges().count(), packets.ranges().last()), (32, Some(101..=102)));
}

#[test]
fn ranges_known_to_the_peer_can_be_forgotten() {
    let mut packets = received([10, 12, 13, 14, 17]);
    packets.forget_through(13);
    assert_eq!(ranges(&packets), [17..=17, 14..=14]);
    packets.forget_through(20);
    assert_eq!(ranges(&packets), []);
    packets.insert(18, ms(5), AckUrgency::Lazy);
    assert_eq!((ranges(&packets), packets.ack_due()), ([18..=18].into(), None));
}

#[test]
fn a_late_packet_that_still_waits_for_its_acknowledgement_is_not_forgotten() {
    let mut packets = received([]);
    for sequence in [4, 5] {
        packets.insert(sequence, ms(0), AckUrgency::Urgent);
    }
    packets.on_ack_sent();
    packets.insert(3, ms(1), AckUrgency::Lazy);
    packets.forget_through(5);
    assert_eq!((ranges(&packets), packets.ack_due()), ([3..=5].into(), Some(ms(1))));
    packets.on_ack_sent();
    packets.forget_through(5);
    assert_eq!(ranges(&packets), []);
    packets.insert(0, ms(2), AckUrgency::Lazy);
    packets.forget_through(5);
    assert_eq!(ranges(&packets), [0..=0]);
}

#[test]
fn an_urgent_packet_is_acknowledged_within_25_ms() {
    let mut packets = ReceivedPackets::default();
    packets.insert(5, ms(100), AckUrgency::Urgent);
    assert_eq!((packets.ack_due(), packets.has_unsent_ack()), (Some(ms(125)), true));
    packets.on_ack_sent();
    assert_eq!((packets.ack_due(), packets.has_unsent_ack()), (None, false));
    packets.insert(6, ms(200), AckUrgency::Urgent);
    assert_eq!(packets.ack_due(), Some(ms(225)));
}

#[test]
fn the_second_urgent_packet_is_acknowledged_at_once() {
    let mut packets = ReceivedPackets::default();
    packets.insert(5, ms(100), AckUrgency::Urgent);
    packets.insert(6, ms(110), AckUrgency::Lazy);
    assert_eq!(packets.ack_due(), Some(ms(125)));
    packets.insert(7, ms(111), AckUrgency::Urgent);
    packets.insert(8, ms(112), AckUrgency::Urgent);
    assert_eq!(packets.ack_due(), Some(ms(111)));
}

#[test]
fn a_lazy_packet_waits_for_a_packet_that_is_sent_anyway() {
    let mut packets = ReceivedPackets::default();
    packets.insert(5, ms(100), AckUrgency::Lazy);
    assert_eq!((packets.ack_due(), packets.has_unsent_ack()), (None, true));
}

#[test]
fn an_acknowledgement_is_not_acknowledged() {
    let mut packets = ReceivedPackets::default();
    packets.insert(5, ms(100), AckUrgency::None);
    packets.insert(9, ms(100), AckUrgency::None);
    assert_eq!((packets.ack_due(), packets.has_unsent_ack()), (None, false));
}

#[test]
fn leaving_or_filling_a_gap_is_reported_at_once_and_only_once() {
    for urgency in [AckUrgency::Lazy, AckUrgency::Urgent] {
        let mut packets = received([5]);
        packets.insert(7, ms(100), urgency);
        assert_eq!(packets.ack_due(), Some(ms(100)));
        packets.on_ack_sent();
        packets.insert(6, ms(103), urgency);
        assert_eq!(packets.ack_due(), Some(ms(103)));
        packets.on_ack_sent();
        packets.insert(8, ms(104), AckUrgency::Lazy);
        assert_eq!(packets.ack_due(), None);
    }
}

#[test]
fn the_delay_counts_from_the_largest_packet() {
    let mut packets = ReceivedPackets::default();
    assert_eq!(packets.largest_received_at(), None);
    packets.insert(7, ms(10), AckUrgency::None);
    packets.insert(6, ms(20), AckUrgency::None);
    assert_eq!(packets.largest_received_at(), Some(ms(10)));
    packets.insert(8, ms(30), AckUrgency::None);
    assert_eq!(packets.largest_received_at(), Some(ms(30)));
}

#[test]
fn a_key_switch_forgets_everything_that_was_owed() {
    let mut packets = received([5, 9]);
    packets.insert(11, ms(100), AckUrgency::Urgent);
    packets.clear();
    assert_eq!((ranges(&packets), packets.ack_due(), packets.has_unsent_ack()), ([].into(), None, false));
    assert_eq!(packets.largest_received_at(), None);
    packets.insert(3, ms(200), AckUrgency::Lazy);
    assert_eq!((ranges(&packets), packets.ack_due()), ([3..=3].into(), None));
}

#[test]
fn random_arrivals_are_remembered_like_in_a_set() {
    let mut random = 7_u64;
    for round in 0..200 {
        let mut packets = ReceivedPackets::default();
        let mut expected = BTreeSet::new();
        for _ in 0..60 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let sequence = (random >> 33) % 64 + (u64::MAX - 63) * (round % 2);
            packets.insert(sequence, ms(0), AckUrgency::None);
            expected.insert(sequence);
            assert_eq!(packets.ranges().flatten().collect::<BTreeSet<u64>>(), expected);
            let starts_and_ends: Vec<u64> = packets.ranges().flat_map(|r| [*r.end(), *r.start()]).collect();
            assert!(starts_and_ends.is_sorted_by(|a, b| a >= b), "newest first: {starts_and_ends:?}");
            let apart = starts_and_ends[1..].chunks_exact(2).all(|pair| pair[0] - pair[1] > 1);
            assert!(apart, "neither overlapping nor adjacent: {starts_and_ends:?}");
        }
    }
}

#[test]
fn packets_that_did_not_come_are_counted_until_they_do() {
    let mut received = ReceivedPackets::default();
    let missed_after = |received: &mut ReceivedPackets, sequence| {
        received.insert(sequence, Timestamp::ZERO, AckUrgency::Lazy);
        received.missed()
    };
    assert_eq!(missed_after(&mut received, 100), 0, "nobody knows what came before the first");
    assert_eq!(missed_after(&mut received, 103), 2);
    assert_eq!(missed_after(&mut received, 102), 1);
    assert_eq!(missed_after(&mut received, 99), 1, "sent before the first that came");
    assert_eq!(missed_after(&mut received, 104), 1);
    received.clear();
    assert_eq!(missed_after(&mut received, 5), 1, "the next key epoch has sequences of its own");
    assert_eq!(missed_after(&mut received, 7), 2);
    assert_eq!(missed_after(&mut received, u64::MAX), u64::MAX - 7 - 1 + 2);
}

#[test]
fn ranges_take_memory_only_where_much_is_missing_and_no_more_than_is_reckoned() {
    assert_eq!(received([1, 3]).memory_bytes(), 0);
    let mut packets = None;

    let allocated = measure(|| packets = Some(received((0..100).map(|n| 2 * n))));

    let taken = packets.expect("the measured closure ran").memory_bytes();
    assert_eq!(u64::try_from(allocated.bytes_current), Ok(taken as u64));
    assert_eq!(taken, ReceivedPackets::memory_bytes_max());
}
