//! What the players say of themselves: of each player only the newest counts.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rejoin::SessionId;

use crate::arena_wire::{STATUS_KEYS, write_line};

/// The statuses of all players, each under the key of its player's session.
#[derive(Debug, Default)]
pub(crate) struct StatusBoard {
    /// As everybody is to see them; those of nobody are not in here.
    lines: BTreeMap<u16, Vec<u8>>,
    /// Keys whose newest line has not been spread.
    changed: BTreeSet<u16>,
}

impl StatusBoard {
    /// Replaces what a player says. There are keys for so many sessions only; what others say is not shown.
    pub(crate) fn set(&mut self, id: SessionId, name: &str, text: &str) {
        let Some(key) = key(id) else { return };
        let mut line = Vec::new();
        write_line(name, text, &mut line);
        if self.lines.get(&key) != Some(&line) {
            self.lines.insert(key, line);
            self.changed.insert(key);
        }
    }

    /// The player is gone.
    pub(crate) fn clear(&mut self, id: SessionId) {
        if let Some(key) = key(id)
            && self.lines.remove(&key).is_some()
        {
            self.changed.insert(key);
        }
    }

    /// What has changed since the last call, for everybody; an empty line where nobody is any more.
    pub(crate) fn take_changes(&mut self) -> impl Iterator<Item = (u16, &[u8])> {
        let lines = &self.lines;
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|key| (key, lines.get(&key).map_or(&[][..], Vec::as_slice)))
    }

    /// What a newcomer has missed, without that which everybody gets with the next changes.
    pub(crate) fn missed(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let is_spread = |(key, _): &(&u16, &Vec<u8>)| !self.changed.contains(key);
        self.lines.iter().filter(is_spread).map(|(&key, line)| (key, line.as_slice()))
    }
}

fn key(id: SessionId) -> Option<u16> {
    u16::try_from(id.index).ok().filter(|&key| key < STATUS_KEYS)
}
