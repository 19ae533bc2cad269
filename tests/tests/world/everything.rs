//! Two players and their server use everything that is to arrive at once, while their networks and processes come and go.

use rejoin::client::ClientState;
use rejoin::lifecycle::SessionState;
use rejoin::{SessionId, UNORDERED_LANE};
use rejoin_tests::laws::{Watch, uphold};
use rejoin_tests::world::{Chance, Conditions, World, config};

const IDENTITIES: u64 = 2;
const KEYS: u64 = 4;

/// A world under watch, and the newest process of each identity.
struct Game {
    world: World,
    watch: Watch,
    chance: Chance,
    /// By identity, from 1.
    players: Vec<usize>,
    sent: u32,
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut world = World::new(config(), seed);
        let players = (1..=IDENTITIES).map(|identity| world.add_logged_in(identity)).collect();
        world.run_for_ms(1_000);
        Self { world, watch: Watch::new(&config()), chance: Chance::new(seed), players, sent: 0 }
    }

    fn step(&mut self) {
        let identity = self.chance.below(IDENTITIES);
        let place = usize::try_from(identity).expect("an index");
        let player = self.players[place];
        match self.chance.below(40) {
            0 => self.world.cut(player),
            1 | 2 => self.world.heal(player),
            3 => self.world.move_address(player),
            4 => self.world.wire.conditions = Conditions::ROUGH,
            5 => self.world.wire.conditions = Conditions::GOOD,
            6 => self.restart(place, identity + 1),
            7 => self.world.run_for_ms(1_500),
            8..20 => self.player_sends(player),
            20..32 => self.server_sends(player),
            _ => {
                let pause_ms = self.chance.below(60);
                self.world.run_for_ms(pause_ms);
            }
        }
        self.world.settle();
        uphold(self.watch.check(&self.world));
    }

    /// The player's process ends, and another one goes on with what it had saved.
    fn restart(&mut self, place: usize, identity: u64) {
        let mut saved = Vec::new();
        let former = self.players[place];
        if self.world.players[former].session.save(&mut saved) {
            self.world.cut(former);
            self.players[place] = self.world.add_player_from(identity, &saved);
        }
    }

    fn message(&mut self, tag: [u8; 2]) -> Vec<u8> {
        self.sent += 1;
        let mut message = tag.to_vec();
        message.extend(self.sent.to_le_bytes());
        message.resize(6 + usize::try_from(self.chance.below(9).pow(3)).expect("a length"), 7);
        message
    }

    fn key(&mut self) -> u16 {
        u16::try_from(self.chance.below(KEYS)).expect("a key")
    }

    fn player_sends(&mut self, player: usize) {
        let message = self.message(Watch::sender_tag(player));
        let key = self.key();
        let lane = if self.chance.percent(50) { 0 } else { UNORDERED_LANE };
        // A process that is not in the game yet, or not any more, cannot send.
        let session = &mut self.world.players[player].session;
        if session.send(lane, &message).is_ok() {
            self.watch.player_sent(player, lane, &message);
        }
        if session.send_latest(key, &message).is_ok() {
            self.watch.player_sent_latest(player, key, &message);
        }
    }

    fn server_sends(&mut self, player: usize) {
        let Some(id) = self.session_of(player) else { return };
        let message = self.message([0xff; 2]);
        let key = self.key();
        let lane = if self.chance.percent(50) { 1 } else { UNORDERED_LANE };
        let now = self.world.now;
        if self.world.server.send(now, id, lane, &message).is_ok() {
            self.watch.server_sent(id, lane, &message);
        }
        if self.world.server.send_latest(now, id, key, &message).is_ok() {
            self.watch.server_sent_latest(id, key, &message);
        }
    }

    fn session_of(&self, player: usize) -> Option<SessionId> {
        self.world.server.session_of(self.world.players[player].client_id).map(|view| view.id())
    }

    /// Everybody gets a good network; says how many sessions are whole and got everything.
    fn calm_down(&mut self) -> usize {
        self.world.wire.conditions = Conditions::GOOD;
        self.players.iter().for_each(|player| self.world.heal(*player));
        self.world.run_for_ms(12_000);
        uphold(self.watch.check(&self.world));
        let mut whole = 0;
        for &player in &self.players {
            // Who lost the network again before new resume tokens came has no way back.
            let is_back = self.world.state(player) == Some(SessionState::LoggedIn)
                && self.world.players[player].session.state() == ClientState::LoggedIn;
            let Some(id) = self.session_of(player).filter(|_| is_back) else { continue };
            uphold(self.watch.check_complete(player, id));
            whole += 1;
        }
        whole
    }
}

#[test]
fn whatever_happens_everything_arrives_as_its_kind_promises() {
    let mut whole = 0;
    for seed in 0..60 {
        let mut game = Game::new(seed);
        for _ in 0..250 {
            game.step();
        }
        whole += game.calm_down();
    }
    assert!(whole > 60, "most sessions last: {whole}");
}
