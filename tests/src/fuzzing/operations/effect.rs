//! What operations do, and what the answers to them must be.

use std::net::SocketAddr;

use rejoin::lifecycle::SessionState;
use rejoin::{Drain, KeyHistory, LoginError, SendError, SessionId, UNORDERED_LANE};

use super::operation::{
    ApplicationOperation, HostOperation, NetworkOperation, Operation, PlayerOperation, TimeOperation,
};
use super::stage::Stage;
use crate::laws::Watch;
use crate::model::Command;
use crate::world::{Datagram, server_address};

/// The lanes of a session and one that it does not have.
const LANES_TRIED: u8 = 5;
/// The most bytes of a value that is tried: one more than a packet takes.
const VALUE_BYTES_TRIED: u16 = 1_151;
/// The length of a message of a talk.
const TALK_BYTES: u16 = 20;

/// Where something that is to arrive is sent.
enum Channel {
    Lane(u8),
    Key(u16),
}

impl Channel {
    /// Mostly lanes, those with order and the one without; else one of a few keys, some of which no session has.
    fn of(choice: u8) -> Self {
        match choice {
            0..160 => Self::Lane(choice % LANES_TRIED),
            160..200 => Self::Lane(UNORDERED_LANE),
            200.. => Self::Key(u16::from(choice - 200)),
        }
    }
}

impl Stage {
    /// Lets an operation happen, and everything that follows from it at once.
    pub(super) fn take(&mut self, operation: &Operation) {
        match operation {
            Operation::Players(operation) => self.take_player(operation),
            Operation::Application(operation) => self.take_application(operation),
            Operation::Host(operation) => self.take_host(operation),
            Operation::Network(operation) => self.take_network(operation),
            Operation::Time(operation) => self.take_time(operation),
        }
        self.world.settle();
        self.note_sessions();
    }

    fn take_player(&mut self, operation: &PlayerOperation) {
        match *operation {
            PlayerOperation::Join { identity } => self.join(identity),
            PlayerOperation::Talk { player } => self.talk(player),
            PlayerOperation::Resume { player } => self.resume(player),
            PlayerOperation::Login { player, len } => {
                let Some(player) = self.player(player) else { return };
                let credential = vec![7; usize::from(len) % 1_040];
                // Whether it fits the client's state is the client's to say.
                let _ = self.world.players[player].session.login(&credential);
            }
            PlayerOperation::Send { player, lane, len } => {
                let Some(player) = self.player(player) else { return };
                match Channel::of(lane) {
                    Channel::Lane(lane) => self.player_sends(player, lane, len),
                    Channel::Key(key) => self.player_sends_latest(player, key, len),
                }
            }
            PlayerOperation::SendDatagram { player, len } => {
                let Some(player) = self.player(player) else { return };
                let message = self.message([0; 2], len);
                let _ = self.world.players[player].session.send_datagram(&message);
            }
            PlayerOperation::Move { player, tick } => {
                let Some(player) = self.player(player) else { return };
                let session = &mut self.world.players[player].session;
                let last = session.move_high_water().unwrap_or(0);
                let tick = Self::resolve(tick, last);
                let _ = session.send_move(tick, b"run");
            }
            PlayerOperation::Leave { player } => {
                let Some(player) = self.player(player) else { return };
                let now = self.world.now;
                self.world.players[player].session.disconnect(now);
            }
            PlayerOperation::Crash { player } => {
                let Some(player) = self.player(player) else { return };
                self.world.cut(player);
            }
        }
    }

    fn join(&mut self, identity: u8) {
        if !self.has_room_for_players() {
            return;
        }
        let client_id = Self::identity(identity);
        let token = self.world.mint(client_id);
        let player = self.world.add_player_with(client_id.0, &token, self.client_config.clone());
        if identity / 5 % 4 != 3 {
            // Where the token is the login this is refused.
            let _ = self.world.players[player].session.login(b"a credential");
        }
    }

    fn resume(&mut self, player: u8) {
        let Some(player) = self.player(player).filter(|_| self.has_room_for_players()) else { return };
        let mut saved = Vec::new();
        if self.world.players[player].session.save(&mut saved) {
            let client_id = self.world.players[player].client_id;
            // A server whose wall clock is far behind makes tokens that have expired elsewhere.
            let _ = self.world.try_add_player_from(client_id.0, &saved);
        }
    }

    fn player_sends(&mut self, player: usize, lane: u8, len: u16) {
        let message = self.message(Watch::sender_tag(player), len);
        if self.world.players[player].session.send(lane, &message).is_ok() {
            self.watch.player_sent(player, lane, &message);
        }
    }

    fn player_sends_latest(&mut self, player: usize, key: u16, len: u16) {
        let value = self.message(Watch::sender_tag(player), 1 + len % VALUE_BYTES_TRIED);
        if self.world.players[player].session.send_latest(key, &value).is_ok() {
            self.watch.player_sent_latest(player, key, &value);
        }
    }

    fn talk(&mut self, choice: u8) {
        if choice.is_multiple_of(2) {
            (0..self.world.players.len()).for_each(|player| self.exchange(player));
        } else if let Some(player) = self.player(choice) {
            self.exchange(player);
        }
    }

    fn exchange(&mut self, player: usize) {
        let key = u16::try_from(player % 3).unwrap_or_default();
        self.player_sends(player, 0, TALK_BYTES);
        self.player_sends(player, UNORDERED_LANE, TALK_BYTES);
        self.player_sends_latest(player, key, TALK_BYTES);
        let client_id = self.world.players[player].client_id;
        let Some(session) = self.world.server.session_of(client_id).map(|view| view.id()) else { return };
        self.server_sends(session, 0, TALK_BYTES);
        self.server_sends(session, UNORDERED_LANE, TALK_BYTES);
        self.server_sends_latest(session, key, TALK_BYTES);
    }

    fn take_application(&mut self, operation: &ApplicationOperation) {
        match *operation {
            ApplicationOperation::Accept { session } => {
                let Some(session) = self.session(session) else { return };
                let answer = self.world.server.accept_login(self.world.now, session);
                self.world.note_command(Command::Accept(session), answer.is_ok());
                assert_eq!(answer, self.expected_login_answer(session), "accept_login({session})");
            }
            ApplicationOperation::Reject { session, code, len } => {
                let Some(session) = self.session(session) else { return };
                let text = "é".repeat(usize::from(len) % 200);
                let answer = self.world.server.reject_login(self.world.now, session, code, &text);
                self.world.note_command(Command::Reject(session, code), answer.is_ok());
                assert_eq!(answer, self.expected_login_answer(session), "reject_login({session})");
            }
            ApplicationOperation::Send { session, lane, len } => {
                let Some(session) = self.session(session) else { return };
                match Channel::of(lane) {
                    Channel::Lane(lane) => self.server_sends(session, lane, len),
                    Channel::Key(key) => self.server_sends_latest(session, key, len),
                }
            }
            ApplicationOperation::Broadcast { lane, len } => self.broadcast(lane, len),
            ApplicationOperation::SendDatagram { session, len } => {
                let Some(session) = self.session(session) else { return };
                let message = self.message([0; 2], len);
                let answer = self.world.server.send_datagram(self.world.now, session, &message);
                self.check_send_answer(session, answer);
            }
            ApplicationOperation::Publish { session, tick, len } => {
                let Some(session) = self.session(session) else { return };
                let state = vec![9; usize::from(len) % 1_160];
                let answer = self.world.server.publish_state(self.world.now, session, tick, &state);
                self.check_send_answer(session, answer);
            }
            ApplicationOperation::Disconnect { session, len } => {
                let Some(session) = self.session(session) else { return };
                let detail = vec![1; usize::from(len) % 300];
                let answer = self.world.server.disconnect(self.world.now, session, 5, &detail);
                self.world.note_command(Command::Disconnect(session, 5), answer.is_ok());
                assert_eq!(answer.is_ok(), self.expected_state(session).is_some(), "disconnect({session})");
            }
            ApplicationOperation::Remove { session } => {
                let Some(session) = self.session(session) else { return };
                let answer = self.world.server.remove(self.world.now, session);
                self.world.note_command(Command::Remove(session), answer.is_ok());
                assert_eq!(answer.is_ok(), self.expected_state(session).is_some(), "remove({session})");
            }
            ApplicationOperation::Invent { index, generation } => {
                let session = SessionId { index, generation };
                if !self.sessions.contains(&session) {
                    let answer = self.world.server.remove(self.world.now, session);
                    assert!(answer.is_err(), "remove({session}), which never was");
                }
            }
        }
    }

    fn server_sends(&mut self, session: SessionId, lane: u8, len: u16) {
        let message = self.message([0xff; 2], len);
        let answer = self.world.server.send(self.world.now, session, lane, &message);
        if answer.is_ok() {
            self.watch.server_sent(session, lane, &message);
        }
        self.check_send_answer(session, answer);
    }

    fn server_sends_latest(&mut self, session: SessionId, key: u16, len: u16) {
        let value = self.message([0xff; 2], 1 + len % VALUE_BYTES_TRIED);
        let answer = self.world.server.send_latest(self.world.now, session, key, &value);
        if answer.is_ok() {
            self.watch.server_sent_latest(session, key, &value);
        }
        self.check_send_answer(session, answer);
    }

    fn broadcast(&mut self, lane: u8, len: u16) {
        let message = self.message([0xff; 2], len);
        let lane = lane % LANES_TRIED;
        let broadcast = self.world.server.broadcast(self.world.now, lane, &message);
        let logged_in = self.watch.lifecycles().live().filter(|(_, state)| state.is_logged_in());
        let (refused, queued): (Vec<_>, Vec<_>) = logged_in
            .map(|(id, _)| id)
            .partition(|id| broadcast.refused.iter().any(|(other, _)| other == id));
        assert_eq!(queued.len(), broadcast.queued, "for whom the broadcast was queued");
        assert_eq!(refused.len(), broadcast.refused.len(), "for whom the broadcast was not queued");
        for session in queued {
            self.watch.server_sent(session, lane, &message);
        }
    }

    /// The state of a session that has not ended, as far as the events told.
    fn expected_state(&self, session: SessionId) -> Option<SessionState> {
        self.watch.lifecycles().state_of(session)
    }

    fn expected_login_answer(&self, session: SessionId) -> Result<(), LoginError> {
        match self.expected_state(session) {
            None => Err(LoginError::UnknownSession),
            Some(SessionState::LoginPending) => Ok(()),
            Some(_) => Err(LoginError::NotPending),
        }
    }

    fn check_send_answer(&self, session: SessionId, answer: Result<(), SendError>) {
        let state = self.expected_state(session);
        let is_logged_in = state.is_some_and(SessionState::is_logged_in);
        let fits = match answer {
            Err(SendError::UnknownSession) => state.is_none(),
            Err(SendError::NotLoggedIn) => state.is_some() && !is_logged_in,
            Err(SendError::Size { .. }) => true,
            Ok(()) | Err(_) => is_logged_in,
        };
        assert!(fits, "session {session} in {state:?} answered {answer:?}");
    }

    fn drain(&mut self, drain: Drain) {
        let is_done = self.world.server.drain(self.world.now, drain).is_ok();
        self.world.note_command(Command::Drain(drain), is_done);
    }

    fn take_host(&mut self, operation: &HostOperation) {
        let now = self.world.now;
        match *operation {
            HostOperation::Close { choice: 0 } => self.drain(Drain::default()),
            HostOperation::Close { choice: 1 } => {
                self.world.server.shutdown(now);
                self.world.note_command(Command::Shutdown, true);
            }
            HostOperation::Close { choice: 2 } => {
                self.drain(Drain { within_ms: Some(3_000), ..Drain::default() });
            }
            HostOperation::Close { choice: port @ (3 | 4) } => {
                // A port that nobody reaches, or one that somebody may.
                let other_address = Some(SocketAddr::from(([203, 0, 113, 2], u16::from(port) - 3)));
                self.drain(Drain { within_ms: Some(500), code: 7, other_address });
            }
            HostOperation::Close { .. } => {}
            HostOperation::Restart { choice } => {
                if choice % 8 != 0 {
                    return;
                }
                // Whatever it was before, the key has been used by now. A process takes more than a second to come back, so that no
                // token made before is as young as those made after.
                self.config.key_history = KeyHistory::Reused;
                self.world.now = self.world.now.plus_millis(1_001);
                self.world.restart_server(self.config.clone());
                self.watch.server_restarted();
                self.sessions.clear();
            }
            HostOperation::SetTick { tick } => {
                self.server_tick = Self::resolve(tick, self.server_tick);
                self.world.server.set_server_tick(now, self.server_tick);
                self.world.note_command(Command::SetTick(self.server_tick), true);
            }
            HostOperation::SetUnixTime { root_s } => {
                let off_s = i64::from(root_s).pow(3);
                self.world.server.set_unix_time(now, self.world.unix_s().saturating_add_signed(off_s));
            }
            HostOperation::SetPublicAddresses { count, port } => {
                let others = (0..count % 40).map(|last| SocketAddr::from(([203, 0, 113, last], port)));
                let addresses: Vec<_> = others.chain([server_address()]).collect();
                let is_valid = addresses.len() <= 32 && (addresses.len() == 1 || port != 0);
                let answer = self.world.server.set_public_addresses(&addresses);
                assert_eq!(answer.is_ok(), is_valid, "{} public addresses", addresses.len());
            }
            HostOperation::Ban { identity, millis } => {
                let until = now.plus_millis(millis.into());
                // Refused when there are too many bans.
                let client_id = Self::identity(identity);
                let answer = self.world.server.ban(now, client_id, until);
                self.world.note_command(Command::Ban(client_id, until), answer.is_ok());
            }
            HostOperation::LiftBan { identity } => {
                let client_id = Self::identity(identity);
                self.world.server.lift_ban(client_id);
                self.world.note_command(Command::LiftBan(client_id), true);
            }
            HostOperation::Hold { is_on } => {
                self.world.server.set_hold(now, is_on);
                self.world.note_command(Command::Hold(is_on), true);
                self.watch.deadlines_held(now, is_on);
            }
        }
    }

    fn take_network(&mut self, operation: &NetworkOperation) {
        match operation {
            NetworkOperation::Cut { player } => {
                let Some(player) = self.player(*player) else { return };
                self.world.cut(player);
            }
            NetworkOperation::Heal { player } => {
                let Some(player) = self.player(*player) else { return };
                self.world.heal(player);
            }
            NetworkOperation::Move { player: choice } => {
                let Some(player) = self.player(*choice) else { return };
                if *choice > u8::MAX / 2 {
                    self.world.move_port(player);
                } else {
                    self.world.move_address(player);
                }
            }
            NetworkOperation::Outage { player, deciseconds, moves } => {
                let Some(player) = self.player(*player) else { return };
                self.world.cut(player);
                let millis = self.spend_ms(100 * u64::from(*deciseconds));
                self.world.run_for_ms(millis);
                if *moves {
                    self.world.move_address(player);
                }
                self.world.heal(player);
            }
            NetworkOperation::TakeAddress { player, of } => {
                let Some((player, of)) = self.player(*player).zip(self.player(*of)) else { return };
                self.world.players[player].address = self.world.players[of].address;
                if of != player {
                    self.world.cut(of);
                }
            }
            NetworkOperation::Replay { back, from, flip } => self.replay(*back, *from, *flip),
            NetworkOperation::Raw { from, bytes } => {
                let from =
                    self.player(*from).map_or_else(server_address, |from| self.world.players[from].address);
                let datagram = Datagram { from, to: server_address(), bytes: bytes.clone() };
                self.world.deliver(datagram);
            }
        }
    }

    fn replay(&mut self, back: u16, from: Option<u8>, flip: Option<(u16, u8)>) {
        let record = self.world.wire.record.as_deref().unwrap_or_default();
        let Some(back) = usize::from(back).checked_rem(record.len()) else { return };
        let mut datagram = record[record.len() - 1 - back].clone();
        if let Some(player) = from.and_then(|from| self.player(from)) {
            datagram.from = self.world.players[player].address;
        }
        if let Some((position, mask)) = flip {
            let position = usize::from(position) % datagram.bytes.len();
            datagram.bytes[position] ^= mask;
        }
        self.world.deliver(datagram);
    }

    fn take_time(&mut self, operation: &TimeOperation) {
        match *operation {
            TimeOperation::Wait { millis } => {
                let millis = self.spend_ms(millis.into());
                self.world.run_for_ms(millis);
            }
            TimeOperation::WaitLong { deciseconds } => {
                let millis = self.spend_ms(100 * u64::from(deciseconds));
                self.world.run_for_ms(millis);
            }
            TimeOperation::Stall { millis } => {
                let millis = self.spend_ms(millis.into());
                self.world.now = self.world.now.plus_millis(millis);
                self.world.run_for_ms(0);
            }
            TimeOperation::Backward { millis } => {
                let micros = self.world.now.as_micros().saturating_sub(1_000 * u64::from(millis));
                let earlier = rejoin::Timestamp::from_micros(micros);
                self.world.server.handle_timeout(earlier);
            }
        }
    }
}
