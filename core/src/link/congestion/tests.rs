use super::*;

const PATH_MICROS: u64 = 50_000;

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn rtt() -> RttEstimator {
    let mut rtt = RttEstimator::new();
    rtt.update(PATH_MICROS, 0);
    rtt
}

/// Acknowledges so many whole packets that were sent at a time.
fn acks(congestion: &mut Congestion, packets: u32, sent_at: Timestamp) {
    for _ in 0..packets {
        congestion.on_acked(AckedPacket { sent_at, bytes_in_flight: 1_200 }, true);
    }
}

fn loses(congestion: &mut Congestion, now: Timestamp, newest_sent_at: Timestamp) {
    let lost = Lost { packets: 1, newest_sent_at, longest_run_micros: 0 };
    congestion.on_lost(now, &lost, &rtt(), true);
}

#[test]
fn ten_packets_may_be_under_way_at_first_and_the_window_doubles_each_round_trip() {
    let mut congestion = Congestion::new();
    assert!(congestion.has_room(9 * 1_200) && !congestion.has_room(9 * 1_200 + 1));
    acks(&mut congestion, 10, ms(1));
    assert_eq!((congestion.window_bytes(), congestion.slow_start_threshold_bytes()), (24_000, None));
    acks(&mut congestion, 20, ms(2));
    assert_eq!(congestion.window_bytes(), 48_000);
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut congestion = Congestion::new();
    congestion.on_acked(AckedPacket { sent_at: ms(1), bytes_in_flight: 1_200 }, false);
    assert_eq!(congestion.window_bytes(), 12_000);
}

#[test]
fn a_loss_halves_the_window_once_for_all_that_was_under_way() {
    let mut congestion = Congestion::new();
    acks(&mut congestion, 30, ms(1));
    loses(&mut congestion, ms(100), ms(50));
    assert_eq!((congestion.window_bytes(), congestion.slow_start_threshold_bytes()), (24_000, Some(24_000)));
    loses(&mut congestion, ms(110), ms(100));
    assert_eq!(congestion.window_bytes(), 24_000, "it was under way when the window was halved");
    loses(&mut congestion, ms(160), ms(101));
    assert_eq!(congestion.window_bytes(), 12_000);
}

#[test]
fn after_a_loss_a_whole_window_of_acknowledgements_is_worth_one_packet() {
    let mut congestion = Congestion::new();
    loses(&mut congestion, ms(100), ms(50));
    assert_eq!(congestion.window_bytes(), 6_000);
    acks(&mut congestion, 100, ms(100));
    assert_eq!(congestion.window_bytes(), 6_000, "what was sent before the loss was found says nothing new");
    acks(&mut congestion, 4, ms(101));
    assert_eq!(congestion.window_bytes(), 6_000);
    acks(&mut congestion, 1, ms(101));
    assert_eq!(congestion.window_bytes(), 7_200);
    acks(&mut congestion, 6, ms(160));
    assert_eq!(congestion.window_bytes(), 8_400);
}

#[test]
fn what_was_acknowledged_before_a_loss_is_still_worth_its_share_of_a_packet() {
    let mut congestion = Congestion::new();
    loses(&mut congestion, ms(100), ms(50));
    acks(&mut congestion, 3, ms(101));
    loses(&mut congestion, ms(200), ms(150));
    assert_eq!(congestion.window_bytes(), 3_000);
    acks(&mut congestion, 1, ms(201));
    assert_eq!(congestion.window_bytes(), 4_200, "three fifths of a window before, two fifths after");
}

#[test]
fn losses_leave_a_window_that_is_not_used_where_every_path_begins() {
    let mut congestion = Congestion::new();
    let lose_unused = |congestion: &mut Congestion, millis| {
        let lost = Lost { packets: 1, newest_sent_at: ms(millis), longest_run_micros: 0 };
        congestion.on_lost(ms(millis + 1), &lost, &rtt(), false);
        (congestion.window_bytes(), congestion.slow_start_threshold_bytes())
    };
    assert_eq!(lose_unused(&mut congestion, 100), (12_000, None));
    acks(&mut congestion, 25, ms(200));
    assert_eq!(lose_unused(&mut congestion, 300), (21_000, Some(21_000)));
    assert_eq!(lose_unused(&mut congestion, 400), (12_000, Some(12_000)));
    assert_eq!(lose_unused(&mut congestion, 500), (12_000, Some(12_000)));
}

#[test]
fn two_packets_may_always_be_under_way() {
    let mut congestion = Congestion::new();
    for round in 1..20 {
        loses(&mut congestion, ms(round * 100), ms(round * 100 - 1));
    }
    assert_eq!(congestion.window_bytes(), 2_400);
    assert!(congestion.has_room(1_200) && !congestion.has_room(2_400));
}

#[test]
fn persistent_silence_leaves_two_packets_and_the_way_back_is_fast() {
    let mut congestion = Congestion::new();
    acks(&mut congestion, 90, ms(1));
    let silent_for = |longest_run_micros| Lost { packets: 9, newest_sent_at: ms(900), longest_run_micros };
    // Three times 50 + 100 + 25 ms.
    congestion.on_lost(ms(1_000), &silent_for(525_000), &rtt(), true);
    assert_eq!(congestion.window_bytes(), 60_000);
    congestion.on_lost(ms(1_000), &silent_for(525_001), &rtt(), true);
    assert_eq!(congestion.window_bytes(), 2_400);
    assert!(congestion.is_in_slow_start());
    acks(&mut congestion, 2, ms(950));
    assert_eq!(congestion.window_bytes(), 4_800);
}

#[test]
fn nothing_lost_changes_nothing() {
    let mut congestion = Congestion::new();
    congestion.on_lost(ms(100), &Lost::default(), &rtt(), true);
    assert_eq!(congestion.slow_start_threshold_bytes(), None);
}

#[test]
fn windows_do_not_overflow() {
    let mut congestion = Congestion::new();
    for _ in 0..3_000 {
        congestion.on_acked(AckedPacket { sent_at: ms(1), bytes_in_flight: u16::MAX }, true);
    }
    assert_eq!(congestion.window_bytes(), WINDOW_BYTES_MAX);
}

/// A packet each millisecond whose round trip is what `round_trip_micros` says of its number. Returns how often the window shrank.
fn reductions(
    congestion: &mut Congestion,
    millis: core::ops::Range<u64>,
    mut round_trip_micros: impl FnMut(u64) -> u64,
) -> usize {
    let mut count = 0;
    for millis in millis {
        let micros = round_trip_micros(millis);
        let before = congestion.window_bytes();
        congestion.on_round_trip(ms(millis).plus_micros(micros), ms(millis), micros, true);
        count += usize::from(congestion.window_bytes() < before);
    }
    count
}

#[test]
fn a_queue_that_delays_every_packet_ends_the_slow_start_and_is_drained() {
    let mut congestion = Congestion::new();
    acks(&mut congestion, 90, ms(1));
    assert_eq!(reductions(&mut congestion, 0..100, |_| PATH_MICROS), 0);
    assert_eq!(reductions(&mut congestion, 100..120, |_| 75_000), 1);
    assert_eq!(congestion.window_bytes(), 80_000, "what fits in 50 ms at the rate of 120,000 bytes in 75 ms");
    assert_eq!(congestion.slow_start_threshold_bytes(), Some(80_000));
}

#[test]
fn a_window_shrinks_to_half_at_most_and_once_in_a_round() {
    let mut congestion = Congestion::new();
    acks(&mut congestion, 90, ms(1));
    reductions(&mut congestion, 0..100, |_| PATH_MICROS);
    assert_eq!(reductions(&mut congestion, 100..500, |_| 400_000), 1, "the others left before it shrank");
    assert_eq!(congestion.window_bytes(), 60_000);
    assert_eq!(reductions(&mut congestion, 500..700, |_| 400_000), 1);
}

#[test]
fn the_queue_of_others_does_not_shrink_a_window_that_is_not_used() {
    let mut congestion = Congestion::new();
    for millis in 0..1_000 {
        let micros = if millis < 100 { PATH_MICROS } else { 400_000 };
        congestion.on_round_trip(ms(millis).plus_micros(micros), ms(millis), micros, false);
    }
    assert_eq!((congestion.window_bytes(), congestion.slow_start_threshold_bytes()), (12_000, None));
}

#[test]
fn a_short_queue_is_left_alone() {
    let mut congestion = Congestion::new();
    reductions(&mut congestion, 0..100, |_| PATH_MICROS);
    assert_eq!(reductions(&mut congestion, 100..1_000, |_| PATH_MICROS + 20_000), 0);
    let mut on_a_long_path = Congestion::new();
    reductions(&mut on_a_long_path, 0..400, |_| 200_000);
    assert_eq!(reductions(&mut on_a_long_path, 400..4_000, |_| 250_000), 0);
    assert_eq!(reductions(&mut on_a_long_path, 4_000..4_200, |_| 250_001), 1);
}

#[test]
fn jitter_alone_is_no_queue() {
    let mut random = 5_u64;
    let mut jittered = |_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        30_000 + (random >> 33) % 40_000
    };
    let mut congestion = Congestion::new();
    assert_eq!(reductions(&mut congestion, 0..2_000, &mut jittered), 0);
    loses(&mut congestion, ms(2_000), ms(1_990));
    assert_eq!(reductions(&mut congestion, 2_000..120_000, &mut jittered), 0);
}

#[test]
fn a_longer_route_is_taken_for_a_queue_only_until_the_shorter_one_is_forgotten() {
    let mut congestion = Congestion::new();
    reductions(&mut congestion, 0..1_000, |_| PATH_MICROS);
    assert!(reductions(&mut congestion, 1_000..21_000, |_| 120_000) > 0);
    assert_eq!(reductions(&mut congestion, 21_000..60_000, |_| 120_000), 0);
}

#[test]
fn an_idle_round_trip_tells_how_long_the_path_is() {
    let mut congestion = Congestion::new();
    congestion.on_idle_round_trip(ms(1), PATH_MICROS);
    assert_eq!(reductions(&mut congestion, 100..120, |_| 75_000), 1);
}

#[test]
fn half_a_window_is_left_unused_for_a_round_trip_before_the_path_is_forgotten() {
    let mut congestion = Congestion::new();
    acks(&mut congestion, 90, ms(1));
    reductions(&mut congestion, 0..1_000, |_| PATH_MICROS);
    loses(&mut congestion, ms(1_000), ms(990));
    let is_cut = |congestion: &Congestion| !congestion.has_room(u64::from(congestion.window_bytes()) / 2);
    let mut cut_millis = 0;
    for millis in 1_000..31_000 {
        reductions(&mut congestion, millis..millis + 1, |_| PATH_MICROS);
        cut_millis += usize::from(is_cut(&congestion));
    }
    assert_eq!(cut_millis, 3 * 50);
    assert_eq!(congestion.window_bytes(), 60_000);
}
