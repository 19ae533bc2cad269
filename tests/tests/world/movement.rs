//! Inputs that are in time, and none that is missing.

use rejoin_tests::world::Conditions;

use super::game::{FIFTY_GIVE_OR_TAKE_TWENTY, Game, TICK_HZ};

const SEEDS: u64 = 5;

/// Lets the player follow the recommendation for 20 s; says how many inputs of a thousand were late or never there, and the highest lead.
fn late_per_mille(game: &mut Game) -> (u64, u32) {
    let before = game.moves();
    let mut lead_max = 0;
    game.run_frames(20 * TICK_HZ, |game| lead_max = lead_max.max(game.send_moves()));
    let after = game.moves();
    let accepted = after.accepted - before.accepted;
    assert!(accepted >= 19 * TICK_HZ, "{accepted}");
    // What is stale is a copy of what is missing.
    let late = after.late - before.late + after.missing - before.missing;
    (late * 1_000 / accepted, lead_max)
}

/// The ticks that a way of this many milliseconds takes, and one to be early.
fn needed_ticks(way_ms: u64) -> u32 {
    u32::try_from((way_ms * TICK_HZ).div_ceil(1_000)).expect("a few ticks") + 1
}

#[test]
fn a_player_who_follows_the_recommended_lead_is_in_time_and_not_much_too_early() {
    let mut lates = Vec::new();
    for seed in 0..SEEDS {
        let mut game = Game::new(100 + seed, FIFTY_GIVE_OR_TAKE_TWENTY);
        game.play_frames(5 * TICK_HZ);

        let (late, lead) = late_per_mille(&mut game);

        assert!(late < 20, "seed {seed}: {late} of 1,000 were late");
        assert!(lead <= needed_ticks(70) + 3, "seed {seed}: {lead}");
        lates.push(late);
    }
    assert!(lates.iter().sum::<u64>() < 10 * SEEDS, "of 1,000 each: {lates:?}");
}

#[test]
fn the_recommended_lead_follows_a_delay_that_doubles_and_comes_back() {
    for seed in 0..SEEDS {
        let mut game = Game::new(200 + seed, FIFTY_GIVE_OR_TAKE_TWENTY);
        game.play_frames(5 * TICK_HZ);
        let twice = Conditions { delay_ms: 60, jitter_ms: 80, ..FIFTY_GIVE_OR_TAKE_TWENTY };
        for (conditions, way_ms) in [(twice, 140), (FIFTY_GIVE_OR_TAKE_TWENTY, 70)] {
            game.world.wire.conditions = conditions;
            game.play_frames(5 * TICK_HZ);

            let (late, lead) = late_per_mille(&mut game);

            assert!(late < 20, "seed {seed}, {way_ms} ms: {late} of 1,000 were late");
            assert!(lead <= needed_ticks(way_ms) + 3, "seed {seed}, {way_ms} ms: {lead}");
        }
    }
}

#[test]
fn one_hiccup_of_the_network_does_not_move_the_recommended_lead() {
    let still = Conditions { jitter_ms: 0, ..FIFTY_GIVE_OR_TAKE_TWENTY };
    let mut game = Game::new(300, still);
    game.play_frames(10 * TICK_HZ);
    let before = game.send_moves();

    game.world.wire.conditions_up = Some(Conditions { delay_ms: 230, ..still });
    game.play_frames(2);
    game.world.wire.conditions_up = None;
    let mut leads = Vec::new();
    game.run_frames(10 * TICK_HZ, |game| leads.push(game.send_moves()));

    assert!(leads.iter().all(|lead| lead.abs_diff(before) <= 1), "{before}: {leads:?}");
}

/// Lets the player go on for so many seconds over such a loss. Gives the redundancy in each frame.
fn redundancies(game: &mut Game, loss_percent: u64, seconds: u64) -> Vec<u8> {
    game.world.wire.conditions.loss_percent = loss_percent;
    let mut redundancies = Vec::new();
    game.run_frames(seconds * TICK_HZ, |game| {
        game.send_moves();
        redundancies.extend(game.world.players[game.player].session.move_redundancy());
    });
    redundancies
}

#[test]
fn inputs_are_repeated_as_often_as_the_loss_asks_for_and_no_more() {
    for seed in 0..SEEDS {
        let mut game = Game::new(700 + seed, Conditions::GOOD);
        assert!(redundancies(&mut game, 0, 10).iter().all(|packets| *packets == 3), "seed {seed}");

        // A fifth to the power of 5 is less than a thousandth; by chance some samples are higher.
        let fifth = redundancies(&mut game, 20, 40);
        let right = fifth[5 * 60..].iter().filter(|packets| (4..=6).contains(*packets)).count();
        assert!(right * 10 >= (fifth.len() - 5 * 60) * 9, "seed {seed}: {right} of {}", fifth.len());

        let two_fifths = redundancies(&mut game, 40, 20);
        let right = two_fifths[5 * 60..].iter().filter(|packets| (7..=8).contains(*packets)).count();
        assert!(
            right * 10 >= (two_fifths.len() - 5 * 60) * 9,
            "seed {seed}: {right} of {}",
            two_fifths.len()
        );

        assert_eq!(redundancies(&mut game, 0, 60).last(), Some(&3), "seed {seed}");
    }
}

#[test]
fn where_a_fifth_of_the_packets_is_lost_hardly_an_input_is_missing() {
    let mut missing = 0;
    let mut accepted = 0;
    for seed in 0..SEEDS {
        let mut game = Game::new(800 + seed, Conditions { loss_percent: 20, ..FIFTY_GIVE_OR_TAKE_TWENTY });
        game.play_frames(5 * TICK_HZ);
        let before = game.moves();
        game.play_frames(30 * TICK_HZ);
        let after = game.moves();
        missing += after.missing - before.missing;
        accepted += after.accepted - before.accepted;
    }

    assert!(accepted > SEEDS * 29 * TICK_HZ, "{accepted}");
    assert!(missing * 1_000 < accepted * 5, "{missing} of {accepted}");
}
