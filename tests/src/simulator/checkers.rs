//! The checkers, one law each.

mod announcements;
mod deliveries;
mod farewells;
mod gate;
mod identities;
mod intolerance;
mod ledger;
mod lifecycle;
mod memory;
mod model;
mod moves;
mod overdue;
mod patience;
mod programs;
mod resumes;
mod states;
#[cfg(test)]
mod tests;
mod tick_filter;
mod tokens;
mod unaffected;
mod wire;

pub(super) use announcements::Announcements;
pub(super) use deliveries::Deliveries;
pub(super) use lifecycle::LifecycleOrder;
pub(super) use programs::Told;
pub(super) use states::States;
pub(super) use wire::Wire;

use rejoin::Config;

use super::checker::Checker;

/// All but those that somebody else asks as well.
pub(super) fn others(config: &Config) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(model::AsTheModel::new(config)),
        Box::new(farewells::Farewells),
        Box::new(gate::Gate::default()),
        Box::new(identities::Identities::default()),
        Box::new(intolerance::Intolerance::default()),
        Box::new(ledger::Ledger::default()),
        Box::new(memory::Memory),
        Box::new(moves::Moves::default()),
        Box::new(overdue::Overdue::default()),
        Box::new(patience::Patience::default()),
        Box::new(programs::Programs::default()),
        Box::new(resumes::Resumes::default()),
        Box::new(tick_filter::Ticks::default()),
        Box::new(tokens::Tokens::default()),
        Box::new(unaffected::Unaffected::default()),
    ]
}
