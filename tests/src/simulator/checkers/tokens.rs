//! A token of the backend opens at most one session or takes over one, over restarts of the server.

use crate::laws::{TokenUse, Violation};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, Step};

/// Remembers every token that opened anything, by what the application was told with it.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    used: TokenUse,
}

impl Checker for Tokens {
    fn check(&mut self, step: &Step, _view: &View<'_>) -> Result<(), Violation> {
        step.happenings.iter().try_for_each(|happening| match happening {
            Happening::ServerTold { event, payload } => self.used.observe(event, payload),
            _ => Ok(()),
        })
    }
}
