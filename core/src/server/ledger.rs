//! How refusals and transitions are written down: in the counters, in the record of their session, and in the log.

use alloc::boxed::Box;
use core::net::SocketAddr;

use crate::event::LifecycleEvent;
use crate::ledger::{Incident, MoveRefusal, Record, Refusal, SendRefusal, SessionRecord};
use crate::planted::{PlantedBug, is_planted};
use crate::{DropReason, LogBudget, SessionId};

use super::MultiSessionManager;
use super::commands::SendError;
use super::session::Session;

/// Lines about dropped datagrams, and as many about other refusals. With those about transitions a server writes at most 60 lines in any
/// minute, whatever peers do; what is left out is in the counters, the records and the events.
const REFUSAL_LINES: LogBudget = LogBudget::new(10, 10_000);
/// Lines about transitions.
const TRANSITION_LINES: LogBudget = LogBudget::new(10, 4_000);

/// What may be written to the log, by kind of line.
#[derive(Debug)]
pub(super) struct LogBudgets {
    drops: LogBudget,
    refusals: LogBudget,
    transitions: LogBudget,
}

impl Default for LogBudgets {
    fn default() -> Self {
        Self { drops: REFUSAL_LINES, refusals: REFUSAL_LINES, transitions: TRANSITION_LINES }
    }
}

impl MultiSessionManager {
    /// The record of a session: one that goes on, one that has ended and whose `Disconnected` was not polled yet, or the one whose
    /// `Disconnected` was the last event that was polled. So what a session went through can be read when its end is told.
    #[must_use]
    pub fn record(&self, id: SessionId) -> Option<SessionRecord<'_>> {
        let live = self.table.resolve(id).and_then(|index| self.table.get(index));
        live.map(Session::record_view).or_else(|| self.table.record_of_ended(id))
    }

    /// Counts a refusal that belongs to no session.
    pub(super) fn refuse(&mut self, refusal: impl Into<Refusal>) {
        let refusal = refusal.into();
        self.counters.refuse(refusal);
        self.log_refusal(None, refusal);
    }

    /// Counts a refusal of the session in slot `index`.
    pub(super) fn refuse_of(&mut self, index: u32, refusal: impl Into<Refusal>) {
        let refusal = refusal.into();
        self.counters.refuse(refusal);
        self.record_refusal(index, refusal);
        if is_planted(PlantedBug::RefusalCountedTwice) {
            self.record_refusal(index, refusal);
        }
        let session = self.table.get(index).map(|session| session.id);
        self.log_refusal(session, refusal);
    }

    /// Notes that a datagram of the session in slot `index` is dropped: one that opened. The server counts it with the verdict.
    pub(super) fn drop_of(&mut self, index: u32, reason: DropReason) -> DropReason {
        self.record_refusal(index, reason.into());
        reason
    }

    /// Counts a move input of the session in slot `index` that does not count; its movement has counted it already. Duplicates are no news.
    pub(super) fn refuse_move(&mut self, index: u32, refusal: MoveRefusal) {
        if !is_planted(PlantedBug::RefusalNotCounted) {
            self.counters.refuse(refusal);
        }
        if refusal != MoveRefusal::Duplicate {
            self.note_incident(index, Incident::Refused(refusal.into()));
            self.log_refusal(self.table.get(index).map(|session| session.id), refusal.into());
        }
    }

    /// Notes what became of a send to a session.
    pub(super) fn note_send(
        &mut self,
        id: SessionId,
        result: Result<(), SendError>,
    ) -> Result<(), SendError> {
        let Some(index) = self.table.resolve(id) else {
            self.counters.sends_requested += 1;
            self.refuse(SendRefusal::UnknownSession);
            return Err(SendError::UnknownSession);
        };
        self.note_send_of(index, result)
    }

    /// The same where the slot is known. What was queued is due.
    pub(super) fn note_send_of(
        &mut self,
        index: u32,
        result: Result<(), SendError>,
    ) -> Result<(), SendError> {
        self.counters.sends_requested += 1;
        match result {
            Ok(()) => {
                self.counters.sends_queued += 1;
                self.touch(index);
            }
            Err(error) => self.refuse_of(index, SendRefusal::from(error)),
        }
        result
    }

    /// Notes a transition of the session in slot `index`.
    pub(super) fn note_transition(&mut self, index: u32, event: &LifecycleEvent) {
        let incident = Incident::Transition { kind: event.kind, to: event.current, cause: event.cause };
        self.note_incident(index, incident);
        if log::log_enabled!(log::Level::Debug)
            && let Some(left_out) = self.log_budgets.transitions.take(event.at)
        {
            log::debug!("session {}: {:?} ({:?}){left_out}", event.session, event.kind, event.cause);
        }
    }

    /// Tells the log of a datagram that was dropped; never what was in it.
    pub(super) fn log_drop(&mut self, from: SocketAddr, bytes: usize, reason: DropReason) {
        if log::log_enabled!(log::Level::Trace)
            && let Some(left_out) = self.log_budgets.drops.take(self.clock.now())
        {
            log::trace!("dropped a datagram of {bytes} bytes from {from}: {reason:?}{left_out}");
        }
    }

    /// Adds to the history of a session, where there is one.
    fn note_incident(&mut self, index: u32, incident: Incident) {
        let (now, history_max) = (self.clock.now(), self.config.session_history_max);
        if history_max > 0
            && let Some(session) = self.table.get_mut(index)
        {
            session.record_mut(history_max).note(now, incident);
        }
    }

    fn record_refusal(&mut self, index: u32, refusal: Refusal) {
        let (now, history_max) = (self.clock.now(), self.config.session_history_max);
        let Some(session) = self.table.get_mut(index) else { return };
        let record = session.record_mut(history_max);
        match refusal {
            // The history says how the protocol was broken.
            Refusal::Dropped(DropReason::Violation) => record.count(refusal),
            _ => record.refuse(now, refusal),
        }
    }

    fn log_refusal(&mut self, session: Option<SessionId>, refusal: Refusal) {
        if log::log_enabled!(log::Level::Trace)
            && let Some(left_out) = self.log_budgets.refusals.take(self.clock.now())
        {
            match session {
                Some(session) => log::trace!("session {session}: {refusal}{left_out}"),
                None => log::trace!("{refusal}{left_out}"),
            }
        }
    }
}

impl Session {
    /// The record, made when there is something to write into it.
    pub(super) fn record_mut(&mut self, history_max: u8) -> &mut Record {
        self.record.get_or_insert_with(|| Record::new(history_max))
    }

    /// What can be seen of the record.
    pub(super) fn record_view(&self) -> SessionRecord<'_> {
        SessionRecord {
            record: self.record.as_deref(),
            moves: self.movement.as_ref().map(|movement| movement.counters()).unwrap_or_default(),
        }
    }

    /// Takes the record out of a session that has ended, with everything in it.
    pub(super) fn close_record(&mut self) -> Option<Box<Record>> {
        let moves = self.record_view().moves;
        if MoveRefusal::ALL.into_iter().any(|refusal| moves.refused(refusal) > 0) {
            self.record_mut(0).close(moves);
        }
        self.record.take()
    }
}
