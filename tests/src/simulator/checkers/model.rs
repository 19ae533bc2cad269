//! The server does what the reference model says, as far as can be seen.

use rejoin::Config;

use crate::laws::Violation;
use crate::model::{Command, Shadow};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, Party, Reading, Step};

/// Follows the server: what a step touched after each step, everything once in a second.
#[derive(Debug)]
pub(super) struct AsTheModel {
    shadow: Shadow,
}

impl AsTheModel {
    pub(super) fn new(config: &Config) -> Self {
        Self { shadow: Shadow::new(config) }
    }
}

impl Checker for AsTheModel {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let told = step.happenings.iter().filter_map(|happening| match happening {
            Happening::ServerTold { event, .. } => Some(event),
            _ => None,
        });
        let verdicts = step.happenings.iter().filter_map(|happening| match happening {
            Happening::Received { reading: Reading::Server(verdict), .. } => Some(*verdict),
            _ => None,
        });
        self.shadow.begin(told, verdicts);
        let result = step.happenings.iter().try_for_each(|happening| self.follow(happening, view));
        result
            .and_then(|()| self.compare(view))
            .map_err(|violation| Violation::new(format!("{MODEL}{violation}")))
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        self.shadow.check_all(manager).map_err(|violation| Violation::new(format!("{MODEL}{violation}")))
    }
}

/// What everything begins with that the model finds.
const MODEL: &str = "by the model, ";

impl AsTheModel {
    fn follow(&mut self, happening: &Happening, view: &View<'_>) -> Result<(), Violation> {
        let now = view.server.local(view.now);
        match happening {
            Happening::ServerStarted => self.shadow.server_started(now),
            Happening::ServerStopped => self.shadow.server_stopped(),
            Happening::ServerLate { micros } => self.shadow.late(now, *micros),
            Happening::ServerFired => self.shadow.fired(now),
            Happening::ServerTicked { tick } => {
                return self.shadow.commanded(now, Command::SetTick(*tick), true);
            }
            Happening::ServerCommanded { command, is_done } => {
                return self.shadow.commanded(now, *command, *is_done);
            }
            Happening::Received { by: Party::Server, datagram, reading: Reading::Server(verdict) } => {
                return self.shadow.received(now, datagram.from, &datagram.bytes, *verdict);
            }
            Happening::ServerTold { event, .. } => return self.shadow.told(event),
            _ => {}
        }
        Ok(())
    }

    fn compare(&mut self, view: &View<'_>) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        self.shadow.end(manager)?;
        if view.server.is_asleep() {
            return Ok(());
        }
        self.shadow.check_nobody_overdue(view.server.local(view.now))
    }
}
