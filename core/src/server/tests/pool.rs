//! Memory that is short: what each session is sure of, what it gets of the pool, and that nobody waits for ever.

use alloc::vec;
use alloc::vec::Vec;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::lifecycle::{Cause, DisconnectReason};
use crate::link::frame::FrameWriter;
use crate::{Config, DropReason, SendError, Verdict};

use super::harness::{Harness, TIGHT_QUOTA_BYTES, tight_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;

/// Two players on a server whose pool has room for one long message.
fn two_players() -> (Harness, Peer, Peer) {
    let mut server = Harness::new(tight_config());
    let anna = server.player(ANNA, 1);
    let ben = server.player(BEN, 2);
    (server, anna, ben)
}

/// The pieces of a message of 15,000 bytes.
const PIECES: u64 = 15;

fn write_piece(writer: &mut FrameWriter<'_>, lane: u8, number: u64) -> bool {
    let bytes = [number.to_le_bytes()[0]; 1_000];
    if number + 1 == PIECES {
        writer.write_lane(lane, number, (&bytes, &[]))
    } else {
        writer.write_fragment(lane, number, (&bytes, &[]))
    }
}

/// Sends one piece of a long message; whether it was taken.
fn sends_piece(server: &mut Harness, peer: &mut Peer, lane: u8, number: u64) -> bool {
    let packet = peer.frames(|writer| assert!(write_piece(writer, lane, number)));
    match server.take(peer.address, &packet) {
        Verdict::Accepted(_) => true,
        Verdict::Dropped(DropReason::SessionMemory) => false,
        verdict => panic!("{verdict:?}"),
    }
}

/// Sends pieces in order, until one is not taken; gives the number of that one.
fn sends_from(server: &mut Harness, peer: &mut Peer, lane: u8, first: u64) -> u64 {
    (first..PIECES).find(|&number| !sends_piece(server, peer, lane, number)).unwrap_or(PIECES)
}

fn messages_of(server: &Harness, client_id: u64) -> usize {
    server.received_from(server.id_of(client_id)).len()
}

/// Sends all of a long message but its end.
fn takes_the_pool(server: &mut Harness, peer: &mut Peer) {
    assert!((0..PIECES - 1).all(|number| sends_piece(server, peer, 0, number)));
    assert!(server.manager.pool_bytes_taken() > 0);
}

/// Queues messages to a player until there is no memory for more; how many bytes that was.
fn fill(server: &mut Harness, client_id: u64, message: &[u8]) -> usize {
    let id = server.id_of(client_id);
    let mut bytes = 0;
    for lane in [0, 1, 2, 3] {
        while server.call(|manager, now| manager.send(now, id, lane, message)).is_ok() {
            bytes += message.len();
        }
    }
    bytes
}

#[test]
fn of_two_sessions_that_would_block_each_other_both_get_their_messages_through() {
    let (mut server, mut anna, mut ben) = two_players();
    let mut next = [0, 0];
    // Piece by piece, as both would have half of what there is.
    for _ in 0..PIECES {
        for (peer, next) in [&mut anna, &mut ben].into_iter().zip(&mut next) {
            if *next < PIECES {
                *next += u64::from(sends_piece(&mut server, peer, 0, *next));
            }
        }
    }

    assert_eq!(next[0], PIECES, "Anna was granted what her message needed");
    assert!(next[1] < PIECES, "Ben waits with what his quota holds");
    assert_eq!(sends_from(&mut server, &mut ben, 0, next[1]), PIECES);
    assert_eq!([ANNA, BEN].map(|client| messages_of(&server, client)), [1, 1]);
    assert_eq!(server.manager.pool_bytes_taken(), 0);
    assert!(server.dropped(DropReason::SessionMemory) > 0);
    server.close();
}

#[test]
fn two_lanes_of_one_session_get_their_messages_through_one_after_the_other() {
    let (mut server, mut anna, _ben) = two_players();
    let mut next = [0, 0];
    for _ in 0..PIECES {
        for (lane, next) in [0, 1].into_iter().zip(&mut next) {
            if *next < PIECES {
                *next += u64::from(sends_piece(&mut server, &mut anna, lane, *next));
            }
        }
    }

    assert!(next.contains(&PIECES) && next.iter().any(|next| *next < PIECES), "{next:?}");
    for (lane, next) in [0, 1].into_iter().zip(next) {
        assert_eq!(sends_from(&mut server, &mut anna, lane, next), PIECES);
    }
    assert_eq!(messages_of(&server, ANNA), 2);
    server.close();
}

#[test]
fn what_is_held_back_never_keeps_out_what_it_waits_for() {
    let (mut server, mut anna, mut ben) = two_players();
    takes_the_pool(&mut server, &mut ben);

    // In Anna's quota: as much as she can hold back, on as many lanes as there are.
    let mut held = Vec::new();
    for lane in 0..4 {
        held.extend(
            (1..PIECES)
                .filter(|&number| sends_piece(&mut server, &mut anna, lane, number))
                .map(|number| (lane, number)),
        );
    }
    assert!(!held.is_empty() && server.dropped(DropReason::SessionMemory) > 0);
    for (lane, newest) in held {
        for number in 0..newest {
            assert!(sends_piece(&mut server, &mut anna, lane, number), "piece {number} of lane {lane}");
        }
    }
    server.close();
}

#[test]
fn a_message_within_the_quota_passes_while_others_have_the_whole_pool() {
    let (mut server, mut anna, mut ben) = two_players();
    takes_the_pool(&mut server, &mut ben);
    fill(&mut server, BEN, &[1; 500]);

    for number in 0..3 {
        assert!(sends_piece(&mut server, &mut anna, 0, number), "{number}");
    }
    let last = anna.message(3, b"done");
    assert!(matches!(server.take(anna.address, &last), Verdict::Accepted(_)));
    assert_eq!(messages_of(&server, ANNA), 1);
    assert!(fill(&mut server, ANNA, &[1; 500]) * 4 > TIGHT_QUOTA_BYTES * 3, "and so much leaves");
    server.close();
}

#[test]
fn a_grant_is_not_kept_for_ever_while_another_session_is_in_need() {
    let (mut server, mut anna, mut ben) = two_players();
    let stopped = 12;
    (0..stopped).for_each(|number| assert!(sends_piece(&mut server, &mut anna, 0, number)));
    server.live(&mut [&mut anna, &mut ben], 29_000);
    let refused = sends_from(&mut server, &mut ben, 0, 0);
    assert!(refused < PIECES, "Anna has the pool, not yet for too long");
    server.live(&mut [&mut anna, &mut ben], 2_000);
    assert!(server.state_of(ANNA).is_some(), "nobody is in need at the moment");

    assert_eq!(sends_from(&mut server, &mut ben, 0, refused), PIECES);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::MemoryHeld));
    assert_eq!(messages_of(&server, BEN), 1);
    server.listen(&mut anna);
    assert_eq!(anna.goodbyes(), [(1, vec![])]);
    server.close();
}

#[test]
fn a_grant_ends_with_the_message_and_the_next_one_counts_anew() {
    let (mut server, mut anna, mut ben) = two_players();
    for _ in 0..2 {
        let numbers = 0..PIECES - 1;
        assert!(numbers.into_iter().all(|number| sends_piece(&mut server, &mut anna, 0, number)));
        server.live(&mut [&mut anna, &mut ben], 20_000);
        assert!(sends_piece(&mut server, &mut anna, 0, PIECES - 1));
        // The next one begins at number 0 of a fresh lane.
        anna.lane_epoch += 1;
        server.resume(&mut anna, 1);
    }
    assert!(sends_from(&mut server, &mut ben, 0, 0) == PIECES);
    assert!(server.state_of(ANNA).is_some());
    server.close();
}

#[test]
fn acknowledgements_in_a_payload_without_room_make_the_room_it_needs() {
    let (mut server, mut anna, mut ben) = two_players();
    takes_the_pool(&mut server, &mut ben);
    assert!(fill(&mut server, ANNA, &[7; 500]) > 0);
    assert!(!sends_piece(&mut server, &mut anna, 0, 0), "Anna's quota is full of what she was sent");
    server.listen(&mut anna);

    let mut taken = false;
    for _ in 0..100 {
        let packet = anna.frames_with_ack(|writer| assert!(write_piece(writer, 0, 0)));
        taken |= matches!(server.talk(&mut anna, &packet), Verdict::Accepted(_));
    }
    assert!(taken);
    server.close();
}

#[test]
fn those_who_take_all_they_can_leave_the_next_one_as_much_as_each_of_them_has() {
    let pool_bytes_max = 1_000_000;
    let mut server = Harness::new(Config {
        sessions_max: 16,
        pool_bytes_max,
        lane_queue_bytes_max: 1_000_000,
        ..tight_config()
    });
    let mut players = Vec::new();
    let mut shares = Vec::new();
    for client_id in 1..=6_u16 {
        players.push(server.player(client_id.into(), client_id));
        let before = server.manager.pool_bytes_taken();
        fill(&mut server, client_id.into(), &[1; 100]);
        shares.push(server.manager.pool_bytes_taken() - before);
    }
    for (others, share) in shares.iter().enumerate() {
        let left = pool_bytes_max - shares[..others].iter().sum::<usize>();
        assert!(*share <= left / 2 && *share * 5 > left * 2, "{share} of {left}");
    }
    server.close();
}

#[test]
fn where_memory_is_short_the_oldest_datagrams_go_and_values_are_refused() {
    let (mut server, mut anna, mut ben) = two_players();
    takes_the_pool(&mut server, &mut ben);
    let id = server.id_of(ANNA);
    let mut kept = 0;
    let refusal = (0..100).find_map(|key| {
        let result = server.measured(|manager, now| manager.send_latest(now, id, key, &[9; 200]));
        kept += u16::from(result.is_ok());
        result.err()
    });
    assert!(kept > 20 && refusal == Some(SendError::NoMemory), "{kept} values, {refusal:?}");
    for number in 0..200_u8 {
        server.measured(|manager, now| manager.send_datagram(now, id, &[number; 50])).unwrap();
    }
    server.check_memory();
    server.settle();
    let dropped = server.session_of(ANNA).statistics().datagrams_dropped;
    server.listen(&mut anna);
    let arrived: Vec<u8> = anna.datagrams().iter().map(|datagram| datagram[0]).collect();
    assert!(dropped > 0 && arrived.len() as u64 + dropped == 200);
    assert!(arrived.last().is_none_or(|newest| *newest == 199), "the newest are kept: {arrived:?}");

    // What is acknowledged makes room: every value arrives, and the next ones are taken.
    server.live(&mut [&mut anna, &mut ben], 5_000);
    assert!(server.call(|manager, now| manager.send_latest(now, id, kept, &[9; 200])).is_ok());
    server.close();
}

#[test]
fn a_session_without_room_still_sends_states_and_messages_until_all_is_acknowledged() {
    let (mut server, mut anna, mut ben) = two_players();
    takes_the_pool(&mut server, &mut ben);
    let id = server.id_of(ANNA);
    let sent = fill(&mut server, ANNA, &[7; 300]);
    for tick in 1..=40 {
        server.call(|manager, now| manager.publish_state(now, id, tick, &[8; 1_150])).unwrap();
    }
    server.live(&mut [&mut anna, &mut ben], 20_000);

    let bytes: usize = (0..4).map(|lane| anna.lane_bytes(lane).len()).sum();
    assert_eq!(bytes, sent);
    assert_eq!(anna.states().last().map(|(tick, ..)| *tick), Some(40));
    server.close();
}

#[test]
fn a_session_that_ends_gives_everything_back() {
    let (mut server, mut anna, mut ben) = two_players();
    takes_the_pool(&mut server, &mut ben);
    assert!(server.manager.pool_bytes_taken() > 0);
    let id = server.id_of(BEN);
    server.call(|manager, now| manager.remove(now, id)).unwrap();

    assert_eq!(server.manager.pool_bytes_taken(), 0);
    assert_eq!(sends_from(&mut server, &mut anna, 0, 0), PIECES);
    server.close();
}

#[test]
fn a_message_that_grows_into_what_was_promised_to_it_takes_no_more_than_that() {
    let long = 60_000;
    let config = Config {
        message_bytes_max: long,
        lane_queue_bytes_max: long as usize,
        pool_bytes_max: 2 * 61_200,
        ..tight_config()
    };
    let session_quota_bytes = config.session_fixed_bytes() + 42_000;
    let mut server = Harness::new(Config { session_quota_bytes, ..config });
    let mut anna = server.player(ANNA, 1);
    for client_id in 2..=5_u16 {
        server.player(client_id.into(), client_id);
        fill(&mut server, client_id.into(), &[1; 1_000]);
    }

    let newest = 33;
    let ahead = anna.frames(|writer| assert!(writer.write_fragment(0, newest, (&[1; 1_150], &[]))));
    assert!(matches!(server.take(anna.address, &ahead), Verdict::Accepted(_)));
    let promised = server.session_of(ANNA).charged_bytes();
    for number in 0..newest {
        let piece = anna.frames(|writer| assert!(writer.write_fragment(0, number, (&[1; 1_150], &[]))));
        assert!(matches!(server.take(anna.address, &piece), Verdict::Accepted(_)), "{number}");
        assert!(server.session_of(ANNA).charged_bytes() <= promised, "{number}");
    }
    server.close();
}

/// Sends the first piece of a message that goes on, on each of these lanes, in one payload; whether they were taken.
fn begins_on(server: &mut Harness, peer: &mut Peer, lanes: core::ops::Range<u8>) -> bool {
    let packet = peer.frames(|writer| {
        for lane in lanes {
            assert!(writer.write_fragment(lane, 40, (&[1], &[])));
        }
    });
    matches!(server.take(peer.address, &packet), Verdict::Accepted(_))
}

#[test]
fn nobody_ends_for_a_payload_that_would_not_find_room_in_the_whole_pool() {
    let (mut server, mut anna, mut ben) = two_players();
    takes_the_pool(&mut server, &mut anna);
    server.live(&mut [&mut anna, &mut ben], 31_000);

    assert!(!begins_on(&mut server, &mut ben, 0..4), "four messages need more than there is");

    assert!(server.state_of(ANNA).is_some(), "to end Anna's session would not have helped");
    server.close();
}

#[test]
fn the_longest_holder_of_the_pool_ends_nobody_who_holds_some_for_less() {
    let mut server = Harness::new(Config { pool_bytes_max: 84_000, ..tight_config() });
    let (mut anna, mut ben) = (server.player(ANNA, 1), server.player(BEN, 2));
    takes_the_pool(&mut server, &mut ben);
    server.live(&mut [&mut anna, &mut ben], 1_000);
    takes_the_pool(&mut server, &mut anna);
    server.live(&mut [&mut anna, &mut ben], 31_000);

    let refused = sends_from(&mut server, &mut ben, 1, 0);

    assert!(refused < PIECES, "Ben may have no second long message just now");
    assert!(server.state_of(ANNA).is_some(), "Ben has kept his part of the pool for longer than Anna hers");
    server.close();
}

#[test]
fn two_lanes_whose_pieces_share_packets_do_not_wait_for_each_other() {
    let (mut server, mut anna, _ben) = two_players();
    let last = 29;
    let write = |writer: &mut FrameWriter<'_>, lane, number| {
        let bytes: (&[u8], &[u8]) = (&[lane; 500], &[]);
        if number == last {
            writer.write_lane(lane, number, bytes)
        } else {
            writer.write_fragment(lane, number, bytes)
        }
    };
    let mut unacknowledged: Vec<u64> = (0..=last).collect();
    // What is not taken is sent again, in the packets in which it was.
    for _ in 0..3 {
        unacknowledged.retain(|&number| {
            let packet = anna.frames(|writer| assert!(write(writer, 0, number) && write(writer, 1, number)));
            !matches!(server.take(anna.address, &packet), Verdict::Accepted(_))
        });
    }

    assert!(server.dropped(DropReason::SessionMemory) > 0, "there is no room for both at once");
    assert_eq!((unacknowledged, messages_of(&server, ANNA)), (vec![], 2));
    server.close();
}

/// A payload of a few pieces as they come: with gaps, again, of any length, on any lane.
fn any_pieces(peer: &mut Peer, reached: &mut [u64; 4], random: &mut ChaCha20Rng) -> Vec<u8> {
    let mut below = |end: u64| random.next_u64() % end;
    peer.frames(|writer| {
        for _ in 0..=below(3) {
            let lane = u8::try_from(below(4)).unwrap();
            let reached = &mut reached[usize::from(lane)];
            let ahead = [0, 0, 0, below(4), below(60)][usize::try_from(below(5)).unwrap()];
            let number = *reached + ahead;
            let len = [below(30), below(400), 1_149][usize::try_from(below(3)).unwrap()];
            let bytes = &[7; 1_150][..=usize::try_from(len).unwrap()];
            let is_written = if below(8) == 0 {
                writer.write_lane(lane, number, (bytes, &[]))
            } else {
                writer.write_fragment(lane, number, (bytes, &[]))
            };
            *reached += u64::from(is_written && ahead == 0);
        }
    })
}

/// What an application may have to say, or nothing.
fn any_send(server: &mut Harness, client_id: u64, random: &mut ChaCha20Rng) {
    let id = server.id_of(client_id);
    let bytes = &[5; 1_150][..=usize::try_from(random.next_u64() % 1_150).unwrap()];
    let number = random.next_u64() % 16;
    server.call(|manager, now| match number {
        0..=3 => drop(manager.send(now, id, number as u8, bytes)),
        4 => drop(manager.broadcast(now, 0, bytes)),
        5..=7 => drop(manager.send_latest(now, id, number as u16 * 9, bytes)),
        8 => drop(manager.send_datagram(now, id, bytes)),
        _ => {}
    });
}

#[test]
fn whatever_arrives_and_is_sent_nobody_takes_more_than_was_asked_for() {
    let mut refused = 0;
    for seed in 0..40 {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let config = tight_config();
        let session_quota_bytes = config.session_quota_bytes + usize::try_from(seed).unwrap() * 500;
        let mut server = Harness::new(Config { session_quota_bytes, violations_max: 1_000, ..config });
        let mut players: Vec<_> =
            (1..=4_u16).map(|port| (server.player(port.into(), port), [0; 4])).collect();
        for _ in 0..250 {
            let turn = usize::try_from(random.next_u64() % 4).unwrap();
            let (peer, reached) = &mut players[turn];
            let packet = any_pieces(peer, reached, &mut random);
            server.take(peer.address, &packet);
            any_send(&mut server, turn as u64 + 1, &mut random);
            if random.next_u64().is_multiple_of(40) {
                server.live(&mut [peer], 100);
            }
            assert!(server.manager.pool_bytes_taken() <= 42_000);
        }
        refused += server.dropped(DropReason::SessionMemory);
        server.check_memory();
        server.close();
    }
    assert!(refused > 1_000, "{refused}");
}
