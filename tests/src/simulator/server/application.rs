//! The game on the server: it lets players in, publishes states, talks.

use std::collections::BTreeSet;

use rejoin::lifecycle::{LifecycleEventKind, SessionState};
use rejoin::{Event, MultiSessionManager, SendError, SessionId, Timestamp, UNORDERED_LANE};

use crate::laws::{Violation, ensure};
use crate::model::Command;
use crate::simulator::adversary::is_honest;
use crate::simulator::fault::Fault;
use crate::simulator::message::from_server;
use crate::simulator::plan::ServerPlan;
use crate::simulator::player::KEYS;
use crate::simulator::stage::Stage;
use crate::simulator::step::{Channel, Happening};
use crate::world::Chance;

/// The lanes with order that the application uses.
const LANES: u64 = 4;
/// The longest message on the lane without order, as a value, and as a datagram.
const PACKET_MESSAGE_BYTES_MAX: u64 = 1_150;

/// A login that the application thinks about.
#[derive(Clone, Copy, Debug)]
struct PendingLogin {
    session: SessionId,
    is_right: bool,
    answer_at_tick: u64,
}

/// The server's application, as long as one start lasts.
#[derive(Debug)]
pub(super) struct Application {
    start: u32,
    tick: u64,
    numbers: u32,
    logins: Vec<PendingLogin>,
    /// Sessions that ended since the last turn.
    ended: Vec<SessionId>,
    /// Sessions that were published a state.
    published: BTreeSet<SessionId>,
}

impl Application {
    pub(super) const fn new(start: u32) -> Self {
        Self { start, tick: 0, numbers: 0, logins: Vec::new(), ended: Vec::new(), published: BTreeSet::new() }
    }

    /// It is told something.
    pub(super) fn on_event(&mut self, event: Event, payload: &[u8], plan: &ServerPlan, chance: &mut Chance) {
        let Event::Lifecycle(event) = event else { return };
        match event.kind {
            LifecycleEventKind::LoginStarted => {
                let answer_at_tick = self.tick + chance.between(0..=plan.login_ticks_max);
                let is_right = payload == b"right";
                self.logins.push(PendingLogin { session: event.session, is_right, answer_at_tick });
            }
            LifecycleEventKind::Disconnected => self.ended.push(event.session),
            _ => {}
        }
    }

    /// What it does in each tick.
    pub(super) fn take_turn(
        &mut self,
        manager: &mut MultiSessionManager,
        local: Timestamp,
        plan: &ServerPlan,
        chance: &mut Chance,
        stage: &mut Stage,
    ) -> Result<(), Violation> {
        let tick = 1 + local.as_micros() / 1_000 * u64::from(plan.config.tick_hz) / 1_000;
        self.tick = tick.max(self.tick + 1);
        manager.set_server_tick(local, self.tick);
        stage.step.note(Happening::ServerTicked { tick: self.tick });
        self.answer_logins(manager, local, stage);
        let in_game: Vec<_> =
            manager.sessions().filter(|view| view.state().is_logged_in()).map(|view| view.id()).collect();
        let mut turn = Turn { application: self, manager, local, plan, chance, stage };
        let is_due = turn.application.tick.is_multiple_of(plan.publish_every);
        let changes = turn.stage.now < plan.publishes_until;
        for session in &in_game {
            if is_due && (changes || !turn.application.published.contains(session)) {
                turn.publish(*session);
            }
        }
        if !turn.stage.is_calm {
            for session in &in_game {
                turn.talk(*session);
            }
            turn.broadcast(&in_game);
        }
        self.check_ended(manager, local)
    }

    /// The handle of a session that has ended is an error, and never somebody else's session.
    fn check_ended(&mut self, manager: &mut MultiSessionManager, local: Timestamp) -> Result<(), Violation> {
        for session in self.ended.drain(..) {
            self.published.remove(&session);
            let sent = manager.send(local, session, 0, b"too late");
            ensure(sent == Err(SendError::UnknownSession), || {
                format!("session {session} has ended, but to send to it gave {sent:?}")
            })?;
            let removed = manager.remove(local, session);
            ensure(removed.is_err(), || format!("session {session} has ended, and was removed again"))?;
        }
        Ok(())
    }

    fn answer_logins(&mut self, manager: &mut MultiSessionManager, local: Timestamp, stage: &mut Stage) {
        let tick = self.tick;
        for login in self.logins.extract_if(.., |login| login.answer_at_tick <= tick) {
            let session = manager.session(login.session);
            let is_pending = session.is_some_and(|view| view.state() == SessionState::LoginPending);
            let is_player = session.is_some_and(|view| is_honest(view.client_id()));
            // An error means that the player has left meanwhile, or that nobody was asked.
            let (answered, command) = if login.is_right {
                (manager.accept_login(local, login.session), Command::Accept(login.session))
            } else if is_pending {
                if is_player {
                    stage.faults.count(Fault::Rejections);
                }
                (manager.reject_login(local, login.session, 7, "no"), Command::Reject(login.session, 7))
            } else {
                continue;
            };
            stage.step.note(Happening::ServerCommanded { command, is_done: answered.is_ok() });
        }
    }
}

/// One turn of the application.
struct Turn<'a> {
    application: &'a mut Application,
    manager: &'a mut MultiSessionManager,
    local: Timestamp,
    plan: &'a ServerPlan,
    chance: &'a mut Chance,
    stage: &'a mut Stage,
}

impl Turn<'_> {
    fn publish(&mut self, session: SessionId) {
        let tick = self.application.tick;
        let state = self.message(Some(session), self.plan.state_bytes_max);
        if self.manager.publish_state(self.local, session, tick, &state).is_ok() {
            self.application.published.insert(session);
            self.note(session, Channel::State(tick), &state);
        }
    }

    fn talk(&mut self, session: SessionId) {
        let talk = self.plan.talk;
        let in_packet = talk.message_bytes_max.min(PACKET_MESSAGE_BYTES_MAX);
        if self.chance.per_mille(talk.lane_per_mille) {
            let lane = u8::try_from(self.chance.below(LANES)).unwrap_or(0);
            self.send(session, lane, talk.message_bytes_max);
        }
        if self.chance.per_mille(talk.unordered_per_mille) {
            self.send(session, UNORDERED_LANE, in_packet);
        }
        if self.chance.per_mille(talk.latest_per_mille) {
            let key = u16::try_from(self.chance.below(KEYS)).unwrap_or(0);
            let value = self.message(Some(session), in_packet);
            if self.manager.send_latest(self.local, session, key, &value).is_ok() {
                self.note(session, Channel::Key(key), &value);
            }
        }
        if self.chance.per_mille(talk.datagram_per_mille) {
            let message = self.message(Some(session), in_packet);
            if self.manager.send_datagram(self.local, session, &message).is_ok() {
                self.note(session, Channel::Datagram, &message);
            }
        }
    }

    fn send(&mut self, session: SessionId, lane: u8, bytes_max: u64) {
        let message = self.message(Some(session), bytes_max);
        if self.manager.send(self.local, session, lane, &message).is_ok() {
            self.note(session, Channel::Lane(lane), &message);
        }
    }

    fn broadcast(&mut self, in_game: &[SessionId]) {
        if !self.chance.per_mille(self.plan.broadcast_per_mille) {
            return;
        }
        let lane = u8::try_from(self.chance.below(LANES)).unwrap_or(0);
        let message = self.message(None, self.plan.talk.message_bytes_max);
        let broadcast = self.manager.broadcast(self.local, lane, &message);
        for session in in_game {
            if broadcast.refused.iter().all(|(refused, _)| refused != session) {
                self.note(*session, Channel::Lane(lane), &message);
            }
        }
    }

    fn message(&mut self, session: Option<SessionId>, bytes_max: u64) -> Vec<u8> {
        let len = usize::try_from(self.chance.between(1..=bytes_max)).unwrap_or(0);
        self.application.numbers += 1;
        from_server(self.application.start, session, self.application.numbers, len)
    }

    fn note(&mut self, session: SessionId, channel: Channel, message: &[u8]) {
        self.stage.tally.note_queued(channel);
        self.stage.step.note(Happening::ServerQueued { session, channel, message: message.into() });
    }
}
