//! What leaves a session that may send only so much.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{CLIENT, End, LIMITS, Path, SERVER, World};
use crate::Timestamp;
use crate::link::LinkLimits;
use crate::link::frame::{Frame, Role, check_form};

const BYTES_PER_S: u64 = 20_000;
const SECONDS: u64 = 10;
const HEADER_BYTES: u64 = 53;

/// An open end of a server that is never answered, with room for everything but bandwidth.
fn limited_end() -> End {
    let limits =
        LinkLimits { bandwidth_max_bytes_per_s: Some(20_000), packets_in_flight_max: 1_024, ..LIMITS };
    let mut end = End::new(Role::Server, &limits);
    end.link.open_lanes(true);
    end.link.allow_data();
    end.is_opened = true;
    end
}

/// Polls whenever something is due, calls `each_tick` 50 times a second, and returns what left and when.
fn run(end: &mut End, mut each_tick: impl FnMut(&mut End, u64)) -> Vec<(Timestamp, Vec<u8>)> {
    let mut sent = vec![];
    for tick in 0..SECONDS * 50 {
        let mut now = Timestamp::from_millis(1_000 + tick * 20);
        let next = now.plus_millis(20);
        each_tick(end, tick);
        loop {
            while let Some((_, payload)) = end.poll_packet(now) {
                sent.push((now, payload));
            }
            assert!(!end.link.has_output(now));
            let due = end.link.poll_timeout().unwrap_or(next);
            assert!(due > now, "what was due has left");
            if due >= next {
                break;
            }
            now = due;
            end.link.handle_timeout(now);
        }
    }
    sent
}

/// The most bytes that left within a second, and within all of it.
fn bytes_per_second_and_in_all(sent: &[(Timestamp, Vec<u8>)]) -> (u64, u64) {
    let cost = |(_, payload): &(Timestamp, Vec<u8>)| payload.len() as u64 + HEADER_BYTES;
    let in_the_second_of = |start: Timestamp| {
        sent.iter().filter(|(at, _)| *at >= start && at.micros_since(start) < 1_000_000).map(cost).sum()
    };
    let most = sent.iter().map(|(at, _)| in_the_second_of(*at)).max().unwrap_or(0);
    (most, sent.iter().map(cost).sum())
}

fn count(sent: &[(Timestamp, Vec<u8>)], is_wanted: impl Fn(&Frame<'_>) -> bool) -> usize {
    let frames = sent.iter().flat_map(|(_, payload)| check_form(payload, Role::Server).unwrap().frames());
    frames.filter(|frame| is_wanted(frame)).count()
}

/// What a bucket of four packets with two of debt lets pass beside the rate.
const BURST_BYTES: u64 = 7 * 1_253;

fn publish(end: &mut End, tick: u64, bytes: usize) {
    end.source.state = Some((tick, vec![1; bytes]));
    end.link.mark_state_pending();
}

#[test]
fn no_second_takes_more_than_the_limit_and_a_burst() {
    let mut end = limited_end();
    let sent = run(&mut end, |end, tick| {
        publish(end, tick, 1_000);
        end.link.queue_datagram(&[2; 500]).unwrap();
        let _ = end.link.queue_message(0, &[3; 1_000]);
    });
    let (in_a_second, in_all) = bytes_per_second_and_in_all(&sent);
    assert!(in_a_second <= BYTES_PER_S + BURST_BYTES, "{in_a_second}");
    assert!(in_all <= BYTES_PER_S * SECONDS + BURST_BYTES, "{in_all}");
    assert!(in_all >= BYTES_PER_S * SECONDS * 9 / 10, "{in_all}: it is used");
}

#[test]
fn states_that_have_to_wait_are_overwritten_and_counted() {
    let mut end = limited_end();
    let sent = run(&mut end, |end, tick| publish(end, tick, 1_000));
    let states = count(&sent, |frame| matches!(frame, Frame::State(_)));
    let statistics = end.link.statistics();
    let published = SECONDS * 50;
    assert_eq!(
        states as u64 + statistics.states_overwritten + u64::from(end.link.state.is_unsent),
        published
    );
    assert!(statistics.states_overwritten > 300, "{}", statistics.states_overwritten);
}

#[test]
fn datagrams_without_bandwidth_are_dropped_and_counted_apart() {
    let mut end = limited_end();
    let sent = run(&mut end, |end, _| end.link.queue_datagram(&[2; 1_000]).unwrap());
    let datagrams = count(&sent, |frame| matches!(frame, Frame::Datagram { .. })) as u64;
    let statistics = end.link.statistics();
    assert_eq!(statistics.datagrams_dropped, 0);
    let waiting = u64::from(end.link.has_output(Timestamp::NEVER));
    assert_eq!(datagrams + statistics.datagrams_dropped_over_bandwidth + waiting, SECONDS * 50);
    assert!(statistics.datagrams_dropped_over_bandwidth > 200);
}

#[test]
fn a_bulk_transfer_leaves_every_state_its_bandwidth() {
    let mut end = limited_end();
    let sent = run(&mut end, |end, tick| {
        // 50 a second of 150 bytes, with all headers about 10,500 bytes of the 20,000.
        publish(end, tick, 150);
        let _ = end.link.queue_message(0, &[3; 1_000]);
    });
    assert_eq!(count(&sent, |frame| matches!(frame, Frame::State(_))), 500);
    assert_eq!(end.link.statistics().states_overwritten, 0);
    assert!(count(&sent, |frame| matches!(frame, Frame::Lane { .. })) >= 10, "the initial window");
}

#[test]
fn states_that_use_all_the_bandwidth_starve_no_reliable_message() {
    let mut end = limited_end();
    let sent = run(&mut end, |end, tick| {
        publish(end, tick, 1_000);
        if tick == 100 {
            end.link.queue_message(0, b"good game").unwrap();
        }
    });
    let lane = |(_, payload): &&(Timestamp, Vec<u8>)| {
        let checked = check_form(payload, Role::Server).unwrap();
        checked.frames().any(|frame| matches!(frame, Frame::Lane { .. }))
    };
    let (left_at, _) = sent.iter().find(lane).unwrap();
    assert!(*left_at <= Timestamp::from_millis(4_200), "{left_at}");
}

#[test]
fn everything_reliable_arrives_over_a_rough_path_at_the_speed_of_the_limit() {
    let limits = LinkLimits { bandwidth_max_bytes_per_s: Some(20_000), ..LIMITS };
    let path = Path { loss_percent: 5, duplicate_percent: 10, latency_ms: 30, jitter_ms: 5 };
    let mut world = World::with_limits(path, 4, &limits);
    world.run_for_ms(1_000);
    let (begin, before) = (world.now, world.ends[SERVER].link.statistics());
    for _ in 0..200 {
        world.ends[SERVER].link.queue_message(0, &[7; 1_000]).unwrap();
    }

    let deadline = world.now.plus_millis(60_000);
    assert!(world.run_until(deadline, |world| world.ends[CLIENT].messages.len() == 200));

    let after = world.ends[SERVER].link.statistics();
    let packets = after.packets_sent - before.packets_sent;
    let sent = after.bytes_sent - before.bytes_sent + packets * HEADER_BYTES;
    let allowed = world.now.micros_since(begin) * BYTES_PER_S / 1_000_000 + BURST_BYTES;
    assert!(sent <= allowed, "{sent} of {allowed}");
    assert!(sent > allowed * 8 / 10, "{sent} of {allowed}");
}
