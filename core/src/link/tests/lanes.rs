//! Several lanes beside each other.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{CLIENT, LIMITS, Path, SERVER, World};
use crate::link::LinkLimits;
use crate::link::frame::{Frame, Role, UNORDERED_LANE, check_form};
use crate::link::lane::{LaneArrival, LaneSendError, Piece};

const LANES: u8 = 4;

/// The message of this lane and number: of a size that varies, so that packets hold one or many.
fn message(lane: u8, number: u64) -> Vec<u8> {
    let mut message = vec![lane];
    message.extend(number.to_le_bytes());
    let len_max = if number.is_multiple_of(9) { 1_100 } else { 70 };
    message.resize(9 + usize::try_from(number * 37 % len_max).unwrap(), lane);
    message
}

fn queue_on_all_lanes(world: &mut World, numbers: core::ops::Range<u64>) {
    for number in numbers {
        for lane in 0..LANES {
            for end in &mut world.ends {
                assert_eq!(end.link.queue_message(lane, &message(lane, number)), Ok(number));
            }
        }
    }
}

/// What each end received on each lane.
fn received(world: &World) -> impl Iterator<Item = (u8, &[Vec<u8>])> {
    world.ends.iter().flat_map(|end| (0..LANES).map(move |lane| (lane, end.messages_of(lane))))
}

fn has_received(world: &World, count: usize) -> bool {
    received(world).all(|(_, messages)| messages.len() >= count)
}

fn assert_each_once_and_in_order(world: &World, count: u64) {
    for (lane, messages) in received(world) {
        let sent: Vec<_> = (0..count).map(|number| message(lane, number)).collect();
        assert!(messages == sent, "lane {lane}: {} messages", messages.len());
    }
}

#[test]
fn each_lane_delivers_once_and_in_order_over_rough_paths_and_new_connections() {
    for loss_percent in [0, 5, 20, 40] {
        for duplicate_percent in [0, 25] {
            let path = Path { loss_percent, duplicate_percent, latency_ms: 200, jitter_ms: 100 };
            let mut world = World::new(path, loss_percent + duplicate_percent);
            for part in 0..4 {
                queue_on_all_lanes(&mut world, part * 25..(part + 1) * 25);
                world.run_for_ms(400 + part * 333);
                world.replace_connection();
            }
            let deadline = world.now.plus_millis(300_000);
            assert!(world.run_until(deadline, |world| has_received(world, 100)), "{path:?}");
            world.run_for_ms(5_000);
            assert_each_once_and_in_order(&world, 100);
        }
    }
}

#[test]
fn a_lane_whose_message_is_lost_holds_no_other_lane_back() {
    let mut world = World::opened();
    world.path.loss_percent = 100;
    world.ends[SERVER].link.queue_message(1, b"lost").unwrap();
    world.run_for_ms(1);
    world.path.loss_percent = 0;

    world.ends[SERVER].link.queue_message(1, b"waits").unwrap();
    world.ends[SERVER].link.queue_message(2, b"goes on").unwrap();
    world.run_for_ms(45);

    assert_eq!(world.ends[CLIENT].messages_of(1), [] as [&[u8]; 0]);
    assert_eq!(world.ends[CLIENT].messages_of(2), [b"goes on"]);
    world.run_for_ms(2_000);
    assert_eq!(world.ends[CLIENT].messages_of(1), [&b"lost"[..], b"waits"]);
}

#[test]
fn p51_a_lane_with_a_closed_window_leaves_the_others_open() {
    let mut world = World::opened();
    world.path.loss_percent = 100;
    for _ in 0..60 {
        world.ends[SERVER].link.queue_message(0, &[7; 1_150]).unwrap();
    }
    world.run_for_ms(1);
    world.path.loss_percent = 0;

    world.ends[SERVER].link.queue_message(3, b"goes on").unwrap();
    world.run_for_ms(45);

    assert_eq!(world.ends[CLIENT].messages_of(3), [b"goes on"]);
}

#[test]
fn p53_lanes_with_small_messages_share_a_packet_in_turns() {
    let mut world = World::opened();
    let server = &mut world.ends[SERVER];
    for number in 0..3 {
        for lane in [2, 3] {
            server.link.queue_message(lane, &[number]).unwrap();
        }
    }

    let (_, payload) = server.poll_packet(world.now).unwrap();

    let checked = check_form(&payload, Role::Server).unwrap();
    let lanes: Vec<_> = checked
        .frames()
        .filter_map(|frame| match frame {
            Frame::Lane { lane, number, .. } => Some((lane, number)),
            _ => None,
        })
        .collect();
    assert_eq!(lanes, [(2, 0), (3, 0), (2, 1), (3, 1), (2, 2), (3, 2)]);
}

#[test]
fn a_bulk_on_one_lane_leaves_every_second_turn_to_another() {
    let mut world = World::opened();
    let server = &mut world.ends[SERVER];
    for _ in 0..20 {
        server.link.queue_message(0, &[7; 1_150]).unwrap();
    }
    server.link.queue_message(1, b"not last").unwrap();

    let packets: Vec<_> = (0..3).map(|_| server.poll_packet(world.now).unwrap().1).collect();

    let of_lane_1 = |payload: &Vec<u8>| {
        let checked = check_form(payload, Role::Server).unwrap();
        checked.frames().any(|frame| matches!(frame, Frame::Lane { lane: 1, .. }))
    };
    assert!(packets.iter().take(2).any(of_lane_1));
}

#[test]
fn p50_a_lane_the_session_does_not_have_is_refused_in_both_directions() {
    let limits = LinkLimits { ordered_lanes: 2, ..LIMITS };
    let path = Path { loss_percent: 0, duplicate_percent: 0, latency_ms: 10, jitter_ms: 0 };
    let mut world = World::with_limits(path, 0, &limits);
    world.run_for_ms(500);
    let link = &mut world.ends[SERVER].link;

    assert_eq!(link.queue_message(2, b"m"), Err(LaneSendError::NoSuchLane));
    assert_eq!(
        link.handle_lane(2, 0, Piece::last(b"m"), |_| panic!("refused")),
        Some(LaneArrival::NoSuchLane)
    );
    assert_eq!(link.queue_message(1, b"m"), Ok(0));
    assert_eq!(link.handle_lane(1, 0, Piece::last(b"m"), |_| {}), Some(LaneArrival::Delivered(1)));
}

#[test]
fn p24_a_restart_begins_every_lane_afresh() {
    let mut world = World::opened();
    queue_on_all_lanes(&mut world, 0..3);
    world.run_for_ms(1_000);
    world.path.loss_percent = 100;
    queue_on_all_lanes(&mut world, 3..5);
    world.run_for_ms(10);
    world.path.loss_percent = 0;
    for end in &mut world.ends {
        end.source.lanes_kept = false;
    }

    world.replace_connection();
    world.run_for_ms(1_000);
    assert!(world.ends.iter().all(|end| end.discarded == 2 * u64::from(LANES)));
    let again = world.ends[CLIENT].link.queue_message(3, b"afresh");
    world.run_for_ms(1_000);

    assert_eq!(again, Ok(0));
    assert_eq!(world.ends[SERVER].messages_of(3).last().map(Vec::as_slice), Some(&b"afresh"[..]));
}

/// A message of up to 40,000 bytes, which no other number has.
fn long_message(number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(3) { 40_000 } else { 900 + number * 700 };
    (0..len).map(|index| (index * 31 + number * 7 + index / 256).to_le_bytes()[0]).collect()
}

#[test]
fn p54_long_messages_arrive_whole_beside_short_ones_over_rough_paths_and_new_connections() {
    for loss_percent in [0, 20, 40] {
        let path = Path { loss_percent, duplicate_percent: 25, latency_ms: 40, jitter_ms: 60 };
        let mut world = World::new(path, loss_percent);
        for number in 0..8 {
            for end in &mut world.ends {
                end.link.queue_message(1, &long_message(number)).unwrap();
                end.link.queue_message(2, &message(2, number)).unwrap();
            }
            world.run_for_ms(150);
            if number.is_multiple_of(2) {
                world.replace_connection();
            }
        }

        let is_done = |world: &World| world.ends.iter().all(|end| end.messages_of(1).len() >= 8);
        let deadline = world.now.plus_millis(600_000);
        assert!(world.run_until(deadline, is_done), "{path:?}");
        world.run_for_ms(5_000);

        for end in &world.ends {
            assert!(end.messages_of(1).iter().eq((0..8).map(long_message).collect::<Vec<_>>().iter()));
            assert_eq!(end.messages_of(2).len(), 8);
            assert_eq!(end.link.statistics().message_bytes_held_back, 0);
        }
    }
}

#[test]
fn p55_a_half_delivered_message_completes_after_an_outage_without_what_had_arrived() {
    let mut world = World::opened();
    let long = long_message(3);
    world.ends[SERVER].link.queue_message(0, &long).unwrap();
    while world.ends[CLIENT].link.statistics().message_bytes_held_back < 20_000 {
        world.now = world.now.plus_millis(5);
        for (from, to) in [(SERVER, CLIENT), (CLIENT, SERVER)] {
            while let Some((sequence, payload)) = world.ends[from].poll_packet(world.now) {
                world.ends[to].receive(world.now, sequence, &payload);
            }
        }
    }
    let before = world.ends[SERVER].link.statistics().bytes_sent;

    world.replace_connection();
    world.run_for_ms(3_000);

    assert_eq!(world.ends[CLIENT].messages, [long]);
    let resent = world.ends[SERVER].link.statistics().bytes_sent - before;
    assert!(resent < 25_000, "{resent}");
}

#[test]
fn p56_messages_without_order_pass_a_lost_one_and_arrive_once_each() {
    let mut world = World::opened();
    world.path.loss_percent = 100;
    world.ends[SERVER].link.queue_message(UNORDERED_LANE, b"lost").unwrap();
    world.run_for_ms(1);
    world.path.loss_percent = 0;

    world.ends[SERVER].link.queue_message(UNORDERED_LANE, b"passes").unwrap();
    world.run_for_ms(45);

    assert_eq!(world.ends[CLIENT].messages_of(UNORDERED_LANE), [b"passes"]);
    world.run_for_ms(2_000);
    assert_eq!(world.ends[CLIENT].messages_of(UNORDERED_LANE), [&b"passes"[..], b"lost"]);
}

#[test]
fn p56_each_message_without_order_arrives_once_over_rough_paths_and_new_connections() {
    for loss_percent in [0, 20, 40] {
        let path = Path { loss_percent, duplicate_percent: 25, latency_ms: 200, jitter_ms: 100 };
        let mut world = World::new(path, loss_percent);
        for number in 0..400 {
            for end in &mut world.ends {
                end.link.queue_message(UNORDERED_LANE, &message(UNORDERED_LANE, number)).unwrap();
            }
            if number.is_multiple_of(100) {
                world.run_for_ms(700);
                world.replace_connection();
            }
        }
        let is_done =
            |world: &World| world.ends.iter().all(|end| end.messages_of(UNORDERED_LANE).len() >= 400);
        let deadline = world.now.plus_millis(300_000);
        assert!(world.run_until(deadline, is_done), "{path:?}");
        world.run_for_ms(5_000);

        let mut sent: Vec<_> = (0..400).map(|number| message(UNORDERED_LANE, number)).collect();
        sent.sort_unstable();
        for end in &world.ends {
            let mut received = end.messages_of(UNORDERED_LANE).to_vec();
            received.sort_unstable();
            assert!(received == sent, "{path:?}: {}", received.len());
        }
    }
}

#[test]
fn p56_a_message_without_order_fits_one_packet() {
    let link = &mut World::opened().ends[SERVER].link;
    assert_eq!(link.queue_message(UNORDERED_LANE, &[0; 1_151]), Err(LaneSendError::Size));
    assert_eq!(link.queue_message(UNORDERED_LANE, &[0; 1_150]), Ok(0));
}
