//! Nobody stays in a state longer than the settings allow.

use crate::laws::{Holds, Violation, check_nobody_overdue};
use crate::model::Command;
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, Step};

/// Looks once in a second, while the server's host is there.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    holds: Holds,
}

impl Checker for Overdue {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.holds = Holds::default(),
                Happening::ServerCommanded { command: Command::Hold(hold), .. } => {
                    self.holds.set(view.server.local(view.now), *hold);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        match view.server.manager() {
            Some(manager) if !view.server.is_asleep() => {
                check_nobody_overdue(manager, view.lifecycles, &self.holds, view.server.local(view.now))
            }
            _ => Ok(()),
        }
    }
}
