//! How a player plays.

use rejoin::LoginPolicy;
use rejoin::client::ClientConfig;

use super::Settings;
use crate::simulator::fault::Fault;
use crate::simulator::network::{BurstLoss, PathPlan};
use crate::world::Chance;

/// What one player is like.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct PlayerPlan {
    pub(in crate::simulator) joins_at_ms: u64,
    /// Moves a second.
    pub(in crate::simulator) turn_hz: u64,
    pub(in crate::simulator) up: PathPlan,
    pub(in crate::simulator) down: PathPlan,
    pub(in crate::simulator) drift_ppm: i64,
    /// How wrong its machine's wall clock is.
    pub(in crate::simulator) wall_error_s: i64,
    pub(in crate::simulator) client: ClientConfig,
    /// Who decides that it is logged in.
    pub(in crate::simulator) login: LoginPolicy,
    pub(in crate::simulator) talk: Talk,
    /// How many wrong credentials it tries first.
    pub(in crate::simulator) wrong_logins: u64,
    /// How long it waits to be let in, or back in, before it asks the backend for another token.
    pub(in crate::simulator) patience_ms: u64,
}

/// How often an application sends what is no move and no state, of a thousand turns, and how much.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct Talk {
    pub(in crate::simulator) lane_per_mille: u64,
    pub(in crate::simulator) unordered_per_mille: u64,
    pub(in crate::simulator) latest_per_mille: u64,
    pub(in crate::simulator) datagram_per_mille: u64,
    pub(in crate::simulator) message_bytes_max: u64,
}

impl Talk {
    pub(in crate::simulator) fn draw(chance: &mut Chance) -> Self {
        Self {
            lane_per_mille: chance.between(10..=120),
            unordered_per_mille: chance.between(0..=60),
            latest_per_mille: chance.between(0..=100),
            datagram_per_mille: chance.between(0..=60),
            message_bytes_max: 16 << chance.between(0..=8),
        }
    }
}

/// What players are drawn from: the same for all players of a run.
#[derive(Debug)]
pub(super) struct Crowd<'a> {
    pub(super) settings: Settings,
    pub(super) faults: &'a [Fault],
    pub(super) tick_hz: u32,
    pub(super) timeout_ms: u64,
    pub(super) reconnect_window_ms: u64,
    pub(super) login: LoginPolicy,
}

impl Crowd<'_> {
    pub(super) fn draw(&self, chance: &mut Chance) -> PlayerPlan {
        let tick_hz = u64::from(self.tick_hz);
        let patience_ms = self.timeout_ms + chance.between(0..=self.reconnect_window_ms);
        PlayerPlan {
            joins_at_ms: chance.between(0..=self.settings.seconds * 125),
            turn_hz: chance.between(tick_hz.min(10)..=tick_hz),
            up: self.path(chance),
            down: self.path(chance),
            drift_ppm: if self.has(Fault::ClockDrift) { drift_ppm(chance) } else { 0 },
            wall_error_s: if self.has(Fault::ClockDrift) { drift_ppm(chance) * 5 } else { 0 },
            client: client(chance),
            login: self.login,
            talk: Talk::draw(chance),
            wrong_logins: if self.has(Fault::Rejections) { chance.below(4) } else { 0 },
            patience_ms,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn path(&self, chance: &mut Chance) -> PathPlan {
        let mut rate = |fault, most: u64| if self.has(fault) { chance.between(0..=most) } else { 0 };
        let loss = BurstLoss {
            begins: rate(Fault::Loss, 40),
            ends: 100 + rate(Fault::Loss, 700),
            lost_inside: 300 + rate(Fault::Loss, 700),
            lost_outside: rate(Fault::Loss, 50),
        };
        let plan = PathPlan {
            delay_ms: 0,
            jitter_ms: rate(Fault::Reordering, 80),
            loss: self.has(Fault::Loss).then_some(loss),
            duplicate_per_mille: rate(Fault::Duplication, 100),
            corrupt_per_mille: rate(Fault::Corruption, 60),
            truncate_per_mille: rate(Fault::Truncation, 40),
            empty_per_mille: rate(Fault::EmptyDatagrams, 60),
        };
        PathPlan { delay_ms: chance.between(1..=60), ..plan }
    }
}

/// How fast a clock is, in microseconds a second: quartz is at most so bad.
pub(super) fn drift_ppm(chance: &mut Chance) -> i64 {
    i64::try_from(chance.between(0..=600)).unwrap_or(0) - 300
}

fn client(chance: &mut Chance) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.retry_min_ms = 250;
    config.retry_max_ms = 1_000;
    if chance.percent(30) {
        config.path_dead_ms = Some(u32::try_from(chance.between(700..=2_500)).unwrap_or(1_000));
    }
    if chance.percent(20) {
        config.lane_queue_bytes_max = 8_192;
        config.latest_queue_bytes_max = 1_200;
    }
    if chance.percent(10) {
        config.bandwidth_max_bytes_per_s = Some(30_000);
    }
    config
}
