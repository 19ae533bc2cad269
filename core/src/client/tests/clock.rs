//! Following the server's ticks.

use alloc::vec::Vec;

use super::bench::Draw;
use crate::Timestamp;
use crate::client::ServerClock;
use crate::client::clock::TickClock;
use crate::link::frame::HeartbeatResponse;

const TICK_RATE_HZ: u64 = 60;
/// What the server's simulation had done when the client's time began.
const HEAD_START_MICROS: u64 = 7_654_321;

fn us(micros: u64) -> Timestamp {
    Timestamp::ZERO.plus_micros(micros)
}

/// Where the server is at a moment of the client's time, if its clock gains `drift_ppm` on the client's.
fn truth(micros: u64, drift_ppm: u64) -> u64 {
    HEAD_START_MICROS + micros + micros * drift_ppm / 1_000_000
}

fn response(server_micros: u64) -> HeartbeatResponse {
    let server_tick = server_micros * TICK_RATE_HZ / 1_000_000;
    let into_tick = server_micros * TICK_RATE_HZ % 1_000_000;
    HeartbeatResponse {
        stamp: 0,
        delay_micros: 0,
        server_tick,
        tick_phase_micros: into_tick / TICK_RATE_HZ,
        move_arrival: None,
    }
}

/// The server's time that a clock shows, in microseconds.
fn shown_micros(clock: &ServerClock) -> u64 {
    clock.tick * 1_000_000 / TICK_RATE_HZ + clock.phase_micros
}

/// A link by its delays in microseconds, there and back: the least and the range of chance above it.
struct LinkDelays {
    there: (u64, u64),
    back: (u64, u64),
    drift_ppm: u64,
}

/// Runs a clock for 60 s with two heartbeats a second over the link. Gives, for every five milliseconds after the first sample, the time, the
/// error and its bound, and checks that the clock never goes back.
fn run(link: &LinkDelays, seed: u64) -> Vec<(u64, u64, u64)> {
    let mut draw = Draw(seed);
    let mut clock = TickClock::new(us(0), response(truth(0, link.drift_ppm)).server_tick, TICK_RATE_HZ);
    let mut arrivals: Vec<(u64, u64, HeartbeatResponse)> = Vec::new();
    let mut results = Vec::new();
    let mut newest = (0, 0);
    for now in (0..60_000_000).step_by(5_000) {
        if now % 500_000 == 0 {
            let answered = now + link.there.0 + draw.below(link.there.1 + 1);
            let arrival = answered + link.back.0 + draw.below(link.back.1 + 1);
            arrivals.push((arrival, arrival - now, response(truth(answered, link.drift_ppm))));
        }
        for (arrival, round_trip, response) in arrivals.extract_if(.., |(arrival, ..)| *arrival <= now) {
            clock.handle_response(us(arrival), &response, round_trip);
        }
        let Some(shown) = clock.clock_at(us(now)) else { continue };
        let position = (shown.tick, shown.phase_micros);
        assert!(position >= newest, "{now}: {position:?} after {newest:?}");
        assert_eq!(shown.tick, clock.tick_at(us(now)));
        newest = position;
        let error = shown_micros(&shown).abs_diff(truth(now, link.drift_ppm));
        results.push((now, error, shown.error_micros));
    }
    results
}

#[test]
fn the_error_stays_within_its_bound_however_the_delays_vary() {
    let links = [
        LinkDelays { there: (30_000, 40_000), back: (30_000, 40_000), drift_ppm: 0 },
        LinkDelays { there: (5_000, 0), back: (150_000, 0), drift_ppm: 0 },
        LinkDelays { there: (150_000, 100_000), back: (5_000, 3_000), drift_ppm: 0 },
        LinkDelays { there: (0, 300_000), back: (0, 300_000), drift_ppm: 150 },
        LinkDelays { there: (500, 0), back: (500, 20), drift_ppm: 190 },
    ];
    for (number, link) in links.iter().enumerate() {
        for seed in 0..5 {
            let results = run(link, seed);
            assert!(results.len() > 11_800);
            // A microsecond more, as the test itself rounds.
            let wrong = results.iter().find(|(_, error, bound)| *error > bound + 1);
            assert_eq!(wrong, None, "link {number}, seed {seed}: time, error, bound");
        }
    }
}

#[test]
fn after_ten_seconds_of_fifty_milliseconds_give_or_take_twenty_it_is_right_within_a_tick() {
    let link = LinkDelays { there: (30_000, 40_000), back: (30_000, 40_000), drift_ppm: 50 };
    for seed in 0..20 {
        let results = run(&link, seed);
        let late: Vec<_> = results.iter().filter(|(now, ..)| *now >= 10_000_000).collect();
        let right = late.iter().filter(|(_, error, _)| *error <= 1_000_000 / TICK_RATE_HZ).count();
        assert!(right * 100 >= late.len() * 99, "seed {seed}: {right} of {}", late.len());
    }
}

#[test]
fn the_newest_eight_samples_count() {
    let mut clock = TickClock::new(us(0), 0, TICK_RATE_HZ);
    clock.handle_response(us(1_000_000), &response(990_000), 20_000);
    for number in 1..=7 {
        let now = 1_000_000 + number * 1_000;
        clock.handle_response(us(now), &response(now - 80_000), 160_000);
    }
    assert!(clock.clock_at(us(1_007_000)).unwrap().error_micros < 10_100);

    clock.handle_response(us(1_008_000), &response(928_000), 160_000);

    assert!(clock.clock_at(us(1_008_000)).unwrap().error_micros >= 80_000, "the ninth pushes it out");
}

#[test]
fn the_shortest_way_there_and_the_shortest_way_back_bound_it_together() {
    let mut clock = TickClock::new(us(0), 0, TICK_RATE_HZ);
    // The first heartbeat took 2 ms there and 60 back, the second 60 there and 2 back.
    clock.handle_response(us(1_062_000), &response(1_002_000), 62_000);
    clock.handle_response(us(1_162_000), &response(1_160_000), 62_000);

    // When it has made up for what the first alone let it believe.
    let shown = clock.clock_at(us(1_762_000)).unwrap();

    // The drift of 0.7 s, and what is rounded.
    assert!(shown.error_micros <= 2_000 + 140 + 6, "{shown:?}");
    assert!(shown_micros(&shown).abs_diff(1_762_000) <= shown.error_micros, "{shown:?}");
}

#[test]
fn a_server_that_leaps_ahead_is_followed_at_once_if_it_is_more_than_a_second_and_by_running_faster_otherwise()
{
    for (leap, shows_at_once) in [(1_500_000, 1_500_000), (900_000, 0)] {
        let mut clock = TickClock::new(us(0), 0, TICK_RATE_HZ);
        clock.handle_response(us(10_000), &response(5_000), 10_000);

        // Its round trip is longer, but what is known from a shorter one is no longer true.
        clock.handle_response(us(20_000), &response(10_000 + leap), 20_000);

        let shown = clock.clock_at(us(20_000)).unwrap();
        assert!(shown_micros(&shown).abs_diff(20_000 + shows_at_once) <= 2, "{shown:?}");
        let later = clock.clock_at(us(16_020_000)).unwrap();
        assert!(shown_micros(&later).abs_diff(16_020_000 + leap) <= 2, "{later:?}");
    }
}

#[test]
fn a_server_that_goes_back_is_waited_for_and_the_bound_says_how_wrong_the_clock_is() {
    for back in [900_000, 5_000_000] {
        let mut clock = TickClock::new(us(0), 0, TICK_RATE_HZ);
        clock.handle_response(us(10_000_000), &response(9_995_000), 10_000);

        clock.handle_response(us(10_010_000), &response(10_005_000 - back), 10_000);

        let mut newest = 0;
        for now in (10_010_000..30_000_000).step_by(10_000) {
            let shown = clock.clock_at(us(now)).unwrap();
            let error = shown_micros(&shown).abs_diff(now - back);
            assert!(error <= shown.error_micros + 1 && shown_micros(&shown) >= newest, "{now}: {shown:?}");
            newest = shown_micros(&shown);
        }
        assert!(newest.abs_diff(29_990_000 - back) <= 2, "caught up");
    }
}

#[test]
fn until_a_heartbeat_tells_more_it_goes_on_from_the_welcome_without_a_bound() {
    let clock = TickClock::new(us(1_000_000), 600, 50);

    assert_eq!(clock.clock_at(us(1_000_000)), None);
    assert_eq!(clock.tick_at(us(1_019_999)), 600);
    assert_eq!(clock.tick_at(us(1_020_000)), 601);
    assert_eq!(clock.tick_at(us(2_000_000)), 650);
}

#[test]
fn a_welcome_with_another_rate_begins_anew_without_going_back() {
    let mut clock = TickClock::new(us(0), 600, 50);
    clock.handle_welcome(us(1_000_000), 3, 50);
    assert_eq!(clock.tick_at(us(1_000_000)), 650);

    clock.handle_welcome(us(1_000_000), 3, 100);

    assert_eq!(clock.tick_at(us(1_000_000)), 650);
    assert_eq!(clock.tick_at(us(2_000_000)), 750);
}

#[test]
fn a_server_that_does_not_tick_has_no_clock() {
    let mut clock = TickClock::new(us(0), 5, 0);
    clock.handle_response(us(10), &response(0), 10);

    assert_eq!((clock.clock_at(us(9_000_000)), clock.tick_at(us(9_000_000))), (None, 5));
}

#[test]
fn figures_no_server_has_do_not_overflow() {
    let response = HeartbeatResponse {
        stamp: 0,
        delay_micros: 0,
        server_tick: u64::MAX,
        tick_phase_micros: u64::MAX,
        move_arrival: None,
    };
    let mut clock = TickClock::new(us(0), u64::MAX, u64::MAX);
    clock.handle_response(us(1), &response, u64::MAX);
    clock.handle_response(Timestamp::NEVER, &response, u64::MAX);
    clock.handle_response(Timestamp::NEVER, &HeartbeatResponse { server_tick: 0, ..response }, 0);

    let shown = clock.clock_at(Timestamp::NEVER).unwrap();

    assert_eq!(shown.tick, u64::MAX);
    assert_eq!(clock.tick_at(Timestamp::NEVER), u64::MAX);
}
