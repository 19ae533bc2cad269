//! How loud those with bad intentions are, from when to when, and what they do.

use rejoin::Timestamp;

use super::Settings;
use crate::simulator::attack::Attack;
use crate::simulator::backend::FETCH_PAUSE_MS;
use crate::world::Chance;

/// The most that one of them sends in a second for each player, over any longer time. So all of them together cost less than a third of a run.
const PER_SECOND_AND_PLAYER_MAX: u64 = 4;
/// The most that one of them sends at once.
const BURST_MAX: u64 = 256;

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
}

impl AdversaryPlans {
    /// Each of them.
    #[cfg(test)]
    pub(in crate::simulator) fn all_mut(&mut self) -> [&mut AdversaryPlan; 5] {
        [&mut self.sniffer, &mut self.spoofer, &mut self.insider, &mut self.twins, &mut self.relay]
    }

    pub(super) fn draw(settings: Settings, chance: &mut Chance) -> Self {
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
        }
    }
}

impl AdversaryPlan {
    fn draw(settings: Settings, attacks: &[Attack], chance: &mut Chance) -> Self {
        let end_micros = settings.seconds * 1_000_000;
        let from = Timestamp::from_micros(if chance.percent(50) { 0 } else { chance.below(end_micros / 2) });
        let until =
            (chance.percent(30)).then(|| from.plus_micros(chance.between(end_micros / 4..=end_micros)));
        // One is enough to be something; each is as likely to be there as not.
        let first = attacks[usize::try_from(chance.below(attacks.len() as u64)).unwrap_or(0)];
        let attacks =
            attacks.iter().copied().filter(|attack| *attack == first || chance.percent(50)).collect();
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
