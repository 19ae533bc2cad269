//! How one player moves in the square.

use crate::arena_wire::{Controls, SIDE, Sighting};

/// Units per second at full throttle.
const SPEED_MAX: f32 = 80.0;

/// Radians per second at full turn.
const TURN_MAX: f32 = 2.5;

/// A place, a direction and a speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Motion {
    x: f32,
    y: f32,
    /// Radians, 0 along x, below one full turn.
    heading: f32,
    /// Units per second.
    speed: f32,
}

impl Motion {
    /// At rest, at a place that spreads neighbouring numbers far apart.
    #[expect(clippy::cast_possible_truncation, reason = "a starting place need not be exact")]
    pub(super) fn starting_at(number: u32) -> Self {
        // Multiples of two badly approximable ratios fill a square evenly.
        let spread = |ratio: f64| ((f64::from(number) * ratio).fract() * f64::from(SIDE)) as f32;
        Self { x: spread(0.754_877_67), y: spread(0.569_840_29), heading: 0.0, speed: 0.0 }
    }

    /// At rest, at this place.
    #[cfg(test)]
    pub(super) fn resting_at(x: f32, y: f32) -> Self {
        Self { x, y, heading: 0.0, speed: 0.0 }
    }

    /// Turns, then drives straight for `step_s` seconds; walls stop.
    pub(super) fn advance(&mut self, controls: Controls, step_s: f32) {
        let turn = f32::from(controls.turn) / f32::from(i8::MAX);
        self.heading = (self.heading + turn * TURN_MAX * step_s).rem_euclid(std::f32::consts::TAU);
        self.speed = f32::from(controls.throttle) / f32::from(u8::MAX) * SPEED_MAX;
        let way = self.speed * step_s;
        self.x = (self.x + self.heading.cos() * way).clamp(0.0, SIDE);
        self.y = (self.y + self.heading.sin() * way).clamp(0.0, SIDE);
    }

    /// Where it is, each coordinate 0 to the side of the square.
    pub(super) fn place(self) -> (f32, f32) {
        (self.x, self.y)
    }

    pub(super) fn distance_squared(self, other: Self) -> f32 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2)
    }

    /// How others see it, rounded to what travels.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "all values are within the type's range"
    )]
    pub(super) fn sighting(self, player: u32) -> Sighting {
        let place = |coordinate: f32| (coordinate / SIDE * f32::from(u16::MAX)).round() as u16;
        Sighting {
            player,
            x: place(self.x),
            y: place(self.y),
            heading: (self.heading / std::f32::consts::TAU * 256.0) as u32 as u8,
            speed: (self.speed / SPEED_MAX * f32::from(u8::MAX)).round() as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORWARD: Controls = Controls { turn: 0, throttle: u8::MAX };

    #[test]
    fn full_throttle_covers_the_top_speed_in_one_second() {
        let mut motion = Motion::resting_at(100.0, 100.0);
        for _ in 0..60 {
            motion.advance(FORWARD, 1.0 / 60.0);
        }
        assert!((motion.x - 180.0).abs() < 0.01 && (motion.y - 100.0).abs() < 0.01, "{motion:?}");
    }

    #[test]
    fn a_full_left_and_a_full_right_turn_cancel_out() {
        let mut motion = Motion::resting_at(500.0, 500.0);
        motion.advance(Controls { turn: 127, throttle: 0 }, 0.5);
        assert!((motion.heading - 1.25).abs() < 1e-4, "{motion:?}");
        motion.advance(Controls { turn: -127, throttle: 0 }, 0.5);
        assert!(motion.heading.sin().abs() < 1e-4, "{motion:?}");
    }

    #[test]
    fn walls_stop_a_player_at_the_edge() {
        let mut motion = Motion::resting_at(SIDE - 1.0, 3.0);
        motion.advance(FORWARD, 10.0);
        assert_eq!(motion.sighting(1).x, u16::MAX);
    }

    #[test]
    fn no_control_drives_a_player_out_of_the_square_or_off_the_circle() {
        for turn in [i8::MIN, -1, 0, 1, i8::MAX] {
            let mut motion = Motion::resting_at(0.0, SIDE);
            for _ in 0..1_000 {
                motion.advance(Controls { turn, throttle: u8::MAX }, 0.1);
                assert!((0.0..=SIDE).contains(&motion.x) && (0.0..=SIDE).contains(&motion.y), "{motion:?}");
                assert!((0.0..=std::f32::consts::TAU).contains(&motion.heading), "{motion:?}");
            }
        }
    }

    #[test]
    fn players_start_apart() {
        let starts: Vec<_> = (0..100).map(Motion::starting_at).collect();
        for (index, one) in starts.iter().enumerate() {
            for other in &starts[index + 1..] {
                assert!(one.distance_squared(*other) > 20.0 * 20.0, "{one:?} {other:?}");
            }
        }
    }
}
