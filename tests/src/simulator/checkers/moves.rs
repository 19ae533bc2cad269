//! The tick filter: a move input is accepted if its tick is past every accepted one and not too far ahead, and it is one that was sent.

use std::collections::BTreeMap;
use std::rc::Rc;

use rejoin::{Event, MultiSessionManager, SessionId};

use crate::laws::{AscendingTicks, Violation, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::message::process_of;
use crate::simulator::step::{Channel, Happening, ProcessId, Step};

/// What was sent and what was accepted, beside the rule in two comparisons.
#[derive(Debug, Default)]
pub(super) struct Moves {
    sent: BTreeMap<(ProcessId, u64), Rc<[u8]>>,
    accepted: AscendingTicks,
    server_tick: Option<u64>,
}

impl Checker for Moves {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => {
                    self.accepted = AscendingTicks::default();
                    self.server_tick = None;
                }
                Happening::ServerTicked { tick } => self.server_tick = Some(*tick),
                Happening::PlayerQueued { process, channel: Channel::Move(tick), message } => {
                    self.sent.insert((*process, *tick), Rc::clone(message));
                }
                Happening::ServerTold { event: Event::Move { session, tick }, payload } => {
                    self.accept(*session, *tick, payload, view)?;
                }
                _ => {}
            }
        }
        let Some(manager) = view.server.manager() else { return Ok(()) };
        step.sessions().try_for_each(|session| self.check_session(manager, session))
    }
}

impl Moves {
    fn accept(
        &mut self,
        session: SessionId,
        tick: u64,
        input: &[u8],
        view: &View<'_>,
    ) -> Result<(), Violation> {
        self.accepted.accepted(session, tick)?;
        let ahead_max = view.server.plan().config.move_ticks_ahead_max;
        // Before the game set its first tick the filter measures by the time since the login.
        let in_bounds = self.server_tick.is_none_or(|reference| tick <= reference + ahead_max);
        ensure(in_bounds, || {
            format!("session {session}: tick {tick} was accepted at {:?}", self.server_tick)
        })?;
        if !view.is_of_player(session) {
            return Ok(());
        }
        let sent = process_of(input).and_then(|process| self.sent.get(&(process, tick)));
        ensure(sent.is_some_and(|sent| **sent == *input), || {
            format!("session {session}: the input of tick {tick} is not what was sent")
        })
    }

    fn check_session(&self, manager: &MultiSessionManager, session: SessionId) -> Result<(), Violation> {
        let Some(found) = manager.session(session) else { return Ok(()) };
        let (seen, told) = (found.move_high_water(), self.accepted.newest(session));
        ensure(seen == told, || format!("session {session}: its newest tick is {seen:?}, told {told:?}"))
    }
}
