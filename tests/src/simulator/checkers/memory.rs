//! Memory stays within what the settings say.

use crate::laws::{Violation, check_memory, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::Step;

/// Looks at the sessions that a step touched, and once in a second at all and at the server.
#[derive(Debug)]
pub(super) struct Memory;

impl Checker for Memory {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        let most = manager.config().session_bytes_max();
        for session in step.sessions() {
            let taken = manager.session(session).map_or(0, |found| found.memory_bytes());
            ensure(taken <= most, || format!("session {session} takes {taken} bytes, and may take {most}"))?;
        }
        Ok(())
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        view.server.manager().map_or(Ok(()), check_memory)
    }
}
