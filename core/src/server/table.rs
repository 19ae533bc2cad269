//! The slots that sessions live in.

use alloc::boxed::Box;
use alloc::vec::Vec;

use slab::Slab;

use super::session::Session;
use crate::ledger::{Record, SessionRecord};
use crate::memory::{doubling_bytes_max, vec_bytes};
use crate::{MovementCounters, SessionId};

/// All sessions by slot. A slot whose session ended stays taken until the application has seen the end.
#[derive(Debug, Default)]
pub(super) struct SessionTable {
    slots: Slab<Slot>,
    /// Per slot ever used: how often it was freed.
    generations: Vec<u32>,
    live: usize,
    /// The session whose slot was freed last, until the application goes on.
    last_ended: Option<(SessionId, Option<Box<Record>>)>,
}

/// What a slot takes: an occupied one is told from a free one, which knows the next free one.
const SLOT_BYTES: usize = size_of::<Slot>() + size_of::<usize>();

#[derive(Debug)]
enum Slot {
    Live(Box<Session>),
    /// The `Disconnected` event of this slot waits to be polled, and what its session went through can be read.
    Ended(Option<Box<Record>>),
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
            Some(Slot::Ended(_)) | None => None,
        }
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Session> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Live(session)) => Some(session),
            Some(Slot::Ended(_)) | None => None,
        }
    }

    /// The slot of a handle, if its session has not ended.
    pub(super) fn resolve(&self, id: SessionId) -> Option<u32> {
        self.get(id.index).filter(|session| session.id == id).map(|_| id.index)
    }

    /// Takes the session out; its slot stays taken until [`release`](Self::release).
    pub(super) fn end(&mut self, index: u32) -> Option<Box<Session>> {
        let slot = self.slots.get_mut(index as usize)?;
        let Slot::Live(session) = slot else { return None };
        let record = session.close_record();
        match core::mem::replace(slot, Slot::Ended(record)) {
            Slot::Live(session) => {
                self.live -= 1;
                Some(session)
            }
            Slot::Ended(_) => None,
        }
    }

    /// What a session went through that has ended: until its `Disconnected` was polled, and then until the next event is.
    pub(super) fn record_of_ended(&self, id: SessionId) -> Option<SessionRecord<'_>> {
        let last_ended = self.last_ended.as_ref().filter(|(ended, _)| *ended == id).map(|(_, record)| record);
        let record = last_ended.or_else(|| match self.slots.get(id.index as usize) {
            Some(Slot::Ended(record)) if self.generation(id.index) == Some(id.generation) => Some(record),
            _ => None,
        });
        record.map(|record| SessionRecord { record: record.as_deref(), moves: MovementCounters::default() })
    }

    /// The application goes on after the end of a session.
    pub(super) fn forget_last_ended(&mut self) {
        self.last_ended = None;
    }

    fn generation(&self, index: u32) -> Option<u32> {
        self.generations.get(index as usize).copied()
    }

    /// Frees the slot of a session whose end was seen.
    pub(super) fn release(&mut self, id: SessionId) {
        let slot = id.index as usize;
        if matches!(self.slots.get(slot), Some(Slot::Ended(_)))
            && self.generation(id.index) == Some(id.generation)
        {
            if let Slot::Ended(record) = self.slots.remove(slot) {
                self.last_ended = Some((id, record));
            }
            self.generations[slot] = id.generation.wrapping_add(1);
        }
    }

    /// The memory it takes, without what its sessions refer to.
    pub(super) fn memory_bytes(&self) -> usize {
        let waiting = self.slots.iter().filter_map(|(_, slot)| match slot {
            Slot::Live(_) => None,
            Slot::Ended(record) => record.as_deref(),
        });
        let last = self.last_ended.as_ref().and_then(|(_, record)| record.as_deref());
        let records: usize = waiting.chain(last).map(Record::memory_bytes).sum();
        self.slots.capacity() * SLOT_BYTES
            + vec_bytes(&self.generations)
            + self.live * size_of::<Session>()
            + records
    }

    /// The most memory it takes with so many slots, and so many entries in the history of a session; without the sessions.
    pub(super) const fn memory_bytes_max(slots: usize, history_max: u8) -> usize {
        doubling_bytes_max::<[u8; SLOT_BYTES]>(slots)
            + doubling_bytes_max::<u32>(slots)
            + (slots + 1).saturating_mul(Record::memory_bytes_max(history_max))
    }

    /// All sessions that have not ended, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().filter_map(|(_, slot)| match slot {
            Slot::Live(session) => Some(&**session),
            Slot::Ended(_) => None,
        })
    }

    /// One more than the highest slot in use, for walks that change the table.
    pub(super) fn index_end(&self) -> u32 {
        // As in `insert`.
        u32::try_from(self.generations.len()).expect("fewer than 2^32 sessions")
    }
}
