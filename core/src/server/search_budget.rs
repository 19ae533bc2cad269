//! How much work goes to packets from unknown ports: a budget for all of them, and a share of it for each IP address. The opens that fail
//! are charged to the budget of everything unproved as well (`budget`); this one is the finer bound, as it can refuse a search.

use alloc::boxed::Box;
use core::fmt;
use core::hash::BuildHasher;
use core::net::IpAddr;

use crate::Timestamp;
use crate::hash::KeyedHash;
use crate::rate::{Rate, TokenBucket};

/// Places in the table of shares; addresses that meet in one share it.
const SHARES: usize = 256;
/// The part of the budget that is an IP address's share, as a divisor.
const SHARE_DIVISOR: u32 = 4;

/// The budget for looking up, by trying, to which session of an IP address a packet belongs. A unit is a search, or a session that
/// the packet is tried on.
pub(super) struct SearchBudget {
    rate: Rate,
    all: TokenBucket,
    share_rate: Rate,
    shares: Box<[Share]>,
    hash: KeyedHash,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    bucket: TokenBucket,
    /// The slot of the session table with which the next search begins: where thousands share an address, each has its turn.
    next_slot: u32,
}

/// One search that may be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    share: usize,
    /// The slot to begin with.
    pub(super) first_slot: u32,
    /// How many sessions the budget allows to try.
    pub(super) tries_max: u64,
}

impl fmt::Debug for SearchBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its hash key stays out of every log.
        f.debug_struct("SearchBudget").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl SearchBudget {
    /// `units_per_s` for all; `hash_key` must be random and secret.
    pub(super) fn new(units_per_s: u32, now: Timestamp, hash_key: [u8; 16]) -> Self {
        let rate = Rate { per_s: units_per_s, burst: units_per_s };
        let share = units_per_s.div_ceil(SHARE_DIVISOR);
        let share_rate = Rate { per_s: share, burst: share };
        let share = Share { bucket: TokenBucket::full(now, share_rate), next_slot: 0 };
        Self {
            rate,
            all: TokenBucket::full(now, rate),
            share_rate,
            shares: alloc::vec![share; SHARES].into_boxed_slice(),
            hash: KeyedHash::new(hash_key),
        }
    }

    /// Pays for a search among the sessions of an IP address; `None` if the budget is gone.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below the number of places")]
    pub(super) fn begin(&mut self, now: Timestamp, ip: IpAddr) -> Option<Search> {
        let place = (self.hash.hash_one(ip) % SHARES as u64) as usize;
        let share = self.shares.get_mut(place)?;
        let is_paid = share.bucket.try_take(now, self.share_rate, 1) && self.all.try_take(now, self.rate, 1);
        is_paid.then(|| Search {
            share: place,
            first_slot: share.next_slot,
            tries_max: share.bucket.level(now, self.share_rate).min(self.all.level(now, self.rate)),
        })
    }

    /// Pays for the sessions that were tried, and notes with which slot the next search of this share begins.
    pub(super) fn end(&mut self, now: Timestamp, search: Search, tries: u32, next_slot: u32) {
        self.all.take_up_to(now, self.rate, tries);
        if let Some(share) = self.shares.get_mut(search.share) {
            share.bucket.take_up_to(now, self.share_rate, tries);
            share.next_slot = next_slot;
        }
    }

    /// The memory it takes beyond its own place, always the same.
    pub(super) const fn memory_bytes() -> usize {
        SHARES * size_of::<Share>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(5);

    fn ip(host: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, host])
    }

    #[test]
    fn an_address_has_a_quarter_and_all_together_no_more_than_the_whole() {
        let mut budget = SearchBudget::new(100, NOW, [1; 16]);
        let mut searches = |host| (0..200).filter(|_| budget.begin(NOW, ip(host)).is_some()).count();
        assert_eq!(searches(1), 25);
        assert_eq!(searches(1), 0);
        assert_eq!((2..100).map(&mut searches).sum::<usize>(), 75);
    }

    #[test]
    fn tries_are_paid_for_and_the_next_search_goes_on_behind_them() {
        let mut budget = SearchBudget::new(40, NOW, [1; 16]);
        let search = budget.begin(NOW, ip(1)).unwrap();
        assert_eq!((search.first_slot, search.tries_max), (0, 9));
        budget.end(NOW, search, 8, 77);
        let search = budget.begin(NOW, ip(1)).unwrap();
        assert_eq!((search.first_slot, search.tries_max), (77, 0));
        assert!(budget.begin(NOW, ip(1)).is_none());
    }
}
