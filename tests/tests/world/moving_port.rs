//! A router gives a player another port: the player knows nothing of it, and nothing is lost.

use rejoin::lifecycle::LifecycleEventKind as Kind;
use rejoin::{Event, SessionId};
use rejoin_tests::world::{Conditions, World, config};

fn moves_of(world: &World, id: SessionId) -> usize {
    let is_move = |event: &Event| matches!(event, Event::PathMoved { session, .. } if *session == id);
    world.server_events.iter().filter(|(event, _)| is_move(event)).count()
}

#[test]
fn a_moving_player_keeps_its_session_and_every_message_without_a_timeout_or_a_way_back() {
    for seed in 0..20 {
        let mut world = World::new(config(), seed);
        let player = world.add_logged_in(1);
        world.run_for_ms(500);
        let (id, told) = (world.session_id(player), world.kinds_of(world.session_id(player)).len());
        let mut sent = Vec::new();

        for round in 0_u32..120 {
            if round % 30 == 10 {
                world.move_port(player);
            }
            let message = round.to_le_bytes().to_vec();
            world.players[player].session.send(0, &message).expect("room");
            world.server.send(world.now, id, 0, &message).expect("room");
            sent.push(message);
            world.run_for_ms(50);
        }
        world.run_for_ms(2_000);

        assert_eq!(world.messages_from(id), sent);
        assert_eq!(world.messages_to(player), sent);
        assert_eq!(moves_of(&world, id), 4, "seed {seed}");
        assert_eq!(world.kinds_of(id).len(), told, "nobody is away at any time");
        assert_eq!(world.server.session_at(world.players[player].address).map(|view| view.id()), Some(id));
    }
}

#[test]
fn a_player_who_moves_on_a_rough_network_ends_up_in_its_session_at_its_new_port() {
    for seed in 0..20 {
        let mut world = World::new(config(), seed);
        let player = world.add_logged_in(1);
        world.run_for_ms(500);
        let id = world.session_id(player);
        world.wire.conditions = Conditions::ROUGH;
        for _ in 0..3 {
            world.move_port(player);
            world.run_for_ms(3_000);
        }
        world.wire.conditions = Conditions::GOOD;
        world.run_for_ms(6_000);

        assert_eq!(world.server.session_at(world.players[player].address).map(|view| view.id()), Some(id));
        assert!(!world.kinds_of(id).contains(&Kind::Disconnected));
    }
}
