//! One run of a player's program: the client's end, and the application on top.

use rejoin::client::{ClientEvent, ClientSession, ClientState};
use rejoin::{Timestamp, UNORDERED_LANE};

use crate::simulator::message::from_player;
use crate::simulator::plan::{PlayerPlan, Talk};
use crate::simulator::stage::Stage;
use crate::simulator::step::{Channel, Happening, ProcessId};
use crate::world::Chance;

/// The lanes with order that the application uses.
const LANES: u64 = 4;
/// The keys whose values change.
pub(in crate::simulator) const KEYS: u64 = 6;
/// The longest message on the lane without order, as a value, and as a datagram.
const PACKET_MESSAGE_BYTES_MAX: u64 = 1_150;

/// A player's program while it runs.
#[derive(Debug)]
pub(in crate::simulator) struct Process {
    pub(in crate::simulator) id: ProcessId,
    pub(in crate::simulator) session: ClientSession,
    /// Since when it waits to be let in, or back in, in true time.
    pub(super) waits_since: Option<Timestamp>,
    wrong_logins_left: u64,
    wants_login: bool,
    numbers: u32,
    /// The lanes on which a message has said whose it is.
    lanes_begun: u64,
    last_tick: u64,
}

impl Process {
    pub(super) const fn new(
        id: ProcessId,
        session: ClientSession,
        wrong_logins: u64,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            session,
            waits_since: Some(now),
            wrong_logins_left: wrong_logins,
            wants_login: false,
            numbers: 0,
            lanes_begun: 0,
            last_tick: 0,
        }
    }

    /// The faults stop: whoever waits begins to wait now, and knows its password.
    pub(super) fn calm_down(&mut self, now: Timestamp) {
        self.wrong_logins_left = 0;
        self.waits_since = self.waits_since.map(|_| now);
    }

    /// The application is told something.
    pub(super) const fn on_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connected { login_explicit } => self.wants_login = login_explicit,
            ClientEvent::LoginRejected { attempts_left, .. } => self.wants_login = attempts_left > 0,
            _ => {}
        }
    }

    /// What the application does again and again.
    pub(super) fn take_turn(
        &mut self,
        plan: &PlayerPlan,
        local: Timestamp,
        chance: &mut Chance,
        stage: &mut Stage,
    ) {
        let standing = self.session.state();
        self.waits_since = match standing {
            ClientState::LoggedIn => None,
            _ => self.waits_since.or(Some(stage.now)),
        };
        if self.wants_login {
            self.log_in();
        }
        if standing.is_logged_in() {
            self.move_on(local, chance, stage);
            if !stage.is_calm {
                self.talk(plan.talk, chance, stage);
            }
        }
    }

    fn log_in(&mut self) {
        let credential: &[u8] = if self.wrong_logins_left > 0 { b"wrong" } else { b"right" };
        if self.session.login(credential).is_ok() {
            self.wants_login = false;
            self.wrong_logins_left = self.wrong_logins_left.saturating_sub(1);
        }
    }

    fn move_on(&mut self, local: Timestamp, chance: &mut Chance, stage: &mut Stage) {
        let lead = self.session.recommended_lead_ticks().unwrap_or(3);
        let in_time = self.session.server_tick(local).unwrap_or(0) + u64::from(lead);
        let above = self.last_tick.max(self.session.move_high_water().unwrap_or(0)) + 1;
        let tick = in_time.max(above);
        let len = chance.between(4..=24);
        let input = self.message(len, true);
        if self.session.send_move(tick, &input).is_ok() {
            self.last_tick = tick;
            self.note(Channel::Move(tick), &input, stage);
        }
    }

    fn talk(&mut self, talk: Talk, chance: &mut Chance, stage: &mut Stage) {
        let in_packet = talk.message_bytes_max.min(PACKET_MESSAGE_BYTES_MAX);
        if chance.per_mille(talk.lane_per_mille) {
            self.send_on_lane(talk.message_bytes_max, chance, stage);
        }
        if chance.per_mille(talk.unordered_per_mille) {
            let message = self.message(chance.between(1..=in_packet), true);
            if self.session.send(UNORDERED_LANE, &message).is_ok() {
                self.note(Channel::Lane(UNORDERED_LANE), &message, stage);
            }
        }
        if chance.per_mille(talk.latest_per_mille) {
            let message = self.message(chance.between(1..=in_packet), true);
            let key = u16::try_from(chance.below(KEYS)).unwrap_or(0);
            if self.session.send_latest(key, &message).is_ok() {
                self.note(Channel::Key(key), &message, stage);
            }
        }
        if chance.per_mille(talk.datagram_per_mille) {
            let message = self.message(chance.between(1..=in_packet), true);
            if self.session.send_datagram(&message).is_ok() {
                self.note(Channel::Datagram, &message, stage);
            }
        }
    }

    fn send_on_lane(&mut self, bytes_max: u64, chance: &mut Chance, stage: &mut Stage) {
        let lane = chance.below(LANES);
        let is_first = self.lanes_begun >> lane & 1 == 0;
        let message = self.message(chance.between(1..=bytes_max), is_first);
        let lane_number = u8::try_from(lane).unwrap_or(0);
        if self.session.send(lane_number, &message).is_ok() {
            self.lanes_begun |= 1 << lane;
            self.note(Channel::Lane(lane_number), &message, stage);
        }
    }

    fn message(&mut self, len: u64, is_tagged: bool) -> Vec<u8> {
        self.numbers += 1;
        from_player(self.id, self.numbers, usize::try_from(len).unwrap_or(0), is_tagged)
    }

    fn note(&self, channel: Channel, message: &[u8], stage: &mut Stage) {
        let happening = Happening::PlayerQueued { process: self.id, channel, message: message.into() };
        stage.tally.note_queued(channel);
        stage.step.note(happening);
    }
}
