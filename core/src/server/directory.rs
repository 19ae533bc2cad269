//! Every index by which a session is found: the one place that holds them.

use alloc::collections::BTreeSet;
use core::net::{IpAddr, SocketAddr};

use crate::hash::{KeyedMap, keyed_map};
use crate::memory::{map_bytes_max, tree_bytes, tree_bytes_max};
use crate::{ClientId, Timestamp};

use super::session::RESUME_HANDSHAKES_MAX;

/// What an address leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AddressEntry {
    /// The session whose path this is.
    pub(super) path: Option<u32>,
    /// The session with a completed but unconfirmed handshake from here.
    pub(super) attempt: Option<u32>,
    /// The session with a resume handshake under way from here.
    pub(super) resume: Option<u32>,
    /// The session that may be moving here; nobody's path then.
    pub(super) trial: Option<u32>,
}

impl AddressEntry {
    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Maps addresses and identities to slots of the session table. Its keys come from the network, so its hashes are keyed.
#[derive(Debug)]
pub(super) struct Directory {
    places: KeyedMap<SocketAddr, AddressEntry>,
    clients: KeyedMap<ClientId, u32>,
    /// Sessions that wait for their player, and nobody is on the way: the longest away first.
    away: BTreeSet<(Timestamp, u32)>,
    /// The sessions that follow their port, by IP address.
    by_ip: BTreeSet<(IpAddr, u32)>,
}

impl Directory {
    pub(super) fn new(hash_key: [u8; 16]) -> Self {
        let (places, clients) = (keyed_map(hash_key), keyed_map(hash_key));
        Self { places, clients, away: BTreeSet::new(), by_ip: BTreeSet::new() }
    }

    pub(super) fn place(&self, address: SocketAddr) -> AddressEntry {
        self.places.get(&address).copied().unwrap_or_default()
    }

    pub(super) fn client(&self, client_id: ClientId) -> Option<u32> {
        self.clients.get(&client_id).copied()
    }

    pub(super) fn set_client(&mut self, client_id: ClientId, index: u32) {
        self.clients.insert(client_id, index);
    }

    /// Forgets the identity, unless another session took it over.
    pub(super) fn clear_client(&mut self, client_id: ClientId, index: u32) {
        if self.client(client_id) == Some(index) {
            self.clients.remove(&client_id);
        }
    }

    /// Makes `address` the path of `index`; returns the session that had it.
    pub(super) fn set_path(&mut self, address: SocketAddr, index: u32) -> Option<u32> {
        self.update(address, |place| place.path.replace(index)).filter(|&former| former != index)
    }

    pub(super) fn clear_path(&mut self, address: SocketAddr, index: u32) {
        self.update(address, |place| clear(&mut place.path, index));
    }

    /// Notes an unconfirmed handshake; returns the session that had one from there.
    pub(super) fn set_attempt(&mut self, address: SocketAddr, index: u32) -> Option<u32> {
        self.update(address, |place| place.attempt.replace(index)).filter(|&former| former != index)
    }

    pub(super) fn clear_attempt(&mut self, address: SocketAddr, index: u32) {
        self.update(address, |place| clear(&mut place.attempt, index));
    }

    /// Notes a resume handshake under way; returns the session that had one from there.
    pub(super) fn set_resume(&mut self, address: SocketAddr, index: u32) -> Option<u32> {
        self.update(address, |place| place.resume.replace(index)).filter(|&former| former != index)
    }

    pub(super) fn clear_resume(&mut self, address: SocketAddr, index: u32) {
        self.update(address, |place| clear(&mut place.resume, index));
    }

    /// Notes since when the player of a session has been away, nobody being on the way back.
    pub(super) fn set_away(&mut self, since: Timestamp, index: u32) {
        self.away.insert((since, index));
    }

    pub(super) fn clear_away(&mut self, since: Timestamp, index: u32) {
        self.away.remove(&(since, index));
    }

    /// The session that has waited for its player for longest.
    pub(super) fn longest_away(&self) -> Option<u32> {
        self.away.first().map(|&(_, index)| index)
    }

    /// Notes that the session may be moving here.
    pub(super) fn set_trial(&mut self, address: SocketAddr, index: u32) {
        self.update(address, |place| place.trial = Some(index));
    }

    pub(super) fn clear_trial(&mut self, address: SocketAddr, index: u32) {
        self.update(address, |place| clear(&mut place.trial, index));
    }

    /// The session is at this IP address, and follows its port there.
    pub(super) fn join_ip(&mut self, ip: IpAddr, index: u32) {
        self.by_ip.insert((ip, index));
    }

    pub(super) fn leave_ip(&mut self, ip: IpAddr, index: u32) {
        self.by_ip.remove(&(ip, index));
    }

    /// Whether any session at this IP address follows its port.
    pub(super) fn has_sessions_at(&self, ip: IpAddr) -> bool {
        self.by_ip.range((ip, 0)..=(ip, u32::MAX)).next().is_some()
    }

    /// All such sessions, each once, from slot `first` on and around.
    pub(super) fn sessions_at(&self, ip: IpAddr, first: u32) -> impl Iterator<Item = u32> {
        let behind = self.by_ip.range((ip, first)..=(ip, u32::MAX));
        let before = self.by_ip.range((ip, 0)..(ip, first));
        behind.chain(before).map(|&(_, index)| index)
    }

    /// The memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.places.allocation_size()
            + self.clients.allocation_size()
            + tree_bytes::<(Timestamp, u32)>(self.away.len())
            + tree_bytes::<(IpAddr, u32)>(self.by_ip.len())
    }

    /// The most memory it takes with so many sessions: each has a path, a trial, an attempt, and the addresses it asks to come back from.
    pub(super) const fn memory_bytes_max(sessions: usize) -> usize {
        map_bytes_max::<SocketAddr, AddressEntry>(sessions * (3 + RESUME_HANDSHAKES_MAX))
            + map_bytes_max::<ClientId, u32>(sessions)
            + tree_bytes_max::<(Timestamp, u32)>(sessions)
            + tree_bytes_max::<(IpAddr, u32)>(sessions)
    }

    /// How many sessions are listed as away, for leak checks.
    #[cfg(test)]
    pub(super) fn away_len(&self) -> usize {
        self.away.len()
    }

    /// How many addresses and identities are indexed, for leak checks.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.places.len(), self.clients.len())
    }

    /// How many sessions follow their port, for leak checks.
    #[cfg(test)]
    pub(super) fn followers(&self) -> usize {
        self.by_ip.len()
    }

    fn update<T>(&mut self, address: SocketAddr, change: impl FnOnce(&mut AddressEntry) -> T) -> T {
        let place = self.places.entry(address).or_default();
        let result = change(place);
        if place.is_empty() {
            self.places.remove(&address);
        }
        result
    }
}

fn clear(slot: &mut Option<u32>, index: u32) {
    if *slot == Some(index) {
        *slot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, 1], port))
    }

    #[test]
    fn an_address_holds_a_path_and_an_attempt_of_different_sessions() {
        let mut directory = Directory::new([0; 16]);
        assert_eq!(directory.set_path(address(1), 7), None);
        assert_eq!(directory.set_attempt(address(1), 8), None);
        assert_eq!(
            directory.place(address(1)),
            AddressEntry { path: Some(7), attempt: Some(8), ..AddressEntry::default() }
        );
        assert_eq!(directory.set_path(address(1), 8), Some(7));
    }

    #[test]
    fn what_another_session_took_is_not_cleared_by_the_former_one() {
        let mut directory = Directory::new([0; 16]);
        directory.set_path(address(1), 7);
        directory.set_path(address(1), 8);
        directory.clear_path(address(1), 7);
        assert_eq!(directory.place(address(1)).path, Some(8));
        directory.set_client(ClientId(5), 7);
        directory.set_client(ClientId(5), 8);
        directory.clear_client(ClientId(5), 7);
        assert_eq!(directory.client(ClientId(5)), Some(8));
    }

    #[test]
    fn empty_places_are_not_kept() {
        let mut directory = Directory::new([0; 16]);
        directory.set_path(address(1), 7);
        directory.set_attempt(address(1), 7);
        directory.set_resume(address(1), 7);
        directory.set_trial(address(1), 7);
        directory.clear_trial(address(1), 7);
        directory.clear_path(address(1), 7);
        directory.clear_attempt(address(1), 7);
        directory.clear_resume(address(1), 7);
        directory.clear_resume(address(2), 7);
        assert_eq!(directory.len(), (0, 0));
    }

    #[test]
    fn the_sessions_of_an_ip_address_are_visited_once_each_from_any_slot_on() {
        let mut directory = Directory::new([0; 16]);
        let (ip, other) = (address(1).ip(), IpAddr::from([203, 0, 113, 2]));
        for (ip, index) in [(ip, 4), (ip, 9), (other, 5), (ip, 2), (ip, 7), (ip, 9)] {
            directory.join_ip(ip, index);
        }
        directory.leave_ip(ip, 2);
        let visited = |first| directory.sessions_at(ip, first).collect::<alloc::vec::Vec<_>>();
        assert_eq!((visited(0), visited(7)), (alloc::vec![4, 7, 9], alloc::vec![7, 9, 4]));
        assert_eq!(visited(u32::MAX), [4, 7, 9]);
        assert!(directory.has_sessions_at(other) && !directory.has_sessions_at([0, 0, 0, 0].into()));
    }
}
