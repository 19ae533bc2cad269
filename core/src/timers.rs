//! One deadline per session, and which of them is due: a hierarchical timer wheel.
//!
//! Level 0 has one slot per microsecond, and each level above has slots 64 times as wide, so that eleven levels
//! of 64 slots reach every [`Timestamp`]. A deadline lives in the lowest level whose 64 slots, counted from the
//! wheel's own position, still reach it. A slot is opened when its earliest deadline comes; what is due leaves
//! the wheel, the rest moves to a lower, finer level. So a deadline moves at most once per level, and arming,
//! moving and disarming cost the same with one timer as with a million.
//!
//! The slots are doubly linked lists threaded through one array indexed by session, so the wheel allocates only
//! when it meets a higher index than ever before.

use alloc::vec::Vec;

use crate::Timestamp;
use crate::memory::{doubling_bytes_max, vec_bytes};

const SLOT_BITS: u32 = 6;
const SLOTS_PER_LEVEL: u32 = 1 << SLOT_BITS;
const LEVELS: u32 = u64::BITS.div_ceil(SLOT_BITS);

/// The place of timers that fell due and were not popped yet, one past the slots of the wheel.
const DUE: u32 = LEVELS * SLOTS_PER_LEVEL;
/// The place of a timer that is not armed.
const UNARMED: u32 = DUE + 1;
/// The index that ends a list.
const NIL: u32 = u32::MAX;

/// The deadlines of many sessions, at most one each, known by the session's index.
///
/// Only the caller's time moves it. A `now` earlier than one seen before is harmless: nothing fires twice.
#[derive(Debug)]
pub(crate) struct TimerWheel {
    /// Never later than a deadline that waits in the wheel, except for those armed in the past.
    position: Timestamp,
    timers: Vec<Timer>,
    /// One bit per slot that is not empty.
    occupied: [u64; LEVELS as usize],
    /// All levels one after the other, lowest first, and then the list of what is due.
    lists: Vec<List>,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    deadline: Timestamp,
    previous: u32,
    next: u32,
    place: u32,
}

impl Timer {
    const UNARMED: Self = Self { deadline: Timestamp::NEVER, previous: NIL, next: NIL, place: UNARMED };
}

#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
    /// Not later than any deadline in the list. It may be too early after a timer was taken out of the middle,
    /// and is exact again once the slot was opened.
    earliest: Timestamp,
}

impl List {
    const EMPTY: Self = Self { first: NIL, last: NIL, earliest: Timestamp::NEVER };
}

impl TimerWheel {
    /// A wheel without timers, whose position is `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            position: now,
            timers: Vec::new(),
            occupied: [0; LEVELS as usize],
            lists: alloc::vec![List::EMPTY; DUE as usize + 1],
        }
    }

    /// The memory it takes.
    pub(crate) const fn memory_bytes(&self) -> usize {
        vec_bytes(&self.timers) + vec_bytes(&self.lists)
    }

    /// The most memory it takes for so many sessions.
    pub(crate) const fn memory_bytes_max(sessions: usize) -> usize {
        doubling_bytes_max::<Timer>(sessions) + (DUE as usize + 1) * size_of::<List>()
    }

    /// Sets the one deadline of `index`, replacing an earlier one; a deadline in the past is due at once.
    ///
    /// [`Timestamp::NEVER`] disarms. Memory grows with the highest index ever armed (24 bytes each), so indices
    /// should be dense; `u32::MAX` is not an index.
    pub(crate) fn arm(&mut self, index: u32, at: Timestamp) {
        debug_assert_ne!(index, NIL, "the highest index marks the end of a list");
        self.disarm(index);
        if at == Timestamp::NEVER {
            return;
        }
        if self.timers.len() <= index as usize {
            self.timers.resize(index as usize + 1, Timer::UNARMED);
        }
        self.append(index, at, self.place_for(at));
    }

    /// Removes the deadline of `index`, if it has one.
    pub(crate) fn disarm(&mut self, index: u32) {
        if self.deadline_of(index).is_some() {
            self.unlink(index);
        }
    }

    /// The deadline of `index`, or `None` if it is not armed.
    pub(crate) fn deadline_of(&self, index: u32) -> Option<Timestamp> {
        self.timers.get(index as usize).filter(|timer| timer.place != UNARMED).map(|timer| timer.deadline)
    }

    /// When to call [`pop_due`](Self::pop_due) next: never later than the earliest deadline; `None` without timers.
    ///
    /// It is the earliest deadline itself, unless that one was moved or disarmed meanwhile; then it may be
    /// earlier, once. After `pop_due(now)` has returned `None` it is always later than `now`.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let due = &self.lists[DUE as usize];
        let waiting = self.first_place().map(|place| self.lists[place as usize].earliest);
        if due.first == NIL { waiting } else { Some(waiting.map_or(due.earliest, |at| at.min(due.earliest))) }
    }

    /// Disarms and returns one index whose deadline is at or before `now`; `None` when there is no more.
    ///
    /// Slots come in the order of time, and within a slot what was put there first comes first. The work is
    /// bounded by the number of levels, the timers that are due and those that share a slot with one that is,
    /// however far `now` has jumped.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<u32> {
        loop {
            let index = self.lists[DUE as usize].first;
            if index != NIL {
                self.unlink(index);
                return Some(index);
            }
            let place = self.first_place()?;
            if self.lists[place as usize].earliest > now {
                return None;
            }
            self.open(place, now);
        }
    }

    /// Moves the wheel to the earliest deadline of a slot and empties the slot: into the due list, or to lower
    /// levels. No other slot is passed over, because none has an earlier deadline.
    fn open(&mut self, place: u32, now: Timestamp) {
        let List { mut first, earliest, .. } = self.lists[place as usize];
        self.position = self.position.max(earliest);
        self.set_empty(place);
        while first != NIL {
            let index = first;
            let Timer { deadline, next, .. } = self.timers[index as usize];
            first = next;
            let destination = if deadline <= now { DUE } else { self.place_for(deadline) };
            self.append(index, deadline, destination);
        }
    }

    /// The slot with the earliest deadline.
    fn first_place(&self) -> Option<u32> {
        (0..LEVELS)
            .filter_map(|level| self.first_place_of_level(level))
            .min_by_key(|place| self.lists[*place as usize].earliest)
    }

    /// The first slot in use at or after the wheel's position, going round. All are within one round, so it is
    /// also the earliest of its level.
    fn first_place_of_level(&self, level: u32) -> Option<u32> {
        let occupied = self.occupied[level as usize];
        let position = slot_number(self.position, level);
        let ahead = occupied.rotate_right(slot_of(position)).trailing_zeros();
        (occupied != 0).then(|| place_of(level, position.wrapping_add(u64::from(ahead))))
    }

    /// The slot for a deadline: of the lowest level at which it is fewer than 64 slots ahead.
    fn place_for(&self, at: Timestamp) -> u32 {
        let at = at.max(self.position);
        let level = at.micros_since(self.position).checked_ilog2().unwrap_or(0) / SLOT_BITS;
        let ahead = slot_number(at, level) - slot_number(self.position, level);
        let level = if ahead < u64::from(SLOTS_PER_LEVEL) { level } else { level + 1 };
        place_of(level, slot_number(at, level))
    }

    fn append(&mut self, index: u32, deadline: Timestamp, place: u32) {
        let list = &mut self.lists[place as usize];
        let previous = list.last;
        list.last = index;
        list.earliest = list.earliest.min(deadline);
        if previous == NIL {
            list.first = index;
            self.set_occupied(place, true);
        } else {
            self.timers[previous as usize].next = index;
        }
        self.timers[index as usize] = Timer { deadline, previous, next: NIL, place };
    }

    /// Takes an armed timer out of its list.
    fn unlink(&mut self, index: u32) {
        let Timer { previous, next, place, .. } = self.timers[index as usize];
        self.timers[index as usize] = Timer::UNARMED;
        let list = &mut self.lists[place as usize];
        if previous == NIL {
            list.first = next;
        } else {
            self.timers[previous as usize].next = next;
        }
        if next == NIL {
            list.last = previous;
        } else {
            self.timers[next as usize].previous = previous;
        }
        if previous == NIL && next == NIL {
            self.set_empty(place);
        }
    }

    fn set_empty(&mut self, place: u32) {
        self.lists[place as usize] = List::EMPTY;
        self.set_occupied(place, false);
    }

    fn set_occupied(&mut self, place: u32, occupied: bool) {
        let (level, slot) = (place / SLOTS_PER_LEVEL, place % SLOTS_PER_LEVEL);
        if let Some(bits) = self.occupied.get_mut(level as usize) {
            *bits = *bits & !(1 << slot) | u64::from(occupied) << slot;
        }
    }
}

/// The number of a moment's slot at a level, counted from the zero of time.
fn slot_number(at: Timestamp, level: u32) -> u64 {
    at.as_micros() >> (SLOT_BITS * level)
}

/// The slot within a level that has this number; the numbers go round.
fn slot_of(slot_number: u64) -> u32 {
    (slot_number % (1 << SLOT_BITS)) as u32
}

fn place_of(level: u32, slot_number: u64) -> u32 {
    level * SLOTS_PER_LEVEL + slot_of(slot_number)
}

#[cfg(test)]
mod tests;
