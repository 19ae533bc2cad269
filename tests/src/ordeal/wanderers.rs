//! Players whose networks, processes and logins come and go, while they and their server send all that is to arrive.

use rejoin::client::ClientState;
use rejoin::lifecycle::SessionState;
use rejoin::{SessionId, UNORDERED_LANE};

use crate::laws::{Violation, Watch, check_ways_back};
use crate::world::{Chance, Conditions, World};

const KEYS: u64 = 4;
/// The most messages of a burst, and the size of each in bytes: more than any queue holds.
const BURST_MESSAGES: usize = 400;
const BURST_MESSAGE_BYTES: usize = 2_000;

#[derive(Debug)]
pub(super) struct Wanderers {
    /// By identity, from 1: the newest process.
    players: Vec<usize>,
    /// By identity: the newest tick.
    ticks: Vec<u64>,
    /// What processes saved, and of which identity.
    saved: Vec<(u64, Vec<u8>)>,
    sent: u32,
}

impl Wanderers {
    /// These players of the world, the identities from 1 on.
    pub(super) fn new(players: Vec<usize>) -> Self {
        let ticks = vec![0; players.len()];
        Self { players, ticks, saved: Vec::new(), sent: 0 }
    }

    /// Something happens to one of them.
    pub(super) fn step(&mut self, world: &mut World, watch: &mut Watch, chance: &mut Chance) {
        let identity = 1 + chance.below(self.players.len() as u64);
        let player = self.player_of(identity);
        match chance.below(44) {
            0 => world.cut(player),
            1 | 2 => world.heal(player),
            3 => world.move_address(player),
            4 => world.wire.conditions = Conditions::ROUGH,
            5 => world.wire.conditions = Conditions::GOOD,
            6 => self.restart(world, identity),
            7 => world.run_for_ms(1_500),
            8 if chance.percent(30) => self.log_in_anew(world, identity),
            9 if chance.percent(30) => self.resume_from_old_copy(world, chance),
            10 if chance.percent(30) => self.player_bursts(world, watch, player),
            11 if chance.percent(30) => self.server_bursts(world, watch, player),
            12 if chance.percent(30) => be_away(world, chance, player),
            13..22 => self.player_sends(world, watch, chance, player),
            22..32 => self.server_sends(world, watch, chance, player),
            32..36 => self.moves(world, chance, identity),
            _ => {
                let pause_ms = chance.below(60);
                world.run_for_ms(pause_ms);
            }
        }
    }

    /// A router gives one of them another port.
    pub(super) fn move_port(&self, world: &mut World, chance: &mut Chance) {
        let identity = 1 + chance.below(self.players.len() as u64);
        world.move_port(self.player_of(identity));
    }

    /// Everybody gets a good network.
    pub(super) fn heal(&self, world: &mut World) {
        world.wire.conditions = Conditions::GOOD;
        self.players.iter().for_each(|player| world.heal(*player));
    }

    /// Says how many sessions are whole; those got everything.
    pub(super) fn check_complete(&self, world: &World, watch: &Watch) -> Result<usize, Violation> {
        let mut whole = 0;
        for &player in &self.players {
            // Who lost the network again before new resume tokens came has no way back.
            let is_back = world.state(player) == Some(SessionState::LoggedIn)
                && world.players[player].session.state() == ClientState::LoggedIn;
            let Some(id) = session_of(world, player).filter(|_| is_back) else { continue };
            watch.check_complete(player, id)?;
            check_ways_back(&world.players[player].session)?;
            whole += 1;
        }
        Ok(whole)
    }

    fn player_of(&self, identity: u64) -> usize {
        self.players[place(identity)]
    }

    /// The player's process ends, and another one goes on with what it had saved.
    fn restart(&mut self, world: &mut World, identity: u64) {
        let mut saved = Vec::new();
        let former = self.player_of(identity);
        if world.players[former].session.save(&mut saved) {
            world.cut(former);
            self.players[place(identity)] = world.add_player_from(identity, &saved);
            self.saved.push((identity, saved));
        }
    }

    /// Another process of the player logs in with a new token of the backend.
    fn log_in_anew(&mut self, world: &mut World, identity: u64) {
        let player = world.add_player(identity);
        world.players[player].session.login(b"a credential").expect("a new process may log in");
        self.players[place(identity)] = player;
    }

    /// A copy of what some process had saved is used once more.
    fn resume_from_old_copy(&self, world: &mut World, chance: &mut Chance) {
        if !self.saved.is_empty() {
            let index = usize::try_from(chance.below(self.saved.len() as u64)).expect("an index");
            let (identity, saved) = &self.saved[index];
            // It may have expired.
            let _ = world.try_add_player_from(*identity, saved);
        }
    }

    fn message(&mut self, tag: [u8; 2], len: usize) -> Vec<u8> {
        self.sent += 1;
        let mut message = tag.to_vec();
        message.extend(self.sent.to_le_bytes());
        message.resize(6 + len, 7);
        message
    }

    fn player_sends(&mut self, world: &mut World, watch: &mut Watch, chance: &mut Chance, player: usize) {
        let message = self.message(Watch::sender_tag(player), len(chance));
        let key = key(chance);
        let lane = if chance.percent(50) { 0 } else { UNORDERED_LANE };
        // A process that is not in the game yet, or not any more, cannot send.
        let session = &mut world.players[player].session;
        if session.send(lane, &message).is_ok() {
            watch.player_sent(player, lane, &message);
        }
        if session.send_latest(key, &message).is_ok() {
            watch.player_sent_latest(player, key, &message);
        }
    }

    fn server_sends(&mut self, world: &mut World, watch: &mut Watch, chance: &mut Chance, player: usize) {
        let Some(id) = session_of(world, player) else { return };
        let message = self.message([0xff; 2], len(chance));
        let key = key(chance);
        let lane = if chance.percent(50) { 1 } else { UNORDERED_LANE };
        if world.server.send(world.now, id, lane, &message).is_ok() {
            watch.server_sent(id, lane, &message);
        }
        if world.server.send_latest(world.now, id, key, &message).is_ok() {
            watch.server_sent_latest(id, key, &message);
        }
    }

    /// Sends as much as there is room for.
    fn player_bursts(&mut self, world: &mut World, watch: &mut Watch, player: usize) {
        for _ in 0..BURST_MESSAGES {
            let message = self.message(Watch::sender_tag(player), BURST_MESSAGE_BYTES);
            if world.players[player].session.send(0, &message).is_err() {
                return;
            }
            watch.player_sent(player, 0, &message);
        }
    }

    /// The same from the server.
    fn server_bursts(&mut self, world: &mut World, watch: &mut Watch, player: usize) {
        let Some(id) = session_of(world, player) else { return };
        for _ in 0..BURST_MESSAGES {
            let message = self.message([0xff; 2], BURST_MESSAGE_BYTES);
            if world.server.send(world.now, id, 1, &message).is_err() {
                return;
            }
            watch.server_sent(id, 1, &message);
        }
    }

    fn moves(&mut self, world: &mut World, chance: &mut Chance, identity: u64) {
        let player = self.player_of(identity);
        let tick = &mut self.ticks[place(identity)];
        *tick += 1 + chance.below(3);
        // As for messages.
        let _ = world.players[player].session.send_move(*tick, b"north");
    }
}

/// The player has no network for a while, perhaps for longer than its session waits.
fn be_away(world: &mut World, chance: &mut Chance, player: usize) {
    world.cut(player);
    world.run_for_ms(chance.below(12_000));
    world.heal(player);
}

fn place(identity: u64) -> usize {
    usize::try_from(identity - 1).expect("an index")
}

fn len(chance: &mut Chance) -> usize {
    usize::try_from(chance.below(9).pow(3)).expect("a length")
}

fn key(chance: &mut Chance) -> u16 {
    u16::try_from(chance.below(KEYS)).expect("a key")
}

fn session_of(world: &World, player: usize) -> Option<SessionId> {
    world.server.session_of(world.players[player].client_id).map(|view| view.id())
}
