//! Whoever breaks the protocol more often than is tolerated has no session any more.

use std::collections::BTreeMap;

use rejoin::{DropReason, SessionId, Verdict};

use crate::laws::{Violation, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, Reading, Step};

/// Counts the payloads that broke the protocol, for each session of the present start that survived them.
#[derive(Debug, Default)]
pub(super) struct Intolerance {
    survived: BTreeMap<SessionId, u32>,
}

impl Checker for Intolerance {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let mut reads = Vec::new();
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.survived.clear(),
                Happening::Received { datagram, reading: Reading::Server(verdict), .. } => {
                    reads.push((datagram.from, *verdict));
                }
                _ => {}
            }
        }
        // Where several datagrams were read at once it cannot be seen whose each was; to count too few is no mistake.
        let [(from, Verdict::Dropped(DropReason::Violation))] = reads[..] else { return Ok(()) };
        let Some(manager) = view.server.manager() else { return Ok(()) };
        let survivor = manager.session_at(from).map(|session| session.id());
        survivor.map_or(Ok(()), |session| self.note(session, manager.config().violations_max))
    }
}

impl Intolerance {
    /// A session broke the protocol, and is still there.
    fn note(&mut self, session: SessionId, tolerated: u32) -> Result<(), Violation> {
        let survived = self.survived.entry(session).or_default();
        *survived += 1;
        ensure(*survived <= tolerated, || {
            format!(
                "session {session} broke the protocol {survived} times and is there; {tolerated} are tolerated"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_may_survive_as_often_as_is_tolerated_and_each_for_itself() {
        let mut checker = Intolerance::default();
        let sessions = [0, 1].map(|index| SessionId { index, generation: 0 });
        for session in sessions {
            for _ in 0..3 {
                assert_eq!(checker.note(session, 3), Ok(()));
            }
        }
        assert!(checker.note(sessions[1], 3).is_err());
    }
}
