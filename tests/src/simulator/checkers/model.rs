//! The server does what the reference model says, as far as can be seen.

use rejoin::{Config, Timestamp};

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
        if !step.happenings.iter().any(is_of_server) {
            return Ok(());
        }
        let now = view.server.local(view.now);
        self.begin(step);
        step.happenings.iter().try_for_each(|happening| self.follow(now, happening))?;
        let Some(manager) = view.server.manager() else { return Ok(()) };
        self.shadow.end(manager)
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        if !view.server.is_asleep() {
            self.shadow.check_nobody_overdue(view.server.local(view.now))?;
        }
        self.shadow.check_all(manager)
    }
}

const fn is_of_server(happening: &Happening) -> bool {
    use Happening::{
        Received, Sent, ServerCommanded, ServerFired, ServerLate, ServerStarted, ServerStopped, ServerTicked,
        ServerTold,
    };
    matches!(
        happening,
        ServerStarted
            | ServerStopped
            | ServerLate { .. }
            | ServerFired
            | ServerTicked { .. }
            | ServerCommanded { .. }
            | ServerTold { .. }
            | Received { by: Party::Server, .. }
            | Sent { by: Party::Server, .. }
    )
}

impl AsTheModel {
    fn begin(&mut self, step: &Step) {
        let told = step.happenings.iter().filter_map(|happening| match happening {
            Happening::ServerTold { event, .. } => Some(event),
            _ => None,
        });
        let verdicts = step.happenings.iter().filter_map(|happening| match happening {
            Happening::Received { reading: Reading::Server(verdict), .. } => Some(*verdict),
            _ => None,
        });
        self.shadow.begin(told, &verdicts);
    }

    fn follow(&mut self, now: Timestamp, happening: &Happening) -> Result<(), Violation> {
        match happening {
            Happening::ServerStarted => self.shadow.server_started(now),
            Happening::ServerStopped => return self.shadow.server_stopped(),
            Happening::ServerLate { micros } => return self.shadow.late(now, *micros),
            Happening::ServerFired => return self.shadow.fired(now),
            Happening::ServerTicked { tick } => {
                return self.shadow.commanded(now, Command::SetTick(*tick), true);
            }
            Happening::ServerCommanded { command, is_done } => {
                return self.shadow.commanded(now, *command, *is_done);
            }
            Happening::Received { by: Party::Server, datagram, reading: Reading::Server(verdict) } => {
                return self.shadow.received(now, datagram.from, &datagram.bytes, *verdict);
            }
            Happening::Sent { by: Party::Server, datagram } => {
                return self.shadow.sent(now, datagram.to, &datagram.bytes);
            }
            Happening::ServerTold { event, .. } => return self.shadow.told(event),
            _ => {}
        }
        Ok(())
    }
}
