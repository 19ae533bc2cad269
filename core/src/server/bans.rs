//! Identities and prefixes that are kept out for a while.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use crate::memory::{tree_bytes, tree_bytes_max};
use crate::prefix::Prefix;
use crate::{ClientId, Config, Timestamp};

/// Who is banned, and until when.
#[derive(Debug)]
pub(super) struct Bans {
    pub(super) clients: BanList<ClientId>,
    pub(super) prefixes: BanList<Prefix>,
}

/// Bans of one kind, so many at most.
#[derive(Debug)]
pub(super) struct BanList<K> {
    until: BTreeMap<K, Timestamp>,
    count_max: usize,
}

impl Bans {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            clients: BanList::new(config.bans_max as usize),
            prefixes: BanList::new(config.prefix_bans_max as usize),
        }
    }

    /// The memory they take.
    pub(super) fn memory_bytes(&self) -> usize {
        self.clients.memory_bytes() + self.prefixes.memory_bytes()
    }
}

impl<K: Ord> BanList<K> {
    const fn new(count_max: usize) -> Self {
        Self { until: BTreeMap::new(), count_max }
    }

    fn memory_bytes(&self) -> usize {
        tree_bytes::<(K, Timestamp)>(self.until.len())
    }

    /// The most memory that so many bans take.
    pub(super) const fn memory_bytes_max(count_max: usize) -> usize {
        tree_bytes_max::<(K, Timestamp)>(count_max)
    }

    pub(super) fn is_banned(&self, key: &K, now: Timestamp) -> bool {
        self.until.get(key).is_some_and(|&until| now < until)
    }

    /// Bans somebody, or changes for how long. `false`, with nothing changed, if there are too many already.
    pub(super) fn insert(&mut self, key: K, now: Timestamp, until: Timestamp) -> bool {
        if self.until.len() >= self.count_max && !self.until.contains_key(&key) {
            self.until.retain(|_, until| now < *until);
            if self.until.len() >= self.count_max {
                return false;
            }
        }
        self.until.insert(key, until);
        true
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.until.remove(key);
    }
}

impl BanList<Prefix> {
    /// Whether `ip` lies in a prefix that is banned: two steps down the tree for each length that prefixes have, however many those are.
    pub(super) fn covers(&self, ip: IpAddr, now: Timestamp) -> bool {
        let one = Prefix::of_one(ip);
        let mut candidate = one.shortened(0);
        // Prefixes lie in the order of their families and, within one, of their lengths.
        while let Some((prefix, &until)) = self.until.range(candidate..).next()
            && prefix.is_of_family(&one)
        {
            if *prefix == candidate && now < until {
                return true;
            }
            let is_past = prefix.length() == candidate.length();
            let length = prefix.length() + u8::from(is_past);
            if length > one.length() {
                return false;
            }
            candidate = one.shortened(length);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;
    use std::vec::Vec;

    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_ban_ends_by_itself_or_when_it_is_lifted() {
        let mut bans = BanList::new(8);
        assert!(bans.insert(ClientId(1), at(0), at(100)));
        assert!(bans.insert(ClientId(2), at(0), Timestamp::NEVER));
        assert!(bans.is_banned(&ClientId(1), at(99)) && !bans.is_banned(&ClientId(1), at(100)));
        assert!(bans.is_banned(&ClientId(2), at(1 << 40)) && !bans.is_banned(&ClientId(3), at(0)));
        bans.remove(&ClientId(2));
        assert!(!bans.is_banned(&ClientId(2), at(0)));
    }

    #[test]
    fn a_full_list_makes_room_of_what_has_ended_and_of_nothing_else() {
        let mut bans = BanList::new(2);
        assert!(bans.insert(ClientId(1), at(0), at(100)));
        assert!(bans.insert(ClientId(2), at(0), at(200)));
        assert!(!bans.insert(ClientId(3), at(50), at(300)));
        assert!(bans.insert(ClientId(2), at(50), at(300)), "a ban that is there can be changed");
        assert!(bans.insert(ClientId(3), at(100), at(300)));
        assert!(bans.is_banned(&ClientId(2), at(150)) && bans.is_banned(&ClientId(3), at(150)));
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_covered_by_any_prefix_it_lies_in_as_long_as_that_lasts() {
        let mut bans = BanList::new(16);
        for (prefix, until) in [
            ("203.0.113.0/24", 100),
            ("203.0.0.0/16", 50),
            ("203.0.113.128/25", 10),
            ("198.51.100.7", 100),
            ("2001:db8::/48", 100),
        ] {
            assert!(bans.insert(prefix.parse().unwrap(), at(0), at(until)));
        }
        let covered = |now| {
            ["203.0.113.200", "203.0.7.7", "203.1.0.0", "198.51.100.7", "198.51.100.8", "2001:db8::9"]
                .map(|text| bans.covers(ip(text), at(now)))
        };

        assert_eq!(covered(0), [true, true, false, true, false, true]);
        assert_eq!(covered(20), [true, true, false, true, false, true]);
        assert_eq!(covered(70), [true, false, false, true, false, true]);
        assert_eq!(covered(100), [false; 6]);
    }

    #[test]
    fn it_agrees_with_asking_each_prefix() {
        let mut bans = BanList::new(1_000);
        let mut prefixes: Vec<Prefix> = Vec::new();
        let mut number = 1_u128;
        let mut draw = || {
            // A generator of Lehmer's, over a few addresses that lie close together.
            number = number * 48_271 % 0x7fff_ffff;
            let v6 = Ipv6Addr::from_bits((number & 7) << 125 | (number >> 8 & 3) << 60 | (number >> 12 & 3));
            let v4 = core::net::Ipv4Addr::from_bits(u32::try_from(number & 0x8300_0103).unwrap());
            let ip: IpAddr = if number & 16 == 0 { v6.into() } else { v4.into() };
            (ip, u8::try_from(number >> 16 & 127).unwrap())
        };
        for _ in 0..12 {
            let (ip, length) = draw();
            let Some(prefix) = Prefix::new(ip, length.max(2)) else { continue };
            prefixes.push(prefix);
            assert!(bans.insert(prefix, at(0), at(1)));
        }
        let ips: Vec<_> = (0..2_000).map(|_| draw().0).collect();
        let covered = ips.iter().filter(|ip| bans.covers(**ip, at(0))).count();

        assert!(
            ips.iter()
                .all(|ip| bans.covers(*ip, at(0)) == prefixes.iter().any(|prefix| prefix.contains(*ip)))
        );
        assert!(covered > 100 && covered < 1_900, "{covered}");
    }
}
