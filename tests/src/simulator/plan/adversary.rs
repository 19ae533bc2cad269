//! How loud those with bad intentions are, from when to when, and what they do.

use rejoin::{Config, Timestamp};

use super::Settings;
use crate::simulator::attack::Attack;
use crate::simulator::backend::FETCH_PAUSE_MS;
use crate::world::Chance;

/// The most that one of them sends in a second for each player, over any longer time. So all of them together cost less than a third of a run.
const PER_SECOND_AND_PLAYER_MAX: u64 = 4;
/// The most that one of them sends at once.
const BURST_MAX: u64 = 256;

/// What a request costs of the budget of the unproved.
const REQUEST_OPENS: u64 = 8;
/// Servers that can look at more requests a second are not flooded.
const FLOODED_PER_SECOND_MAX: u64 = 1_000;
const WAVES_MAX: u64 = 4;
const WAVE_MS_MAX: u64 = 3_000;

/// What one of them is like.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct AdversaryPlan {
    pub(in crate::simulator) from: Timestamp,
    /// Without an end: beyond that of the faults.
    pub(in crate::simulator) until: Option<Timestamp>,
    /// Datagrams that do harm in a second, bursts included.
    pub(in crate::simulator) per_second: u64,
    /// How many of a thousand turns are a burst.
    pub(in crate::simulator) burst_per_mille: u64,
    pub(in crate::simulator) burst_max: u64,
    /// What it does; nothing else, where a run knows only that.
    pub(in crate::simulator) attacks: Vec<Attack>,
}

/// How somebody floods the server.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct FloodPlan {
    /// In order of time.
    pub(in crate::simulator) waves: Vec<Wave>,
    pub(in crate::simulator) attacks: Vec<Attack>,
}

/// So many datagrams a second for a while.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct Wave {
    pub(in crate::simulator) from: Timestamp,
    pub(in crate::simulator) until: Timestamp,
    pub(in crate::simulator) per_second: u64,
}

/// All of them.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct AdversaryPlans {
    /// When the faults stop, and with them the one trick that keeps honest players out on purpose (see `adversaries`).
    pub(in crate::simulator) calm_at: Timestamp,
    pub(in crate::simulator) sniffer: AdversaryPlan,
    pub(in crate::simulator) spoofer: AdversaryPlan,
    pub(in crate::simulator) insider: AdversaryPlan,
    pub(in crate::simulator) twins: AdversaryPlan,
    pub(in crate::simulator) relay: AdversaryPlan,
    /// How long each identity of the insider's waits from one token to the next.
    pub(in crate::simulator) insider_token_every_ms: u64,
    pub(in crate::simulator) flooder: FloodPlan,
}

impl AdversaryPlans {
    /// Each of them.
    #[cfg(test)]
    pub(in crate::simulator) fn all_mut(&mut self) -> [&mut AdversaryPlan; 5] {
        [&mut self.sniffer, &mut self.spoofer, &mut self.insider, &mut self.twins, &mut self.relay]
    }

    pub(super) fn draw(settings: Settings, config: &Config, chance: &mut Chance) -> Self {
        let calm_at = Timestamp::from_millis(settings.seconds * 1_000);
        let mut draw = |attacks| AdversaryPlan::draw(settings, attacks, chance);
        Self {
            calm_at,
            sniffer: draw(Attack::of_sniffer()),
            spoofer: draw(Attack::of_spoofer()),
            insider: draw(Attack::of_insider()),
            twins: draw(Attack::of_twins()),
            relay: draw(Attack::of_relay()),
            insider_token_every_ms: chance.between(FETCH_PAUSE_MS..=20_000),
            flooder: FloodPlan::draw(calm_at, config, chance),
        }
    }
}

impl FloodPlan {
    /// A flood, where the budget is so small that it can be flooded at a reasonable price.
    fn draw(calm_at: Timestamp, config: &Config, chance: &mut Chance) -> Self {
        let requests_per_s = u64::from(config.unproved_opens_per_s) / REQUEST_OPENS;
        if requests_per_s > FLOODED_PER_SECOND_MAX || chance.percent(25) {
            return Self { waves: Vec::new(), attacks: Vec::new() };
        }
        let mut waves: Vec<_> = (0..chance.between(1..=WAVES_MAX))
            .map(|_| {
                let from = Timestamp::from_micros(chance.below(calm_at.as_micros()));
                let until = from.plus_millis(chance.between(200..=WAVE_MS_MAX)).min(calm_at);
                // From half of what the server can look at to four times as much.
                Wave { from, until, per_second: requests_per_s * chance.between(2..=16) / 4 }
            })
            .collect();
        waves.sort_by_key(|wave| wave.from);
        // Afterwards so much that it can look at everything, with what the others send.
        waves.push(Wave { from: calm_at, until: Timestamp::NEVER, per_second: requests_per_s / 4 });
        Self { waves, attacks: some_of(Attack::of_flooder(), chance) }
    }
}

/// One is enough to be something; each is as likely to be there as not.
fn some_of(attacks: &[Attack], chance: &mut Chance) -> Vec<Attack> {
    let first = attacks[usize::try_from(chance.below(attacks.len() as u64)).unwrap_or(0)];
    attacks.iter().copied().filter(|attack| *attack == first || chance.percent(50)).collect()
}

impl AdversaryPlan {
    fn draw(settings: Settings, attacks: &[Attack], chance: &mut Chance) -> Self {
        let end_micros = settings.seconds * 1_000_000;
        let from = Timestamp::from_micros(if chance.percent(50) { 0 } else { chance.below(end_micros / 2) });
        let until =
            (chance.percent(30)).then(|| from.plus_micros(chance.between(end_micros / 4..=end_micros)));
        let attacks = some_of(attacks, chance);
        Self {
            from,
            until,
            per_second: chance.between(1..=PER_SECOND_AND_PLAYER_MAX * settings.peers as u64),
            burst_per_mille: if chance.percent(50) { chance.between(1..=50) } else { 0 },
            burst_max: chance.between(2..=BURST_MAX),
            attacks,
        }
    }
}
