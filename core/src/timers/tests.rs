use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use super::*;

fn micros(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn pop_all(wheel: &mut TimerWheel, now: Timestamp) -> Vec<u32> {
    core::iter::from_fn(|| wheel.pop_due(now)).collect()
}

#[test]
fn a_timer_fires_at_its_microsecond_and_not_before() {
    let mut wheel = TimerWheel::new(micros(0));
    wheel.arm(7, micros(1_500));
    assert_eq!(wheel.next(), Some(micros(1_500)));
    assert_eq!(wheel.pop_due(micros(1_499)), None);
    assert_eq!(wheel.pop_due(micros(1_500)), Some(7));
    assert_eq!(wheel.pop_due(micros(1_500)), None);
    assert_eq!((wheel.next(), wheel.deadline_of(7)), (None, None));
}

#[test]
fn deadlines_of_one_millisecond_fire_one_by_one() {
    let mut wheel = TimerWheel::new(micros(0));
    for (index, at) in [(0, 5_900), (1, 5_100), (2, 5_500)] {
        wheel.arm(index, micros(at));
    }
    for (index, at) in [(1, 5_100), (2, 5_500), (0, 5_900)] {
        assert_eq!(wheel.next(), Some(micros(at)));
        assert_eq!(pop_all(&mut wheel, micros(at - 1)), []);
        assert_eq!(pop_all(&mut wheel, micros(at)), [index]);
    }
}

#[test]
fn arming_again_moves_the_one_deadline_in_both_directions() {
    let mut wheel = TimerWheel::new(micros(0));
    wheel.arm(3, micros(10_000));
    wheel.arm(3, micros(90_000_000));
    assert_eq!(pop_all(&mut wheel, micros(10_000)), []);
    wheel.arm(3, micros(20_000));
    assert_eq!(wheel.deadline_of(3), Some(micros(20_000)));
    assert_eq!(pop_all(&mut wheel, micros(20_000)), [3]);
    assert_eq!(pop_all(&mut wheel, micros(100_000_000)), []);
}

#[test]
fn a_disarmed_timer_does_not_fire() {
    let mut wheel = TimerWheel::new(micros(0));
    wheel.arm(0, micros(50));
    wheel.arm(1, micros(50));
    wheel.arm(2, micros(50));
    wheel.disarm(1);
    wheel.disarm(1);
    wheel.disarm(99);
    assert_eq!(pop_all(&mut wheel, micros(50)), [0, 2]);
}

#[test]
fn never_is_the_same_as_disarmed() {
    let mut wheel = TimerWheel::new(micros(0));
    wheel.arm(0, micros(50));
    wheel.arm(0, Timestamp::NEVER);
    wheel.arm(1_000_000, Timestamp::NEVER);
    assert_eq!((wheel.next(), wheel.deadline_of(0)), (None, None));
    assert_eq!(wheel.pop_due(Timestamp::NEVER), None);
    assert_eq!(wheel.timers.len(), 1, "an index that is never due takes no memory");
}

#[test]
fn a_deadline_in_the_past_is_due_at_once_and_keeps_its_value() {
    let mut wheel = TimerWheel::new(micros(1_000_000));
    wheel.arm(0, micros(5));
    assert_eq!((wheel.next(), wheel.deadline_of(0)), (Some(micros(5)), Some(micros(5))));
    assert_eq!(wheel.pop_due(micros(1_000_000)), Some(0));
}

#[test]
fn timers_of_one_slot_fire_in_the_order_they_were_armed() {
    let mut wheel = TimerWheel::new(micros(0));
    for index in [4, 2, 9, 0] {
        wheel.arm(index, micros(64_000));
    }
    wheel.arm(2, micros(64_000));
    assert_eq!(pop_all(&mut wheel, micros(64_000)), [4, 9, 0, 2]);
}

#[test]
fn a_due_timer_that_was_not_popped_yet_can_still_be_moved_or_disarmed() {
    let mut wheel = TimerWheel::new(micros(0));
    for index in 0..4 {
        wheel.arm(index, micros(100));
    }
    assert_eq!(wheel.pop_due(micros(200)), Some(0));
    assert_eq!(wheel.next(), Some(micros(100)));
    wheel.arm(1, micros(300));
    wheel.disarm(2);
    assert_eq!(pop_all(&mut wheel, micros(200)), [3]);
    assert_eq!(pop_all(&mut wheel, micros(300)), [1]);
}

#[test]
fn the_last_moment_before_never_is_reachable() {
    let last = micros(u64::MAX - 1);
    let mut wheel = TimerWheel::new(micros(0));
    wheel.arm(0, last);
    wheel.arm(1, micros(1 << 60));
    assert_eq!(wheel.next(), Some(micros(1 << 60)));
    assert_eq!(pop_all(&mut wheel, micros(u64::MAX - 2)), [1]);
    assert_eq!(wheel.next(), Some(last));
    assert_eq!(pop_all(&mut wheel, Timestamp::NEVER), [0]);
}

#[test]
fn a_clock_that_goes_back_fires_nothing_early() {
    let mut wheel = TimerWheel::new(micros(0));
    wheel.arm(0, micros(1_000));
    assert_eq!(pop_all(&mut wheel, micros(1_000)), [0]);
    wheel.arm(1, micros(900));
    wheel.arm(2, micros(1_000));
    assert_eq!(pop_all(&mut wheel, micros(800)), []);
    assert_eq!(pop_all(&mut wheel, micros(950)), [1]);
    assert_eq!(wheel.next(), Some(micros(1_000)));
}

#[test]
fn a_jump_of_a_century_fires_what_is_due_and_keeps_the_rest() {
    const CENTURY_MICROS: u64 = 100 * 365 * 86_400 * 1_000_000;
    let mut wheel = TimerWheel::new(micros(0));
    for index in 0..1_000 {
        wheel.arm(index, micros(u64::from(index) * 7_919_000));
    }
    wheel.arm(1_000, micros(2 * CENTURY_MICROS));
    assert_eq!(pop_all(&mut wheel, micros(CENTURY_MICROS)).len(), 1_000);
    assert_eq!(wheel.next(), Some(micros(2 * CENTURY_MICROS)));
}

#[test]
fn waking_at_next_reaches_a_lonely_deadline_in_at_most_one_step_per_level() {
    let mut wheel = TimerWheel::new(micros(0));
    for index in 0..2 {
        wheel.arm(index, micros(u64::MAX - 10 + u64::from(index)));
    }
    wheel.disarm(0);
    let mut steps = 0;
    while let Some(now) = wheel.next() {
        steps += 1;
        wheel.pop_due(now);
    }
    assert!(steps <= LEVELS as usize, "took {steps} steps");
}

#[test]
fn a_timer_takes_twenty_four_bytes() {
    assert_eq!(size_of::<Timer>(), 24);
}

/// The same behaviour, written in the plainest way.
#[derive(Default)]
struct Model {
    deadlines: BTreeMap<u32, Timestamp>,
    queue: BTreeSet<(Timestamp, u32)>,
}

impl Model {
    fn arm(&mut self, index: u32, at: Timestamp) {
        self.disarm(index);
        if at != Timestamp::NEVER {
            self.deadlines.insert(index, at);
            self.queue.insert((at, index));
        }
    }

    fn disarm(&mut self, index: u32) {
        if let Some(at) = self.deadlines.remove(&index) {
            self.queue.remove(&(at, index));
        }
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 20) % bound
    }

    /// A distance whose magnitude is as likely to be microseconds as years.
    fn distance(&mut self) -> u64 {
        let magnitude = self.below(50);
        self.below(1 << magnitude | 1)
    }
}

#[test]
fn many_random_operations_agree_with_the_model() {
    for seed in 0..8 {
        let mut random = Random(seed);
        let mut now = micros(random.distance());
        let mut wheel = TimerWheel::new(now);
        let mut model = Model::default();
        for _ in 0..4_000 {
            let index = u32::try_from(random.below(200)).unwrap();
            match random.below(10) {
                0..4 => arm_both(&mut wheel, &mut model, index, now.plus_micros(random.distance())),
                4 => {
                    let past = micros(now.as_micros().saturating_sub(random.distance()));
                    arm_both(&mut wheel, &mut model, index, past);
                }
                5 => arm_both(&mut wheel, &mut model, index, Timestamp::NEVER),
                6 => {
                    wheel.disarm(index);
                    model.disarm(index);
                }
                7 => {
                    now = wheel.next().unwrap_or(now).max(now);
                    assert_drains_like_the_model(&mut wheel, &mut model, now);
                }
                8 => {
                    now = now.plus_micros(random.distance());
                    assert_drains_like_the_model(&mut wheel, &mut model, now);
                }
                _ => assert_pops_one_due_timer(&mut wheel, &mut model, now),
            }
            assert_eq!(wheel.deadline_of(index), model.deadlines.get(&index).copied());
            assert!(wheel.next() <= model.earliest() || model.earliest().is_none());
            assert_eq!(wheel.next().is_none(), model.earliest().is_none());
        }
        assert_drains_like_the_model(&mut wheel, &mut model, Timestamp::NEVER);
        assert!(model.queue.is_empty());
    }
}

fn arm_both(wheel: &mut TimerWheel, model: &mut Model, index: u32, at: Timestamp) {
    wheel.arm(index, at);
    model.arm(index, at);
}

fn assert_pops_one_due_timer(wheel: &mut TimerWheel, model: &mut Model, now: Timestamp) {
    if let Some(index) = wheel.pop_due(now) {
        assert!(model.deadlines[&index] <= now, "fired early");
        model.disarm(index);
    } else {
        assert!(model.earliest().is_none_or(|at| at > now), "missed a due timer");
    }
}

fn assert_drains_like_the_model(wheel: &mut TimerWheel, model: &mut Model, now: Timestamp) {
    let fired: BTreeSet<u32> = pop_all(wheel, now).into_iter().collect();
    let due: BTreeSet<u32> = model.queue.range(..=(now, u32::MAX)).map(|(_, index)| *index).collect();
    assert_eq!(fired, due);
    for index in due {
        model.disarm(index);
    }
    assert!(wheel.next().is_none_or(|at| at > now), "stuck");
}
