//! A resume is exact or refused: whoever goes on is told so at both ends, in the session it had, and whoever begins afresh is another process.
//!
//! That messages, states and moves go on as well is what the checkers of those say, over every way back.

use std::collections::{BTreeMap, HashMap};

use rejoin::client::ClientEvent;
use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{ClientId, Continuity, Event, SessionId, Verdict};

use crate::laws::{Violation, ensure};
use crate::netcode::kind::PAYLOAD;
use crate::netcode::{header, seal_of};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Datagram, Happening, Party, ProcessId, Reading, Step};

/// Which process plays in which session.
#[derive(Debug, Default)]
pub(super) struct Resumes {
    /// By player: its newest process.
    processes: BTreeMap<ClientId, ProcessId>,
    /// By seal: the processes that sent payloads which the server has not taken so far.
    senders: HashMap<u64, ProcessId>,
    /// By session of this start of the server: the process whose payloads it takes.
    speakers: BTreeMap<SessionId, ProcessId>,
    /// The session that a process was connected to.
    homes: BTreeMap<ProcessId, SessionId>,
    /// By session: how many times another process has begun to speak in this step, less how often the application was told so.
    untold: BTreeMap<SessionId, i32>,
}

impl Checker for Resumes {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.speakers.clear(),
                Happening::ProcessStarted { process, client_id } => {
                    self.processes.insert(*client_id, *process);
                }
                Happening::Sent { by: Party::Player(place), datagram } => {
                    self.on_sent(view.players.get(*place).map(|player| player.client_id), datagram);
                }
                Happening::Received {
                    datagram,
                    reading: Reading::Server(Verdict::Accepted(session)),
                    ..
                } => self.on_taken(*session, datagram)?,
                Happening::ServerTold { event: Event::Lifecycle(event), .. }
                    if event.kind == LifecycleEventKind::Reconnected
                        && self.processes.contains_key(&event.client_id) =>
                {
                    let restarts = event.continuity == Some(Continuity::Restarted);
                    *self.untold.entry(event.session).or_default() -= i32::from(restarts);
                }
                Happening::PlayerTold { process, event, .. } => self.on_player_told(*process, event, view)?,
                _ => {}
            }
        }
        self.check_told()
    }
}

impl Resumes {
    fn on_sent(&mut self, player: Option<ClientId>, datagram: &Datagram) {
        let process = player.and_then(|player| self.processes.get(&player));
        if let Some(process) = process
            && is_payload(datagram)
        {
            self.senders.insert(seal_of(&datagram.bytes), *process);
        }
    }

    fn on_taken(&mut self, session: SessionId, datagram: &Datagram) -> Result<(), Violation> {
        if !is_payload(datagram) {
            return Ok(());
        }
        let Some(process) = self.senders.remove(&seal_of(&datagram.bytes)) else { return Ok(()) };
        let former = self.speakers.insert(session, process).unwrap_or(process);
        ensure(process >= former, || {
            format!("session {session} listens to {process} again, after {former}")
        })?;
        if process != former {
            *self.untold.entry(session).or_default() += 1;
        }
        Ok(())
    }

    fn on_player_told(
        &mut self,
        process: ProcessId,
        event: &ClientEvent,
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let restarts = *event == ClientEvent::Reconnected { continuity: Continuity::Restarted };
        ensure(!restarts, || format!("{process} goes on, but was told that its lanes began afresh"))?;
        // A process that ended in this very step cannot be asked any more.
        let Some(session) = view.session_of(process) else { return Ok(()) };
        let home = *self.homes.entry(process).or_insert(session);
        ensure(home == session, || format!("{process} was in session {home} and is in {session}"))
    }

    /// In each step the server's application is told once of each process that began to speak where another one had.
    fn check_told(&mut self) -> Result<(), Violation> {
        while let Some((session, untold)) = self.untold.pop_first() {
            ensure(untold <= 0, || {
                format!("another process plays in session {session}, and nobody was told")
            })?;
            ensure(untold >= 0, || {
                format!("session {session} began its lanes afresh though the same process goes on")
            })?;
        }
        Ok(())
    }
}

fn is_payload(datagram: &Datagram) -> bool {
    header(&datagram.bytes).is_some_and(|(kind, ..)| kind == PAYLOAD)
}
