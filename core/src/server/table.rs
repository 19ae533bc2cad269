//! The slots that sessions live in.

use alloc::boxed::Box;
use alloc::vec::Vec;

use slab::Slab;

use super::session::Session;
use crate::SessionId;
use crate::memory::{doubling_bytes_max, vec_bytes};

/// All sessions by slot. A slot whose session ended stays taken until the application has seen the end.
#[derive(Debug, Default)]
pub(super) struct SessionTable {
    slots: Slab<Slot>,
    /// Per slot ever used: how often it was freed.
    generations: Vec<u32>,
    live: usize,
}

/// What a slot takes: an occupied one is told from a free one, which knows the next free one.
const SLOT_BYTES: usize = size_of::<Slot>() + size_of::<usize>();

#[derive(Debug)]
enum Slot {
    Live(Box<Session>),
    /// The `Disconnected` event of this slot waits to be polled.
    Ended,
}

impl SessionTable {
    /// Sessions that have not ended.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    /// Slots that cannot be given to a newcomer.
    pub(super) fn taken(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn insert(&mut self, make: impl FnOnce(SessionId) -> Session) -> u32 {
        let entry = self.slots.vacant_entry();
        let slot = entry.key();
        if slot == self.generations.len() {
            self.generations.push(0);
        }
        // Proof: `Config::sessions_max` bounds the slots far below 2^32.
        let index = u32::try_from(slot).expect("fewer than 2^32 sessions");
        let id = SessionId { index, generation: self.generations[slot] };
        entry.insert(Slot::Live(Box::new(make(id))));
        self.live += 1;
        index
    }

    pub(super) fn get(&self, index: u32) -> Option<&Session> {
        match self.slots.get(index as usize) {
            Some(Slot::Live(session)) => Some(session),
            Some(Slot::Ended) | None => None,
        }
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Session> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Live(session)) => Some(session),
            Some(Slot::Ended) | None => None,
        }
    }

    /// The slot of a handle, if its session has not ended.
    pub(super) fn resolve(&self, id: SessionId) -> Option<u32> {
        self.get(id.index).filter(|session| session.id == id).map(|_| id.index)
    }

    /// Takes the session out; its slot stays taken until [`release`](Self::release).
    pub(super) fn end(&mut self, index: u32) -> Option<Box<Session>> {
        let slot = self.slots.get_mut(index as usize)?;
        match core::mem::replace(slot, Slot::Ended) {
            Slot::Live(session) => {
                self.live -= 1;
                Some(session)
            }
            Slot::Ended => None,
        }
    }

    /// Frees the slot of a session whose end was seen.
    pub(super) fn release(&mut self, id: SessionId) {
        let slot = id.index as usize;
        if matches!(self.slots.get(slot), Some(Slot::Ended)) && self.generations[slot] == id.generation {
            self.slots.remove(slot);
            self.generations[slot] = id.generation.wrapping_add(1);
        }
    }

    /// The memory it takes, without what its sessions refer to.
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * SLOT_BYTES + vec_bytes(&self.generations) + self.live * size_of::<Session>()
    }

    /// The most memory it takes with so many slots, without the sessions.
    pub(super) const fn memory_bytes_max(slots: usize) -> usize {
        doubling_bytes_max::<[u8; SLOT_BYTES]>(slots) + doubling_bytes_max::<u32>(slots)
    }

    /// All sessions that have not ended, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().filter_map(|(_, slot)| match slot {
            Slot::Live(session) => Some(&**session),
            Slot::Ended => None,
        })
    }

    /// One more than the highest slot in use, for walks that change the table.
    pub(super) fn index_end(&self) -> u32 {
        // As in `insert`.
        u32::try_from(self.generations.len()).expect("fewer than 2^32 sessions")
    }
}
