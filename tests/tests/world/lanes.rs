//! What the lanes promise, on networks of every quality.

use rejoin::client::{ClientEvent, ClientState};
use rejoin::lifecycle::{LifecycleEventKind, SessionState};
use rejoin::{Config, Continuity, Event, SessionId, UNORDERED_LANE};
use rejoin_tests::world::{Chance, Conditions, World, config};

/// The ordered lanes of each session here.
const ORDERED_LANES: u8 = 4;
/// The longest message on an ordered lane here; it is sent in 18 pieces.
const MESSAGE_BYTES_MAX: u64 = 20 * 1_024;
/// The longest message of the lane without order.
const UNORDERED_BYTES_MAX: u64 = 1_150;
/// Resume tokens that a client has unless it has just come back.
const TOKENS: usize = 3;
/// The virtual time in which a session has to come back, and everything to arrive.
const LIMIT_MS: u64 = 600_000;

/// All lanes, those with order first.
fn lanes() -> impl Iterator<Item = u8> {
    (0..ORDERED_LANES).chain([UNORDERED_LANE])
}

fn settings() -> Config {
    let mut config = config();
    config.ordered_lanes = ORDERED_LANES;
    config.reconnect_window_ms = Some(60_000);
    config.take_overs_max = 100;
    config
}

/// Messages with the lane they are for, in order.
type Messages = Vec<(u8, Vec<u8>)>;

/// One row of the table, under way.
struct Row {
    name: String,
    world: World,
    player: usize,
    id: SessionId,
    chance: Chance,
    up: Messages,
    down: Messages,
}

impl Row {
    /// A session on a network that loses and repeats so many of a hundred datagrams, and takes 100 to 300 ms for each.
    fn new(loss_percent: u64, duplicate_percent: u64, seed: u64) -> Self {
        let mut world = World::new(settings(), seed);
        let player = world.add_logged_in(1);
        world.wire.conditions = Conditions { loss_percent, duplicate_percent, delay_ms: 100, jitter_ms: 200 };
        Self {
            name: format!("{loss_percent} % lost, {duplicate_percent} % twice, seed {seed}"),
            id: world.session_id(player),
            world,
            player,
            chance: Chance::new(seed),
            up: Vec::new(),
            down: Vec::new(),
        }
    }

    /// Sends on all lanes in both directions, so many times.
    fn talk(&mut self, rounds: u32, pause_ms: u64) {
        for _ in 0..rounds {
            for lane in lanes() {
                let (up, down) = (self.message(lane, self.up.len()), self.message(lane, self.down.len()));
                let session = &mut self.world.players[self.player].session;
                session.send(lane, &up).expect("room in the client's queue");
                let now = self.world.now;
                self.world.server.send(now, self.id, lane, &down).expect("room in the server's queue");
                self.up.push((lane, up));
                self.down.push((lane, down));
            }
            self.world.run_for_ms(pause_ms);
        }
    }

    /// Mostly short ones; the first of a lane is one byte, the second as long as any.
    fn message(&mut self, lane: u8, sent_before: usize) -> Vec<u8> {
        let longest = if lane == UNORDERED_LANE { UNORDERED_BYTES_MAX } else { MESSAGE_BYTES_MAX };
        let len = match sent_before / lanes().count() {
            0 => 1,
            1 => longest,
            _ if self.chance.percent(10) => 1 + self.chance.below(longest),
            _ => 1 + self.chance.below(200),
        };
        (0..len).map(|_| self.chance.number().to_le_bytes()[0]).collect()
    }

    /// Nothing passes for longer than the server's timeout, and the talk goes on at both ends.
    fn outage(&mut self, moves: bool) {
        self.world.cut(self.player);
        self.talk(3, 1_500);
        assert_eq!(self.world.state(self.player), Some(SessionState::ReconnectPending), "{}", self.name);
        if moves {
            self.world.move_address(self.player);
        }
        self.world.heal(self.player);
        self.come_back();
    }

    /// The player sends from another address, and the talk goes on.
    fn move_address(&mut self) {
        self.world.move_address(self.player);
        self.come_back();
    }

    /// The talk goes on until the session is back, with tokens for the next time.
    fn come_back(&mut self) {
        let before = self.reconnects();
        self.talk(3, 100);
        self.wait_until("the session is back", |row| {
            let session = &row.world.players[row.player].session;
            let is_whole = session.state() == ClientState::LoggedIn && session.resume_tokens() >= TOKENS;
            is_whole && row.reconnects() > before
        });
    }

    /// Waits until as much arrived as was sent, and longer, for what might come twice.
    fn finish(&mut self) {
        self.wait_until("everything came", |row| {
            row.received_up().len() >= row.up.len() && row.received_down().len() >= row.down.len()
        });
        self.world.run_for_ms(3_000);
    }

    fn wait_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let limit = self.world.now.plus_millis(LIMIT_MS);
        while !holds(self) {
            assert!(self.world.now < limit, "{}: waited in vain until {what}", self.name);
            self.world.run_for_ms(100);
        }
    }

    fn received_up(&self) -> Messages {
        let messages = self.world.server_events.iter().filter_map(|(event, bytes)| match event {
            Event::Message { session, lane } if *session == self.id => Some((*lane, bytes.clone())),
            _ => None,
        });
        messages.collect()
    }

    fn received_down(&self) -> Messages {
        let messages =
            self.world.players[self.player].events.iter().filter_map(|(event, bytes)| match event {
                ClientEvent::Message { lane } => Some((*lane, bytes.clone())),
                _ => None,
            });
        messages.collect()
    }

    fn assert_complete(&self) {
        assert_same(&self.name, "up", &self.up, &self.received_up());
        assert_same(&self.name, "down", &self.down, &self.received_down());
    }

    /// How often the session came back, each time with its lanes.
    fn reconnects(&self) -> usize {
        let reconnects =
            self.world.lifecycle_of(self.id).filter(|event| event.kind == LifecycleEventKind::Reconnected);
        let all = reconnects.inspect(|event| {
            assert_eq!(event.continuity, Some(Continuity::Kept), "{}", self.name);
        });
        all.count()
    }
}

/// Every message once, and in the order of its lane where there is one.
fn assert_same(name: &str, direction: &str, sent: &Messages, received: &Messages) {
    for lane in lanes() {
        let of_lane = |messages: &Messages| {
            let mut messages: Vec<Vec<u8>> = messages
                .iter()
                .filter(|message| message.0 == lane)
                .map(|message| message.1.clone())
                .collect();
            if lane == UNORDERED_LANE {
                messages.sort_unstable();
            }
            messages
        };
        let (sent, received) = (of_lane(sent), of_lane(received));
        assert_eq!(received.len(), sent.len(), "{name}, {direction}, lane {lane}: how many came");
        let differs = (0..sent.len()).find(|&place| sent[place] != received[place]);
        assert_eq!(differs, None, "{name}, {direction}, lane {lane}: the first that differs");
    }
}

#[test]
fn every_lane_keeps_its_promise_on_networks_of_every_quality() {
    let table = [0, 5, 20, 40].into_iter().flat_map(|loss| [0, 25].map(|twice| (loss, twice)));
    for ((loss_percent, duplicate_percent), seed) in table.zip(100..) {
        let mut row = Row::new(loss_percent, duplicate_percent, seed);

        row.talk(8, 100);
        row.outage(false);
        row.talk(4, 100);
        row.move_address();
        row.talk(4, 100);
        row.outage(true);
        row.talk(4, 100);
        row.finish();

        row.assert_complete();
    }
}
