//! How soon a player is in the game again whose network changes, and how seldom it looks for another path in vain.
//!
//! The settings are the defaults: a heartbeat every 500 ms, and a path that is given up after two seconds of silence. `--nocapture` shows the
//! figures.

use rejoin::client::ClientEvent;
use rejoin::lifecycle::Cause;
use rejoin::{Config, Key, Timestamp};
use rejoin_tests::world::{Conditions, Observation, PRIVATE_KEY, PROTOCOL_ID, server_address};

use super::game::{Game, TICK_HZ};

const REQUEST_BYTES: usize = 1_078;
/// A frame of the player, and what it is off the ticks of the server, in milliseconds, rounded up.
const FRAME_MS: u64 = 17;

fn game(seed: u64, conditions: Conditions) -> Game {
    Game::with(Config::new(PROTOCOL_ID, Key::new(PRIVATE_KEY), server_address()), seed, conditions)
}

fn told(game: &Game, is_wanted: impl Fn(&ClientEvent) -> bool) -> usize {
    game.world.players[game.player].events.iter().filter(|(event, _)| is_wanted(event)).count()
}

fn is_state(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::State { .. })
}

fn is_about_path(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::PathLost | ClientEvent::Reconnected { .. })
}

/// Milliseconds from a change of the IP to the first state that the player gets, and to the first of its inputs after those that were under
/// way, in this phase of everything that is periodic.
fn play_on_after_ms(rtt_ms: u64, is_told: bool, phase: u64) -> (u64, u64) {
    let conditions = Conditions { loss_percent: 0, duplicate_percent: 0, delay_ms: rtt_ms / 2, jitter_ms: 0 };
    let mut game = game(phase + 1, conditions);
    game.play_frames(5 * TICK_HZ + 7 * phase);
    let start = game.world.now;
    let player = &mut game.world.players[game.player];
    player.address = ([192, 0, 2, 99], 50_000).into();
    if is_told {
        player.session.network_changed(start);
    }
    let passed_ms = |now: Timestamp| now.micros_since(start) / 1_000;
    let states_before = told(&game, is_state);
    while passed_ms(game.world.now) <= rtt_ms / 2 {
        game.play_frames(1);
    }
    let inputs_before = game.moves().accepted;
    let (mut state_ms, mut input_ms) = (None, None);
    while state_ms.is_none() || input_ms.is_none() {
        game.play_frames(1);
        let passed_ms = passed_ms(game.world.now);
        assert!(passed_ms < 5_000, "the player is not back");
        if told(&game, is_state) > states_before {
            state_ms.get_or_insert(passed_ms);
        }
        if game.moves().accepted > inputs_before {
            input_ms.get_or_insert(passed_ms);
        }
    }
    let events = told(&game, is_about_path);
    assert_eq!(events, if is_told { 2 } else { 0 }, "nobody notices unless the host knew");
    (state_ms.unwrap_or(0), input_ms.unwrap_or(0))
}

#[test]
fn a_player_whose_host_knows_of_the_change_plays_on_after_two_round_trips() {
    for rtt_ms in [20, 50, 150] {
        for phase in 0..6 {
            let (state_ms, input_ms) = play_on_after_ms(rtt_ms, true, phase);
            assert!(state_ms <= 2 * rtt_ms + FRAME_MS, "{state_ms} ms at {rtt_ms} ms");
            assert!(input_ms <= 5 * rtt_ms / 2 + 2 * FRAME_MS, "{input_ms} ms at {rtt_ms} ms");
        }
    }
}

#[test]
fn a_player_whose_ip_changes_unnoticed_plays_on_long_before_anybody_times_out() {
    for (rtt_ms, most_ms) in [(20, 600), (50, 650), (150, 1_150)] {
        for phase in 0..12 {
            let (state_ms, input_ms) = play_on_after_ms(rtt_ms, false, phase);
            assert!(state_ms <= most_ms, "{state_ms} ms at {rtt_ms} ms");
            assert!(input_ms <= state_ms + rtt_ms / 2 + 2 * FRAME_MS, "{input_ms} ms at {rtt_ms} ms");
        }
    }
}

/// A life on a path that is never dead for long.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// Whether there are inputs and states sixty times a second; otherwise there is nothing to say.
    plays: bool,
    loss_percent: u64,
    jitter_ms: u64,
    /// Every five seconds nothing passes for so many frames.
    outage_frames: u64,
}

/// What came of some minutes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Alarms {
    /// How often another path was looked for.
    starts: usize,
    /// How often the server went over to it.
    take_overs: usize,
    /// What the player was told of it.
    events: usize,
}

fn alarms(life: Life, minutes: u64) -> Alarms {
    const OUTAGE_EVERY: u64 = 5 * TICK_HZ;
    let Life { plays, loss_percent, jitter_ms, outage_frames } = life;
    let delay_ms = 40 - jitter_ms / 2;
    let mut game = game(7, Conditions { loss_percent, duplicate_percent: 0, delay_ms, jitter_ms });
    let run_frame =
        |game: &mut Game| if plays { game.play_frames(1) } else { game.world.run_for_ms(FRAME_MS) };
    for _ in 0..2 * TICK_HZ {
        run_frame(&mut game);
    }
    let mut alarms = Alarms::default();
    let mut last_request = None;
    for frame in 0..minutes * 60 * TICK_HZ {
        game.world.players[game.player].is_up = frame % OUTAGE_EVERY >= outage_frames;
        game.world.observations = Some(Vec::new());
        run_frame(&mut game);
        if game.world.observations.take().is_some_and(|seen| seen.iter().any(is_request)) {
            alarms.starts += usize::from(last_request.is_none_or(|last| frame > last + TICK_HZ / 4));
            last_request = Some(frame);
        }
    }
    alarms.events = told(&game, is_about_path);
    alarms.take_overs =
        game.world.lifecycle_of(game.session).filter(|event| event.cause == Cause::TakenOver).count();
    alarms
}

fn is_request(observation: &Observation) -> bool {
    matches!(observation, Observation::Sent(datagram) if datagram.bytes.len() == REQUEST_BYTES)
}

/// Three minutes, with 36 outages if there are any, are lived in each of these ways, and so many false starts and needless take-overs are the
/// most there may be.
const LIVES: [(u64, u64, u64, [usize; 2]); 8] = [
    (0, 0, 0, [0, 0]),
    (0, 80, 0, [0, 0]),
    (5, 80, 0, [1, 1]),
    (20, 80, 0, [2, 1]),
    (0, 0, 18, [4, 1]),
    (5, 80, 18, [6, 2]),
    (20, 80, 18, [6, 2]),
    (20, 80, 36, [12, 3]),
];

#[test]
fn loss_jitter_and_short_outages_hardly_ever_make_a_player_look_for_another_path_and_never_tell_it() {
    for plays in [true, false] {
        for (loss_percent, jitter_ms, outage_frames, [starts_max, take_overs_max]) in LIVES {
            let life = Life { plays, loss_percent, jitter_ms, outage_frames };
            let alarms = alarms(life, 3);
            println!("{life:?}: {alarms:?}");
            assert!(alarms.starts <= starts_max, "{life:?}: {alarms:?}");
            assert!(alarms.take_overs <= take_overs_max, "{life:?}: {alarms:?}");
            assert_eq!(alarms.events, 0, "{life:?}");
        }
    }
}
