//! The tick filter, against a model that remembers everything.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::input::Input;
use crate::Timestamp;
use crate::link::frame::MoveArrival;
use crate::movement::{MoveVerdict, Movement, MovementCounters, MovementRules};

/// For so many ticks below the newest a repeated one is known as one.
const REMEMBERED_TICKS: u64 = 64;
const STEPS_MAX: usize = 512;

/// Judges inputs of any ticks at any times, with a server tick or without.
///
/// # Panics
///
/// If a verdict, a counter or a margin is not the model's.
pub fn ticks(input: &[u8]) {
    let mut input = Input::new(input);
    let tick_hz = if input.u8() == u8::MAX { u32::MAX } else { u32::from(input.u8()) };
    let ticks_ahead_max = if input.u8() == u8::MAX { u64::MAX } else { input.u8().into() };
    let rules = MovementRules { tick_hz, ticks_ahead_max };
    let login_at = Timestamp::from_micros(input.u32().into());
    let mut movement = Movement::new(login_at);
    let mut model = Model::new(login_at, rules);
    let (mut now, mut server_tick) = (login_at, None);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        match input.u8() % 8 {
            0 => now = now.plus_micros(input.u32().into()),
            1 => now = Timestamp::from_micros(input.u64()),
            2 => server_tick = Some(input.u64()),
            3 => server_tick = server_tick.map(|tick: u64| tick.saturating_add(input.u8().into())),
            4 => server_tick = None,
            5 => {
                movement.on_arrival_reported();
                model.worst = None;
            }
            choice => {
                let tick = draw_tick(&mut input, choice, &model, server_tick);
                let verdict = movement.judge(now, tick, server_tick, rules);
                assert_eq!(verdict, model.judge(now, tick, server_tick), "tick {tick} at {server_tick:?}");
            }
        }
        model.check(&movement);
    }
}

/// Any tick, or one near where it matters.
fn draw_tick(input: &mut Input<'_>, choice: u8, model: &Model, server_tick: Option<u64>) -> u64 {
    if choice == 6 {
        return input.u64();
    }
    let offset = input.u8();
    let base = if input.u8() & 1 == 0 { model.accepted.last().copied() } else { server_tick };
    let base = base.unwrap_or_default();
    if offset < 128 {
        base.saturating_add(offset.into())
    } else {
        base.saturating_sub(u64::from(offset) - 127)
    }
}

/// What the filter must say, without any of its shortcuts.
struct Model {
    login_at: Timestamp,
    rules: MovementRules,
    accepted: BTreeSet<u64>,
    newest_at: Timestamp,
    counters: MovementCounters,
    /// The margins of accepted inputs in ticks, as long as they are: each tick less the server's.
    margins: Vec<i128>,
    /// The smallest margin since it was last reported.
    worst: Option<i128>,
}

impl Model {
    fn new(login_at: Timestamp, rules: MovementRules) -> Self {
        Self {
            login_at,
            rules,
            accepted: BTreeSet::new(),
            newest_at: login_at,
            counters: MovementCounters::default(),
            margins: Vec::new(),
            worst: None,
        }
    }

    fn judge(&mut self, now: Timestamp, tick: u64, server_tick: Option<u64>) -> MoveVerdict {
        let newest = self.accepted.last().copied();
        if let Some(newest) = newest
            && tick <= newest
        {
            if newest - tick < REMEMBERED_TICKS && self.accepted.contains(&tick) {
                self.counters.duplicate += 1;
                return MoveVerdict::Duplicate;
            }
            self.counters.stale += 1;
            return MoveVerdict::Stale;
        }
        let limit = self.reference(now, server_tick) + u128::from(self.rules.ticks_ahead_max);
        if u128::from(tick) > limit {
            self.counters.too_far_ahead += 1;
            return MoveVerdict::TooFarAhead;
        }
        self.counters.accepted += 1;
        let left_out = newest.map_or(0, |newest| tick - newest - 1);
        self.counters.missing = self.counters.missing.saturating_add(left_out);
        self.accepted.insert(tick);
        self.newest_at = now;
        if let Some(server_tick) = server_tick {
            let margin = i128::from(tick) - i128::from(server_tick);
            self.counters.late += u64::from(margin <= 0);
            self.margins.push(margin);
            self.worst = Some(self.worst.map_or(margin, |worst| worst.min(margin)));
        }
        MoveVerdict::Accepted
    }

    fn reference(&self, now: Timestamp, server_tick: Option<u64>) -> u128 {
        let (tick, since) = match self.accepted.last() {
            Some(&newest) => (newest, self.newest_at),
            None => (0, self.login_at),
        };
        let passed_micros = u128::from(now.as_micros().saturating_sub(since.as_micros()));
        let estimate = u128::from(tick) + passed_micros * u128::from(self.rules.tick_hz) / 1_000_000;
        server_tick.map_or_else(|| estimate.min(u64::MAX.into()), u128::from)
    }

    fn check(&self, movement: &Movement) {
        assert_eq!(movement.counters(), self.counters);
        assert_eq!(movement.high_water(), self.accepted.last().copied());
        assert_eq!(movement.worst_arrival().map(MoveArrival::ticks_early), self.worst);
        self.check_margin(movement);
    }

    /// The minimum covers 64 to 128 inputs; the mean lies among what there was.
    fn check_margin(&self, movement: &Movement) {
        let margin = movement.arrival_margin();
        assert_eq!(margin.is_some(), !self.margins.is_empty());
        let Some(margin) = margin else { return };
        let clamped: Vec<i64> = self.margins.iter().map(|&margin| clamp(margin)).collect();
        let least_of_last = |count| clamped.iter().rev().take(count).min().copied();
        let least = Some(i64::from(margin.min_ticks));
        assert_eq!(Some(&i64::from(margin.last_ticks)), clamped.last());
        assert!(least <= least_of_last(64) && least >= least_of_last(128), "{margin:?}");
        let (lowest, highest) = (clamped.iter().min(), clamped.iter().max());
        let range = lowest.map(|ticks| ticks * 256)..=highest.map(|ticks| ticks * 256);
        assert!(range.contains(&Some(margin.mean_256ths)), "{margin:?}");
        assert!(movement.recommended_margin_ticks() >= Some(1));
    }
}

fn clamp(margin: i128) -> i64 {
    let nearest = margin.clamp(i32::MIN.into(), i32::MAX.into());
    i64::try_from(nearest).expect("the range of an i32")
}
