//! The hand on one client's controls: which way it steers, and which inputs the server has seen.

use std::collections::VecDeque;
use std::time::Duration;

use rejoin::Timestamp;

use crate::arena_wire::Controls;

/// Ticks that an input is numbered ahead of the server's clock beside its time on the way, before the server has said how inputs come.
const SPARE_TICKS: u64 = 3;

/// Inputs whose acknowledgement is awaited; older ones count as never acknowledged.
const UNACKNOWLEDGED_MAX: usize = 4_096;

/// Inputs after which the pilot looks for another direction.
const INPUTS_PER_DIRECTION: u32 = 45;

#[derive(Debug)]
pub(crate) struct Pilot {
    random: fastrand::Rng,
    pause_micros: u64,
    next_at: Timestamp,
    controls: Controls,
    inputs_left: u32,
    last_tick: u64,
    unacknowledged: VecDeque<u64>,
    /// The newest input when the network went away.
    last_before_outage: Option<u64>,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
}

impl Pilot {
    /// A pilot that sends `hz` inputs a second from `first_at` on.
    pub(crate) fn new(hz: u32, first_at: Timestamp, seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            pause_micros: 1_000_000 / u64::from(hz.max(1)),
            next_at: first_at,
            controls: Controls::default(),
            inputs_left: 0,
            last_tick: 0,
            unacknowledged: VecDeque::new(),
            last_before_outage: None,
            sent: 0,
            acknowledged: 0,
        }
    }

    pub(crate) fn next_at(&self) -> Timestamp {
        self.next_at
    }

    pub(crate) fn end(&mut self) {
        self.next_at = Timestamp::NEVER;
    }

    /// The input that is due by now, for this tick. None if there was one for the tick already.
    pub(crate) fn poll(&mut self, now: Timestamp, tick: u64, high_water: Option<u64>) -> Option<Controls> {
        if now < self.next_at {
            return None;
        }
        self.next_at = self.next_at.plus_micros(self.pause_micros).max(now);
        if tick <= self.last_tick || high_water.is_some_and(|seen| tick <= seen) {
            return None;
        }
        Some(self.steer())
    }

    /// The session took the input.
    pub(crate) fn handle_sent(&mut self, tick: u64) {
        self.last_tick = tick;
        self.sent += 1;
        self.unacknowledged.push_back(tick);
        if self.unacknowledged.len() > UNACKNOWLEDGED_MAX {
            self.unacknowledged.pop_front();
        }
    }

    /// The server has accepted inputs up to this tick.
    pub(crate) fn handle_acknowledged(&mut self, up_to: u64) {
        while self.unacknowledged.front().is_some_and(|&tick| tick <= up_to) {
            self.unacknowledged.pop_front();
            self.acknowledged += 1;
        }
    }

    /// The network goes away.
    pub(crate) fn handle_outage(&mut self) {
        self.last_before_outage = Some(self.last_tick);
    }

    /// The network is back. Of the inputs since it went away the server gets the `repeated` newest, and none of the others: a later
    /// acknowledgement does not mean them.
    pub(crate) fn handle_return(&mut self, repeated: usize) {
        let Some(last_before) = self.last_before_outage.take() else { return };
        let before = self.unacknowledged.partition_point(|&tick| tick <= last_before);
        let arriving = self.unacknowledged.len().saturating_sub(repeated);
        if before < arriving {
            self.unacknowledged.drain(before..arriving);
        }
    }

    fn steer(&mut self) -> Controls {
        if self.inputs_left == 0 {
            self.inputs_left = INPUTS_PER_DIRECTION;
            self.controls = Controls { turn: self.random.i8(-60..=60), throttle: self.random.u8(120..=255) };
        }
        self.inputs_left -= 1;
        self.controls
    }
}

/// How far ahead inputs are numbered as long as nobody recommends anything.
pub(crate) fn guessed_lead_ticks(rtt: Option<Duration>, tick_rate_hz: Option<u64>) -> u64 {
    let one_way_micros = rtt.unwrap_or_default().as_micros() / 2;
    let ticks = one_way_micros.saturating_mul(tick_rate_hz.unwrap_or(0).into()).div_ceil(1_000_000);
    u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(SPARE_TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn inputs_come_at_their_rate_with_ascending_ticks() {
        let mut pilot = Pilot::new(50, at(0), 1);
        let mut ticks = Vec::new();
        for millis in 0..1_000 {
            let tick = 3 + millis / 16;
            if pilot.poll(at(millis), tick, None).is_some() {
                pilot.handle_sent(tick);
                ticks.push(tick);
            }
        }
        assert!((45..=50).contains(&ticks.len()), "{}", ticks.len());
        assert!(ticks.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_guessed_lead_covers_the_way_to_the_server() {
        assert_eq!(guessed_lead_ticks(None, None), 3);
        assert_eq!(guessed_lead_ticks(Some(Duration::from_millis(100)), Some(60)), 6);
        assert_eq!(guessed_lead_ticks(Some(Duration::MAX), Some(u64::MAX)), u64::MAX);
    }

    #[test]
    fn no_input_is_numbered_at_or_below_what_the_server_has_seen() {
        let mut pilot = Pilot::new(50, at(0), 1);
        assert_eq!(pilot.poll(at(0), 13, Some(13)), None);
        assert!(pilot.poll(at(20), 14, Some(13)).is_some());
    }

    #[test]
    fn a_late_pilot_does_not_send_a_burst() {
        let mut pilot = Pilot::new(50, at(0), 1);
        assert!(pilot.poll(at(5_000), 103, None).is_some());
        pilot.handle_sent(103);
        assert!(pilot.poll(at(5_000), 104, None).is_some());
        assert!(pilot.next_at() > at(5_000));
    }

    #[test]
    fn an_acknowledgement_covers_all_inputs_up_to_its_tick_once() {
        let mut pilot = Pilot::new(50, at(0), 1);
        for tick in [3, 5, 9] {
            pilot.handle_sent(tick);
        }
        pilot.handle_acknowledged(5);
        pilot.handle_acknowledged(5);
        assert_eq!((pilot.sent, pilot.acknowledged), (3, 2));
        pilot.handle_acknowledged(8);
        pilot.handle_acknowledged(9);
        assert_eq!(pilot.acknowledged, 3);
    }

    #[test]
    fn inputs_lost_in_an_outage_are_not_acknowledged_by_a_later_one() {
        let mut pilot = Pilot::new(50, at(0), 1);
        pilot.handle_sent(1);
        pilot.handle_sent(2);
        pilot.handle_outage();
        (3..=10).for_each(|tick| pilot.handle_sent(tick));
        pilot.handle_return(3);
        pilot.handle_sent(11);
        pilot.handle_acknowledged(11);
        assert_eq!((pilot.sent, pilot.acknowledged), (11, 6));
    }

    #[test]
    fn a_short_outage_takes_no_input_that_is_repeated() {
        let mut pilot = Pilot::new(50, at(0), 1);
        pilot.handle_sent(1);
        pilot.handle_outage();
        pilot.handle_sent(2);
        pilot.handle_return(3);
        pilot.handle_acknowledged(2);
        assert_eq!(pilot.acknowledged, 2);
    }

    #[test]
    fn the_pilot_keeps_a_direction_for_a_while_and_then_takes_another() {
        let mut pilot = Pilot::new(50, at(0), 1);
        let steered: Vec<_> = (0..2 * INPUTS_PER_DIRECTION).map(|_| pilot.steer()).collect();
        let (first, second) = steered.split_at(INPUTS_PER_DIRECTION as usize);
        assert!(first.iter().all(|controls| *controls == first[0]));
        assert_ne!(first[0], second[0]);
    }
}
