//! Where operations happen: a world, its watch, and who there ever was.

use rejoin::client::{ClientConfig, ClientState};
use rejoin::lifecycle::SessionState;
use rejoin::{ClientId, Config, Event, SessionId};

use super::operation::Tick;
use super::settings::Settings;
use crate::laws::{Watch, uphold};
use crate::world::{Conditions, World};

/// Virtual time of one input at most: enough for every deadline, and little enough to go through in a moment.
const LIFETIME_MS: u64 = 120_000;
/// How long players get to come back at the end, and how long messages get then.
const COMING_BACK_MS: u64 = 6_000;
const CALM_MS: u64 = 3_000;
/// Processes of one input at most.
const PLAYERS_MAX: usize = 12;

/// A world in use.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) watch: Watch,
    pub(super) config: Config,
    pub(super) client_config: ClientConfig,
    /// Every handle the application was ever given.
    pub(super) sessions: Vec<SessionId>,
    pub(super) server_tick: u64,
    server_events_read: usize,
    messages_made: u32,
    time_left_ms: u64,
}

impl Stage {
    pub(super) fn new(settings: &Settings) -> Self {
        let config = settings.config();
        let mut world = World::new(config.clone(), settings.seed.into());
        world.logins = settings.logins();
        world.wire.conditions = settings.conditions();
        world.wire.record = Some(Vec::new());
        world.keep_server_log();
        Self {
            watch: Watch::new(&config),
            world,
            config,
            client_config: settings.client_config(),
            sessions: Vec::new(),
            server_tick: 0,
            server_events_read: 0,
            messages_made: 0,
            time_left_ms: LIFETIME_MS,
        }
    }

    /// Notes the handles that the application was given since the last call.
    pub(super) fn note_sessions(&mut self) {
        for (event, _) in self.world.server_events.iter().skip(self.server_events_read) {
            if let Event::Lifecycle(event) = event
                && event.previous.is_none()
            {
                self.sessions.push(event.session);
            }
        }
        self.server_events_read = self.world.server_events.len();
    }

    /// Nothing disturbs anybody any more, and of each identity only the newest process has a network: whoever is in the game then gets
    /// everything that was sent.
    pub(super) fn calm_down(&mut self) {
        self.world.wire.conditions = Conditions::GOOD;
        for player in 0..self.world.players.len() {
            let client_id = self.world.players[player].client_id;
            let is_newest =
                self.world.players.iter().skip(player + 1).all(|other| other.client_id != client_id);
            self.world.players[player].is_up = is_newest;
        }
        self.world.run_for_ms(COMING_BACK_MS);
        let before = self.world.server_events.len();
        self.world.run_for_ms(CALM_MS);
        uphold(self.watch.check(&self.world));
        for player in 0..self.world.players.len() {
            if let Some(session) = self.undisturbed_session(player, before) {
                uphold(self.watch.check_complete(player, session));
            }
        }
    }

    /// The session of a player, if both ends are in the game on the same path and nothing happened since that many events.
    fn undisturbed_session(&self, player: usize, events: usize) -> Option<SessionId> {
        let player = &self.world.players[player];
        let view = self.world.server.session_at(player.address)?;
        let in_game =
            view.state() == SessionState::LoggedIn && player.session.state() == ClientState::LoggedIn;
        let is_same = view.client_id() == player.client_id && player.session.session_id() == Some(view.id());
        let is_disturbed = self.world.server_events.iter().skip(events).any(|(event, _)| match event {
            Event::Lifecycle(event) => event.session == view.id(),
            _ => false,
        });
        (in_game && is_same && !is_disturbed).then_some(view.id())
    }

    /// One of the processes there ever were.
    pub(super) fn player(&self, choice: u8) -> Option<usize> {
        usize::from(choice).checked_rem(self.world.players.len())
    }

    /// One of the sessions there ever were, counted from the newest.
    pub(super) fn session(&self, choice: u8) -> Option<SessionId> {
        let back = usize::from(choice).checked_rem(self.sessions.len())?;
        self.sessions.iter().rev().nth(back).copied()
    }

    pub(super) fn has_room_for_players(&self) -> bool {
        self.world.players.len() < PLAYERS_MAX
    }

    /// So much of a time span as this input may still use.
    pub(super) fn spend_ms(&mut self, millis: u64) -> u64 {
        let spent = millis.min(self.time_left_ms);
        self.time_left_ms -= spent;
        spent
    }

    pub(super) fn resolve(tick: Tick, last: u64) -> u64 {
        match tick {
            Tick::Next(step) => last.wrapping_add(step.into()),
            Tick::Any(tick) => tick,
        }
    }

    /// A message of about this length, different from every other, beginning with `tag`.
    pub(super) fn message(&mut self, tag: [u8; 2], len: u16) -> Vec<u8> {
        // Beyond 1,150 bytes a datagram is refused and a lane's message is cut into pieces.
        let len = usize::from(len) % 4_000;
        if len == 0 {
            return Vec::new();
        }
        self.messages_made += 1;
        let mut message = tag.to_vec();
        message.extend(self.messages_made.to_le_bytes());
        message.resize(len.max(message.len()), 0x3c);
        message
    }

    /// One of a few identities.
    pub(super) fn identity(choice: u8) -> ClientId {
        ClientId(u64::from(choice % 5))
    }
}
