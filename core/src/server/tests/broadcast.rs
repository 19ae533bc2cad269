//! Messages to many players at once.

use alloc::vec::Vec;

use allocation_counter::measure;

use crate::lifecycle::SessionState;
use crate::{Config, Payloads, SendError};

use super::harness::{Harness, framed_config, raw_config};

const ANNA: u64 = 11;
const BORIS: u64 = 12;
const CLARA: u64 = 13;

#[test]
fn a_broadcast_reaches_every_player_in_the_order_of_the_lane_among_messages_of_their_own() {
    let mut server = Harness::framed();
    let mut players = [server.player(ANNA, 1), server.player(BORIS, 2)];
    let _guest = server.guest(CLARA, 3);
    let ids = [server.id_of(ANNA), server.id_of(BORIS)];
    let long: Vec<u8> = (0..5_000_u16).map(|index| index.to_le_bytes()[0]).collect();

    server.call(|manager, now| {
        for number in 0..3 {
            manager.send(now, ids[number % 2], 0, &[1; 700]).unwrap();
            assert_eq!(manager.broadcast(now, 0, b"short").queued, 2);
            assert_eq!(manager.broadcast(now, 0, &long).queued, 2);
            assert_eq!(manager.broadcast(now, 0, &[2; 1_150]).queued, 2);
        }
    });
    for player in &mut players {
        server.live(&mut [&mut *player], 1_000);
    }

    let pieces: Vec<u8> = (0..5_000_u16).map(|index| index.to_le_bytes()[0]).collect();
    for (index, player) in players.iter().enumerate() {
        let heard = player.lane_bytes(0);
        let own = |number: usize| if number % 2 == index { [1; 700].to_vec() } else { Vec::new() };
        let expected: Vec<u8> =
            (0..3).flat_map(|number| [&own(number)[..], b"short", &pieces, &[2; 1_150]].concat()).collect();
        assert_eq!(heard, expected);
        assert_eq!(server.session_of([ANNA, BORIS][index]).statistics().message_bytes_queued, 0);
    }
    server.close();
}

#[test]
fn a_broadcast_waits_for_those_who_are_away_and_goes_on_after_they_come_back() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut boris = server.player(BORIS, 2);
    server.live(&mut [&mut boris], 10_500);
    assert_eq!(server.state_of(ANNA), Some(SessionState::ReconnectPending));

    assert_eq!(server.call(|manager, now| manager.broadcast(now, 1, &[3; 3_000])).queued, 2);
    server.live(&mut [&mut boris], 1_000);
    assert_eq!(boris.lane_bytes(1), [3; 3_000]);
    assert_eq!(server.session_of(ANNA).statistics().message_bytes_queued, 3_000);

    server.resume(&mut anna, 3);
    server.live(&mut [&mut anna, &mut boris], 1_000);
    assert_eq!(anna.lane_bytes(1), [3; 3_000]);
    server.close();
}

#[test]
fn shared_bytes_count_in_full_against_each_queue_and_those_who_are_full_are_named() {
    let mut server = Harness::new(Config { lane_queue_bytes_max: 2_000, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let _boris = server.player(BORIS, 2);
    let boris_id = server.id_of(BORIS);
    assert_eq!(server.call(|manager, now| manager.broadcast(now, 0, &[4; 1_500])).queued, 2);
    server.listen(&mut anna);
    server.beat(&mut anna);

    let broadcast = server.call(|manager, now| manager.broadcast(now, 0, &[5; 600]));

    assert_eq!(broadcast.queued, 1);
    assert_eq!(broadcast.refused, [(boris_id, SendError::Full { bytes_to_acknowledge: 1_150 })]);
    let too_long = server.call(|manager, now| manager.broadcast(now, 0, &[5; 2_001]));
    assert_eq!((too_long.queued, too_long.refused.len()), (0, 2));
    assert_eq!(too_long.refused[0].1, SendError::Size { bytes: 2_001, max: 2_000 });
    server.close();
}

#[test]
fn a_message_that_no_lane_takes_costs_no_memory() {
    for config in [Config { message_bytes_max: 1_000, ..framed_config() }, raw_config()] {
        let is_raw = config.payloads == Payloads::Raw;
        let mut server = Harness::new(config);
        let _anna = if is_raw { server.raw_player(ANNA, 1) } else { server.player(ANNA, 1) };
        let (manager, now) = (&mut server.manager, server.now);
        let message = alloc::vec![1; 200_000];
        // The record of what a session was refused is made with its first entry.
        manager.broadcast(now, 0, &message);

        let allocated = measure(|| assert_eq!(manager.broadcast(now, 0, &message).refused.len(), 1));

        assert!(allocated.bytes_max < 2_000, "{}", allocated.bytes_max);
    }
}

#[test]
fn one_player_can_be_left_out() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut boris = server.player(BORIS, 2);
    let id = server.id_of(ANNA);

    server.call(|manager, now| {
        assert_eq!(manager.broadcast_except(now, id, 0, &[6; 100]).queued, 1);
        assert_eq!(manager.broadcast_datagram_except(now, id, b"not for you").queued, 1);
        assert_eq!(manager.broadcast_datagram(now, b"for everybody").queued, 2);
    });
    server.listen(&mut anna);
    server.listen(&mut boris);

    assert_eq!((anna.lane_bytes(0).len(), boris.lane_bytes(0).len()), (0, 100));
    assert_eq!(anna.datagrams(), [b"for everybody"]);
    assert_eq!(boris.datagrams(), [&b"not for you"[..], b"for everybody"]);
    server.call(|manager, now| manager.remove(now, id)).unwrap();
    assert_eq!(server.call(|manager, now| manager.broadcast_except(now, id, 0, b"one is left")).queued, 1);
    server.close();
}

#[test]
fn raw_payloads_are_broadcast_as_datagrams_and_not_on_lanes() {
    let mut server = Harness::new(raw_config());
    let mut anna = server.raw_player(ANNA, 1);
    let id = server.id_of(ANNA);

    let on_a_lane = server.call(|manager, now| manager.broadcast(now, 0, &[7; 100]));
    assert_eq!((on_a_lane.queued, on_a_lane.refused), (0, [(id, SendError::RawPayloads)].to_vec()));
    assert_eq!(server.call(|manager, now| manager.broadcast_datagram(now, &[8; 1_200])).queued, 1);
    let too_long = server.call(|manager, now| manager.broadcast_datagram(now, &[8; 1_201]));

    assert_eq!(too_long.refused, [(id, SendError::Size { bytes: 1_201, max: 1_200 })]);
    server.listen(&mut anna);
    assert_eq!(anna.payloads(), [[8; 1_200]]);
    server.close();
}
