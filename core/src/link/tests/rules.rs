//! The rules of PROTOCOL.md that a link keeps, one by one.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{CLEAN, CLIENT, End, HEARTBEAT_MS, LIMITS, SERVER, World};
use crate::Timestamp;
use crate::link::control::Control;
use crate::link::frame::{Ack, Frame, FrameWriter, Role, check_form};
use crate::link::lane::{LaneArrival, Piece};
use crate::link::sent::AckError;
use crate::link::{Link, LinkLimits};

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An end that is open without having exchanged anything.
fn open_end(role: Role) -> End {
    let mut end = End::new(role, &LIMITS);
    end.link.open_lanes(true);
    end.link.allow_data();
    end.is_opened = true;
    end
}

fn frames(payload: &[u8], sender: Role) -> Vec<Frame<'_>> {
    check_form(payload, sender).unwrap().frames().collect()
}

fn ack_of(end: &mut End, now: Timestamp, largest: u64) -> Result<(), AckError> {
    let mut bytes = [0; 100];
    let mut writer = FrameWriter::new(&mut bytes);
    writer.write_ack(0, core::iter::once(largest..=largest));
    let len = writer.len();
    let ack: Ack<'_> = match frames(&bytes[..len], Role::Client)[..] {
        [Frame::Ack(ack)] => ack,
        _ => panic!("one ack was written"),
    };
    let acked = &mut end.controls_acked;
    end.link.handle_ack(now, &ack, |control| acked.push(control))
}

#[test]
fn p12_a_reliable_frame_is_acknowledged_within_25_ms_and_the_ack_is_not() {
    let mut sender = open_end(Role::Client);
    let mut receiver = open_end(Role::Server);
    sender.link.queue_message(0, b"m").unwrap();
    let (sequence, payload) = sender.poll_packet(ms(0)).unwrap();
    receiver.receive(ms(100), sequence, &payload);
    assert_eq!(receiver.link.poll_timeout(), Some(ms(125)));
    assert_eq!(receiver.poll_packet(ms(124)), None);
    let (sequence, payload) = receiver.poll_packet(ms(125)).unwrap();
    assert!(matches!(frames(&payload, Role::Server)[..], [Frame::Ack(ack)] if ack.delay_micros == 25_000));
    sender.receive(ms(200), sequence, &payload);
    assert!(!sender.link.has_output(ms(10_000)));
    assert_eq!(sender.link.poll_timeout(), None);
}

#[test]
fn p12_a_second_reliable_packet_is_acknowledged_at_once_and_an_unreliable_one_on_occasion() {
    let mut sender = open_end(Role::Client);
    let mut receiver = open_end(Role::Server);
    let mut send = |end: &mut End, is_reliable: bool| {
        if is_reliable {
            sender.link.queue_message(0, b"m").unwrap();
        } else {
            sender.link.queue_datagram(b"d").unwrap();
        }
        let (sequence, payload) = sender.poll_packet(ms(0)).unwrap();
        end.receive(ms(50), sequence, &payload);
    };
    send(&mut receiver, false);
    assert_eq!(receiver.link.poll_timeout(), None);
    send(&mut receiver, true);
    assert!(!receiver.link.has_output(ms(50)));
    send(&mut receiver, true);
    assert!(receiver.link.has_output(ms(50)));
}

#[test]
fn an_ack_that_crosses_a_late_packet_leaves_something_to_acknowledge() {
    let mut client = open_end(Role::Client);
    let mut server = open_end(Role::Server);
    let packets = [0, 1].map(|number| {
        client.link.queue_message(0, &[number]).unwrap();
        client.poll_packet(ms(0)).unwrap()
    });
    server.link.queue_datagram(b"d").unwrap();
    server.receive(ms(1), packets[1].0, &packets[1].1);
    let (acking, _) = server.poll_packet(ms(1)).unwrap();
    server.receive(ms(2), packets[0].0, &packets[0].1);
    ack_of(&mut server, ms(2), acking).unwrap();
    assert!(server.link.has_output(ms(2)));
    let (sequence, payload) = server.poll_packet(ms(2)).unwrap();
    assert!(!server.link.has_output(ms(2)));
    client.receive(ms(3), sequence, &payload);
    assert_eq!(client.link.poll_timeout(), None);
}

#[test]
fn p13_an_ack_of_what_was_never_sent_is_refused_and_counts_for_nothing() {
    let mut end = open_end(Role::Server);
    end.link.queue_control(Control::LoginAccepted(1));
    let (sequence, _) = end.poll_packet(ms(0)).unwrap();
    assert_eq!(ack_of(&mut end, ms(1), sequence + 1), Err(AckError::NeverSent));
    assert_eq!(ack_of(&mut end, ms(1), sequence - 1), Err(AckError::NeverSent));
    assert_eq!(end.controls_acked, []);
    assert_eq!(ack_of(&mut end, ms(2), sequence), Ok(()));
    assert_eq!(end.controls_acked, [Control::LoginAccepted(1)]);
}

#[test]
fn p13_an_ack_of_the_former_key_epoch_is_refused() {
    let mut end = open_end(Role::Server);
    end.link.queue_control(Control::LoginAccepted(1));
    let (sequence, _) = end.poll_packet(ms(0)).unwrap();
    end.link.connection_replaced(ms(5));
    assert_eq!(ack_of(&mut end, ms(10), sequence), Err(AckError::NeverSent));
    assert!(end.link.has_output(ms(10)), "the control frame waits again");
}

#[test]
fn p14_silence_is_probed_with_what_is_reliable_at_doubling_intervals() {
    let mut end = open_end(Role::Server);
    end.link.queue_message(0, b"m").unwrap();
    end.poll_packet(ms(0)).unwrap();
    let first = end.link.poll_timeout().unwrap();
    end.link.handle_timeout(first);
    let (_, payload) = end.poll_packet(first).unwrap();
    assert!(matches!(
        frames(&payload, Role::Server)[..],
        [Frame::Lane { lane: 0, number: 0, message: b"m" }]
    ));
    let second = end.link.poll_timeout().unwrap();
    assert_eq!(second.micros_since(first), 2 * first.as_micros());
}

#[test]
fn p14_a_preface_that_is_not_acknowledged_is_probed_with_a_heartbeat() {
    let mut end = End::new(Role::Server, &LIMITS);
    end.link.begin_preface(ms(0));
    end.poll_packet(ms(0)).unwrap();
    assert_eq!(end.poll_packet(ms(0)), None);
    let deadline = end.link.poll_timeout().unwrap();
    end.link.handle_timeout(deadline);
    let (_, payload) = end.poll_packet(deadline).unwrap();
    assert!(matches!(frames(&payload, Role::Server)[..], [Frame::Welcome(_), Frame::Heartbeat { .. }]));
}

#[test]
fn p15_a_lost_state_is_sent_again_only_while_it_is_the_newest() {
    let mut world = World::opened();
    let publish = |world: &mut World, tick| {
        world.ends[SERVER].source.state = Some((tick, vec![1; 20]));
        world.ends[SERVER].link.mark_state_pending();
        world.run_for_ms(1);
    };
    world.path.loss_percent = 100;
    publish(&mut world, 1);
    publish(&mut world, 2);
    world.path.loss_percent = 0;
    world.run_for_ms(4 * HEARTBEAT_MS);
    assert_eq!(world.ends[CLIENT].state_ticks, [2]);
}

#[test]
fn p20_a_hello_repeats_ten_times_a_second_until_it_is_answered() {
    let mut world = World::new(CLEAN, 0);
    world.path.loss_percent = 100;
    world.run_for_ms(1_000);
    let sent = world.ends[CLIENT].link.statistics().packets_sent;
    assert!((10..=13).contains(&sent), "{sent}");
    world.path.loss_percent = 0;
    world.run_for_ms(500);
    assert!(world.ends[CLIENT].is_opened && world.ends[SERVER].is_opened);
}

#[test]
fn p22_nothing_of_lanes_is_processed_or_sent_while_they_are_closed() {
    let mut end = End::new(Role::Client, &LIMITS);
    end.link.queue_message(0, b"m").unwrap();
    end.link.queue_datagram(b"d").unwrap();
    end.link.mark_moves_pending();
    end.source.moves.push((1, vec![]));
    end.link.allow_data();
    assert!(!end.link.has_output(ms(0)));
    assert_eq!(end.link.handle_lane(0, 0, Piece::last(b"early"), |_| panic!("not open")), None);

    end.link.open_lanes(true);
    assert!(!end.link.has_output(ms(0)), "what arrives is processed, but nobody is logged in");
    assert_eq!(end.link.handle_lane(0, 0, Piece::last(b"m"), |_| {}), Some(LaneArrival::Delivered(1)));

    end.link.allow_data();
    let (_, payload) = end.poll_packet(ms(0)).unwrap();
    let sent = frames(&payload, Role::Client);
    assert!(matches!(sent[..], [Frame::Moves(_), Frame::Datagram { .. }, Frame::Lane { number: 0, .. }]));

    end.link.connection_replaced(ms(1));
    assert!(!end.link.has_output(ms(1)));
    assert_eq!(end.link.handle_lane(0, 1, Piece::last(b"early"), |_| panic!("not open")), None);
}

#[test]
fn p24_lanes_that_are_not_kept_start_afresh_on_both_ends() {
    let mut world = World::opened();
    world.queue_message(b"arrives");
    world.run_for_ms(500);
    world.path.loss_percent = 100;
    world.queue_message(b"in flight");
    world.run_for_ms(1);
    world.queue_message(b"queued");
    world.path.loss_percent = 0;
    world.replace_connection();
    world.ends[SERVER].source.lanes_kept = false;
    world.run_for_ms(500);
    world.queue_message(b"afresh");
    world.run_for_ms(500);
    for end in &world.ends {
        assert_eq!(end.discarded, 2);
        assert_eq!(end.messages, [&b"arrives"[..], b"afresh"]);
    }
}

#[test]
fn p25_a_new_connection_owes_no_ack_and_knows_no_round_trip() {
    let mut world = World::opened();
    world.run_for_ms(2_000);
    assert_eq!(world.ends[CLIENT].link.statistics().round_trip_micros, Some(80_000));
    world.ends[CLIENT].link.queue_message(0, b"m").unwrap();
    world.run_for_ms(45);
    assert!(world.ends[SERVER].link.poll_timeout().is_some());
    world.ends[SERVER].link.connection_replaced(world.now);
    assert_eq!(world.ends[SERVER].link.poll_timeout(), None);
    assert_eq!(world.ends[SERVER].link.statistics().round_trip_micros, None);
}

#[test]
fn p35_idle_ends_exchange_one_heartbeat_and_its_response_each_interval() {
    let mut world = World::opened();
    world.run_for_ms(1_000);
    let before = world.ends.each_ref().map(|end| end.link.statistics().packets_sent);
    world.run_for_ms(20 * HEARTBEAT_MS);
    for (end, before) in world.ends.iter().zip(before) {
        let sent = end.link.statistics().packets_sent - before;
        assert!((19..=21).contains(&sent), "{sent}");
    }
}

#[test]
fn p36_a_response_returns_the_stamp_and_tells_where_the_simulation_stands() {
    let mut end = open_end(Role::Server);
    end.link.handle_heartbeat(ms(10), 99);
    let (_, payload) = end.poll_packet(ms(13)).unwrap();
    let sent = frames(&payload, Role::Server);
    let [Frame::HeartbeatResponse(response)] = sent[..] else { panic!("{sent:?}") };
    assert_eq!((response.stamp, response.delay_micros), (99, 3_000));
    assert_eq!((response.server_tick, response.tick_phase_micros), (1_000, 7));
}

#[test]
fn a_resume_token_fits_a_packet_and_the_ack_waits_for_the_next() {
    let mut client = open_end(Role::Client);
    let mut server = open_end(Role::Server);
    // Many gaps make a long ack.
    for number in 0..60 {
        client.link.queue_datagram(&[number]).unwrap();
        let (sequence, payload) = client.poll_packet(ms(0)).unwrap();
        if number % 2 == 0 {
            server.receive(ms(1), sequence, &payload);
        }
    }
    server.link.queue_control(Control::ResumeToken(1));
    let (_, payload) = server.poll_packet(ms(1)).unwrap();
    assert!(matches!(frames(&payload, Role::Server)[0], Frame::ResumeToken(_)));
    assert!(payload.len() > 1_170);
    assert!(server.link.poll_timeout().is_some());
}

#[test]
fn what_has_no_room_beside_the_preface_waits_for_its_end() {
    let mut server = open_end(Role::Server);
    server.link.begin_preface(ms(0));
    server.link.queue_control(Control::ResumeToken(1));
    let (_, payload) = server.poll_packet(ms(0)).unwrap();
    assert!(matches!(frames(&payload, Role::Server)[..], [Frame::Welcome(_)]));
    assert_eq!(server.poll_packet(ms(0)), None);
    assert!(!server.link.has_output(ms(0)));
    server.link.end_preface();
    let (_, payload) = server.poll_packet(ms(0)).unwrap();
    assert!(matches!(frames(&payload, Role::Server)[..], [Frame::ResumeToken(_)]));
}

#[test]
fn a_control_frame_that_has_nothing_to_say_any_more_is_forgotten() {
    let mut server = open_end(Role::Server);
    server.link.queue_control(Control::LoginRejected(1));
    assert_eq!(server.poll_packet(ms(0)), None);
    assert!(!server.link.has_output(ms(0)));
}

#[test]
fn p16_control_frames_go_ahead_of_everything_else() {
    let mut server = open_end(Role::Server);
    server.source.state = Some((5, vec![0; 10]));
    server.link.mark_state_pending();
    server.link.queue_datagram(b"d").unwrap();
    server.link.queue_message(0, b"m").unwrap();
    server.link.handle_heartbeat(ms(0), 1);
    server.link.queue_control(Control::LoginAccepted(1));
    let (_, payload) = server.poll_packet(ms(0)).unwrap();
    assert!(matches!(
        frames(&payload, Role::Server)[..],
        [
            Frame::LoginAccepted { .. },
            Frame::HeartbeatResponse(_),
            Frame::State(_),
            Frame::Datagram { .. },
            Frame::Lane { .. }
        ]
    ));
}

#[test]
fn unreliable_traffic_that_fills_every_packet_starves_no_reliable_message() {
    let mut end = open_end(Role::Server);
    end.link.queue_message(0, &[1; 1_150]).unwrap();
    let mut packets_before_it = 0;
    loop {
        for _ in 0..4 {
            end.link.queue_datagram(&[2; 900]).unwrap();
        }
        end.source.state = Some((1, vec![3; 900]));
        end.link.mark_state_pending();
        let (_, payload) = end.poll_packet(ms(0)).unwrap();
        if frames(&payload, Role::Server).iter().any(|frame| matches!(frame, Frame::Lane { .. })) {
            break;
        }
        packets_before_it += 1;
        assert!(packets_before_it <= 4);
    }
}

#[test]
fn a_bulk_transfer_delays_no_input_by_a_packet() {
    let mut end = open_end(Role::Client);
    for _ in 0..8 {
        end.link.queue_message(0, &[1; 1_150]).unwrap();
    }
    for tick in 0..8 {
        end.source.moves = vec![(tick, vec![2; 100])];
        end.link.mark_moves_pending();
        let (_, payload) = end.poll_packet(ms(0)).unwrap();
        let sent = frames(&payload, Role::Client);
        let has_input = sent.iter().any(|frame| matches!(frame, Frame::Moves(_)));
        let has_message = sent.iter().any(|frame| matches!(frame, Frame::Lane { .. }));
        assert_eq!((has_input, has_message), (tick != 4, tick == 4), "tick {tick}");
    }
}

#[test]
fn a_probe_leaves_whatever_the_window_and_the_record_say() {
    for limits in [LIMITS, LinkLimits { packets_in_flight_max: 10, ..LIMITS }] {
        let mut end = End::new(Role::Server, &limits);
        end.link.open_lanes(true);
        end.link.allow_data();
        for _ in 0..30 {
            end.link.queue_message(0, &[1; 1_150]).unwrap();
        }
        let sent = core::iter::from_fn(|| end.poll_packet(ms(0))).count();
        assert_eq!((sent, end.link.has_output(ms(500))), (10, false), "the window is full");

        let deadline = end.link.poll_timeout().unwrap();
        end.link.handle_timeout(deadline);

        for number in [0, 1] {
            let (_, payload) = end.poll_packet(deadline).unwrap();
            let probe = frames(&payload, Role::Server);
            assert!(matches!(probe[..], [Frame::Lane { number: again, .. }] if again == number), "{probe:?}");
        }
        assert_eq!(end.poll_packet(deadline), None);
    }
}

#[test]
fn unreliable_packets_use_up_no_more_than_half_of_the_record() {
    let limits = LinkLimits { packets_in_flight_max: 4, ..LIMITS };
    let mut end = End::new(Role::Server, &limits);
    end.link.open_lanes(true);
    end.link.allow_data();
    let sends = |end: &mut End, is_reliable: bool| {
        if is_reliable {
            end.link.queue_message(0, b"m").unwrap();
        } else {
            end.link.queue_datagram(b"d").unwrap();
        }
        end.poll_packet(ms(0)).is_some()
    };
    assert!((0..10).all(|_| sends(&mut end, false)));
    assert!(sends(&mut end, true));
    assert!(sends(&mut end, true));
    assert!(!sends(&mut end, true), "reliable data waits");
    assert!(sends(&mut end, false), "unreliable data does not");
    let newest = end.next_sequence - 1;
    ack_of(&mut end, ms(1), newest).unwrap();
    assert!(end.link.has_output(ms(1)));
}

#[test]
fn statistics_count_what_went_and_what_was_lost() {
    let mut world = World::opened();
    let before = world.ends[SERVER].link.statistics();
    world.path.loss_percent = 100;
    world.ends[SERVER].link.queue_message(0, b"lost").unwrap();
    world.run_for_ms(1);
    let during = world.ends[SERVER].link.statistics();
    assert_eq!((during.message_bytes_queued, during.packets_in_flight), (4, 1));
    assert_eq!(during.bytes_in_flight, during.bytes_sent - before.bytes_sent);
    world.path.loss_percent = 0;
    world.run_for_ms(3_000);
    let after = world.ends[SERVER].link.statistics();
    assert_eq!(after.packets_lost - before.packets_lost, 1);
    assert_eq!(after.message_bytes_queued, 0);
    assert_eq!((after.packets_in_flight, after.bytes_in_flight), (0, 0));
    assert!(after.bytes_sent - before.bytes_sent >= 2 * 8);
    assert_eq!(world.ends[CLIENT].link.statistics().bytes_received, after.bytes_sent - 8);
}

#[test]
fn an_idle_link_takes_little_memory() {
    assert!(size_of::<Link>() <= 720, "{}", size_of::<Link>());
}
