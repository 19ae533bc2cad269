//! Handshakes under way, by address and by deadline.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::net::SocketAddr;

use zeroize::Zeroizing;

use crate::hash::{KeyedMap, keyed_map};
use crate::memory::{map_bytes_max, tree_bytes, tree_bytes_max};
use crate::netcode::{Key, Mac, USER_DATA_BYTES};
use crate::{ClientId, Timestamp};

/// What is needed to finish the handshake of an opened token; wiped of its secrets when dropped.
#[derive(PartialEq, Eq)]
pub(crate) struct PendingMapping {
    /// The MAC of the token's private part, which identifies the token.
    pub(crate) token_mac: Mac,
    pub(crate) client_id: ClientId,
    /// When the token expires, in Unix seconds.
    pub(crate) expire_unix: u64,
    /// Seconds of silence after which the connection ends.
    pub(crate) timeout_seconds: i32,
    pub(crate) client_to_server_key: Key,
    pub(crate) server_to_client_key: Key,
    pub(crate) user_data: Zeroizing<[u8; USER_DATA_BYTES]>,
    /// Whether the token lists an address that is not this server's, so that another server may seal packets
    /// under the same keys.
    pub(crate) lists_foreign_address: bool,
}

/// At most one mapping for each address.
pub(super) struct PendingMappings {
    by_address: KeyedMap<SocketAddr, Timed>,
    by_deadline: BTreeSet<(Timestamp, SocketAddr)>,
}

struct Timed {
    deadline: Timestamp,
    /// Boxed, so that a growing map leaves no copies of keys behind.
    mapping: Box<PendingMapping>,
}

impl PendingMappings {
    pub(super) fn new(hash_key: [u8; 16]) -> Self {
        Self { by_address: keyed_map(hash_key), by_deadline: BTreeSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// The memory they take.
    pub(super) fn memory_bytes(&self) -> usize {
        self.by_address.allocation_size()
            + tree_bytes::<(Timestamp, SocketAddr)>(self.by_deadline.len())
            + self.len() * size_of::<PendingMapping>()
    }

    /// The most memory that so many take.
    pub(super) const fn memory_bytes_max(mappings: usize) -> usize {
        map_bytes_max::<SocketAddr, Timed>(mappings)
            + tree_bytes_max::<(Timestamp, SocketAddr)>(mappings)
            + mappings * size_of::<PendingMapping>()
    }

    pub(super) fn get(&self, address: SocketAddr) -> Option<&PendingMapping> {
        self.by_address.get(&address).map(|timed| &*timed.mapping)
    }

    /// Puts `mapping` in place of what `address` had, which is returned. The deadline of one and the same token
    /// never moves back.
    pub(super) fn insert(
        &mut self,
        address: SocketAddr,
        mapping: PendingMapping,
        deadline: Timestamp,
    ) -> Option<Box<PendingMapping>> {
        let replaced = self.take(address);
        let deadline = match &replaced {
            Some(before) if before.mapping.token_mac == mapping.token_mac => before.deadline.max(deadline),
            _ => deadline,
        };
        self.by_deadline.insert((deadline, address));
        self.by_address.insert(address, Timed { deadline, mapping: Box::new(mapping) });
        replaced.map(|timed| timed.mapping)
    }

    pub(super) fn remove(&mut self, address: SocketAddr) -> Option<Box<PendingMapping>> {
        self.take(address).map(|timed| timed.mapping)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.by_deadline.first().map(|&(deadline, _)| deadline)
    }

    /// Removes the earliest mapping whose deadline is not after `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(SocketAddr, Box<PendingMapping>)> {
        let &(deadline, address) = self.by_deadline.first()?;
        if deadline > now {
            return None;
        }
        self.remove(address).map(|mapping| (address, mapping))
    }

    fn take(&mut self, address: SocketAddr) -> Option<Timed> {
        let timed = self.by_address.remove(&address)?;
        self.by_deadline.remove(&(timed.deadline, address));
        Some(timed)
    }

    /// Every address that has a mapping, in order of deadline.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        assert_eq!(self.by_deadline.len(), self.by_address.len(), "both indexes hold the same mappings");
        self.by_deadline.iter().map(|&(_, address)| address)
    }
}
