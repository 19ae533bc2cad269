//! Nobody stays in a state longer than the settings allow.

use crate::laws::{Violation, check_nobody_overdue};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::Step;

/// Looks once in a second, while the server's host is there.
#[derive(Debug)]
pub(super) struct Overdue;

impl Checker for Overdue {
    fn check(&mut self, _step: &Step, _view: &View<'_>) -> Result<(), Violation> {
        Ok(())
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        match view.server.manager() {
            Some(manager) if !view.server.is_asleep() => {
                check_nobody_overdue(manager, view.lifecycles, view.server.local(view.now))
            }
            _ => Ok(()),
        }
    }
}
