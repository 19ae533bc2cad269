//! Bulk transfers over paths that are narrower than what they would like to send.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{Bottleneck, CLIENT, LIMITS, Path, SERVER, World};
use crate::Timestamp;
use crate::link::LinkLimits;
use crate::link::frame::{Frame, Role, check_form};

const LATENCY_MS: u64 = 25;
const PATH: Path = Path { loss_percent: 0, duplicate_percent: 0, latency_ms: LATENCY_MS, jitter_ms: 0 };
const TICK_MS: u64 = 16;
/// As long as most transfers last; the first quarter is not looked at.
const SECONDS: u64 = 20;

/// A server that always has more bulk to send, on all lanes, and a state of 100 bytes every tick.
struct Transfer {
    world: World,
    begin: Timestamp,
    published: Vec<Timestamp>,
    /// How long each state was on its way, in milliseconds.
    delays_ms: Vec<u64>,
}

impl Transfer {
    fn run(path: Path, bottleneck: Bottleneck) -> Self {
        Self::run_for(SECONDS, path, bottleneck)
    }

    fn run_for(seconds: u64, path: Path, bottleneck: Bottleneck) -> Self {
        let limits = LinkLimits { packets_in_flight_max: 1_024, ..LIMITS };
        let mut world = World::with_limits(path, 1, &limits);
        world.run_for_ms(1_000);
        world.bottleneck = Some(bottleneck);
        let mut transfer = Self { begin: world.now, world, published: vec![], delays_ms: vec![] };
        while transfer.world.now.micros_since(transfer.begin) < seconds * 1_000_000 {
            transfer.run_tick();
        }
        transfer
    }

    fn run_tick(&mut self) {
        let server = &mut self.world.ends[SERVER];
        for lane in 0..4 {
            while server.link.statistics().message_bytes_queued < 200_000 * (usize::from(lane) + 1) {
                server.link.queue_message(lane, &[7; 4_000]).unwrap();
            }
        }
        self.published.push(self.world.now);
        server.source.state = Some((self.published.len() as u64, vec![1; 100]));
        server.link.mark_state_pending();
        let end = self.world.now.plus_millis(TICK_MS);
        while self.world.now < end {
            let seen = self.world.ends[CLIENT].state_ticks.len();
            self.world.run_until(end, |world| world.ends[CLIENT].state_ticks.len() > seen);
            for tick in self.world.ends[CLIENT].state_ticks.iter().skip(seen) {
                let published = self.published[usize::try_from(*tick).unwrap() - 1];
                self.delays_ms.push(self.world.now.micros_since(published) / 1_000);
            }
        }
    }

    fn bulk_bytes_per_s(&self) -> u64 {
        let client = &self.world.ends[CLIENT];
        let messages = client.messages.iter().chain(client.lane_messages.values().flatten());
        let seconds = self.world.now.micros_since(self.begin) / 1_000_000;
        messages.map(|message| message.len() as u64).sum::<u64>() / seconds
    }

    /// What one state in a hundred is late by, at least, beyond the latency of the path.
    fn late_by_ms(&self) -> u64 {
        let mut delays_ms: Vec<_> = self.delays_ms.iter().skip(self.delays_ms.len() / 4).collect();
        delays_ms.sort_unstable();
        delays_ms[delays_ms.len() * 99 / 100] - LATENCY_MS
    }

    fn lost_per_thousand(&self) -> u64 {
        let statistics = self.world.ends[SERVER].link.statistics();
        statistics.packets_lost * 1_000 / statistics.packets_sent
    }
}

#[test]
fn a_bulk_transfer_fills_a_narrow_path_without_filling_its_buffer() {
    for (bytes_per_s, late_by_ms_max) in [(125_000, 100), (500_000, 35), (1_250_000, 30)] {
        let buffer_bytes = bytes_per_s;
        let transfer = Transfer::run(PATH, Bottleneck::new(bytes_per_s, buffer_bytes));
        let (bulk, late_by_ms) = (transfer.bulk_bytes_per_s(), transfer.late_by_ms());
        assert!(bulk > bytes_per_s * 8 / 10, "{bulk} of {bytes_per_s} bytes a second");
        assert!(late_by_ms <= late_by_ms_max, "{late_by_ms} ms late where the buffer holds a second");
        assert_eq!(transfer.lost_per_thousand(), 0);
    }
}

#[test]
fn a_transfer_of_minutes_does_not_take_the_queue_that_it_builds_for_a_part_of_the_path() {
    let transfer = Transfer::run_for(120, PATH, Bottleneck::new(125_000, 125_000));
    let (bulk, late_by_ms) = (transfer.bulk_bytes_per_s(), transfer.late_by_ms());
    assert!(bulk > 100_000, "{bulk} of 125,000 bytes a second");
    assert!(late_by_ms <= 100, "{late_by_ms} ms late where the buffer holds a second");
}

#[test]
fn a_buffer_too_short_for_the_guard_is_shared_by_the_rules_of_loss() {
    for bytes_per_s in [125_000, 500_000, 1_250_000] {
        let transfer = Transfer::run(PATH, Bottleneck::new(bytes_per_s, bytes_per_s / 20));
        let (bulk, lost) = (transfer.bulk_bytes_per_s(), transfer.lost_per_thousand());
        assert!(bulk > bytes_per_s * 7 / 10, "{bulk} of {bytes_per_s} bytes a second");
        assert!((1..=20).contains(&lost), "{lost} of 1,000 packets");
    }
}

#[test]
fn a_path_that_loses_one_packet_in_a_hundred_gives_what_reno_gets_of_it() {
    let path = Path { loss_percent: 1, ..PATH };
    let transfer = Transfer::run(path, Bottleneck::new(10_000_000, 10_000_000));
    let bulk = transfer.bulk_bytes_per_s();
    // 1,200 bytes / 50 ms * sqrt(3 / 2 / 0.01) would be 290,000.
    assert!(bulk > 150_000, "{bulk}");
}

#[test]
fn states_that_are_lost_now_and_then_leave_a_transfer_that_comes_later_its_window() {
    let mut world = World::new(Path { loss_percent: 5, ..PATH }, 3);
    for tick in 0..600 {
        world.ends[SERVER].source.state = Some((tick, vec![1; 100]));
        world.ends[SERVER].link.mark_state_pending();
        world.run_for_ms(TICK_MS);
    }

    let statistics = world.ends[SERVER].link.statistics();

    assert!(statistics.packets_lost > 10);
    assert_eq!((statistics.congestion_window_bytes, statistics.slow_start_threshold_bytes), (12_000, None));
}

#[test]
fn a_new_key_epoch_begins_with_the_initial_window() {
    let mut world = World::opened();
    world.bottleneck = Some(Bottleneck::new(20_000, 5_000));
    for _ in 0..60 {
        world.ends[SERVER].link.queue_message(0, &[7; 4_000]).unwrap();
    }
    world.run_for_ms(3_000);
    assert!(world.ends[SERVER].link.statistics().slow_start_threshold_bytes.is_some());

    world.replace_connection();

    let statistics = world.ends[SERVER].link.statistics();
    assert_eq!((statistics.congestion_window_bytes, statistics.slow_start_threshold_bytes), (12_000, None));
    assert_eq!((statistics.pacing_bytes_per_s, statistics.bytes_in_flight), (None, 0));
}

/// An open world whose server has more bulk to send than its initial window of ten packets takes.
fn with_bulk() -> World {
    let mut world = World::opened();
    for _ in 0..20 {
        world.ends[SERVER].link.queue_message(0, &[7; 1_150]).unwrap();
    }
    world
}

#[test]
fn a_window_leaves_in_bursts_of_four_packets_and_not_at_once() {
    let mut world = with_bulk();
    let begin = world.now;
    let statistics = world.ends[SERVER].link.statistics();
    assert_eq!(statistics.pacing_bytes_per_s, Some(2 * 12_000 * 1_000 / 80));

    let mut departures_micros = vec![];
    while let Some(due) = world.ends[SERVER].link.poll_timeout().filter(|_| departures_micros.len() < 10) {
        world.now = world.now.max(due);
        let (_, payload) = world.ends[SERVER].poll_packet(world.now).unwrap();
        assert!(payload.len() > 1_150);
        departures_micros.push(world.now.micros_since(begin));
    }

    // A message and its frame are 3,850 us of the pace, and a burst is four payloads of 4,000 us.
    assert_eq!(departures_micros, [0, 0, 0, 0, 3_400, 7_250, 11_100, 14_950, 18_800, 22_650]);
}

#[test]
fn nothing_unreliable_waits_for_a_window_that_is_closed() {
    let mut world = with_bulk();
    world.path.loss_percent = 100;
    world.run_for_ms(50);
    let statistics = world.ends[SERVER].link.statistics();
    assert!(statistics.bytes_in_flight + 1_200 > statistics.congestion_window_bytes.into());
    assert!(statistics.bytes_in_flight <= statistics.congestion_window_bytes.into());
    let (now, server) = (world.now, &mut world.ends[SERVER]);
    assert!(!server.link.has_output(now), "the bulk waits");

    for key in 0..2 {
        server.source.state = Some((u64::from(key) + 1, vec![1; 20]));
        server.link.mark_state_pending();
        server.link.queue_datagram(b"datagram").unwrap();
        server.link.set_latest(key, b"value").unwrap();

        let (_, payload) = server.poll_packet(now).unwrap();

        let checked = check_form(&payload, Role::Server).unwrap();
        let frames: Vec<_> = checked.frames().collect();
        assert!(
            matches!(frames[..], [Frame::State(_), Frame::Latest { .. }, Frame::Datagram { .. }]),
            "{frames:?}"
        );
        assert!(!server.link.has_output(now), "and the bulk still waits");
    }
}
