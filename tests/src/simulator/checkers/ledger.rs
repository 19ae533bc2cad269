//! The ledger: what the server and the clients count is what became of each datagram, login, move and send.

use std::collections::BTreeMap;

use rejoin::ledger::Incident;
use rejoin::lifecycle::{Cause, LifecycleEventKind};
use rejoin::{DropReason, Event, LifecycleEvent, MultiSessionManager, Timestamp, Verdict};

use crate::laws::{Violation, check_client_counters, check_counters, check_history, check_ledger, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, Party, Reading, Step};

/// Counts along, by what the host and the application saw.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    accepted: u64,
    answered: u64,
    dropped: BTreeMap<DropReason, u64>,
    logins_accepted: u64,
    moves_accepted: u64,
    sends_queued: u64,
}

impl Checker for Ledger {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        step.happenings.iter().for_each(|happening| self.count(happening));
        for happening in &step.happenings {
            if let Happening::Received { by: Party::Player(place), .. } = happening
                && let Some(process) = view.players.get(*place).and_then(|player| player.process.as_ref())
            {
                check_client_counters(process.session.counters())?;
            }
        }
        let Some(manager) = view.server.manager() else { return Ok(()) };
        check_counters(manager.counters())?;
        self.compare(manager)?;
        check_histories(step, manager, view.server.local(view.now))
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        check_ledger(manager)?;
        DropReason::ALL.into_iter().try_for_each(|reason| {
            let (counted, seen) = (manager.counters().dropped(reason), self.dropped.get(&reason));
            same(&format!("datagrams dropped for {reason:?}"), counted, seen.copied().unwrap_or(0))
        })
    }
}

impl Ledger {
    fn count(&mut self, happening: &Happening) {
        match happening {
            Happening::ServerStarted => *self = Self::default(),
            Happening::Received { reading: Reading::Server(verdict), .. } => match verdict {
                Verdict::Accepted(_) => self.accepted += 1,
                Verdict::Answered => self.answered += 1,
                Verdict::Dropped(reason) => *self.dropped.entry(*reason).or_default() += 1,
            },
            Happening::ServerTold { event: Event::Move { .. }, .. } => self.moves_accepted += 1,
            Happening::ServerTold { event: Event::Lifecycle(event), .. } => {
                self.logins_accepted += u64::from(event.cause == Cause::Accepted);
            }
            Happening::ServerQueued { .. } => self.sends_queued += 1,
            _ => {}
        }
    }

    fn compare(&self, manager: &MultiSessionManager) -> Result<(), Violation> {
        let counters = manager.counters();
        same("datagrams accepted", counters.accepted, self.accepted)?;
        same("datagrams answered", counters.answered, self.answered)?;
        same("datagrams dropped", counters.dropped_total(), self.dropped.values().sum())?;
        same("logins accepted", counters.logins_accepted, self.logins_accepted)?;
        same("moves accepted", counters.moves_accepted, self.moves_accepted)?;
        same("sends queued", counters.sends_queued, self.sends_queued)
    }
}

/// What was told last of each session is the last of its history.
fn check_histories(step: &Step, manager: &MultiSessionManager, now: Timestamp) -> Result<(), Violation> {
    let entries_max = manager.config().session_history_max;
    if entries_max == 0 {
        return Ok(());
    }
    let told = step.happenings.iter().filter_map(|happening| match happening {
        Happening::ServerTold { event: Event::Lifecycle(event), .. } => Some((event.session, *event)),
        _ => None,
    });
    let newest: BTreeMap<_, LifecycleEvent> = told.collect();
    newest.into_iter().try_for_each(|(session, LifecycleEvent { kind, current: to, cause, .. })| {
        let Some(record) = manager.record(session) else {
            return ensure(kind == LifecycleEventKind::Disconnected, || {
                format!("session {session} has no record")
            });
        };
        check_history(&record, entries_max, now, Incident::Transition { kind, to, cause })
    })
}

fn same(what: &str, counted: u64, seen: u64) -> Result<(), Violation> {
    ensure(counted == seen, || format!("{what}: {counted} are counted, and {seen} were seen"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, config};

    #[test]
    fn a_count_that_is_not_what_was_seen_is_caught() {
        let mut world = World::new(config(), 1);
        world.add_logged_in(1);
        let counters = world.server.counters();
        let seen = || Ledger {
            accepted: counters.accepted,
            answered: counters.answered,
            dropped: BTreeMap::new(),
            logins_accepted: counters.logins_accepted,
            moves_accepted: counters.moves_accepted,
            sends_queued: counters.sends_queued,
        };
        assert_eq!(seen().compare(&world.server), Ok(()));

        let dropped = BTreeMap::from([(DropReason::Unopened, 1)]);
        assert!(Ledger { accepted: 0, ..seen() }.compare(&world.server).is_err());
        assert!(Ledger { dropped, ..seen() }.compare(&world.server).is_err());
        assert!(Ledger { logins_accepted: 2, ..seen() }.compare(&world.server).is_err());
    }
}
