//! Every queue has a bound: what is unreliable gives way, what is reliable waits or is refused.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::ledger::DroppedEvent;
use crate::link::frame::{Frame, Hello};
use crate::{Config, DATAGRAM_BYTES_MAX, DropReason, Event, SendError, Verdict};

use super::harness::{Harness, client_address, framed_config, raw_config, server_address};
use super::peer::Peer;

const ANNA: u64 = 11;

#[test]
fn payloads_for_which_the_event_queue_has_no_room_are_left_to_their_senders_to_repeat() {
    let mut server = Harness::new(Config { event_queue_bytes_max: 4_000, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let messages: Vec<_> = (0..8).map(|number| anna.message(number, &[1; 1_000])).collect();

    let verdicts: Vec<_> = messages.iter().map(|message| server.read(anna.address, message)).collect();
    server.settle();

    assert!(verdicts.contains(&Verdict::Accepted(id)));
    assert_eq!(verdicts.last(), Some(&Verdict::Dropped(DropReason::EventsFull)));
    let accepted = server.received_from(id).len();
    for number in accepted..8 {
        let again = anna.message(number as u64, &[1; 1_000]);
        assert_eq!(server.take(anna.address, &again), Verdict::Accepted(id));
    }
    assert_eq!(server.received_from(id).len(), 8);
    server.close();
}

#[test]
fn events_without_bytes_fill_the_event_queue_too() {
    let mut server = Harness::new(Config { event_queue_bytes_max: 10_000, ..framed_config() });
    let mut anna = server.player(ANNA, 1);

    let mut verdicts = Vec::new();
    for tick in 0..2_000 {
        let moves = anna.frames(|writer| assert_eq!(writer.write_moves([(tick, &b""[..])].into_iter()), 1));
        verdicts.push(server.read(anna.address, &moves));
    }

    assert_eq!(verdicts.last(), Some(&Verdict::Dropped(DropReason::EventsFull)));
    server.settle();
    server.close();
}

#[test]
fn heartbeat_events_that_find_no_room_are_dropped_and_counted() {
    let config = Config { event_queue_bytes_max: 10_000, heartbeat_events: true, ..raw_config() };
    let mut server = Harness::new(config);
    let mut anna = server.raw_player(ANNA, 1);
    let id = server.id_of(ANNA);
    let before = server.events.len();

    for _ in 0..2_000 {
        let keep_alive = anna.keep_alive();
        assert_eq!(server.read(anna.address, &keep_alive), Verdict::Accepted(id));
    }
    server.settle();

    let told = (server.events.len() - before) as u64;
    assert!(told < 500);
    assert_eq!(server.manager.counters().refused(DroppedEvent::HeartbeatReceived), 2_000 - told);
    server.close();
}

#[test]
fn reused_tokens_are_told_of_only_where_there_is_room_and_later_where_there_was_none() {
    let mut server = Harness::new(Config { event_queue_bytes_max: 1_200, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let mut requests = Vec::new();
    for port in 2..60 {
        requests.push(anna.unspent_tickets()[0].request());
        // Not so soon after one another that it looks like a quarrel.
        server.live(&mut [&mut anna], 30_000);
        server.resume(&mut anna, port);
    }
    let is_told = |(event, _): &(Event, Vec<u8>)| matches!(event, Event::TokenReuse { .. });
    let newest = requests.len() - 1;

    for request in &requests[..newest] {
        server.read(client_address(1_000), request);
    }
    server.settle();

    let told = server.events.iter().filter(|event| is_told(event)).count();
    // One session has half of the queue at most, give or take one.
    assert_eq!(told, 600 / size_of::<Event>() + 1);
    let dropped = server.manager.counters().refused(DroppedEvent::TokenReuse);
    assert_eq!(dropped, (newest - told) as u64);
    server.take(client_address(1_000), &requests[newest - 1]);
    assert_eq!(server.events.iter().filter(|event| is_told(event)).count(), told + 1);
    server.close();
}

#[test]
fn goodbyes_that_give_way_to_newer_ones_are_counted() {
    let mut server = Harness::new(Config { sessions_max: 1, ..raw_config() });
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    for port in 1..=3 {
        let mut peer = server.newcomer(port.into(), port);
        let (manager, now) = (&mut server.manager, server.now);
        manager.handle_datagram(now, peer.address, &mut peer.request());
        let challenge = manager.poll_transmit(now, &mut buffer).expect("answers go ahead of goodbyes");
        peer.hear(buffer[..challenge.len].to_vec());
        manager.handle_datagram(now, peer.address, &mut peer.response());
        manager.handle_datagram(now, peer.address, &mut peer.keep_alive());
        let id = manager.session_at(peer.address).expect("a session").id();
        manager.disconnect(now, id, 1, &[]).unwrap();
        while manager.poll_event(&mut Vec::new()).is_some() {}
        server.check_memory();
    }

    let (manager, now) = (&mut server.manager, server.now);
    let told = core::iter::from_fn(|| manager.poll_transmit(now, &mut buffer)).map(|transmit| transmit.to);
    let mut told: Vec<_> = told.collect();
    told.dedup();

    assert_eq!(told, [client_address(2), client_address(3)]);
    assert_eq!(server.manager.counters().farewells_dropped, 1);
}

#[test]
fn the_smallest_event_queue_still_lets_a_missing_message_free_what_waits_for_it() {
    let mut server = Harness::new(Config { event_queue_bytes_max: 1_200, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let missing = anna.message(0, &[0; 1_100]);
    for number in 1..20 {
        let message = anna.message(number, &[1; 1_100]);
        assert_eq!(server.talk(&mut anna, &message), Verdict::Accepted(id));
    }

    assert_eq!(server.talk(&mut anna, &missing), Verdict::Accepted(id));

    assert_eq!(server.received_from(id).len(), 20);
    server.close();
}

#[test]
fn a_full_lane_pushes_back_until_the_peer_acknowledges() {
    let mut server = Harness::new(Config { lane_queue_bytes_max: 1_200, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let send = |server: &mut Harness| server.call(|manager, now| manager.send(now, id, 0, &[7; 1_000]));

    assert_eq!(send(&mut server), Ok(()));
    assert_eq!(send(&mut server), Err(SendError::Full { bytes_to_acknowledge: 1_000 }));
    let refused = server.call(|manager, now| manager.broadcast(now, 0, &[7; 1_000])).refused;
    assert_eq!(refused, [(id, SendError::Full { bytes_to_acknowledge: 1_000 })]);
    server.listen(&mut anna);
    server.beat(&mut anna);

    assert_eq!(send(&mut server), Ok(()));
    server.close();
}

#[test]
fn messages_of_a_wrong_size_or_lane_are_refused_to_their_sender() {
    let mut server = Harness::framed();
    let _anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.call(|manager, now| {
        for bytes in [0, 262_145] {
            let message = alloc::vec![0; bytes];
            assert_eq!(manager.send(now, id, 0, &message), Err(SendError::Size { bytes, max: 262_144 }));
        }
        for bytes in [0, 1_151] {
            let message = alloc::vec![0; bytes];
            let refused = manager.send_datagram(now, id, &message);
            assert_eq!(refused, Err(SendError::Size { bytes, max: 1_150 }));
        }
        assert_eq!(manager.send(now, id, 4, b"x"), Err(SendError::NoSuchLane));
    });
    server.close();
}

#[test]
fn raw_payloads_of_every_size_travel_both_ways_as_they_are() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let id = server.id_of(ANNA);
    for bytes in [1, 32, 1_175, 1_200] {
        let content = alloc::vec![9; bytes];
        let payload = anna.payload(&content);
        server.talk(&mut anna, &payload);
        server.call(|manager, now| manager.send_datagram(now, id, &content)).unwrap();
        server.listen(&mut anna);

        assert_eq!(server.received_from(id).last().map(|received| received.len()), Some(bytes));
        assert_eq!(anna.payloads().last().map(|received| received.len()), Some(bytes));
    }
    server.close();
}

#[test]
fn raw_payloads_that_wait_too_long_give_way_to_newer_ones() {
    let mut server = Harness::new(Config { datagram_queue_bytes_max: 1_200, ..raw_config() });
    let mut anna = server.raw_player(ANNA, 1);
    let id = server.id_of(ANNA);
    for number in 0..4 {
        server.manager.send_datagram(server.now, id, &[number; 500]).unwrap();
    }
    server.settle();
    server.listen(&mut anna);

    assert_eq!(anna.payloads(), [[2; 500], [3; 500]]);
    assert_eq!(server.session_of(ANNA).statistics().datagrams_dropped, 2);
    server.close();
}

#[test]
fn answers_to_handshakes_that_find_no_room_are_not_given() {
    let mut server = Harness::new(Config { reply_queue_bytes_max: 1_200, ..raw_config() });
    let requests: Vec<_> = (1..=5).map(|port| server.newcomer(port.into(), port).request()).collect();

    let verdicts: Vec<_> =
        (1..).zip(&requests).map(|(port, request)| server.read(client_address(port), request)).collect();

    assert_eq!(verdicts[..2], [Verdict::Answered; 2], "a quarter is kept for those on their way back");
    assert_eq!(verdicts[2..], [Verdict::Dropped(DropReason::RepliesFull); 3]);
    server.settle();
    server.close();
}

#[test]
fn a_hello_that_cannot_be_one_is_dropped_wherever_it_comes() {
    let bad = [
        Hello { version: 2, ..Hello::new(77) },
        Hello { magic: *b"NOTMAGIC", ..Hello::new(77) },
        Hello::new(0),
    ];
    for hello in bad {
        let mut server = Harness::framed();
        let mut anna = server.newcomer(ANNA, 1);
        server.shake_hands(&mut anna);
        let first = anna.frames(|writer| assert!(writer.write_hello(&hello)));
        assert_eq!(server.talk(&mut anna, &first), Verdict::Dropped(DropReason::BadHello));
        assert!(anna.welcome().is_none());
        let good = anna.hello();
        server.talk(&mut anna, &good);

        let late = anna.frames(|writer| assert!(writer.write_hello(&hello)));

        assert_eq!(server.talk(&mut anna, &late), Verdict::Dropped(DropReason::BadHello));
        server.close();
    }
}

#[test]
fn another_lane_epoch_in_the_same_key_epoch_breaks_the_protocol() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    anna.lane_epoch += 1;

    let hello = anna.hello();

    assert_eq!(server.talk(&mut anna, &hello), Verdict::Dropped(DropReason::Violation));
    server.close();
}

#[test]
fn p50_messages_arrive_on_the_lane_they_were_sent_on() {
    let mut server = Harness::new(Config { ordered_lanes: 6, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    let packet = anna.frames(|writer| {
        assert!(writer.write_lane(5, 1, (b"second", &[])) && writer.write_lane(2, 0, (b"alone", &[])));
        assert!(writer.write_lane(5, 0, (b"first", &[])));
    });
    server.talk(&mut anna, &packet);
    server.call(|manager, now| manager.send(now, id, 5, b"down")).unwrap();
    server.listen(&mut anna);

    let messages: Vec<_> = server
        .events
        .iter()
        .filter_map(|(event, bytes)| match event {
            Event::Message { session, lane } => Some((*session, *lane, bytes.as_slice())),
            _ => None,
        })
        .collect();
    assert_eq!(messages, [(id, 2, &b"alone"[..]), (id, 5, b"first"), (id, 5, b"second")]);
    assert_eq!(anna.welcome().map(|welcome| welcome.ordered_lanes), Some(6));
    let down = anna.heard(|frame| match frame {
        Frame::Lane { lane, number, message } => Some((lane, number, message.to_vec())),
        _ => None,
    });
    assert!(down.contains(&(5, 0, b"down".to_vec())));
    server.close();
}

#[test]
fn p54_long_messages_travel_both_ways_whole_and_longer_ones_break_the_protocol() {
    let mut server = Harness::new(Config { message_bytes_max: 2_000, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let fragment = |anna: &mut Peer, number, bytes: &[u8]| {
        anna.frames(|writer| assert!(writer.write_fragment(0, number, (bytes, &[]))))
    };

    let first = fragment(&mut anna, 0, &[1; 1_150]);
    server.talk(&mut anna, &first);
    let last = anna.message(1, &[2; 850]);
    server.talk(&mut anna, &last);
    server.call(|manager, now| {
        assert_eq!(manager.send(now, id, 0, &[3; 2_001]), Err(SendError::Size { bytes: 2_001, max: 2_000 }));
        manager.send(now, id, 0, &[3; 2_000]).unwrap();
    });
    server.listen(&mut anna);

    assert_eq!(server.received_from(id), [[[1; 1_150].as_slice(), &[2; 850]].concat()]);
    let pieces = anna.heard(|frame| match frame {
        Frame::Fragment { number, bytes, .. } => Some((number, bytes.len(), true)),
        Frame::Lane { number, message, .. } => Some((number, message.len(), false)),
        _ => None,
    });
    assert_eq!(pieces, [(0, 1_150, true), (1, 850, false)]);

    let first = fragment(&mut anna, 2, &[4; 1_150]);
    server.talk(&mut anna, &first);
    let too_long = fragment(&mut anna, 3, &[4; 851]);
    assert_eq!(server.talk(&mut anna, &too_long), Verdict::Dropped(DropReason::Violation));
    server.close();
}

#[test]
fn p50_a_message_for_a_lane_the_session_does_not_have_breaks_the_protocol() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let before = server.dropped(DropReason::Violation);

    let packet = anna.frames(|writer| assert!(writer.write_lane(4, 0, (b"nowhere", &[]))));

    assert_eq!(server.talk(&mut anna, &packet), Verdict::Dropped(DropReason::Violation));
    assert_eq!(server.dropped(DropReason::Violation), before + 1);
    assert!(server.received_from(id).is_empty());
    server.close();
}

#[test]
fn nothing_that_is_sent_is_longer_than_a_datagram_may_be() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    for _ in 0..20 {
        server.call(|manager, now| {
            manager.send(now, id, 0, &[1; 1_150]).unwrap();
            manager.publish_state(now, id, 5, &[2; 1_150]).unwrap();
            manager.send_datagram(now, id, &[3; 1_150]).unwrap();
        });
        server.listen(&mut anna);
        server.beat(&mut anna);
    }

    assert!(server.sent.iter().all(|(_, datagram)| datagram.len() <= DATAGRAM_BYTES_MAX));
    assert_eq!(anna.messages().len(), 20);
    server.close();
}

#[test]
fn p7_the_last_addresses_of_a_resume_token_are_left_out_where_they_do_not_fit() {
    let ipv6 = |port| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], port));
    let ipv4 = |port| SocketAddr::from(([203, 0, 113, 1], port));
    let elsewhere = (1..=3).map(ipv4).chain([ipv6(1), ipv6(2)]);
    let public_addresses: Vec<_> = [server_address()].into_iter().chain(elsewhere).collect();
    let mut server = Harness::new(Config { public_addresses, ..framed_config() });

    let anna = server.player(ANNA, 1);

    let listed = anna.heard(|frame| match frame {
        Frame::ResumeToken(token) => Some((token.address_count, token.addresses)),
        _ => None,
    });
    let last_port = |addresses: &[u8]| addresses.last_chunk().map(|port| u16::from_le_bytes(*port));
    assert!(!listed.is_empty());
    for (count, addresses) in listed {
        assert_eq!((count, last_port(addresses)), (4, Some(3)), "those of her own family come first");
    }
    server.close();
}

#[test]
fn a_state_of_exactly_the_most_bytes_is_published_and_a_larger_one_refused() {
    let mut server = Harness::new(Config { state_bytes_max: 100, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    let published = server.call(|manager, now| manager.publish_state(now, id, 5, &[1; 100]));
    let refused = server.call(|manager, now| manager.publish_state(now, id, 6, &[2; 101]));

    assert_eq!(published, Ok(()));
    assert_eq!(refused, Err(SendError::Size { bytes: 101, max: 100 }));
    server.listen(&mut anna);
    assert_eq!(anna.states(), [(5, None, [1; 100].to_vec())]);
    server.close();
}
