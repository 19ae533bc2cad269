//! The plan of a run: everything that the seed decides before it begins.
//!
//! Of each kind of [`Fault`] the seed says whether this run knows it at all, so that runs with few kinds of trouble, in which a mistake is
//! not hidden behind other trouble, are as likely as runs with many.

mod adversary;
mod incident;
mod player;

use std::fmt;

use rejoin::{AtCapacity, Config, DuplicateIdentity, KeyHistory, LoginPolicy, Timestamp};

pub(super) use adversary::{AdversaryPlan, AdversaryPlans, FloodPlan, Wave};
pub(super) use incident::{Incident, IncidentKind, Notice, Sleep};
pub(super) use player::{PlayerPlan, Talk};

use super::adversary::PLACES;
use super::backend::TOKEN_LIFETIME_S;
use super::fault::Fault;
use crate::world::{Chance, config};
use incident::Drawing;
use player::{Crowd, drift_ppm};

/// How long before the faults stop the game may stand still.
const STILL_MS_MAX: u64 = 8_000;

/// How long a run is and how many play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Seconds with faults, 1 at least; a few quiet ones follow.
    pub seconds: u64,
    /// Players, 1 at least.
    pub peers: usize,
}

/// Everything that will happen, but for the dice thrown for each datagram and each turn of an application.
#[derive(Debug)]
pub struct Plan {
    pub(super) seed: u64,
    pub(super) settings: Settings,
    pub(super) faults: Vec<Fault>,
    pub(super) server: ServerPlan,
    pub(super) players: Vec<PlayerPlan>,
    /// In order of time.
    pub(super) incidents: Vec<Incident>,
    pub(super) adversaries: AdversaryPlans,
}

/// What the server and its application are like.
#[derive(Debug)]
pub(super) struct ServerPlan {
    pub(super) config: Config,
    /// Whether the private key was drawn at the first start, and not before.
    pub(super) first_key_is_fresh: bool,
    pub(super) drift_ppm: i64,
    /// Ticks from one state to the next.
    pub(super) publish_every: u64,
    /// From then on nothing changes any more in the game: no other state makes up for one that is lost. Newcomers get theirs.
    pub(super) publishes_until: Timestamp,
    pub(super) state_bytes_max: u64,
    pub(super) talk: Talk,
    /// How many of a thousand turns bring a message to everybody.
    pub(super) broadcast_per_mille: u64,
    /// The longest the application thinks about a login, in ticks.
    pub(super) login_ticks_max: u64,
    /// The seconds that all tokens say a silence may last.
    pub(super) token_timeout_s: i32,
}

impl Plan {
    /// What this seed decides.
    #[must_use]
    pub fn new(seed: u64, settings: Settings) -> Self {
        let mut chance = Chance::new(seed);
        let percent = [0, 10, 20, 30, 40, 60][usize::try_from(chance.below(6)).unwrap_or(0)];
        let mut faults: Vec<_> = Fault::ALL.into_iter().filter(|_| chance.percent(percent)).collect();
        if settings.peers < 2 {
            faults.retain(|fault| !matches!(fault, Fault::Capacity | Fault::PortReuse));
        }
        // A server whose clock is ahead lets an early token in. Once its clock is right again it refuses, on purpose, every token that
        // expires before that one does; for so long nobody gets in, which no check here could tell from a mistake.
        if faults.iter().any(|fault| matches!(fault, Fault::WallClockSteps | Fault::ServerSuspends)) {
            faults.retain(|fault| *fault != Fault::EarlyTokens);
        }
        let server = ServerPlan::draw(&faults, settings, &mut chance);
        let crowd = Crowd {
            settings,
            faults: &faults,
            tick_hz: server.config.tick_hz,
            timeout_ms: server.config.timeout_max_ms.into(),
            reconnect_window_ms: server.config.reconnect_window_ms.unwrap_or(0).into(),
            login: server.config.login,
        };
        let players = (0..settings.peers).map(|_| crowd.draw(&mut chance)).collect();
        let mut drawing = Drawing { settings, chance: &mut chance };
        let mut incidents: Vec<_> = faults.iter().flat_map(|fault| drawing.incidents_of(*fault)).collect();
        incidents.sort_by_key(|incident| incident.at);
        let adversaries = AdversaryPlans::draw(settings, &server.config, &mut chance);
        Self { seed, settings, faults, server, players, incidents, adversaries }
    }

    /// How many players there are places for.
    pub(super) fn places(&self) -> usize {
        self.settings.peers.min(self.server.config.sessions_max as usize - PLACES)
    }
}

impl ServerPlan {
    fn draw(faults: &[Fault], settings: Settings, chance: &mut Chance) -> Self {
        let has = |fault| faults.contains(&fault);
        let token_timeout_s = u8::try_from(chance.between(3..=5)).unwrap_or(3);
        let mut config = config();
        config.key_history = KeyHistory::Reused;
        config.login = if chance.percent(30) { LoginPolicy::TokenIsLogin } else { LoginPolicy::Explicit };
        if chance.percent(20) {
            config.duplicate_identity = DuplicateIdentity::Reject;
        }
        config.sessions_max = u32::try_from(settings.peers).unwrap_or(u32::MAX);
        if has(Fault::Capacity) {
            config.sessions_max = config.sessions_max.div_ceil(2).max(config.sessions_max * 3 / 4);
            config.sessions_max = config.sessions_max.min(u32::try_from(settings.peers - 1).unwrap_or(1));
        }
        // Theirs are beside those of the players.
        config.sessions_max += u32::try_from(PLACES).unwrap_or(0);
        let mut number = |range| u32::try_from(chance.between(range)).unwrap_or(0);
        config.heartbeat_ms = number(200..=500);
        // No shorter than a handshake may take that comes to nothing.
        config.timeout_max_ms = number(u64::from(token_timeout_s) * 1_000..=5_000);
        config.timeout_min_ms = number(3_000..=config.timeout_max_ms.into());
        config.reconnect_window_ms = Some(number(5_000..=30_000));
        config.login_timeout_ms = number(3_000..=6_000);
        config.login_attempts_max = number(1..=4);
        config.stall_credit_max_ms = number(500..=10_000);
        config.tick_hz = number(12..=20);
        config.token_lifetime_max_s = u32::try_from(TOKEN_LIFETIME_S).unwrap_or(1);
        config.move_ticks_ahead_max = chance.between(20..=200);
        config.heartbeat_events = chance.percent(10);
        if chance.percent(10) {
            config.reconnect_window_ms = None;
        }
        if chance.percent(20) {
            config.lane_queue_bytes_max = 8_192;
            config.latest_queue_bytes_max = 1_200;
            config.event_queue_bytes_max = 4_096;
        }
        if chance.percent(10) {
            config.bandwidth_max_bytes_per_s = Some(30_000);
        }
        if chance.percent(30) {
            config.session_history_max = u8::try_from(chance.between(1..=255)).unwrap_or(u8::MAX);
        }
        if chance.percent(50) {
            config.at_capacity = AtCapacity::GiveUpLongestAway;
        }
        if chance.percent(40) {
            make_memory_short(&mut config, chance);
        }
        if chance.percent(40) {
            // Twice of what the sniffer, the spoofer and the players ask for, at most, over any longer time.
            let asked_per_s = 64 * u32::try_from(settings.peers).unwrap_or(1) + 500;
            config.unproved_opens_per_s = 2 * asked_per_s;
            config.unproved_opens_burst = u32::try_from(chance.between(1_024..=8_192)).unwrap_or(1_024);
        }
        if chance.percent(20) {
            config.session_datagrams_per_s = 1_000;
            config.session_datagrams_burst = 1_000;
        }
        Self {
            config,
            first_key_is_fresh: chance.percent(30),
            drift_ppm: if has(Fault::ClockDrift) { drift_ppm(chance) } else { 0 },
            publish_every: chance.between(1..=3),
            publishes_until: Timestamp::from_millis(
                (settings.seconds * 1_000).saturating_sub(chance.between(0..=STILL_MS_MAX)),
            ),
            state_bytes_max: chance.between(1..=300),
            talk: Talk::draw(chance),
            broadcast_per_mille: chance.between(0..=10),
            login_ticks_max: chance.between(0..=10),
            token_timeout_s: token_timeout_s.into(),
        }
    }
}

/// Sessions are sure of little, and the pool has not much more than the longest message of one of them needs, which is no longer than what honest ones say.
fn make_memory_short(config: &mut Config, chance: &mut Chance) {
    let mut number = |range| usize::try_from(chance.between(range)).unwrap_or(0);
    config.message_bytes_max = 8_192;
    config.lane_window_bytes = 16_384;
    config.session_quota_bytes = config.session_fixed_bytes() + number(4_096..=32_768);
    config.session_cap_bytes = config.session_quota_bytes + number(16_384..=131_072);
    config.pool_bytes_max = number(20_000..=100_000);
    config.pool_grant_ms = u32::try_from(number(500..=5_000)).unwrap_or(1);
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} s, {} players", self.seed, self.settings.seconds, self.settings.peers)?;
        writeln!(f, "faults: {:?}", self.faults)?;
        writeln!(f, "server: {:#?}", self.server)?;
        for (place, player) in self.players.iter().enumerate() {
            writeln!(f, "player {place}: {player:?}")?;
        }
        for incident in &self.incidents {
            writeln!(f, "{}: {:?}", incident.at, incident.what)?;
        }
        writeln!(f, "{:#?}", self.adversaries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings { seconds: 60, peers: 8 };

    #[test]
    fn a_seed_decides_everything() {
        let (one, again) = (Plan::new(5, SETTINGS), Plan::new(5, SETTINGS));
        assert_eq!(one.to_string(), again.to_string());
        assert_ne!(one.to_string(), Plan::new(6, SETTINGS).to_string());
    }

    #[test]
    fn every_fault_is_on_in_some_runs_and_off_in_others_and_the_settings_are_valid() {
        let plans: Vec<_> = (0..200).map(|seed| Plan::new(seed, SETTINGS)).collect();
        for fault in Fault::ALL {
            let on = plans.iter().filter(|plan| plan.faults.contains(&fault)).count();
            assert!(on > 20 && on < 180, "{fault}: {on} of 200");
        }
        for plan in &plans {
            assert_eq!(plan.server.config.validate(), Ok(()), "{}", plan.seed);
            for player in &plan.players {
                assert_eq!(player.client.validate(), Ok(()), "{}", plan.seed);
            }
            assert!(plan.incidents.is_sorted_by_key(|incident| incident.at));
        }
    }
}
