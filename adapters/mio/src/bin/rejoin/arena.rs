//! The game that `serve` plays: players drive around a square and see who is near. No network in here.
//!
//! The server decides everything: a player sends what the controls are set to, and the arena moves all players by one step at each
//! tick.

mod grid;
mod motion;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use rejoin::SessionId;

use self::grid::Grid;
use self::motion::Motion;
use crate::arena_wire::{Controls, STATE_HEAD_BYTES, Sighting};
use crate::text::{self, TextError};

/// All players of one server.
#[derive(Debug)]
pub(crate) struct Arena {
    step_s: f32,
    players: BTreeMap<SessionId, Player>,
    names: BTreeMap<String, SessionId>,
    /// Where everybody is, unless somebody moved, came or went since.
    grid: Grid,
    is_grid_stale: bool,
}

#[derive(Debug)]
struct Player {
    name: String,
    controls: Controls,
    motion: Motion,
}

/// Why a name cannot log in. The text is what the player sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameError {
    /// Nobody may be called so.
    Unfit(TextError),
    Taken,
}

impl NameError {
    /// The number that goes with the text, for a client that does not read English.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Unfit(error) => error.code(),
            Self::Taken => 3,
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(error) => write!(f, "that is no name: {error}"),
            Self::Taken => f.write_str("somebody in the arena has that name"),
        }
    }
}

impl Arena {
    /// An empty arena that moves `tick_hz` times a second.
    #[expect(clippy::cast_precision_loss, reason = "tick rates are small")]
    pub(crate) fn new(tick_hz: u32) -> Self {
        Self {
            step_s: 1.0 / tick_hz.max(1) as f32,
            players: BTreeMap::new(),
            names: BTreeMap::new(),
            grid: Grid::default(),
            is_grid_stale: true,
        }
    }

    /// Lets a session play under the name it asked for.
    pub(crate) fn join(&mut self, id: SessionId, name: &[u8]) -> Result<(), NameError> {
        let name = text::check_name(name).map_err(NameError::Unfit)?;
        if self.names.get(name).is_some_and(|&holder| holder != id) {
            return Err(NameError::Taken);
        }
        self.leave(id);
        let player = Player {
            name: name.to_owned(),
            controls: Controls::default(),
            motion: Motion::starting_at(id.index),
        };
        self.names.insert(name.to_owned(), id);
        self.players.insert(id, player);
        self.is_grid_stale = true;
        Ok(())
    }

    /// Takes a session out, and frees its name.
    pub(crate) fn leave(&mut self, id: SessionId) {
        if let Some(player) = self.players.remove(&id) {
            self.names.remove(&player.name);
            self.is_grid_stale = true;
        }
    }

    /// Sets a player's controls; they stay set until the next time.
    pub(crate) fn steer(&mut self, id: SessionId, controls: Controls) {
        if let Some(player) = self.players.get_mut(&id) {
            player.controls = controls;
        }
    }

    /// Lets go of the controls of a player who cannot be heard.
    pub(crate) fn release_controls(&mut self, id: SessionId) {
        self.steer(id, Controls::default());
    }

    /// Moves everybody by one tick.
    pub(crate) fn step(&mut self) {
        for player in self.players.values_mut() {
            player.motion.advance(player.controls, self.step_s);
        }
        self.is_grid_stale = true;
    }

    /// The name a session plays under.
    pub(crate) fn name(&self, id: SessionId) -> Option<&str> {
        self.players.get(&id).map(|player| player.name.as_str())
    }

    /// The sessions that play, in the order of their ids.
    pub(crate) fn players(&self) -> impl Iterator<Item = SessionId> {
        self.players.keys().copied()
    }

    /// Writes what one player sees: itself first, then the others from near to far, as many as fit into `bytes_max`.
    ///
    /// An unknown session sees nothing. Looks at those in the neighbourhood and not at everybody.
    pub(crate) fn write_surroundings(&mut self, id: SessionId, bytes_max: usize, state: &mut Vec<u8>) {
        state.clear();
        let Some(centre) = self.players.get(&id).map(|player| player.motion) else { return };
        let room = (bytes_max.saturating_sub(STATE_HEAD_BYTES) / Sighting::BYTES).min(usize::from(u8::MAX));
        self.refresh_grid();
        let others = self.grid.nearest(centre, room.saturating_add(1)).iter().filter(|other| other.id != id);
        let own = (room > 0).then_some((id, centre));
        state.push(0);
        for (id, motion) in own.into_iter().chain(others.map(|other| (other.id, other.motion))).take(room) {
            motion.sighting(id.index).write(state);
            state[0] += 1;
        }
    }

    fn refresh_grid(&mut self) {
        if std::mem::take(&mut self.is_grid_stale) {
            self.grid.fill(self.players.iter().map(|(&id, player)| (id, player.motion)));
        }
    }
}
