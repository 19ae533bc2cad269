use std::collections::BTreeSet;
use std::vec::Vec;

use super::*;

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// One end of a link with a round trip of 80 ms: a probe time-out of 80 + 4 x 40 + 25 ms, a loss delay of 90 ms.
struct Sender {
    sent: SentPackets<u64>,
    rtt: RttEstimator,
}

impl Sender {
    fn new() -> Self {
        let mut rtt = RttEstimator::new();
        rtt.update(80_000, 0);
        Self { sent: SentPackets::new(64), rtt }
    }

    /// Each packet of 100 bytes carries its own sequence.
    fn sends(&mut self, sequences: impl IntoIterator<Item = u64>, at_ms: u64) {
        for sequence in sequences {
            assert_eq!(self.sent.on_sent(sequence, ms(at_ms), 100, AckUrgency::Urgent, sequence), None);
        }
    }

    fn hears(&mut self, ranges: &[RangeInclusive<u64>], at_ms: u64) -> Result<Vec<u64>, AckError> {
        let mut acked = Vec::new();
        let totals = self.sent.on_ack(ms(at_ms), ranges.iter().cloned(), 0, &mut self.rtt, |_, carried| {
            acked.extend(carried);
        });
        totals.map(|_| acked)
    }

    fn loses(&mut self, at_ms: u64) -> Vec<u64> {
        let mut lost = Vec::new();
        self.sent.detect_lost(ms(at_ms), &self.rtt, |carried| lost.push(carried));
        lost
    }

    fn probes(&mut self, at_ms: u64) -> Vec<u64> {
        let mut requeued = Vec::new();
        let count = self.sent.on_pto(ms(at_ms), |carried| requeued.push(carried));
        assert_eq!(count, requeued.len());
        requeued
    }

    fn pto_deadline(&self) -> Option<Timestamp> {
        self.sent.pto_deadline(&self.rtt)
    }

    fn loss_time(&self) -> Option<Timestamp> {
        self.sent.loss_time(&self.rtt)
    }
}

#[test]
fn what_is_acknowledged_is_handed_over_once_range_by_range() {
    let mut sender = Sender::new();
    sender.sends(500..510, 0);
    assert_eq!(sender.hears(&[507..=508, 502..=503], 80), Ok([507, 508, 502, 503].into()));
    assert_eq!(sender.hears(&[507..=508, 502..=504], 81), Ok([504].into()));
    assert_eq!(sender.sent.bytes_in_flight(), 500);
}

#[test]
fn an_acknowledgement_tells_how_much_left_the_flight() {
    let mut sender = Sender::new();
    assert_eq!(sender.sent.on_sent(1, ms(0), 1_200, AckUrgency::Urgent, 1), None);
    assert_eq!(sender.sent.on_sent(2, ms(5), 34, AckUrgency::Urgent, 2), None);
    assert_eq!((sender.sent.packets_in_flight(), sender.sent.bytes_in_flight()), (2, 1_234));
    let mut settled = Vec::new();
    let acked = sender.sent.on_ack(ms(80), [1..=2].into_iter(), 0, &mut sender.rtt, |packet, _| {
        settled.push((packet.sent_at, packet.bytes_in_flight));
    });
    assert_eq!(acked, Ok(Acked { packets: 2, sample_sent_at: Some(ms(5)) }));
    assert_eq!(settled, [(ms(0), 1_200), (ms(5), 34)]);
    assert_eq!(sender.sent.packets_in_flight(), 0);
    assert_eq!(sender.sent.bytes_in_flight(), 0);
}

#[test]
fn sequences_that_were_never_sent_cannot_be_acknowledged() {
    let mut sender = Sender::new();
    assert_eq!(sender.hears(&[0..=0], 0), Err(AckError::NeverSent));
    sender.sends(500..503, 0);
    for ranges in [[503..=503, 500..=501], [502..=502, 499..=500], [0..=u64::MAX, 0..=0]] {
        assert_eq!(sender.hears(&ranges, 80), Err(AckError::NeverSent));
    }
    assert_eq!(sender.hears(&[500..=502], 80), Ok([500, 501, 502].into()), "an error changes nothing");
}

#[test]
fn ranges_out_of_order_are_refused() {
    let mut sender = Sender::new();
    sender.sends(500..510, 0);
    let backwards = RangeInclusive::new(505, 504);
    for ranges in [[501..=502, 505..=506], [505..=506, 503..=505], [507..=507, backwards]] {
        assert_eq!(sender.hears(&ranges, 80), Err(AckError::Disordered));
    }
    assert_eq!(sender.sent.bytes_in_flight(), 1_000);
    assert_eq!(sender.hears(&[505..=506, 503..=504], 80).map(|acked| acked.len()), Ok(4));
}

#[test]
fn an_acknowledgement_without_ranges_is_nothing() {
    assert_eq!(Sender::new().hears(&[], 0), Ok([].into()));
}

#[test]
fn packets_without_a_record_may_be_acknowledged_along_with_others() {
    let mut sender = Sender::new();
    sender.sent.on_sent_unrecorded(9);
    sender.sends([10], 0);
    sender.sent.on_sent_unrecorded(11);
    assert_eq!(sender.hears(&[9..=11], 50), Ok([10].into()));
    assert_eq!(sender.rtt.min_micros(), Some(80_000), "the largest has no record, so it is no sample");
}

#[test]
fn ranges_without_a_record_are_passed_over() {
    let mut sender = Sender::new();
    sender.sends([10], 0);
    (11..20).for_each(|sequence| sender.sent.on_sent_unrecorded(sequence));
    assert_eq!(sender.hears(&[18..=18, 16..=16, 14..=14, 10..=10], 50), Ok([10].into()));
}

#[test]
fn only_the_largest_sequence_newly_acknowledged_is_a_sample() {
    let mut sender = Sender::new();
    sender.sends([1], 0);
    sender.sends([2, 3], 30);
    sender.hears(&[2..=2], 100).unwrap();
    assert_eq!(sender.rtt.min_micros(), Some(70_000));
    sender.hears(&[1..=2], 40).unwrap();
    assert_eq!(sender.rtt.min_micros(), Some(70_000));
    let acked = sender.sent.on_ack(ms(130), [3..=3].into_iter(), 20_000, &mut sender.rtt, |_, _| {});
    assert_eq!(acked.map(|acked| acked.packets), Ok(1));
    assert_eq!(sender.rtt.smoothed_micros(), (7 * 78_750 + 80_000) / 8);
}

#[test]
fn a_packet_three_sequences_below_an_acknowledged_one_is_lost_at_once() {
    let mut sender = Sender::new();
    sender.sends(100..106, 0);
    sender.hears(&[104..=104], 80).unwrap();
    assert_eq!(sender.loss_time(), Some(ms(0)));
    assert_eq!(sender.loses(80), [100, 101]);
    assert_eq!(sender.loss_time(), Some(ms(90)));
}

#[test]
fn a_packet_below_an_acknowledged_one_is_lost_after_nine_eighths_of_the_round_trip() {
    let mut sender = Sender::new();
    sender.sends([100], 0);
    sender.sends([101], 10);
    sender.sends([102, 103], 20);
    sender.hears(&[102..=102], 80).unwrap();
    assert_eq!(sender.rtt.loss_delay_micros(), 77_500 * 9 / 8);
    assert_eq!(sender.loss_time(), Some(Timestamp::from_micros(87_187)));
    assert_eq!(sender.loses(87), []);
    assert_eq!(sender.loses(88), [100]);
    assert_eq!(sender.loses(98), [101]);
    assert_eq!((sender.loss_time(), sender.loses(100_000)), (None, [].into()));
    assert_eq!(sender.sent.bytes_in_flight(), 100);
}

#[test]
fn losses_tell_how_many_when_the_newest_was_sent_and_over_how_long() {
    let mut sender = Sender::new();
    sender.sends([0], 0);
    sender.hears(&[0..=0], 80).unwrap();
    sender.sends([1, 2], 100);
    sender.sends([3], 400);
    sender.sends(4..7, 500);
    sender.hears(&[6..=6], 580).unwrap();
    let lost = sender.sent.detect_lost(ms(580), &sender.rtt, |_| {});
    assert_eq!(lost, Lost { packets: 3, newest_sent_at: ms(400), longest_run_micros: 300_000 });
    assert_eq!(sender.sent.detect_lost(ms(580), &sender.rtt, |_| {}), Lost::default());
}

#[test]
fn a_run_of_losses_ends_at_an_acknowledged_packet_and_begins_after_the_first_sample() {
    let mut sender = Sender::new();
    sender.sends([0], 0);
    sender.sends([1], 20);
    sender.hears(&[1..=1], 60).unwrap();
    for sequence in 2..10 {
        sender.sends([sequence], sequence * 100);
    }
    sender.hears(&[9..=9, 5..=5], 980).unwrap();
    let lost = sender.sent.detect_lost(ms(980), &sender.rtt, |_| {});
    assert_eq!((lost.packets, lost.longest_run_micros), (7, 200_000), "2 to 4 and 6 to 8, not 0");
}

#[test]
fn packets_that_nothing_probes_for_make_no_run_of_losses() {
    let mut sender = Sender::new();
    sender.sends([0], 0);
    sender.hears(&[0..=0], 80).unwrap();
    for sequence in 1..5 {
        let at = ms(sequence * 1_000);
        assert_eq!(sender.sent.on_sent(sequence, at, 100, AckUrgency::Lazy, sequence), None);
    }
    sender.sends(5..9, 5_000);
    sender.hears(&[8..=8], 5_080).unwrap();
    let lost = sender.sent.detect_lost(ms(5_080), &sender.rtt, |_| {});
    assert_eq!((lost.packets, lost.longest_run_micros), (5, 0));
}

#[test]
fn after_an_acknowledgement_the_record_keeps_no_more_than_two_acknowledged_packets() {
    let mut sender = Sender { sent: SentPackets::new(5_000), ..Sender::new() };
    sender.sends(0..5_000, 0);
    for newest in (10..5_000).step_by(7) {
        sender.hears(&[newest - 1..=newest, newest - 5..=newest - 4], 80).unwrap();
        sender.loses(80);
        let acked = sender.sent.packets.iter().filter(|packet| packet.acked).count();
        assert!(acked <= 2, "{acked} after {newest}");
    }
}

#[test]
fn packets_that_are_not_urgent_do_not_count_as_in_flight() {
    let mut sender = Sender::new();
    assert_eq!(sender.sent.on_sent(0, ms(0), 500, AckUrgency::Lazy, 0), None);
    sender.sends([1], 0);
    assert_eq!((sender.sent.packets_in_flight(), sender.sent.bytes_in_flight()), (1, 100));
    let mut bytes = Vec::new();
    let acked = sender.sent.on_ack(ms(80), [0..=1].into_iter(), 0, &mut sender.rtt, |packet, _| {
        bytes.push(packet.bytes_in_flight);
    });
    assert_eq!((acked.map(|acked| acked.packets), bytes), (Ok(2), [0, 100].into()));
    assert_eq!(sender.sent.bytes_in_flight(), 0);
}

#[test]
fn the_packet_threshold_holds_at_the_end_of_the_sequence_space() {
    let mut sender = Sender::new();
    sender.sends(u64::MAX - 3..=u64::MAX, 0);
    sender.hears(&[u64::MAX..=u64::MAX], 80).unwrap();
    assert_eq!(sender.loses(80), [u64::MAX - 3]);
}

#[test]
fn a_late_acknowledgement_of_a_lost_packet_is_ignored() {
    let mut sender = Sender::new();
    sender.sends(0..5, 0);
    sender.hears(&[4..=4], 80).unwrap();
    assert_eq!(sender.loses(80), [0, 1]);
    assert_eq!(sender.hears(&[4..=4, 0..=1], 81), Ok([].into()));
}

#[test]
fn silence_about_packets_that_are_not_urgent_means_nothing() {
    let mut sender = Sender::new();
    assert_eq!(sender.sent.on_sent(0, ms(0), 100, AckUrgency::Lazy, 0), None);
    assert_eq!(sender.pto_deadline(), None);
    sender.sends([1], 10);
    assert_eq!(sender.sent.on_sent(2, ms(200), 100, AckUrgency::Lazy, 2), None);
    assert_eq!(sender.pto_deadline(), Some(ms(10 + 265)), "later packets put nothing off");
    assert_eq!(sender.probes(275), [1]);
    sender.hears(&[1..=1], 280).unwrap();
    assert_eq!((sender.loses(400), sender.pto_deadline()), ([0].into(), None));
}

#[test]
fn silence_is_probed_with_the_two_oldest_packets_and_doubling_waits() {
    let mut sender = Sender::new();
    assert_eq!(sender.pto_deadline(), None);
    sender.sends(0..5, 10);
    assert_eq!(sender.pto_deadline(), Some(ms(10 + 265)));
    assert_eq!(sender.probes(275), [0, 1]);
    assert_eq!(sender.pto_deadline(), Some(ms(275 + 2 * 265)));
    assert_eq!(sender.probes(805), [2, 3]);
    assert_eq!(sender.probes(2_000), [4]);
    assert_eq!(sender.probes(5_000), []);
    assert_eq!(sender.pto_deadline(), Some(ms(5_000 + 16 * 265)));
    assert_eq!(sender.sent.bytes_in_flight(), 500);
}

#[test]
fn a_probe_deadline_moves_on_even_if_nothing_can_be_sent() {
    let mut sender = Sender::new();
    sender.sends([0], 0);
    let mut now = ms(0);
    for _ in 0..20 {
        let deadline = sender.pto_deadline().unwrap();
        assert!(deadline > now);
        now = deadline;
        sender.sent.on_pto(now, |_| {});
    }
    assert_eq!(sender.pto_deadline(), Some(now.plus_millis(64 * 265)), "doubled six times at most");
}

#[test]
fn a_new_acknowledgement_ends_the_doubling_and_an_old_one_does_not() {
    let mut sender = Sender::new();
    sender.sends([0], 0);
    sender.hears(&[0..=0], 80).unwrap();
    sender.sends([1, 2], 100);
    let wait = sender.rtt.pto_micros(MAX_ACK_DELAY_MICROS);
    sender.probes(400);
    sender.hears(&[0..=0], 410).unwrap();
    assert_eq!(sender.pto_deadline(), Some(ms(400).plus_micros(2 * wait)));
    sender.hears(&[1..=1], 420).unwrap();
    let wait = sender.rtt.pto_micros(MAX_ACK_DELAY_MICROS);
    assert_eq!(sender.pto_deadline(), Some(ms(400).plus_micros(wait)));
}

#[test]
fn content_handed_back_for_a_probe_is_not_handed_over_again() {
    let mut sender = Sender::new();
    sender.sends(0..5, 0);
    assert_eq!(sender.probes(265), [0, 1]);
    assert_eq!(sender.hears(&[4..=4, 1..=1], 300), Ok([4].into()));
    assert_eq!(
        (sender.loses(300), sender.sent.bytes_in_flight()),
        ([].into(), 200),
        "0 is lost, without content"
    );
    assert_eq!(sender.loses(338), [2, 3]);
    assert_eq!(sender.sent.bytes_in_flight(), 0);
}

#[test]
fn no_probe_is_due_while_a_loss_is_about_to_be_detected() {
    let mut sender = Sender::new();
    sender.sends(0..3, 0);
    sender.hears(&[1..=1], 80).unwrap();
    assert_eq!((sender.loss_time(), sender.pto_deadline()), (Some(ms(90)), None));
    assert_eq!(sender.loses(90), [0]);
    let wait = sender.rtt.pto_micros(MAX_ACK_DELAY_MICROS);
    assert_eq!((sender.loss_time(), sender.pto_deadline()), (None, Some(ms(0).plus_micros(wait))));
}

#[test]
fn the_oldest_packet_gives_way_when_the_record_is_full() {
    let mut sent = SentPackets::new(2);
    assert_eq!(sent.on_sent(1, ms(0), 10, AckUrgency::Urgent, 'a'), None);
    assert!(!sent.is_full());
    assert_eq!(sent.on_sent(2, ms(0), 20, AckUrgency::Urgent, 'b'), None);
    assert!(sent.is_full());
    assert_eq!(sent.on_sent(3, ms(0), 30, AckUrgency::Urgent, 'c'), Some('a'));
    assert_eq!(sent.bytes_in_flight(), 50);
}

#[test]
fn a_key_switch_hands_back_everything_in_order_and_starts_anew() {
    let mut sender = Sender::new();
    sender.sends(1_000..1_005, 0);
    sender.hears(&[1_002..=1_002], 80).unwrap();
    sender.probes(300);
    let mut unacked = Vec::new();
    sender.sent.drain_all(|carried| unacked.push(carried));
    assert_eq!(unacked, [1_003, 1_004]);
    assert_eq!((sender.sent.bytes_in_flight(), sender.pto_deadline()), (0, None));
    assert_eq!(sender.hears(&[1_003..=1_003], 310), Err(AckError::NeverSent));
    sender.sends([7], 400);
    let wait = sender.rtt.pto_micros(MAX_ACK_DELAY_MICROS);
    assert_eq!(sender.pto_deadline(), Some(ms(400).plus_micros(wait)));
    assert_eq!(sender.hears(&[7..=7], 480), Ok([7].into()));
}

#[test]
fn under_random_loss_everything_is_handed_back_exactly_once() {
    let mut random = 3_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let mut sender = Sender::new();
    let mut handed_back = BTreeSet::new();
    for sequence in 0..3_000 {
        let now_ms = sequence * 5;
        if let Some(carried) = sender.sent.on_sent(sequence, ms(now_ms), 100, AckUrgency::Urgent, sequence) {
            assert!(handed_back.insert(carried));
        }
        if below(3) == 0 {
            let newest = sequence - below(4).min(sequence);
            let oldest = newest - below(3).min(newest);
            for carried in sender.hears(&[oldest..=newest], now_ms).unwrap() {
                assert!(handed_back.insert(carried));
            }
        }
        for carried in sender.loses(now_ms) {
            assert!(handed_back.insert(carried));
        }
        if below(50) == 0 {
            for carried in sender.probes(now_ms) {
                assert!(handed_back.insert(carried));
            }
        }
    }
    sender.sent.drain_all(|carried| assert!(handed_back.insert(carried)));
    assert!(handed_back.into_iter().eq(0..3_000));
}
