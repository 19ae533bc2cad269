//! Each figure that a link tells of itself.

use super::world::{CLEAN, CLIENT, LIMITS, Path, SERVER, World};
use crate::link::{LinkLimits, LinkStatistics};

fn of_server(world: &World) -> LinkStatistics {
    world.ends[SERVER].link.statistics()
}

fn of_client(world: &World) -> LinkStatistics {
    world.ends[CLIENT].link.statistics()
}

#[test]
fn before_anything_was_exchanged_there_is_no_round_trip() {
    let statistics = of_client(&World::new(CLEAN, 0));
    assert_eq!((statistics.round_trip_micros, statistics.round_trip_latest_micros), (None, None));
    assert_eq!((statistics.round_trip_min_micros, statistics.jitter_micros), (None, None));
    assert_eq!((statistics.pacing_bytes_per_s, statistics.slow_start_threshold_bytes), (None, None));
    assert_eq!(statistics.congestion_window_bytes, 12_000);
}

#[test]
fn an_even_path_has_one_round_trip_and_no_jitter() {
    let mut world = World::opened();
    world.run_for_ms(60_000);
    let statistics = of_client(&world);
    assert_eq!(statistics.round_trip_micros, Some(80_000));
    assert_eq!(statistics.round_trip_latest_micros, Some(80_000));
    assert_eq!(statistics.round_trip_min_micros, Some(80_000));
    assert!(statistics.jitter_micros.is_some_and(|micros| micros < 10), "{:?}", statistics.jitter_micros);
    assert_eq!(statistics.pacing_bytes_per_s, Some(2 * 12_000 * 1_000 / 80));
}

#[test]
fn jitter_is_how_far_samples_are_from_their_mean() {
    let path = Path { loss_percent: 0, duplicate_percent: 0, latency_ms: 40, jitter_ms: 20 };
    let mut world = World::new(path, 5);
    world.run_for_ms(60_000);
    let statistics = of_client(&world);
    let jitter = statistics.jitter_micros.unwrap();
    assert!((2_000..16_000).contains(&jitter), "{jitter}");
    assert!((80_000..90_000).contains(&statistics.round_trip_min_micros.unwrap()));
    assert!((80_000..=120_000).contains(&statistics.round_trip_latest_micros.unwrap()));
}

#[test]
fn on_a_clean_path_every_packet_that_wants_it_is_acknowledged_and_none_is_lost() {
    let mut world = World::opened();
    let before = of_server(&world);
    for number in 0..20 {
        world.ends[SERVER].link.queue_message(0, &[number; 700]).unwrap();
    }
    world.run_for_ms(500);
    let statistics = of_server(&world);
    let [sent, acknowledged] = [
        statistics.packets_sent - before.packets_sent,
        statistics.packets_acknowledged - before.packets_acknowledged,
    ];
    assert!((20..=sent + 1).contains(&acknowledged), "{acknowledged} of {sent}");
    assert_eq!(statistics.packets_lost, 0);
}

#[test]
fn what_one_end_sends_the_other_receives_or_misses() {
    for (loss_percent, seed) in [(0, 1), (10, 2), (30, 3)] {
        let mut world = World::new(CLEAN, seed);
        world.run_for_ms(2_500);
        world.path = Path { loss_percent, duplicate_percent: 5, latency_ms: 20, jitter_ms: 30 };
        let [client, server] = [of_client(&world), of_server(&world)];
        for number in 0..200 {
            world.queue_message(&[number; 700]);
            world.run_for_ms(15);
        }
        world.path = CLEAN;
        world.run_for_ms(10_000);
        for (now, before, peer_now, peer_before) in [
            (of_client(&world), client, of_server(&world), server),
            (of_server(&world), server, of_client(&world), client),
        ] {
            let received = now.packets_received - before.packets_received;
            let missed = now.packets_missed - before.packets_missed;
            let sent = peer_now.packets_sent - peer_before.packets_sent;
            assert_eq!(sent, received + missed, "{loss_percent} %");
            assert_eq!(missed == 0, loss_percent == 0);
        }
        world.replace_connection();
        let missed_before = of_client(&world).packets_missed;
        world.run_for_ms(1_000);
        assert_eq!(of_client(&world).packets_missed, missed_before, "sequences begin anew");
    }
}

#[test]
fn fractions_are_those_of_the_packets_whose_fate_is_known() {
    let statistics = LinkStatistics {
        packets_sent: 50,
        packets_acknowledged: 6,
        packets_lost: 2,
        packets_received: 45,
        packets_missed: 5,
        ..LinkStatistics::default()
    };
    assert!((statistics.lost_fraction() - 0.25).abs() < 1e-12);
    assert!((statistics.missed_fraction() - 0.1).abs() < 1e-12);
    let nothing = LinkStatistics::default();
    assert!(nothing.lost_fraction().abs() < 1e-12 && nothing.missed_fraction().abs() < 1e-12);
}

#[test]
fn queues_tell_how_much_waits_and_what_was_dropped() {
    let limits = LinkLimits { datagram_queue_bytes_max: 1_000, ..LIMITS };
    let mut world = World::with_limits(CLEAN, 0, &limits);
    world.run_for_ms(500);
    let link = &mut world.ends[SERVER].link;
    link.queue_message(0, &[1; 5_000]).unwrap();
    link.queue_message(3, &[1; 300]).unwrap();
    (0..4).for_each(|_| link.queue_datagram(&[2; 400]).unwrap());
    let statistics = of_server(&world);
    assert_eq!(statistics.message_bytes_queued, 5_300);
    assert_eq!((statistics.datagrams_queued, statistics.datagram_bytes_queued), (2, 800));
    assert_eq!((statistics.datagrams_dropped, statistics.datagrams_dropped_over_bandwidth), (2, 0));
    world.run_for_ms(1_000);
    let statistics = of_server(&world);
    assert_eq!((statistics.message_bytes_queued, statistics.datagrams_queued), (0, 0));
}

#[test]
fn a_state_that_is_replaced_before_it_left_counts_as_overwritten() {
    let mut world = World::opened();
    let publish = |world: &mut World, tick| {
        world.ends[SERVER].source.state = Some((tick, alloc::vec![1; 20]));
        world.ends[SERVER].link.mark_state_pending();
    };
    publish(&mut world, 1);
    publish(&mut world, 2);
    world.run_for_ms(1);
    publish(&mut world, 3);
    world.run_for_ms(100);
    assert_eq!(of_server(&world).states_overwritten, 1);
    assert_eq!(world.ends[CLIENT].state_ticks, [2, 3]);
}
