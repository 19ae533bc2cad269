//! A bulk transfer in the same direction does not make moves and states late.
//!
//! What is measured is the time from `send_move` or `publish_state` until the first byte of the packet that brings it is on the wire.

use rejoin::client::ClientConfig;
use rejoin_tests::pipe::{
    Bulk, Cadence, Entrance, Latencies, PACKET_OVERHEAD_BYTES, PipeCounters, PipeSettings, SessionPath,
    logged_in_path,
};
use rejoin_tests::world::config;

const BITS_PER_S: u64 = 1_000_000;
const MOVE_BYTES: usize = 40;
const STATE_BYTES: usize = 200;
/// The time on the wire of our largest packet: 1,225 bytes of UDP payload, of which 25 are netcode's.
const PACKET_TIME_MICROS: u64 = (1_225 + PACKET_OVERHEAD_BYTES) * 8 * 1_000_000 / BITS_PER_S;
const INTERVAL_60_HZ_MICROS: u64 = 16_667;
const INTERVAL_20_HZ_MICROS: u64 = 50_000;
const BEATS: u64 = 1_200;
/// More than three seconds of the path's rate: whoever fills it drops nothing and makes everything late.
const DEEP_QUEUE_BYTES: u64 = 400_000;
/// Eleven twelfths of the path's rate.
const BANDWIDTH_MAX_BYTES_PER_S: u32 = 115_000;
/// What a transfer may let wait in a queue that would hold seconds.
const QUEUE_P50_MICROS_MAX: u64 = 100_000;
const QUEUE_P99_MICROS_MAX: u64 = 200_000;
/// The transfer is under way when the first beat comes.
const WARM_UP_MS: u64 = 2_000;
/// In this time everything is through that waits.
const WAY_OUT_MS: u64 = 5_000;

/// Which way the transfer and the beats go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// A client's moves.
    Up,
    /// A server's states.
    Down,
}

/// What one run gave.
#[derive(Debug)]
struct Measured {
    latencies: Latencies,
    bulk_bytes_per_s: u64,
    packets: PipeCounters,
}

impl Measured {
    fn print(&self, what: &str) {
        let Self { latencies, bulk_bytes_per_s, packets } = self;
        let micros = |percent| latencies.percentile_micros(percent);
        println!(
            "{what}: p50 {} us, p99 {} us, longest {} us, {} came, {} did not; \
             bulk {bulk_bytes_per_s} bytes/s, at most {} bytes queued",
            micros(50),
            micros(99),
            micros(100),
            latencies.count(),
            latencies.missing,
            packets.queue_bytes_highest,
        );
    }

    /// The path was busy with the transfer, and still every beat came, and waited no longer than this.
    fn assert_waits(&self, p50_micros_max: u64, p99_micros_max: u64) {
        assert!(self.bulk_bytes_per_s > BITS_PER_S / 8 * 3 / 4, "{} bytes/s", self.bulk_bytes_per_s);
        assert_eq!(self.latencies.missing, 0, "every beat comes");
        for (percent, micros_max) in [(50, p50_micros_max), (99, p99_micros_max)] {
            let micros = self.latencies.percentile_micros(percent);
            assert!(micros <= micros_max, "{percent} % waited up to {micros} us, not {micros_max} us");
        }
    }

    /// No beat of a hundred waited longer than for the packet before it.
    fn assert_prompt(&self) {
        self.assert_waits(PACKET_TIME_MICROS, PACKET_TIME_MICROS);
    }
}

/// A path of 1 Mbit/s and 100 ms there and back.
fn narrow_path(entrance: Entrance) -> SessionPath {
    capped_path(entrance, None)
}

/// Such a path, and at both ends a limit of what the session sends.
fn capped_path(entrance: Entrance, bandwidth_max_bytes_per_s: Option<u32>) -> SessionPath {
    let pipe = PipeSettings {
        bits_per_s: BITS_PER_S,
        delay_micros: 50_000,
        jitter_micros: 0,
        loss_per_mille: 0,
        entrance,
    };
    let mut config = config();
    config.bandwidth_max_bytes_per_s = bandwidth_max_bytes_per_s;
    let mut client_config = ClientConfig::default();
    client_config.bandwidth_max_bytes_per_s = bandwidth_max_bytes_per_s;
    logged_in_path(config, client_config, pipe, pipe, 1)
}

/// Begins a transfer without end and, when it is under way, a steady beat in the same direction.
fn begin(path: &mut SessionPath, direction: Direction, interval_micros: u64) {
    let bulk = Some(Bulk::new(0, u64::MAX, 16_384));
    let start = path.now.plus_millis(WARM_UP_MS);
    let cadence = |bytes| Some(Cadence::new(start, interval_micros, BEATS, bytes));
    match direction {
        Direction::Up => {
            path.far.application.bulk = bulk;
            path.far.application.cadence = cadence(MOVE_BYTES);
        }
        Direction::Down => {
            path.near.application.bulk = bulk;
            path.near.application.cadence = cadence(STATE_BYTES);
        }
    }
}

/// Beats beside a transfer, from one end to the other.
fn measure(mut path: SessionPath, direction: Direction, interval_micros: u64) -> Measured {
    let started_at = path.now;
    begin(&mut path, direction, interval_micros);
    path.run_for_ms(WARM_UP_MS + BEATS * interval_micros / 1_000 + WAY_OUT_MS);
    let (sender, receiver, pipe) = match direction {
        Direction::Up => (&path.far.application, &path.near.application, &path.back),
        Direction::Down => (&path.near.application, &path.far.application, &path.forth),
    };
    let inbox = &receiver.inbox;
    Measured {
        latencies: sender.cadence.as_ref().expect("beats").latencies(inbox),
        bulk_bytes_per_s: inbox.bulk_bytes * 1_000_000 / inbox.bulk_at.micros_since(started_at),
        packets: pipe.counters(),
    }
}

#[test]
fn moves_beside_a_transfer_are_on_the_wire_within_one_packet_time() {
    let measured = measure(narrow_path(Entrance::Interface), Direction::Up, INTERVAL_60_HZ_MICROS);

    measured.print("moves at 60 Hz, own interface");
    measured.assert_prompt();
}

#[test]
fn states_beside_a_transfer_are_on_the_wire_within_one_packet_time() {
    for interval_micros in [INTERVAL_20_HZ_MICROS, INTERVAL_60_HZ_MICROS] {
        let measured = measure(narrow_path(Entrance::Interface), Direction::Down, interval_micros);

        measured.print(&format!("states every {interval_micros} us, own interface"));
        measured.assert_prompt();
    }
}

#[test]
fn a_transfer_fills_no_deep_queue_before_moves_and_states() {
    for direction in [Direction::Up, Direction::Down] {
        let deep = Entrance::Queue { bytes_max: DEEP_QUEUE_BYTES };
        let measured = measure(narrow_path(deep), direction, INTERVAL_60_HZ_MICROS);

        measured.print(&format!("{direction:?} at 60 Hz, deep queue"));
        measured.assert_waits(QUEUE_P50_MICROS_MAX, QUEUE_P99_MICROS_MAX);
    }
}

#[test]
fn a_limit_below_the_rate_of_the_path_leaves_nothing_to_wait_for_in_its_queue() {
    for direction in [Direction::Up, Direction::Down] {
        let deep = Entrance::Queue { bytes_max: DEEP_QUEUE_BYTES };
        let path = capped_path(deep, Some(BANDWIDTH_MAX_BYTES_PER_S));
        let measured = measure(path, direction, INTERVAL_60_HZ_MICROS);

        measured.print(&format!("{direction:?} at 60 Hz, deep queue, limited"));
        measured.assert_prompt();
    }
}
