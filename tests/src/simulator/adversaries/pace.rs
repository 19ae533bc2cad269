//! When an adversary sends, and how much.

use rejoin::Timestamp;

use crate::simulator::plan::AdversaryPlan;
use crate::world::Chance;

/// Single datagrams and bursts, so that over any longer time there are as many as the plan says.
#[derive(Debug)]
pub(super) struct Pace {
    plan: AdversaryPlan,
    next_at: Timestamp,
}

impl Pace {
    pub(super) fn new(plan: &AdversaryPlan) -> Self {
        Self { plan: plan.clone(), next_at: plan.from }
    }

    /// How many datagrams are sent now.
    pub(super) fn due(&mut self, now: Timestamp, chance: &mut Chance) -> u64 {
        if now < self.next_at || self.is_over() {
            return 0;
        }
        let is_burst = chance.per_mille(self.plan.burst_per_mille);
        let count = if is_burst { chance.between(2..=self.plan.burst_max) } else { 1 };
        // What is sent at once is paid for with silence.
        let silence_micros = count * 1_000_000 / self.plan.per_second;
        self.next_at = now.plus_micros(chance.between(silence_micros / 2..=silence_micros * 3 / 2));
        count
    }

    /// When there is something to send next.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        (!self.is_over()).then_some(self.next_at)
    }

    fn is_over(&self) -> bool {
        self.plan.until.is_some_and(|until| self.next_at >= until)
    }
}
