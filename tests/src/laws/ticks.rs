//! The law about move inputs: a session's accepted ticks ascend.

use std::collections::BTreeMap;

use rejoin::SessionId;

use super::{Violation, ensure};

/// The newest accepted tick of each session.
#[derive(Clone, Debug, Default)]
pub struct AscendingTicks {
    newest: BTreeMap<SessionId, u64>,
}

impl AscendingTicks {
    /// The application was told of this move input.
    pub fn accepted(&mut self, session: SessionId, tick: u64) -> Result<(), Violation> {
        let before = self.newest.insert(session, tick);
        ensure(before.is_none_or(|before| before < tick), || {
            format!("session {session}: tick {tick} was accepted after {before:?}")
        })
    }

    /// The newest accepted tick of a session.
    #[must_use]
    pub fn newest(&self, session: SessionId) -> Option<u64> {
        self.newest.get(&session).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_comes_again_is_caught_and_other_sessions_are_not_concerned() {
        let (one, other) = (SessionId { index: 0, generation: 0 }, SessionId { index: 1, generation: 0 });
        let mut ticks = AscendingTicks::default();
        assert_eq!(ticks.accepted(one, 7), Ok(()));
        assert_eq!(ticks.accepted(other, 7), Ok(()));
        assert_eq!(ticks.accepted(one, 9), Ok(()));
        assert!(ticks.accepted(one, 9).is_err());
        assert!(ticks.accepted(other, 6).is_err());
    }
}
