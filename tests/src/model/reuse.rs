//! Resume tokens that are shown again: which of them the application must be told of.

use std::collections::BTreeMap;

use rejoin::ledger::DroppedEvent;
use rejoin::{Event, MultiSessionManager, SessionId};

use super::Model;
use super::session::{Origin, Token};
use crate::laws::{Violation, ensure};

/// A resume token, by its session and its generation.
type Reuse = (SessionId, u64);

/// What was shown in this step, and what was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Reuses {
    /// Spent tokens whose successor is in use, each time they were shown.
    shown: Vec<Reuse>,
    told: Vec<Reuse>,
    /// The newest generation of each session that was told in the steps before.
    told_before: BTreeMap<SessionId, u64>,
    /// How many found no room to be told, up to this step.
    dropped: u64,
}

impl Reuses {
    /// Whether a token is newer than all of its session that are listed, and that were told before.
    fn is_news(&self, listed: &[Reuse], (session, generation): Reuse) -> bool {
        let before = self.told_before.get(&session).copied().unwrap_or(0);
        let listed = listed.iter().filter(|(other, _)| *other == session).map(|(_, generation)| *generation);
        generation > listed.fold(before, u64::max)
    }

    /// What must be told, where there is room for all of it.
    fn expected(&self) -> Vec<Reuse> {
        self.shown.iter().fold(Vec::new(), |mut expected, reuse| {
            expected.extend(self.is_news(&expected, *reuse).then_some(*reuse));
            expected
        })
    }
}

impl Model {
    /// A request was refused because its token is spent.
    pub(super) fn spent_token(&mut self, token: &Token) {
        let Origin::Resume { session, generation } = token.origin else { return };
        if self.sessions.get(&session).is_some_and(|found| generation < found.confirmed) {
            self.reuses.shown.push((session, generation));
        }
    }

    /// It is told that a token was shown again.
    pub(super) fn hear_reuse(&mut self, session: SessionId, generation: u64) -> Result<(), Violation> {
        self.check_open(session)?;
        let (reuse, reuses) = ((session, generation), &mut self.reuses);
        let is_founded = reuses.shown.contains(&reuse) && reuses.is_news(&reuses.told, reuse);
        ensure(is_founded, || {
            format!("told {:?}, and there were {reuses:?}", Event::TokenReuse { session, generation })
        })?;
        reuses.told.push(reuse);
        Ok(())
    }

    /// The step is over: whatever had to be told of tokens was told, unless one found no room.
    pub(super) fn check_reuses(&mut self, server: &MultiSessionManager) -> Result<(), Violation> {
        let reuses = &mut self.reuses;
        let dropped = server.counters().refused(DroppedEvent::TokenReuse);
        let had_room = std::mem::replace(&mut reuses.dropped, dropped) == dropped;
        let is_complete = !had_room || reuses.expected() == reuses.told;
        ensure(is_complete, || format!("not everything was told of {reuses:?}"))?;
        reuses.told_before.extend(reuses.told.drain(..));
        reuses.shown.clear();
        Ok(())
    }
}
