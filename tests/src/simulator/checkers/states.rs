//! Published states: a player gets each at most once, as it was published, and never an older one after a newer one; the last it gets.

use std::collections::BTreeMap;
use std::rc::Rc;

use rejoin::client::ClientEvent;
use rejoin::{SessionId, Timestamp};

use crate::laws::{Violation, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::message::start_of;
use crate::simulator::step::{Channel, Happening, ProcessId, Step};

/// What was published, and the newest that each process got.
#[derive(Debug, Default)]
pub(in crate::simulator) struct States {
    starts: u32,
    published: BTreeMap<(u32, SessionId, u64), Rc<[u8]>>,
    /// By session of the present start: the tick of the last one, and when that was published.
    last: BTreeMap<SessionId, (u64, Timestamp)>,
    newest: BTreeMap<ProcessId, u64>,
    connected: BTreeMap<ProcessId, Timestamp>,
}

impl Checker for States {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => {
                    self.starts += 1;
                    self.last.clear();
                }
                Happening::ServerQueued { session, channel: Channel::State(tick), message } => {
                    self.published.insert((self.starts, *session, *tick), Rc::clone(message));
                    self.last.insert(*session, (*tick, step.at));
                }
                Happening::PlayerTold { process, event: ClientEvent::Connected { .. }, .. } => {
                    self.connected.insert(*process, step.at);
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
    /// What was published last for a session has arrived, unless that was before this process came.
    pub(in crate::simulator) fn check_complete(
        &self,
        process: ProcessId,
        session: SessionId,
    ) -> Result<(), Violation> {
        let connected_at = self.connected.get(&process).copied().unwrap_or(Timestamp::NEVER);
        let due = self.last.get(&session).filter(|(_, at)| *at > connected_at).map(|(tick, _)| *tick);
        let newest = self.newest.get(&process).copied();
        ensure(due.is_none() || due == newest, || {
            format!("{process} has the state of tick {newest:?}, and the last is that of {due:?}")
        })
    }

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
