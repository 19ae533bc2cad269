//! A server that drains tells so as it was asked to: each process once of each drain, never of an older one after a newer one, and the
//! server's application once that nobody is left.

use std::collections::{BTreeMap, BTreeSet};

use rejoin::client::{ClientDisconnectReason, ClientEvent};
use rejoin::{Drain, Event};

use crate::laws::{Violation, ensure};
use crate::model::Command;
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, ProcessId, Step};

/// How a process hears that its session ended: with the reason, or without it where the goodbye is overtaken by a disconnect packet.
const ENDS_OF_DRAIN: [ClientDisconnectReason; 2] =
    [ClientDisconnectReason::Drained, ClientDisconnectReason::Closed];

/// What was announced, and who was told.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Announcements {
    /// In order, over all starts of the server. Each has a code of its own, which is higher than those before.
    made: Vec<Drain>,
    /// The newest that a process was told of, by its code.
    told: BTreeMap<ProcessId, u32>,
    /// Processes whose session the server ended, for all they know.
    ended: BTreeSet<ProcessId>,
    /// Whether this start of the server said that nobody is left.
    is_drained: bool,
}

impl Checker for Announcements {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.is_drained = false,
                Happening::ServerCommanded { command: Command::Drain(drain), is_done: true } => {
                    self.made.push(*drain);
                }
                Happening::ServerTold { event: Event::Drained { .. }, .. } => {
                    let left = view.lifecycles.live().count();
                    ensure(left == 0 && !self.is_drained, || {
                        format!("{left} sessions are left, told before: {}", self.is_drained)
                    })?;
                    self.is_drained = true;
                }
                Happening::PlayerTold { process, event: ClientEvent::Disconnected { reason }, .. }
                    if ENDS_OF_DRAIN.contains(reason) =>
                {
                    self.ended.insert(*process);
                }
                Happening::PlayerTold { process, event, .. } => self.check_told(*process, event)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Announcements {
    fn check_told(&mut self, process: ProcessId, event: &ClientEvent) -> Result<(), Violation> {
        let ClientEvent::ServerDraining { deadline, code, other_address } = event else { return Ok(()) };
        let made = self.made.iter().find(|drain| drain.code == *code);
        let is_as_made = made.is_some_and(|drain| {
            (drain.other_address, drain.within_ms.is_some()) == (*other_address, deadline.is_some())
        });
        ensure(is_as_made, || format!("{process} was told {event:?}, and announced was {made:?}"))?;
        let before = self.told.insert(process, *code);
        ensure(before < Some(*code), || format!("{process} was told {event:?} after the one of {before:?}"))
    }

    /// This process was told of the newest announcement, and that it was ended by it; and nobody is left.
    pub(in crate::simulator) fn check_complete(&self, process: ProcessId) -> Result<(), Violation> {
        let newest = self.made.last().map(|drain| drain.code);
        let told = self.told.get(&process).copied();
        ensure(told == newest, || format!("{process} was told of {told:?}, and the newest is {newest:?}"))?;
        ensure(self.ended.contains(&process), || format!("{process} was not told of its end"))?;
        ensure(self.is_drained, || "it was not told that nobody is left".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use rejoin::Timestamp;

    use super::*;

    const PROCESS: ProcessId = ProcessId(1);
    const OTHER: ProcessId = ProcessId(2);

    fn announcements() -> Announcements {
        let first = Drain { within_ms: Some(1_000), code: 1, other_address: None };
        let made = vec![first, Drain { within_ms: None, code: 2, ..first }];
        Announcements { made, ..Announcements::default() }
    }

    fn told(code: u32, is_timed: bool) -> ClientEvent {
        let deadline = is_timed.then_some(Timestamp::from_millis(5));
        ClientEvent::ServerDraining { deadline, code, other_address: None }
    }

    #[test]
    fn each_announcement_once_to_each_is_fine_and_any_other_is_caught() {
        let judge = |events: &[(ProcessId, ClientEvent)]| {
            let mut announcements = announcements();
            events.iter().try_for_each(|(process, event)| announcements.check_told(*process, event))
        };
        let (first, second) = (told(1, true), told(2, false));
        assert_eq!(judge(&[(PROCESS, first), (OTHER, second), (PROCESS, second)]), Ok(()));
        assert!(judge(&[(PROCESS, first), (PROCESS, first)]).is_err(), "twice");
        assert!(judge(&[(PROCESS, second), (PROCESS, first)]).is_err(), "an older one");
        assert!(judge(&[(PROCESS, told(1, false))]).is_err(), "without its deadline");
        assert!(judge(&[(PROCESS, told(3, false))]).is_err(), "never made");
    }

    #[test]
    fn who_is_not_told_of_the_newest_or_of_the_end_is_missed() {
        let mut announcements = announcements();
        announcements.is_drained = true;
        announcements.check_told(PROCESS, &told(1, true)).expect("it was made");
        announcements.ended.insert(PROCESS);
        assert!(announcements.check_complete(PROCESS).is_err(), "there is a newer one");
        announcements.check_told(PROCESS, &told(2, false)).expect("it was made");
        assert_eq!(announcements.check_complete(PROCESS), Ok(()));
        announcements.ended.clear();
        assert!(announcements.check_complete(PROCESS).is_err(), "it may think that it is in");
    }
}
