//! What is not reliable goes on while nothing is acknowledged and the windows of a transfer are closed.

use rejoin::client::ClientConfig;
use rejoin::{Config, LinkStatistics};
use rejoin_tests::pipe::{
    Application, Bulk, Cadence, Entrance, Pipe, PipeSettings, SessionPath, logged_in_path,
};
use rejoin_tests::world::config;

const BITS_PER_S: u64 = 1_000_000;
const INTERVAL_MICROS: u64 = 16_667;
/// How long the other direction is dead, in milliseconds; less than what either end takes for a lost path.
const DEAD_MS: u64 = 1_800;
/// When all windows are surely closed, in milliseconds after that began.
const CLOSED_MS: u64 = 1_500;
/// The transfer is under way when it begins.
const WARM_UP_MS: u64 = 2_000;
/// Probes and heartbeats while the windows are closed; the path has room for three times as many packets.
const PROBES_MAX: u64 = 8;
const BEATS: u64 = DEAD_MS * 1_000 / INTERVAL_MICROS;
/// The largest payload of a packet.
const PAYLOAD_BYTES_MAX: u64 = 1_200;
/// Our largest packet, on its way from the first bit to the last.
const PACKET_TIME_MICROS: u64 = 10_024;

/// Settings with which a path is given up only after more than the dead time.
fn patient() -> Config {
    let mut config = config();
    config.timeout_min_ms = 5_000;
    config.timeout_max_ms = 5_000;
    config
}

fn path() -> SessionPath {
    let pipe = PipeSettings {
        bits_per_s: BITS_PER_S,
        delay_micros: 50_000,
        jitter_micros: 0,
        loss_per_mille: 0,
        entrance: Entrance::Interface,
    };
    logged_in_path(patient(), ClientConfig::default(), pipe, pipe, 1)
}

/// A transfer without end.
fn bulk() -> Bulk {
    Bulk::new(0, u64::MAX, 16_384)
}

/// It is the congestion window that is closed, and not only that of the lane: it has no room for another packet, and what is under way
/// is no more than it allows, but for probes.
fn assert_closed(statistics: &LinkStatistics) {
    let window_bytes = u64::from(statistics.congestion_window_bytes);
    let bytes_in_flight = statistics.bytes_in_flight;
    assert!(bytes_in_flight + PAYLOAD_BYTES_MAX > window_bytes, "{bytes_in_flight} of {window_bytes}");
    let probe_bytes = PROBES_MAX * PAYLOAD_BYTES_MAX;
    assert!(bytes_in_flight <= window_bytes + probe_bytes, "{bytes_in_flight} of {window_bytes}");
    assert!(statistics.message_bytes_queued > 0, "there is more to send");
}

/// Lets the dead time pass; how many packets left that hold more than beats while the windows were closed.
fn packets_while_closed(path: &mut SessionPath, pipe: fn(&SessionPath) -> &Pipe) -> u64 {
    path.run_for_ms(CLOSED_MS);
    let before = pipe(path).counters().packets_sent;
    path.run_for_ms(DEAD_MS - CLOSED_MS);
    let beats = (DEAD_MS - CLOSED_MS) * 1_000 / INTERVAL_MICROS;
    (pipe(path).counters().packets_sent - before).saturating_sub(beats)
}

/// Every beat of one end came to the other, and none waited longer for the wire than one packet takes.
fn assert_prompt(sender: &Application, receiver: &Application) {
    let latencies = sender.cadence.as_ref().expect("beats").latencies(&receiver.inbox);
    assert_eq!((latencies.count() as u64, latencies.missing), (BEATS, 0));
    let longest_micros = latencies.percentile_micros(100);
    assert!(longest_micros <= PACKET_TIME_MICROS, "{longest_micros} us");
}

#[test]
fn moves_go_on_while_a_transfer_waits_for_acknowledgements() {
    let mut path = path();
    path.far.application.bulk = Some(bulk());
    path.run_for_ms(WARM_UP_MS);

    path.forth.set_loss_per_mille(1_000);
    path.far.application.cadence = Some(Cadence::new(path.now, INTERVAL_MICROS, BEATS, 40));
    let others = packets_while_closed(&mut path, |path| &path.back);
    assert_closed(&path.far.session.session.statistics());
    path.forth.set_loss_per_mille(0);
    path.run_for_ms(1_000);

    assert!(others <= PROBES_MAX, "{others} packets beside the moves");
    assert_prompt(&path.far.application, &path.near.application);
}

#[test]
fn states_go_on_while_a_transfer_waits_for_acknowledgements() {
    let mut path = path();
    path.near.application.bulk = Some(bulk());
    path.run_for_ms(WARM_UP_MS);

    path.back.set_loss_per_mille(1_000);
    path.near.application.cadence = Some(Cadence::new(path.now, INTERVAL_MICROS, BEATS, 200));
    let others = packets_while_closed(&mut path, |path| &path.forth);
    let server = &path.near.session;
    let view = server.session.and_then(|id| server.manager.session(id)).expect("a session");
    assert_closed(&view.statistics());
    path.back.set_loss_per_mille(0);
    path.run_for_ms(1_000);

    assert!(others <= PROBES_MAX, "{others} packets beside the states");
    assert_prompt(&path.near.application, &path.far.application);
}
