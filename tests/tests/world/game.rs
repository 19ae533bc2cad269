//! A game of 60 ticks a second on a world: the server's simulation, and the frames of one player.

use rejoin::{Config, MovementCounters, SessionId, Timestamp};
use rejoin_tests::world::{Conditions, World, config};

pub(super) const TICK_HZ: u64 = 60;
/// The tick at which the simulation begins, so that none is 0.
const FIRST_TICK: u64 = 5_000;
/// What the lead is before there is a recommendation, in ticks.
const LEAD_AT_FIRST: u32 = 3;
/// The frames of the player fall between the ticks of the server.
const FRAME_OFFSET_MICROS: u64 = 5_300;

/// Each way takes 50 ms, 20 more or less.
pub(super) const FIFTY_GIVE_OR_TAKE_TWENTY: Conditions =
    Conditions { loss_percent: 0, duplicate_percent: 0, delay_ms: 30, jitter_ms: 40 };

/// A world with one player who is logged in, and where its game stands.
pub(super) struct Game {
    pub(super) world: World,
    pub(super) player: usize,
    pub(super) session: SessionId,
    /// When the simulation began.
    start: Timestamp,
    /// Ticks and frames that were due so far.
    ticks: u64,
    frames: u64,
    /// Ticks that it never ran.
    lost_ticks: u64,
    /// While it is set the server's simulation stands still.
    pub(super) is_stalled: bool,
    newest_sent: u64,
}

impl Game {
    pub(super) fn new(seed: u64, conditions: Conditions) -> Self {
        Self::with(config(), seed, conditions)
    }

    /// The same with other settings of the server.
    pub(super) fn with(config: Config, seed: u64, conditions: Conditions) -> Self {
        let mut world = World::new(config, seed);
        world.wire.conditions = conditions;
        let player = world.add_logged_in(1);
        let (session, start) = (world.session_id(player), world.now);
        Self {
            world,
            player,
            session,
            start,
            ticks: 0,
            frames: 0,
            lost_ticks: 0,
            is_stalled: false,
            newest_sent: 0,
        }
    }

    /// Lets so many frames of the player pass, with the ticks of the server between them, and does something in each.
    pub(super) fn run_frames(&mut self, frames: u64, mut on_frame: impl FnMut(&mut Self)) {
        let end = self.frames + frames;
        while self.frames < end {
            let tick_at = self.start.plus_micros(self.ticks * 1_000_000 / TICK_HZ);
            let frame_at = self.start.plus_micros(self.frames * 1_000_000 / TICK_HZ + FRAME_OFFSET_MICROS);
            if tick_at <= frame_at {
                self.world.run_to(tick_at);
                self.tick();
            } else {
                self.world.run_to(frame_at);
                self.frames += 1;
                on_frame(self);
            }
        }
    }

    /// The same where the player sends its inputs and nothing else is done.
    pub(super) fn play_frames(&mut self, frames: u64) {
        self.run_frames(frames, |game| {
            game.send_moves();
        });
    }

    /// The server's simulation takes a step, and shows it.
    fn tick(&mut self) {
        let tick = FIRST_TICK + self.ticks - self.lost_ticks;
        self.ticks += 1;
        if !self.is_stalled {
            let now = self.world.now;
            self.world.server.set_server_tick(now, tick);
            self.world.server.publish_state(now, self.session, tick, b"state").expect("a session");
        }
    }

    /// The simulation falls behind by so many seconds, and goes on from there.
    pub(super) fn lose_seconds(&mut self, seconds: u64) {
        self.lost_ticks += seconds * TICK_HZ;
    }

    /// How many microseconds of the game have passed, as the server's simulation counts them.
    pub(super) fn true_micros(&self) -> u64 {
        (FIRST_TICK - self.lost_ticks) * 1_000_000 / TICK_HZ + self.world.now.micros_since(self.start)
    }

    /// The player sends the inputs of all ticks up to the one that the recommended lead asks for. Gives the lead.
    pub(super) fn send_moves(&mut self) -> u32 {
        let now = self.world.now;
        let player = &mut self.world.players[self.player].session;
        let lead = player.recommended_lead_ticks().unwrap_or(LEAD_AT_FIRST);
        let Some(clock) = player.server_clock(now) else { return lead };
        let target = clock.tick + u64::from(lead);
        if self.newest_sent == 0 {
            self.newest_sent = target - 1;
        }
        for tick in self.newest_sent + 1..=target {
            player.send_move(tick, b"input").expect("a tick above all before");
        }
        self.newest_sent = self.newest_sent.max(target);
        lead
    }

    pub(super) fn moves(&self) -> MovementCounters {
        self.world.server.session(self.session).and_then(|view| view.moves()).expect("a logged-in session")
    }
}
