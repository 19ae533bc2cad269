//! The receiving half: which values are news.

use alloc::vec::Vec;

use crate::memory::{reserve_vec, vec_bytes};
use crate::planted::{PlantedBug, is_planted};

/// What a value that arrived turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LatestArrival {
    /// Newer than any before of its key: to be delivered.
    Newer,
    /// That version of the key or a newer one came before.
    Stale,
    /// The session has no such key (P70).
    NoSuchKey,
}

/// Remembers the newest version of each key: 8 bytes for each up to the highest that was used.
#[derive(Debug, Default)]
pub(crate) struct LatestReceiver {
    /// By key; 0 before the first value.
    newest_versions: Vec<u64>,
    stale: u64,
}

impl LatestReceiver {
    /// Takes the version of a key's value, in a session with so many `keys` (P71).
    pub(crate) fn receive(&mut self, key: u16, version: u64, keys: u16) -> LatestArrival {
        if key >= keys {
            return LatestArrival::NoSuchKey;
        }
        self.make_room(key.into(), keys.into());
        let Some(newest) = self.newest_versions.get_mut(usize::from(key)) else {
            return LatestArrival::NoSuchKey;
        };
        let is_older = version < *newest && !is_planted(PlantedBug::LatestGoesBackwards);
        if version == *newest || is_older {
            self.stale += 1;
            return LatestArrival::Stale;
        }
        *newest = version;
        LatestArrival::Newer
    }

    /// Takes any version as newer again (P73).
    pub(crate) fn restart(&mut self) {
        self.newest_versions.clear();
    }

    /// How many values came after a newer one of their key, or again.
    pub(crate) const fn stale(&self) -> u64 {
        self.stale
    }

    /// The memory it takes.
    pub(crate) const fn memory_bytes(&self) -> usize {
        vec_bytes(&self.newest_versions)
    }

    /// The most memory that it takes in a session with so many keys.
    pub(crate) const fn memory_bytes_max(keys: u16) -> usize {
        keys as usize * size_of::<u64>()
    }

    /// Doubles, so that a peer that uses one key more each time costs little, but never beyond the last key.
    fn make_room(&mut self, key: usize, keys: usize) {
        let len = self.newest_versions.len();
        if key < len {
            return;
        }
        reserve_vec(&mut self.newest_versions, key + 1 - len, keys);
        self.newest_versions.resize(key + 1, 0);
    }
}
