//! Which connect tokens were used already, and the handshakes that are under way.
//!
//! A token is *pending* from its first request until a challenge response completes the handshake, and
//! *consumed* from then on. The standard ties a token to the first address that uses it (section Processing
//! Connection Requests); that would lock out a player whose network changes during the handshake, or whose
//! request somebody recorded and sent first. So a pending token may be mapped to a few addresses at once, and
//! the first one to prove itself gets it.
//!
//! ```text
//!            admit              consume                 purge, once expired
//! unknown ─────────▶ pending ─────────────▶ consumed ──────────────────────▶ below the floor
//!                    │  ▲ admit: another address, or the same again
//!                    └──┘
//! ```
//!
//! Forgetting a token early would let it be used again. Therefore a full history refuses newcomers instead of
//! evicting, and what is purged raises a floor below which no token is admitted, whatever the wall clock says.

mod pending;

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::mem;
use core::net::SocketAddr;

pub(crate) use pending::PendingMapping;
use pending::PendingMappings;

use super::Mac;
use crate::hash::{KeyedMap, keyed_map};
use crate::memory::{doubling_bytes_max, map_bytes_max};
use crate::planted::{PlantedBug, is_planted};
use crate::{ClientId, Timestamp};

/// The most addresses one pending token is mapped to.
const MAPPINGS_PER_TOKEN_MAX: usize = 4;

/// The most unexpired tokens of one client id.
const TOKENS_PER_CLIENT_MAX: usize = 4;

/// The most entries or mappings that one call frees for being out of date.
const FREED_PER_CALL_MAX: usize = 64;

/// How much a [`TokenHistory`] remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryLimits {
    /// The most tokens, pending and consumed, that have not been purged.
    pub(crate) entries_max: usize,
    /// The most pending mappings of all tokens together.
    pub(crate) pending_max: usize,
}

/// What the list of a pending token's addresses takes.
const LIST_BYTES: usize = MAPPINGS_PER_TOKEN_MAX * size_of::<SocketAddr>();

impl HistoryLimits {
    /// The most memory that a history with these limits takes.
    pub(crate) const fn memory_bytes_max(&self) -> usize {
        map_bytes_max::<Mac, Entry>(self.entries_max)
            + doubling_bytes_max::<(u64, Mac)>(self.entries_max)
            + map_bytes_max::<ClientId, usize>(self.entries_max)
            + PendingMappings::memory_bytes_max(self.pending_max)
            + self.pending_max * LIST_BYTES
    }
}

/// Why a token is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdmitRefusal {
    /// It expires no later than a token that was already purged, so it may have been used.
    BelowFloor,
    /// It completed a handshake before.
    Consumed,
    /// The history has no room for another token.
    Full,
    /// Its client id has as many unexpired tokens as it may have.
    ClientFull,
    /// There is no room for another handshake.
    PendingFull,
}

/// Remembers every token that was admitted, identified by the MAC of its private part, until it has expired.
pub(crate) struct TokenHistory {
    limits: HistoryLimits,
    floor_unix: u64,
    entries: KeyedMap<Mac, Entry>,
    /// The tokens by expiry, the earliest first.
    by_expiry: BinaryHeap<Reverse<(u64, Mac)>>,
    tokens_of_client: KeyedMap<ClientId, usize>,
    pending: PendingMappings,
}

struct Entry {
    client_id: ClientId,
    state: EntryState,
}

enum EntryState {
    /// Where the token is mapped to, the least recently requested first. Each of them has its mapping in
    /// `TokenHistory::pending`, and no mapping is without its place here.
    Pending(Vec<SocketAddr>),
    Consumed,
}

impl TokenHistory {
    /// An empty history that admits tokens which expire after `floor_unix` (Unix seconds).
    ///
    /// `hash_key` must be random and secret: clients choose what is looked up here.
    pub(crate) fn new(limits: HistoryLimits, floor_unix: u64, hash_key: [u8; 16]) -> Self {
        Self {
            limits,
            floor_unix,
            entries: keyed_map(hash_key),
            by_expiry: BinaryHeap::new(),
            tokens_of_client: keyed_map(hash_key),
            pending: PendingMappings::new(hash_key),
        }
    }

    /// The memory it takes. Tokens that are mapped to several addresses are reckoned as if each mapping had a list to itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.allocation_size()
            + self.by_expiry.capacity() * size_of::<(u64, Mac)>()
            + self.tokens_of_client.allocation_size()
            + self.pending.memory_bytes()
            + self.pending.len() * LIST_BYTES
    }

    /// The Unix second after which a token must expire to be admitted. It only ever rises.
    pub(crate) const fn floor_unix(&self) -> u64 {
        self.floor_unix
    }

    /// Whether the token with this MAC completed a handshake; if so there is no need to open it.
    pub(crate) fn is_consumed(&self, token_mac: &Mac) -> bool {
        self.entries.get(token_mac).is_some_and(|entry| matches!(entry.state, EntryState::Consumed))
    }

    /// Records that a token which opened was presented from `address`, to be completed until `deadline`.
    ///
    /// A token known already is mapped to one more address, in place of its least recently requested one where
    /// it has four or there is no room for more. Presented again from the same address, it is as good as new
    /// there, and its deadline never moves back. Another token's mapping of `address` is replaced. A refusal
    /// changes nothing.
    pub(crate) fn admit(
        &mut self,
        address: SocketAddr,
        mapping: PendingMapping,
        deadline: Timestamp,
    ) -> Result<(), AdmitRefusal> {
        if mapping.expire_unix <= self.floor_unix {
            return Err(AdmitRefusal::BelowFloor);
        }
        match self.entries.get(&mapping.token_mac) {
            None => {
                if is_planted(PlantedBug::HistoryEvicts)
                    && self.entries.len() >= self.limits.entries_max
                    && let Some(Reverse((_, earliest))) = self.by_expiry.pop()
                {
                    self.remove_entry(&earliest);
                }
                self.check_room_for_token(mapping.client_id, address)?;
                self.add_entry(&mapping);
            }
            Some(Entry { state: EntryState::Consumed, .. }) => return Err(AdmitRefusal::Consumed),
            Some(Entry { state: EntryState::Pending(mapped), .. }) => {
                if let Some(given_up) = self.given_up_for(mapped, address)? {
                    self.forget_address(given_up);
                }
            }
        }
        self.map(address, mapping, deadline);
        Ok(())
    }

    /// The handshake under way at `address`.
    pub(crate) fn pending_at(&self, address: SocketAddr) -> Option<&PendingMapping> {
        self.pending.get(address)
    }

    /// How many mappings are pending.
    #[cfg(test)]
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Completes the handshake of a token at `address`: the token is consumed and all its mappings end.
    ///
    /// `None`, with nothing changed, if the token is not pending at that address.
    pub(crate) fn consume(&mut self, token_mac: &Mac, address: SocketAddr) -> Option<Box<PendingMapping>> {
        if self.pending.get(address)?.token_mac != *token_mac {
            return None;
        }
        let entry = self.entries.get_mut(token_mac)?;
        let completed = self.pending.remove(address);
        if let EntryState::Pending(mapped) = mem::replace(&mut entry.state, EntryState::Consumed) {
            for other in mapped {
                self.pending.remove(other);
            }
        }
        completed
    }

    /// Ends the handshake under way at `address`, if any. Its token may be presented again.
    pub(crate) fn forget_address(&mut self, address: SocketAddr) {
        if let Some(mapping) = self.pending.remove(address) {
            self.unlist(&mapping.token_mac, address);
        }
    }

    /// When the next pending mapping runs out.
    pub(crate) fn next_pending_deadline(&self) -> Option<Timestamp> {
        self.pending.next_deadline()
    }

    /// Frees mappings whose deadline has passed, the earliest first, and returns how many: at most 64 in one
    /// call. Their tokens stay known until they expire, and may be presented again.
    pub(crate) fn expire_pending(&mut self, now: Timestamp) -> usize {
        for freed in 0..FREED_PER_CALL_MAX {
            let Some((address, mapping)) = self.pending.pop_due(now) else { return freed };
            self.unlist(&mapping.token_mac, address);
        }
        FREED_PER_CALL_MAX
    }

    /// Forgets tokens that have expired at `now_unix` (Unix seconds), the earliest first, and returns how many:
    /// at most 64 in one call. The floor rises to their expiry.
    pub(crate) fn purge(&mut self, now_unix: u64) -> usize {
        for purged in 0..FREED_PER_CALL_MAX {
            match self.by_expiry.peek() {
                Some(&Reverse((expire_unix, token_mac))) if expire_unix <= now_unix => {
                    self.by_expiry.pop();
                    self.floor_unix = self.floor_unix.max(expire_unix);
                    self.remove_entry(&token_mac);
                }
                _ => return purged,
            }
        }
        FREED_PER_CALL_MAX
    }

    fn check_room_for_token(&self, client_id: ClientId, address: SocketAddr) -> Result<(), AdmitRefusal> {
        if self.entries.len() >= self.limits.entries_max {
            return Err(AdmitRefusal::Full);
        }
        if self.tokens_of_client.get(&client_id).is_some_and(|&tokens| tokens >= TOKENS_PER_CLIENT_MAX) {
            return Err(AdmitRefusal::ClientFull);
        }
        if self.has_room_for_mapping(address) { Ok(()) } else { Err(AdmitRefusal::PendingFull) }
    }

    /// A mapping of `address` needs no room where it replaces another.
    fn has_room_for_mapping(&self, address: SocketAddr) -> bool {
        self.pending.len() < self.limits.pending_max || self.pending.get(address).is_some()
    }

    /// Which of a token's own mappings has to go before `address` can be added to them.
    fn given_up_for(
        &self,
        mapped: &[SocketAddr],
        address: SocketAddr,
    ) -> Result<Option<SocketAddr>, AdmitRefusal> {
        let token_has_room = mapped.len() < MAPPINGS_PER_TOKEN_MAX;
        if mapped.contains(&address) || (token_has_room && self.has_room_for_mapping(address)) {
            return Ok(None);
        }
        mapped.first().map(|&oldest| Some(oldest)).ok_or(AdmitRefusal::PendingFull)
    }

    fn add_entry(&mut self, mapping: &PendingMapping) {
        let state = EntryState::Pending(Vec::new());
        self.entries.insert(mapping.token_mac, Entry { client_id: mapping.client_id, state });
        self.by_expiry.push(Reverse((mapping.expire_unix, mapping.token_mac)));
        *self.tokens_of_client.entry(mapping.client_id).or_insert(0) += 1;
    }

    fn remove_entry(&mut self, token_mac: &Mac) {
        let Some(entry) = self.entries.remove(token_mac) else { return };
        if let EntryState::Pending(mapped) = entry.state {
            for address in mapped {
                self.pending.remove(address);
            }
        }
        if let Some(tokens) = self.tokens_of_client.get_mut(&entry.client_id) {
            *tokens -= 1;
            if *tokens == 0 {
                self.tokens_of_client.remove(&entry.client_id);
            }
        }
    }

    fn map(&mut self, address: SocketAddr, mapping: PendingMapping, deadline: Timestamp) {
        let token_mac = mapping.token_mac;
        if let Some(replaced) = self.pending.insert(address, mapping, deadline) {
            self.unlist(&replaced.token_mac, address);
        }
        if let Some(Entry { state: EntryState::Pending(mapped), .. }) = self.entries.get_mut(&token_mac) {
            mapped.push(address);
        }
    }

    /// Takes `address` out of a token's list, after its mapping has gone.
    fn unlist(&mut self, token_mac: &Mac, address: SocketAddr) {
        if let Some(Entry { state: EntryState::Pending(mapped), .. }) = self.entries.get_mut(token_mac) {
            mapped.retain(|&listed| listed != address);
            if mapped.is_empty() {
                // A token that was never completed stays known for as long as any.
                *mapped = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests;
