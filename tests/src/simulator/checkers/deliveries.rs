//! What is reliable arrives exactly once and in order, what is unreliable at most once, and each in the session it was meant for.
//!
//! A process is one memory of messages: its lanes begin with it and end with it. A session is the other one: its lanes go on over every
//! way back, unless the player comes with another process; then they begin afresh.

use std::collections::BTreeMap;

use rejoin::client::ClientEvent;
use rejoin::{ClientId, Continuity, Event, LifecycleEvent, SessionId, UNORDERED_LANE};

use crate::laws::{Delivery, Violation, ensure};
use crate::simulator::checker::View;
use crate::simulator::message::{is_for, process_of, start_of};
use crate::simulator::step::{Channel, Happening, ProcessId, Step};

/// A session of a certain start of the server.
type Home = (u32, SessionId);

/// Everything that was sent, and what of it arrived.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Deliveries {
    starts: u32,
    upward: BTreeMap<ProcessId, Sent>,
    downward: BTreeMap<Home, Sent>,
    identities: BTreeMap<ProcessId, ClientId>,
    /// Whose messages come on a lane of a session of this start: each process says so with the first.
    speakers: BTreeMap<(SessionId, u8), ProcessId>,
    /// The newest process from which a session of this start got something reliable.
    newest: BTreeMap<SessionId, ProcessId>,
    homes: BTreeMap<ProcessId, Home>,
}

/// What one sender sent.
#[derive(Debug, Default)]
struct Sent {
    reliable: Delivery,
    /// Of these nothing is promised but that none comes twice.
    datagrams: Delivery,
}

impl Sent {
    fn queue(&mut self, channel: Channel, message: &[u8]) {
        match channel {
            Channel::Lane(lane) => self.reliable.sent(lane, message),
            Channel::Key(key) => self.reliable.sent_latest(key, message),
            Channel::Datagram => self.datagrams.sent(UNORDERED_LANE, message),
            Channel::Move(_) | Channel::State(_) => {}
        }
    }

    fn receive(&mut self, receiver: u64, channel: Channel, message: &[u8]) -> Result<(), Violation> {
        match channel {
            Channel::Lane(lane) => self.reliable.received(receiver, lane, message),
            Channel::Key(key) => self.reliable.received_latest(receiver, key, message),
            Channel::Datagram => self.datagrams.received(receiver, UNORDERED_LANE, message),
            Channel::Move(_) | Channel::State(_) => Ok(()),
        }
    }
}

impl Deliveries {
    pub(in crate::simulator) fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => self.begin_start(),
                Happening::ProcessStarted { process, client_id } => {
                    self.identities.insert(*process, *client_id);
                }
                Happening::PlayerQueued { process, channel, message } => {
                    self.upward.entry(*process).or_default().queue(*channel, message);
                }
                Happening::ServerQueued { session, channel, message } => {
                    self.downward.entry((self.starts, *session)).or_default().queue(*channel, message);
                }
                Happening::ServerTold { event, payload } => self.on_server_event(event, payload, view)?,
                Happening::PlayerTold { process, event, payload } => {
                    self.on_player_event(*process, event, payload, view)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Everything that was sent between a process and its session has arrived, but for what a restart of the lanes may have cost.
    pub(in crate::simulator) fn check_complete(
        &self,
        process: ProcessId,
        session: SessionId,
    ) -> Result<(), Violation> {
        let upward = self.upward.get(&process);
        let downward = self.downward.get(&(self.starts, session));
        for (sent, direction) in [(upward, "from"), (downward, "to")] {
            let complete = sent.map_or(Ok(()), |sent| sent.reliable.check_complete());
            complete.map_err(|violation| Violation::new(format!("{direction} {process}: {violation}")))?;
        }
        Ok(())
    }

    fn begin_start(&mut self) {
        self.starts += 1;
        self.speakers.clear();
        self.newest.clear();
    }

    fn on_server_event(&mut self, event: &Event, payload: &[u8], view: &View<'_>) -> Result<(), Violation> {
        let (session, channel) = match *event {
            Event::Lifecycle(event) => {
                self.note_restart_of_lanes(&event);
                return Ok(());
            }
            Event::Message { session, lane } => (session, Channel::Lane(lane)),
            Event::Latest { session, key } => (session, Channel::Key(key)),
            Event::Datagram { session } => (session, Channel::Datagram),
            _ => return Ok(()),
        };
        if !view.is_of_player(session) {
            return Ok(());
        }
        let arrival = self.arrive_at_server(session, channel, payload, view);
        arrival.map_err(|violation| Violation::new(format!("to session {session}, {channel:?}: {violation}")))
    }

    fn arrive_at_server(
        &mut self,
        session: SessionId,
        channel: Channel,
        message: &[u8],
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let speaker = match channel {
            Channel::Lane(lane) => self.speakers.get(&(session, lane)).copied(),
            _ => None,
        };
        let Some(process) = process_of(message).or(speaker) else {
            return Err(Violation::new("a message of nobody arrived"));
        };
        if let Channel::Lane(lane) = channel {
            self.speakers.insert((session, lane), process);
        }
        let (sender, receiver) = (self.identities.get(&process).copied(), view.lifecycles.client_of(session));
        ensure(sender.is_some() && sender == receiver, || {
            format!("{process} of {sender:?} is heard by {receiver:?}")
        })?;
        if channel != Channel::Datagram {
            let newest = self.newest.entry(session).or_insert(process);
            ensure(process >= *newest, || format!("{process} is heard after {newest}"))?;
            *newest = process;
        }
        self.upward.entry(process).or_default().receive(session.to_bits(), channel, message)
    }

    /// What was queued before the player came with another process may be gone.
    fn note_restart_of_lanes(&mut self, event: &LifecycleEvent) {
        if event.continuity == Some(Continuity::Restarted)
            && let Some(sent) = self.downward.get_mut(&(self.starts, event.session))
        {
            sent.reliable.restarted();
        }
    }

    fn on_player_event(
        &mut self,
        process: ProcessId,
        event: &ClientEvent,
        payload: &[u8],
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let channel = match *event {
            ClientEvent::Message { lane } => Channel::Lane(lane),
            ClientEvent::Latest { key } => Channel::Key(key),
            ClientEvent::Datagram => Channel::Datagram,
            ClientEvent::Reconnected { continuity: Continuity::Restarted } => {
                return self.check_new_to(process);
            }
            _ => return Ok(()),
        };
        let arrival = self.arrive_at_player(process, channel, payload, view);
        arrival.map_err(|violation| Violation::new(format!("to {process}, {channel:?}: {violation}")))
    }

    /// Lanes begin afresh only where the process did: nothing of its own may be lost.
    fn check_new_to(&self, process: ProcessId) -> Result<(), Violation> {
        let has_spoken = self.upward.contains_key(&process);
        ensure(!has_spoken, || format!("the lanes of {process}, which goes on, began afresh"))
    }

    fn arrive_at_player(
        &mut self,
        process: ProcessId,
        channel: Channel,
        message: &[u8],
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let Some(start) = start_of(message) else {
            return Err(Violation::new("a message that the server never made"));
        };
        let known = self.homes.get(&process).copied();
        let home = known.or_else(|| view.session_of(process).map(|session| (start, session)));
        // A process that ended in this very step cannot be asked any more.
        let Some(home) = home else { return Ok(()) };
        self.homes.insert(process, home);
        let is_meant = home.0 == start && is_for(message, home.1);
        ensure(is_meant, || format!("what {home:?} was given was meant for another session"))?;
        self.downward.entry(home).or_default().receive(process.0.into(), channel, message)
    }
}
