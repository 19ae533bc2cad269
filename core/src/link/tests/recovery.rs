//! Reliable messages over paths that lose, repeat and reorder.

use alloc::vec::Vec;

use super::world::{CLEAN, CLIENT, HEARTBEAT_MS, LIMITS, Path, SERVER, World};
use crate::link::LinkLimits;
use crate::link::control::Control;
use crate::link::frame::FrameWriter;

/// The message of this number: of a size that varies, so that packets hold one or many.
fn message(number: u64) -> Vec<u8> {
    let mut message = number.to_le_bytes().to_vec();
    let len_max = if number.is_multiple_of(7) { 1_100 } else { 90 };
    message.resize(8 + usize::try_from(number * 31 % len_max).unwrap(), number.to_le_bytes()[0]);
    message
}

fn rough(loss_percent: u64) -> Path {
    Path { loss_percent, duplicate_percent: 10, latency_ms: 30, jitter_ms: 30 }
}

fn queue(world: &mut World, numbers: core::ops::Range<u64>) {
    for number in numbers {
        world.queue_message(&message(number));
    }
}

fn delivered_all(world: &World, count: usize) -> bool {
    world.ends.iter().all(|end| end.messages.len() >= count)
}

fn assert_delivered(world: &World, count: u64) {
    for end in &world.ends {
        assert_eq!(end.messages.len() as u64, count);
        assert!((0..count).all(|number| end.messages[usize::try_from(number).unwrap()] == message(number)));
    }
}

#[test]
fn each_message_arrives_once_and_in_order_whatever_the_path_does() {
    for loss_percent in [0, 20, 40] {
        for seed in 0..6 {
            let mut world = World::new(rough(loss_percent), seed);
            queue(&mut world, 0..400);
            let deadline = world.now.plus_millis(120_000);
            assert!(world.run_until(deadline, |world| delivered_all(world, 400)), "{loss_percent} % {seed}");
            world.run_for_ms(5_000);
            assert_delivered(&world, 400);
        }
    }
}

#[test]
fn p24_each_message_arrives_once_and_in_order_across_new_connections() {
    for loss_percent in [0, 20, 40] {
        for seed in 0..6 {
            let mut world = World::new(rough(loss_percent), seed);
            for part in 0..8 {
                queue(&mut world, part * 50..(part + 1) * 50);
                world.run_for_ms(37 + seed * 20);
                world.replace_connection();
            }
            let deadline = world.now.plus_millis(120_000);
            assert!(world.run_until(deadline, |world| delivered_all(world, 400)), "{loss_percent} % {seed}");
            world.run_for_ms(5_000);
            assert_delivered(&world, 400);
        }
    }
}

#[test]
fn two_small_records_of_packets_slow_the_lanes_but_stop_them_never() {
    let limits = LinkLimits { packets_in_flight_max: 3, ..LIMITS };
    let mut world = World::with_limits(rough(30), 3, &limits);
    queue(&mut world, 0..60);
    let deadline = world.now.plus_millis(300_000);
    assert!(world.run_until(deadline, |world| delivered_all(world, 60)));
    assert_delivered(&world, 60);
}

#[test]
fn every_control_frame_arrives_over_a_rough_path() {
    for seed in 0..10 {
        let mut world = World::new(rough(40), seed);
        let controls = [Control::LoginAccepted(1), Control::ResumeToken(1), Control::ResumeToken(2)];
        for control in controls {
            world.ends[SERVER].link.queue_control(control);
        }
        let deadline = world.now.plus_millis(60_000);
        assert!(world.run_until(deadline, |world| world.ends[SERVER].controls_acked.len() >= 3), "{seed}");
        world.run_for_ms(5_000);
        let mut acked = world.ends[SERVER].controls_acked.clone();
        acked.sort_unstable();
        acked.dedup();
        assert_eq!(acked, controls);
        assert!(world.ends[CLIENT].controls_received >= 3);
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let run = || {
        let mut world = World::new(rough(20), 9);
        queue(&mut world, 0..100);
        world.run_for_ms(3_000);
        world.ends.map(|end| (end.link.statistics(), end.messages))
    };
    assert_eq!(run(), run());
}

#[test]
fn a_stream_of_states_hides_no_lost_message() {
    let mut world = World::opened();
    world.path.loss_percent = 100;
    world.ends[SERVER].link.queue_message(0, b"lost").unwrap();
    world.run_for_ms(1);
    world.path.loss_percent = 0;
    let sent_at = world.now;
    let deadline = sent_at.plus_millis(600);
    let mut tick = 0;
    while world.ends[CLIENT].messages.is_empty() && world.now < deadline {
        tick += 1;
        world.ends[SERVER].source.state = Some((tick, alloc::vec![0; 50]));
        world.ends[SERVER].link.mark_state_pending();
        world.run_for_ms(16);
    }
    assert_eq!(world.ends[CLIENT].messages, [b"lost"]);
}

#[test]
fn p15_the_newest_state_arrives_even_if_it_was_lost_while_there_was_no_room_to_record_its_packet() {
    let limits = LinkLimits { packets_in_flight_max: 16, ..LIMITS };
    let mut world = World::with_limits(CLEAN, 1, &limits);
    world.run_for_ms(500);
    world.path.loss_percent = 100;
    for tick in 1..=20 {
        world.ends[SERVER].source.state = Some((tick, b"state".to_vec()));
        world.ends[SERVER].link.mark_state_pending();
        world.run_for_ms(16);
    }
    let sent = world.ends[SERVER].link.statistics().packets_sent;
    world.path.loss_percent = 0;

    world.run_for_ms(3_000);

    assert_eq!(world.ends[CLIENT].state_ticks, [20]);
    let heartbeats = 2 * 3_000 / HEARTBEAT_MS;
    assert!(
        world.ends[SERVER].link.statistics().packets_sent <= sent + heartbeats + 1,
        "it leaves once more"
    );
}

#[test]
fn a_machine_that_slept_for_hours_sends_its_messages_within_seconds() {
    let mut world =
        World::new(Path { loss_percent: 0, duplicate_percent: 0, latency_ms: 30, jitter_ms: 0 }, 1);
    queue(&mut world, 0..3);
    world.run_for_ms(1_000);
    queue(&mut world, 3..6);
    world.run_for_ms(40);

    world.now = world.now.plus_millis(2 * 3_600_000);
    for part in 2..20 {
        queue(&mut world, part * 3..(part + 1) * 3);
        world.run_for_ms(500);
    }

    let deadline = world.now.plus_millis(1_000);
    assert!(world.run_until(deadline, |world| delivered_all(world, 60)));
    assert_delivered(&world, 60);
}

/// The sequence of the server's first packet.
const WELCOME: u64 = 1 << 40;

/// A server that fills its window into the void, after a datagram, and whose probe timeout has come; with the datagram's sequence.
fn about_to_probe() -> (World, u64) {
    let mut world = World::opened();
    world.path.loss_percent = 100;
    let datagram = world.ends[SERVER].next_sequence;
    world.ends[SERVER].link.queue_datagram(b"by itself").unwrap();
    world.run_for_ms(1);
    for _ in 0..40 {
        world.ends[SERVER].link.queue_message(0, &[1; 1_100]).unwrap();
    }
    world.run_for_ms(100);
    world.now = world.ends[SERVER].link.poll_timeout().unwrap();
    world.ends[SERVER].link.handle_timeout(world.now);
    (world, datagram)
}

fn acknowledge(world: &mut World, sequence: u64) {
    let mut payload = [0; 100];
    let mut writer = FrameWriter::new(&mut payload);
    assert_eq!(writer.write_ack(0, [sequence..=sequence].into_iter()), 1);
    let len = writer.len();
    world.ends[SERVER].receive(world.now, 1 << 30, &payload[..len]);
}

fn packets_that_leave(world: &mut World) -> usize {
    core::iter::from_fn(|| world.ends[SERVER].poll_packet(world.now)).count()
}

#[test]
fn two_packets_of_messages_leave_as_a_probe_however_full_the_window_is() {
    let (mut world, _) = about_to_probe();

    assert_eq!(packets_that_leave(&mut world), 2);
}

#[test]
fn a_new_acknowledgement_ends_a_probe_and_one_that_came_before_does_not() {
    let (mut world, datagram) = about_to_probe();
    acknowledge(&mut world, datagram);
    assert_eq!(packets_that_leave(&mut world), 0, "the window is full");

    let (mut world, _) = about_to_probe();
    acknowledge(&mut world, WELCOME);
    assert_eq!(packets_that_leave(&mut world), 2);
}

#[test]
fn a_gap_that_the_peer_was_told_of_is_not_named_for_ever() {
    let mut world = World::opened();
    for _ in 0..20 {
        world.path.loss_percent = 100;
        world.queue_message(b"lost at first");
        world.run_for_ms(1);
        world.path.loss_percent = 0;
        world.run_for_ms(500);
    }

    world.run_for_ms(10_000);

    for end in &world.ends {
        assert_eq!(end.messages.len(), 20);
        assert_eq!(end.link.received.ranges().count(), 1);
    }
}
