//! Latest-wins values between two links (PROTOCOL.md, section 11).

use alloc::vec;
use alloc::vec::Vec;

use super::world::{CLIENT, End, LIMITS, Path, SERVER, World};
use crate::Timestamp;
use crate::link::LinkLimits;
use crate::link::frame::{Frame, Role, check_form};
use crate::link::latest::{LatestArrival, LatestSendError};

const KEYS: u16 = 12;

/// Both ends give a key the value of this number.
fn set_on_both(world: &mut World, key: u16, number: u32) {
    for end in &mut world.ends {
        end.link.set_latest(key, &number.to_le_bytes()).unwrap();
    }
}

/// The numbers that an end was given for a key, in the order in which they came.
fn shown(end: &End, key: u16) -> Vec<u32> {
    let of_key = end.latest.iter().filter(|(other, _)| *other == key);
    of_key.map(|(_, value)| u32::from_le_bytes(*value.first_chunk().unwrap())).collect()
}

fn open_server(limits: &LinkLimits) -> End {
    let mut end = End::new(Role::Server, limits);
    end.link.open_lanes(true);
    end.link.allow_data();
    end.is_opened = true;
    end
}

fn is_latest(payload: &[u8]) -> bool {
    let checked = check_form(payload, Role::Server).unwrap();
    checked.frames().any(|frame| matches!(frame, Frame::Latest { .. }))
}

#[test]
fn values_never_go_back_and_the_newest_arrive_over_rough_paths_and_new_connections() {
    for loss_percent in [0, 5, 20, 40] {
        let path = Path { loss_percent, duplicate_percent: 25, latency_ms: 40, jitter_ms: 100 };
        let mut world = World::new(path, loss_percent);
        for number in 1..=300 {
            set_on_both(&mut world, u16::try_from(number * 7 % 12).unwrap(), number);
            world.run_for_ms(16);
            if number % 70 == 0 {
                world.replace_connection();
            }
        }
        world.run_for_ms(60_000);

        for end in &world.ends {
            for key in 0..KEYS {
                let shown = shown(end, key);
                let newest = (1..=300).rev().find(|number| number * 7 % 12 == u32::from(key));
                assert!(
                    shown.is_sorted_by(|older, newer| older < newer),
                    "{loss_percent} % {key}: {shown:?}"
                );
                assert_eq!(shown.last().copied(), newest, "{loss_percent} % {key}");
            }
            assert_eq!(end.link.statistics().latest_bytes_queued, 0);
        }
    }
}

#[test]
fn a_lost_value_comes_again_although_nothing_else_is_sent() {
    let mut world = World::opened();
    world.path.loss_percent = 100;
    world.ends[SERVER].link.set_latest(3, b"last word").unwrap();
    world.run_for_ms(1);
    world.path.loss_percent = 0;

    world.run_for_ms(5_000);

    assert_eq!(world.ends[CLIENT].latest, [(3, b"last word".to_vec())]);
}

#[test]
fn many_values_share_a_packet_and_its_record_takes_one_place() {
    let mut end = open_server(&LIMITS);
    for key in 0..200 {
        end.link.set_latest(key, b"v").unwrap();
    }
    end.link.queue_message(0, b"beside them").unwrap();

    let (_, payload) = end.poll_packet(Timestamp::ZERO).unwrap();

    let checked = check_form(&payload, Role::Server).unwrap();
    assert_eq!(checked.frames().filter(|frame| matches!(frame, Frame::Latest { .. })).count(), 200);
    assert!(checked.frames().any(|frame| matches!(frame, Frame::Lane { .. })));
    assert!(!end.link.has_output(Timestamp::ZERO));
}

#[test]
fn values_wait_for_room_in_the_record_and_only_the_newest_then_leave() {
    let mut end = open_server(&LinkLimits { packets_in_flight_max: 4, ..LIMITS });
    for number in 0..2_u8 {
        end.link.set_latest(0, &[number]).unwrap();
        let (_, payload) = end.poll_packet(Timestamp::ZERO).unwrap();
        assert!(is_latest(&payload));
    }

    end.link.set_latest(0, b"replaced").unwrap();
    assert!(!end.link.has_output(Timestamp::ZERO));
    end.link.set_latest(0, b"waits").unwrap();
    end.link.queue_datagram(b"does not wait").unwrap();
    let (_, payload) = end.poll_packet(Timestamp::ZERO).unwrap();
    assert!(!is_latest(&payload));

    end.link.connection_replaced(Timestamp::ZERO);
    end.link.open_lanes(true);
    end.link.allow_data();
    let (_, payload) = end.poll_packet(Timestamp::ZERO).unwrap();
    let checked = check_form(&payload, Role::Server).unwrap();
    let first = checked.frames().next();
    assert_eq!(first, Some(Frame::Latest { key: 0, version: 4, value: b"waits" }));
    assert_eq!(end.link.statistics().latest_replaced, 1);
}

#[test]
fn the_largest_value_fits_a_packet_with_the_longest_numbers() {
    let mut end = open_server(&LinkLimits { latest_keys: u16::MAX, ..LIMITS });
    assert_eq!(end.link.set_latest(0, &[0; 1_151]), Err(LatestSendError::Size));
    end.link.set_latest(u16::MAX - 1, &[7; 1_150]).unwrap();

    assert!(is_latest(&end.poll_packet(Timestamp::ZERO).unwrap().1));
    let mut bytes = [0; crate::link::frame::PAYLOAD_BYTES_MAX];
    let mut writer = crate::link::frame::FrameWriter::new(&mut bytes);
    assert!(writer.write_latest(u16::MAX - 1, u64::MAX, &[7; 1_150]));
}

#[test]
fn p27_values_leave_only_once_the_player_is_logged_in() {
    let mut end = End::new(Role::Client, &LIMITS);
    end.link.set_latest(0, b"early").unwrap();
    assert!(!end.link.has_output(Timestamp::ZERO));
    assert_eq!(end.link.handle_latest(0, 1), None);

    end.link.open_lanes(true);
    assert!(!end.link.has_output(Timestamp::ZERO));
    assert_eq!(end.link.handle_latest(0, 1), Some(LatestArrival::Newer));
    end.link.allow_data();

    assert!(end.link.has_output(Timestamp::ZERO));
}

#[test]
fn p73_a_restart_discards_what_waits_and_takes_version_1_again() {
    let mut world = World::opened();
    set_on_both(&mut world, 2, 1);
    world.run_for_ms(500);
    world.path.loss_percent = 100;
    set_on_both(&mut world, 2, 2);
    world.run_for_ms(1);
    world.path.loss_percent = 0;
    for end in &mut world.ends {
        end.source.lanes_kept = false;
    }

    world.replace_connection();
    world.run_for_ms(1_000);
    set_on_both(&mut world, 2, 3);
    world.run_for_ms(1_000);

    for end in &world.ends {
        assert_eq!(shown(end, 2), [1, 3]);
    }
}

#[test]
fn values_leave_at_once_beside_a_bulk_of_messages() {
    let mut world = World::opened();
    for _ in 0..200 {
        world.ends[SERVER].link.queue_message(0, &vec![7; 1_150]).unwrap();
    }
    world.run_for_ms(1);

    world.ends[SERVER].link.set_latest(1, b"not last").unwrap();
    world.run_for_ms(45);

    assert_eq!(world.ends[CLIENT].latest.len(), 1);
}
