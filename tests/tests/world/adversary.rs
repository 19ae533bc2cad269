//! Somebody who hears everything, and says anything again, from anywhere.

use rejoin::SessionId;
use rejoin::lifecycle::SessionState;
use rejoin_tests::ordeal::Sniffer;
use rejoin_tests::world::{Chance, Conditions, World, config};

#[test]
fn a_sniffer_who_repeats_everything_from_anywhere_disturbs_nobody() {
    for seed in 0..16 {
        let mut world = World::new(config(), 5_000 + seed);
        world.wire.conditions = Conditions::ROUGH;
        let mut sniffer = Sniffer::new(&mut world, Chance::new(seed));
        let players: Vec<usize> = (1..=3).map(|client_id| world.add_logged_in(client_id)).collect();
        world.run_for_ms(1_000);
        let ids: Vec<SessionId> = players.iter().map(|&player| world.session_id(player)).collect();

        let mut sent = 0_u32;
        for round in 0..300 {
            if round % 100 == 40 {
                world.cut(players[round / 100]);
            }
            if round % 100 == 90 {
                world.move_address(players[round / 100]);
                world.heal(players[round / 100]);
            }
            if round % 3 == 0 {
                for (&player, &id) in players.iter().zip(&ids) {
                    world.players[player].session.send(0, &sent.to_le_bytes()).expect("room");
                    world.server.send(world.now, id, 0, &sent.to_le_bytes()).expect("room");
                }
                sent += 1;
            }
            world.run_for_ms(50);
            sniffer.repeat(&mut world, 10);
        }
        world.run_for_ms(10_000);

        let expected: Vec<Vec<u8>> = (0..sent).map(|number| number.to_le_bytes().to_vec()).collect();
        for (&player, &id) in players.iter().zip(&ids) {
            assert_eq!(world.session_id(player), id, "seed {seed}: the same session");
            assert_eq!(world.state(player), Some(SessionState::LoggedIn), "seed {seed}");
            assert_eq!(world.messages_from(id), expected, "seed {seed}: from player {player}");
            assert_eq!(world.messages_to(player), expected, "seed {seed}: to player {player}");
        }
        assert_eq!(world.server.len(), players.len(), "seed {seed}: nobody else got in");
    }
}
