//! The law of tokens: one of the backend opens at most one session, over restarts of the server.

use std::collections::BTreeSet;

use rejoin::lifecycle::LifecycleEventKind as Kind;
use rejoin::{Event, LifecycleEvent};

use super::{Violation, ensure};

/// The tokens that opened a session or took one over, told apart by their user data: each token has its own.
#[derive(Clone, Debug, Default)]
pub struct TokenUse {
    used: BTreeSet<Vec<u8>>,
}

impl TokenUse {
    /// The application of a server was told of this, with this payload.
    pub fn observe(&mut self, event: &Event, payload: &[u8]) -> Result<(), Violation> {
        let Event::Lifecycle(LifecycleEvent { kind, session, .. }) = event else { return Ok(()) };
        let is_by_backend_token = match kind {
            Kind::TransportConnected => true,
            // Those that a resume token brought about have no user data.
            Kind::Reconnected => !payload.is_empty(),
            _ => false,
        };
        let is_new = !is_by_backend_token || self.used.insert(payload.to_vec());
        ensure(is_new, || format!("session {session} was opened by a token that had opened another"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, config};

    #[test]
    fn a_token_that_opens_two_sessions_is_caught() {
        let mut world = World::new(config(), 1);
        world.add_logged_in(1);
        world.add_logged_in(2);
        let mut tokens = TokenUse::default();
        for (event, payload) in &world.server_events {
            assert_eq!(tokens.observe(event, payload), Ok(()));
        }

        let mut again = world.server_events.iter().map(|(event, payload)| tokens.observe(event, payload));

        assert!(again.any(|result| result.is_err()));
    }
}
