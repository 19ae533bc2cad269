//! The checkers, one law each.

mod deliveries;
mod identities;
mod lifecycle;
mod memory;
mod moves;
mod overdue;
mod programs;
mod states;
#[cfg(test)]
mod tests;

pub(super) use deliveries::Deliveries;
pub(super) use lifecycle::LifecycleOrder;

use super::checker::Checker;

/// All but those that somebody else asks as well.
pub(super) fn others() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(identities::Identities::default()),
        Box::new(memory::Memory),
        Box::new(moves::Moves::default()),
        Box::new(overdue::Overdue),
        Box::new(programs::Programs::default()),
        Box::new(states::States::default()),
    ]
}
