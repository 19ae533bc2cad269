//! The sending half: the newest value of each key, until the peer has acknowledged it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::store::ValueStore;
use crate::link::frame::VALUE_BYTES_MAX;
use crate::memory::{Room, Thrift, deque_bytes, needed_bytes, reserve_deque, reserve_vec, vec_bytes};

/// The most sendings whose fate is remembered at a time; 4 bytes each. What is beyond waits until the oldest are settled.
pub(super) const SENDINGS_MAX: usize = 4_096;
/// So many can be remembered whatever else takes memory: else values could not leave.
const SENDINGS_GUARANTEED: usize = 16;

/// Why a value was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LatestSendError {
    /// The value is larger than one packet takes.
    Size,
    /// The session has no such key.
    NoSuchKey,
    /// The values that are not acknowledged leave no room.
    Full {
        /// How many bytes of them the peer has to acknowledge before there is.
        bytes_to_acknowledge: usize,
    },
}

/// How far the newest value of a key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It has arrived, or there never was one.
    Acknowledged,
    /// It is to be sent, for the first time or again: its key stands in line.
    Pending,
    /// It was sent, and nothing was heard since.
    InFlight,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// How many values it was given; 0 before the first.
    version: u64,
    /// Where the newest is kept, unless it is acknowledged.
    position: usize,
    /// Sendings of the newest have this number or a higher one.
    sendings_from: u64,
    /// The number of the newest sending of any of its values; 0 before the first.
    newest_sending: u64,
    progress: Progress,
}

impl Slot {
    const EMPTY: Self = Self {
        version: 0,
        position: 0,
        sendings_from: 0,
        newest_sending: 0,
        progress: Progress::Acknowledged,
    };
}

/// A value that is to be written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutgoingValue<'a> {
    /// Its key.
    pub(crate) key: u16,
    /// Which of the key's values it is, from 1.
    pub(crate) version: u64,
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
}

/// Keeps the newest value of each key and sends it until it is acknowledged or replaced (P72).
///
/// Each writing of a value into a packet is a *sending* and has a number, so that a packet's record needs only the first number and a
/// count, and its fate costs work for what it carried alone.
#[derive(Debug)]
pub(crate) struct LatestSender {
    /// By key, up to the highest that was used; 40 bytes each.
    slots: Vec<Slot>,
    store: ValueStore,
    /// Keys with something to send, in the order in which they came to have it.
    line: VecDeque<u16>,
    /// The key of each sending from `first_sending` on, until its fate is known. The first one's is not.
    sendings: VecDeque<Option<u16>>,
    /// The number of the first of them; they are counted from 1.
    first_sending: u64,
    /// How many sendings are remembered at a time.
    sendings_max: usize,
    replaced: u64,
}

impl LatestSender {
    /// The memory that a sender has whatever else takes memory.
    pub(crate) const GUARANTEED_BYTES: usize = SENDINGS_GUARANTEED * size_of::<Option<u16>>();

    /// A sender whose values together, with 4 bytes beside each, have at most `queue_bytes_max` bytes.
    pub(crate) const fn new(queue_bytes_max: usize) -> Self {
        Self {
            slots: Vec::new(),
            store: ValueStore::new(queue_bytes_max),
            line: VecDeque::new(),
            sendings: VecDeque::new(),
            first_sending: 1,
            sendings_max: SENDINGS_MAX,
            replaced: 0,
        }
    }

    /// Gives a key a new value of at most [`VALUE_BYTES_MAX`] bytes, in a session with so many `keys`. On an error the key keeps the
    /// value it has.
    pub(crate) fn set(&mut self, key: u16, value: &[u8], keys: u16) -> Result<(), LatestSendError> {
        if key >= keys {
            return Err(LatestSendError::NoSuchKey);
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(LatestSendError::Size);
        }
        let replaced = self.unacknowledged(key);
        let replaced_position = replaced.map(|slot| slot.position);
        let bytes_to_acknowledge = self.store.bytes_in_the_way_of(value.len(), replaced_position);
        if bytes_to_acknowledge > 0 {
            return Err(LatestSendError::Full { bytes_to_acknowledge });
        }
        self.replaced += u64::from(replaced.is_some_and(|slot| slot.newest_sending < slot.sendings_from));
        self.make_slot(key, keys);
        let position = self.keep(key, value, replaced_position);
        let sendings_from = self.next_sending();
        if let Some(slot) = self.slots.get_mut(usize::from(key)) {
            slot.version = slot.version.saturating_add(1);
            slot.position = position;
            slot.sendings_from = sendings_from;
        }
        self.line_up(key);
        Ok(())
    }

    /// The value that is to be sent next, if one may.
    pub(crate) fn next_to_send(&self) -> Option<OutgoingValue<'_>> {
        let key = *self.line.front().filter(|_| self.sendings.len() < self.sendings_max)?;
        let slot = self.slot(key)?;
        Some(OutgoingValue { key, version: slot.version, bytes: self.store.get(slot.position) })
    }

    /// To be called when [`next_to_send`](Self::next_to_send) was written into a packet; returns the number of the sending.
    pub(crate) fn on_sent(&mut self) -> u64 {
        let number = self.next_sending();
        let key = self.line.pop_front();
        if let Some(slot) = key.and_then(|key| self.slots.get_mut(usize::from(key))) {
            slot.progress = Progress::InFlight;
            slot.newest_sending = number;
        }
        reserve_deque(&mut self.sendings, 1, self.sendings_max);
        self.sendings.push_back(key);
        number
    }

    /// The peer has what `count` sendings from number `first` on carried.
    pub(crate) fn on_acked(&mut self, first: u64, count: u16) {
        for number in first..first.saturating_add(count.into()) {
            let Some(key) = self.settle(number) else { continue };
            let Some(slot) = self.slots.get_mut(usize::from(key)) else { continue };
            // An older value of the key says nothing about the newest.
            if number >= slot.sendings_from && slot.progress != Progress::Acknowledged {
                slot.progress = Progress::Acknowledged;
                self.store.remove(slot.position);
            }
        }
    }

    /// The packet of `count` sendings from number `first` on is lost: what they carried is sent again where it is still the newest of
    /// its key and did not leave once more meanwhile.
    pub(crate) fn on_lost(&mut self, first: u64, count: u16) {
        for number in first..first.saturating_add(count.into()) {
            let Some(key) = self.settle(number) else { continue };
            let is_needed = self
                .slot(key)
                .is_some_and(|slot| slot.progress == Progress::InFlight && slot.newest_sending == number);
            if is_needed {
                self.line_up(key);
            }
        }
    }

    /// Whatever is not acknowledged is to be sent again, in the order in which it was sent (P73).
    pub(crate) fn requeue_all(&mut self) {
        // Each round settles one sending at least.
        while !self.sendings.is_empty() {
            self.on_lost(self.first_sending, 1);
        }
    }

    /// Forgets all values and begins again with version 1 of each key (P73).
    pub(crate) fn restart(&mut self) {
        self.first_sending = self.next_sending();
        self.sendings.clear();
        self.line.clear();
        self.store.clear();
        self.slots.clear();
    }

    /// Makes room for a value; `false`, and no memory taken, if that takes more than there is. Whether its own bound has room for it is for
    /// [`set`](Self::set) to say.
    pub(crate) fn make_room(&mut self, key: u16, value: &[u8], keys: u16, room: &mut Room) -> bool {
        let replaced = self.unacknowledged(key).map(|slot| slot.position);
        if value.len() > VALUE_BYTES_MAX || self.store.bytes_in_the_way_of(value.len(), replaced) > 0 {
            return true;
        }
        let wanted = usize::from(key) + 1;
        let more = wanted.saturating_sub(self.slots.len());
        let places = wanted.max(self.slots.len()).saturating_sub(self.line.len());
        let slots = needed_bytes::<Slot>(self.slots.len(), self.slots.capacity(), more)
            + needed_bytes::<u16>(self.line.len(), self.line.capacity(), places);
        let Self { store, slots: of_keys, .. } = self;
        let values = store.needed_bytes(value.len(), |moved, position| move_value(of_keys, moved, position));
        let is_planned = room.plan(slots + values);
        if is_planned {
            room.reserve_vec(&mut self.slots, more, keys.into());
            room.reserve_deque(&mut self.line, places, keys.into());
            self.store.take_room(value.len(), room);
        }
        is_planned
    }

    /// Whether the values that wait can be remembered as they leave, without more memory.
    pub(crate) fn is_ready_to_send(&self) -> bool {
        self.sendings.len() + self.line.len() <= self.sendings.capacity()
    }

    /// Sees to it that the values that wait can be remembered as they leave. Where there is no memory for that, they wait longer.
    pub(crate) fn make_room_to_send(&mut self, room: &mut Room) {
        if self.has_room_to_send(room) {
            let wanted = self.line.len().min(SENDINGS_MAX.saturating_sub(self.sendings.len()));
            room.reserve_deque(&mut self.sendings, wanted, SENDINGS_MAX);
        }
    }

    /// Whether [`make_room_to_send`](Self::make_room_to_send) finds room; remembers it until the next time.
    pub(crate) fn has_room_to_send(&mut self, room: &mut Room) -> bool {
        let wanted = (self.sendings.len() + self.line.len()).min(SENDINGS_MAX);
        let charge = sendings_charge(wanted * size_of::<Option<u16>>());
        let has_room = room.plan(charge.saturating_sub(sendings_charge(deque_bytes(&self.sendings))));
        self.sendings_max =
            if has_room { SENDINGS_MAX } else { self.sendings.capacity().max(SENDINGS_GUARANTEED) };
        has_room
    }

    /// What is charged for it beyond the [guaranteed](Self::GUARANTEED_BYTES) part.
    pub(crate) fn charged_bytes(&self) -> usize {
        let sendings = deque_bytes(&self.sendings);
        self.memory_bytes() - sendings + sendings_charge(sendings)
    }

    /// Gives back memory that it does not use.
    pub(crate) fn give_back(&mut self, thrift: Thrift) {
        let Self { store, slots, sendings, .. } = self;
        if thrift == Thrift::Spare || store.used_bytes() == 0 {
            store.give_back(|moved, position| move_value(slots, moved, position));
        }
        thrift.shrink_deque(sendings);
    }

    /// How many bytes the values that are kept have, with 4 bytes beside each.
    pub(crate) const fn queue_bytes(&self) -> usize {
        self.store.used_bytes()
    }

    /// How many values gave way to a newer one before they were sent.
    pub(crate) const fn replaced(&self) -> u64 {
        self.replaced
    }

    /// The memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        vec_bytes(&self.slots)
            + self.store.memory_bytes()
            + deque_bytes(&self.line)
            + deque_bytes(&self.sendings)
    }

    /// The most memory that a sender with this bound takes in a session with so many keys.
    pub(crate) const fn memory_bytes_max(queue_bytes_max: usize, keys: u16) -> usize {
        ValueStore::memory_bytes_max(queue_bytes_max)
            + keys as usize * (size_of::<Slot>() + size_of::<u16>())
            + SENDINGS_MAX * size_of::<Option<u16>>()
    }

    /// The key's newest value, if it has not arrived.
    fn unacknowledged(&self, key: u16) -> Option<&Slot> {
        self.slot(key).filter(|slot| slot.progress != Progress::Acknowledged)
    }

    fn slot(&self, key: u16) -> Option<&Slot> {
        self.slots.get(usize::from(key))
    }

    /// Makes room for all that is kept of a key beside its value.
    fn make_slot(&mut self, key: u16, keys: u16) {
        let (len, wanted) = (self.slots.len(), usize::from(key) + 1);
        if wanted > len {
            reserve_vec(&mut self.slots, wanted - len, keys.into());
            self.slots.resize(wanted, Slot::EMPTY);
            let places = wanted - self.line.len();
            reserve_deque(&mut self.line, places, keys.into());
        }
    }

    /// Puts a value into the store, in the place of the one before it.
    fn keep(&mut self, key: u16, value: &[u8], replaced: Option<usize>) -> usize {
        let Self { store, slots, .. } = self;
        if let Some(position) = replaced {
            if store.overwrite(position, value) {
                return position;
            }
            store.remove(position);
        }
        store.insert(key, value, |moved, position| move_value(slots, moved, position))
    }

    /// The key has something to send.
    fn line_up(&mut self, key: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(key)) else { return };
        if slot.progress != Progress::Pending {
            slot.progress = Progress::Pending;
            self.line.push_back(key);
        }
    }

    /// The fate of a sending is known; returns its key, unless it was known before.
    fn settle(&mut self, number: u64) -> Option<u16> {
        let index = usize::try_from(number.checked_sub(self.first_sending)?).ok()?;
        let key = self.sendings.get_mut(index)?.take();
        while self.sendings.pop_front_if(|key| key.is_none()).is_some() {
            self.first_sending += 1;
        }
        key
    }

    fn next_sending(&self) -> u64 {
        self.first_sending.saturating_add(self.sendings.len() as u64)
    }
}

/// What is charged for memory that sendings take.
const fn sendings_charge(bytes: usize) -> usize {
    bytes.saturating_sub(LatestSender::GUARANTEED_BYTES)
}

/// The value of a key has another position.
fn move_value(slots: &mut [Slot], key: u16, position: usize) {
    if let Some(slot) = slots.get_mut(usize::from(key)) {
        slot.position = position;
    }
}
