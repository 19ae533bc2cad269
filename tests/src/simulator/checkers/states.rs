//! Published states: a player gets each at most once, as it was published, and never an older one after a newer one.

use std::collections::BTreeMap;
use std::rc::Rc;

use rejoin::SessionId;
use rejoin::client::ClientEvent;

use crate::laws::{Violation, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::message::start_of;
use crate::simulator::step::{Channel, Happening, ProcessId, Step};

/// What was published, and the newest that each process got.
#[derive(Debug, Default)]
pub(super) struct States {
    starts: u32,
    published: BTreeMap<(u32, SessionId, u64), Rc<[u8]>>,
    newest: BTreeMap<ProcessId, u64>,
}

impl Checker for States {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.starts += 1,
                Happening::ServerQueued { session, channel: Channel::State(tick), message } => {
                    self.published.insert((self.starts, *session, *tick), Rc::clone(message));
                }
                Happening::PlayerTold { process, event: ClientEvent::State { server_tick, .. }, payload } => {
                    self.arrive(*process, *server_tick, payload, view)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl States {
    fn arrive(
        &mut self,
        process: ProcessId,
        tick: u64,
        state: &[u8],
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let newest = self.newest.insert(process, tick);
        ensure(newest.is_none_or(|newest| newest < tick), || {
            format!("{process} got the state of tick {tick} after that of {newest:?}")
        })?;
        // A process that ended in this very step cannot be asked any more.
        let Some(session) = view.session_of(process) else { return Ok(()) };
        let published = start_of(state).and_then(|start| self.published.get(&(start, session, tick)));
        ensure(published.is_some_and(|published| **published == *state), || {
            format!("{process} got a state of tick {tick} that was not published for it")
        })
    }
}
