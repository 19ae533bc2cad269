//! Memory stays within what the settings say.

use crate::laws::{Violation, check_memory, check_session_memory, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::Step;

/// Looks at the sessions that a step touched, and once in a second at all and at the server.
#[derive(Debug)]
pub(super) struct Memory;

impl Checker for Memory {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        let (taken, most) = (manager.pool_bytes_taken(), manager.config().pool_bytes_max);
        ensure(taken <= most, || format!("{taken} bytes of the pool are taken, of {most}"))?;
        let mut touched = step.sessions().filter_map(|session| manager.session(session));
        touched.try_for_each(|session| check_session_memory(session, manager.config()))
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        view.server.manager().map_or(Ok(()), check_memory)
    }
}
