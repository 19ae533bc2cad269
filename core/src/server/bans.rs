//! Identities that are kept out for a while.

use alloc::collections::BTreeMap;

use crate::memory::{tree_bytes, tree_bytes_max};
use crate::{ClientId, Timestamp};

/// Who is banned, and until when.
#[derive(Debug)]
pub(super) struct Bans {
    until: BTreeMap<ClientId, Timestamp>,
    count_max: usize,
}

impl Bans {
    pub(super) const fn new(count_max: usize) -> Self {
        Self { until: BTreeMap::new(), count_max }
    }

    /// The memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        tree_bytes::<(ClientId, Timestamp)>(self.until.len())
    }

    /// The most memory that so many bans take.
    pub(super) const fn memory_bytes_max(count_max: usize) -> usize {
        tree_bytes_max::<(ClientId, Timestamp)>(count_max)
    }

    pub(super) fn is_banned(&self, client_id: ClientId, now: Timestamp) -> bool {
        self.until.get(&client_id).is_some_and(|&until| now < until)
    }

    /// Bans an identity, or changes how long it is banned. `false`, with nothing changed, if there are too many already.
    pub(super) fn insert(&mut self, client_id: ClientId, now: Timestamp, until: Timestamp) -> bool {
        if self.until.len() >= self.count_max && !self.until.contains_key(&client_id) {
            self.until.retain(|_, until| now < *until);
            if self.until.len() >= self.count_max {
                return false;
            }
        }
        self.until.insert(client_id, until);
        true
    }

    pub(super) fn remove(&mut self, client_id: ClientId) {
        self.until.remove(&client_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_ban_ends_by_itself_or_when_it_is_lifted() {
        let mut bans = Bans::new(8);
        assert!(bans.insert(ClientId(1), at(0), at(100)));
        assert!(bans.insert(ClientId(2), at(0), Timestamp::NEVER));
        assert!(bans.is_banned(ClientId(1), at(99)) && !bans.is_banned(ClientId(1), at(100)));
        assert!(bans.is_banned(ClientId(2), at(1 << 40)) && !bans.is_banned(ClientId(3), at(0)));
        bans.remove(ClientId(2));
        assert!(!bans.is_banned(ClientId(2), at(0)));
    }

    #[test]
    fn a_full_list_makes_room_of_what_has_ended_and_of_nothing_else() {
        let mut bans = Bans::new(2);
        assert!(bans.insert(ClientId(1), at(0), at(100)));
        assert!(bans.insert(ClientId(2), at(0), at(200)));
        assert!(!bans.insert(ClientId(3), at(50), at(300)));
        assert!(bans.insert(ClientId(2), at(50), at(300)), "a ban that is there can be changed");
        assert!(bans.insert(ClientId(3), at(100), at(300)));
        assert!(bans.is_banned(ClientId(2), at(150)) && bans.is_banned(ClientId(3), at(150)));
    }
}
