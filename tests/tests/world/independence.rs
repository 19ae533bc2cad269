//! No lane waits for another.

use rejoin::client::ClientEvent;
use rejoin::{Event, SessionId, UNORDERED_LANE};
use rejoin_tests::world::{Conditions, World, config};

/// What a datagram takes in one direction.
const DELAY_MS: u64 = 20;
/// Short messages in each direction, one after the other, while a long one is on its way.
const SHORT_MESSAGES_MIN: usize = 5;
/// How long a short message may take if it is lost, perhaps twice.
const WAIT_MAX_MS: u64 = 500;

/// The lanes on which messages came from the client, and from the server.
fn lanes_received(world: &World, player: usize, id: SessionId) -> (Vec<u8>, Vec<u8>) {
    let up = world.server_events.iter().filter_map(|(event, _)| match event {
        Event::Message { session, lane } if *session == id => Some(*lane),
        _ => None,
    });
    let down = world.players[player].events.iter().filter_map(|(event, _)| match event {
        ClientEvent::Message { lane } => Some(*lane),
        _ => None,
    });
    (up.collect(), down.collect())
}

fn send_both_ways(world: &mut World, player: usize, id: SessionId, lane: u8, message: &[u8]) {
    world.players[player].session.send(lane, message).expect("room");
    world.server.send(world.now, id, lane, message).expect("room");
}

#[test]
fn a_lost_message_holds_back_its_own_lane_alone() {
    for victim in [0, 2, UNORDERED_LANE] {
        let mut world = World::new(config(), 31);
        let player = world.add_logged_in(1);
        let id = world.session_id(player);
        world.run_for_ms(1_000);

        world.wire.conditions.loss_percent = 100;
        send_both_ways(&mut world, player, id, victim, b"lost at first");
        world.settle();
        world.wire.conditions.loss_percent = 0;
        let lanes = [0, 1, 2, 3, UNORDERED_LANE];
        for lane in lanes {
            send_both_ways(&mut world, player, id, lane, b"not lost");
        }
        world.run_for_ms(DELAY_MS);

        // Lane 16 has no order, so what follows on it does not wait either.
        let prompt: Vec<u8> =
            lanes.into_iter().filter(|&lane| lane != victim || lane == UNORDERED_LANE).collect();
        let (up, down) = lanes_received(&world, player, id);
        assert_eq!(sorted(up), prompt, "up, with lane {victim} held back");
        assert_eq!(sorted(down), prompt, "down, with lane {victim} held back");
        world.run_for_ms(2_000);
        assert_eq!(world.messages_from(id).len(), lanes.len() + 1, "and what was lost comes again");
        assert_eq!(world.messages_to(player).len(), lanes.len() + 1);
    }
}

fn sorted(mut lanes: Vec<u8>) -> Vec<u8> {
    lanes.sort_unstable();
    lanes
}

#[test]
fn a_long_message_does_not_delay_short_ones_of_other_lanes() {
    let mut world = World::new(config(), 32);
    world.wire.conditions = Conditions { loss_percent: 5, ..Conditions::GOOD };
    let player = world.add_logged_in(1);
    let id = world.session_id(player);
    world.run_for_ms(1_000);

    let long = vec![0x6c; 200_000];
    send_both_ways(&mut world, player, id, 0, &long);
    let mut waits_ms = Vec::new();
    while !world.messages_to(player).contains(&long) || !world.messages_from(id).contains(&long) {
        let sent_at = world.now;
        send_both_ways(&mut world, player, id, 1, b"short");
        let expected = waits_ms.len() + 1;
        let of_lane_1 = |lanes: Vec<u8>| lanes.into_iter().filter(|&lane| lane == 1).count();
        world.run_until("the short messages", |world| {
            let (up, down) = lanes_received(world, player, id);
            of_lane_1(up) >= expected && of_lane_1(down) >= expected
        });
        waits_ms.push(world.now.micros_since(sent_at) / 1_000);
    }

    waits_ms.sort_unstable();
    assert!(waits_ms.len() >= SHORT_MESSAGES_MIN, "only {waits_ms:?} while the long ones were on their way");
    let median_ms = waits_ms[waits_ms.len() / 2];
    assert!(median_ms <= 3 * DELAY_MS, "a way, and a round trip at most until it may leave: {waits_ms:?}");
    assert!(waits_ms.iter().all(|&wait_ms| wait_ms <= WAIT_MAX_MS), "also where one is lost: {waits_ms:?}");
}
