//! What players know of the server's simulation.

use rejoin::client::ServerClock;
use rejoin_tests::world::Conditions;

use super::game::{FIFTY_GIVE_OR_TAKE_TWENTY, Game, TICK_HZ};

const TICK_MICROS: u64 = 1_000_000 / TICK_HZ;
const SEEDS: u64 = 5;
/// Ticks and phases are whole microseconds.
const ROUNDING_MICROS: u64 = 2;

/// The server's time that a clock shows.
fn shown_micros(clock: ServerClock) -> u64 {
    clock.tick * 1_000_000 / TICK_HZ + clock.phase_micros
}

/// Looks at the clock in every frame of so many seconds. Gives by how much it was wrong and the bound it gave for that, and checks
/// that it never goes back.
fn sample(game: &mut Game, seconds: u64) -> Vec<(u64, u64)> {
    let mut samples = Vec::new();
    let mut newest = (0, 0);
    game.run_frames(seconds * TICK_HZ, |game| {
        let player = &game.world.players[game.player].session;
        let clock = player.server_clock(game.world.now).expect("a heartbeat was answered");
        let position = (clock.tick, clock.phase_micros);
        assert!(position >= newest, "{position:?} after {newest:?}");
        newest = position;
        samples.push((shown_micros(clock).abs_diff(game.true_micros()), clock.error_micros));
    });
    samples
}

/// How many of a hundred samples have this, rounded down.
fn percent_of(samples: &[(u64, u64)], holds: impl Fn(u64, u64) -> bool) -> usize {
    samples.iter().filter(|(error, bound)| holds(*error, *bound)).count() * 100 / samples.len()
}

fn is_honest(error_micros: u64, bound_micros: u64) -> bool {
    error_micros <= bound_micros + ROUNDING_MICROS
}

#[test]
fn after_ten_seconds_of_fifty_milliseconds_give_or_take_twenty_the_clock_is_right_within_a_tick() {
    for seed in 0..SEEDS {
        let mut game = Game::new(400 + seed, FIFTY_GIVE_OR_TAKE_TWENTY);
        game.run_frames(10 * TICK_HZ, |_| ());

        let samples = sample(&mut game, 60);

        let right = percent_of(&samples, |error, _| error <= TICK_MICROS);
        assert!(right >= 99, "seed {seed}: {right} % within a tick");
        let honest = percent_of(&samples, is_honest);
        assert!(honest >= 99, "seed {seed}: {honest} % within the bound");
    }
}

#[test]
fn where_one_way_takes_longer_than_the_other_the_bound_still_holds_the_truth() {
    let way = |delay_ms| Conditions { delay_ms, jitter_ms: 5, ..Conditions::GOOD };
    for (up_ms, down_ms) in [(30, 70), (70, 30), (1, 150)] {
        let mut game = Game::new(500 + up_ms, way(down_ms));
        game.world.wire.conditions_up = Some(way(up_ms));
        // What is known from the login, which was not that slow upwards, is gone after so many heartbeats.
        game.run_frames(10 * TICK_HZ, |_| ());

        let samples = sample(&mut game, 60);

        assert!(samples.iter().all(|&(error, bound)| is_honest(error, bound)), "{up_ms} up, {down_ms} down");
        let bound_max = samples.iter().map(|(_, bound)| *bound).max().unwrap();
        assert!(bound_max < (up_ms + down_ms + 10) * 500 + 10_000, "{bound_max}: no wider than it has to be");
    }
}

#[test]
fn a_simulation_that_stands_still_for_a_second_is_found_again() {
    for is_caught_up in [true, false] {
        let mut game = Game::new(600, FIFTY_GIVE_OR_TAKE_TWENTY);
        game.run_frames(10 * TICK_HZ, |_| ());

        game.is_stalled = true;
        sample(&mut game, 1);
        game.is_stalled = false;
        if !is_caught_up {
            game.lose_seconds(1);
        }
        sample(&mut game, 20);

        let samples = sample(&mut game, 20);
        assert_eq!(percent_of(&samples, |error, _| error <= TICK_MICROS), 100, "caught up: {is_caught_up}");
        assert!(samples.iter().all(|&(error, bound)| is_honest(error, bound)), "caught up: {is_caught_up}");
    }
}
