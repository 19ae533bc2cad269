//! What those who have proved nothing may cost, and who is served while that is scarce.
//!
//! Anybody can send from any address, so a limit for each address would let anybody lock another out. Instead there is *one* budget, in
//! opens of a small packet (some 0.4 µs each), that time fills and that no stall fills beyond its burst. As long as it lasts everybody is served. A
//! datagram is first judged by all that costs next to nothing:
//!
//! | datagram | dropped for nothing | charged | when it is refused |
//! |---|---|---|---|
//! | request | size, version, game, expiry; a token that was used | [`REQUEST_OPENS`], before the token is opened | the budget is gone for its sender |
//! | request or response from a banned prefix | its prefix | | |
//! | response | no handshake is under way at its address | [`RESPONSE_OPENS`] for each key to try, and [`DERIVATION_OPENS`] where the key has to be derived, before that | as a request with a resume token |
//! | keep-alive, payload, disconnect | no session at its IP address; its sequence was received, or is too old | 1 for each key it does not open under, afterwards | from the address of a session never: or junk with a player's address would silence that player. From another port of its IP address: when the finer budget for searches is gone |
//! | one of them that opens | | its session's own budget, nothing of this one | that is spent; the first one of a handshake never |
//!
//! Half of the budget is for everybody, as they come. Below that
//!
//! * a quarter is for prefixes that spent little: each has a share, a 64th of everything, which is charged whenever one of it is served. So
//!   a flood, wherever it comes from or says that it comes from, leaves the rest of the world what it needs. The shares lie in a
//!   table of fixed size under a keyed hash; two prefixes that meet there have one share.
//! * a quarter is for whoever showed a good token before: requests with a resume token of this server, which the tag in their nonce
//!   tells before any cryptography, and responses from where a handshake is under way. Each of those tags, and each of
//!   those addresses, is served a little more often than an honest client asks: to somebody who copies them they are worth little.
//!
//! What comes in is charged to the half for everybody first, and what is left of the time's income fills the reserves first. Opens that
//! failed are charged to that half alone, as they cannot be refused: they never touch the reserves.
//!
//! Behind a proxy everybody comes from one address. Prefixes of proxies can be exempt: what comes from them is judged as if each
//! address, with its port, were a prefix of its own.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::net::SocketAddr;

use crate::Timestamp;
use crate::config::Config;
use crate::hash::KeyedHash;
use crate::memory::vec_bytes;
use crate::planted::{PlantedBug, is_planted};
use crate::prefix::Prefix;
use crate::rate::{Rate, TokenBucket};

/// What a request costs: the open of its token, and the challenge that answers it.
pub(super) const REQUEST_OPENS: u32 = 8;
/// What a response costs for each key to try.
pub(super) const RESPONSE_OPENS: u32 = 2;
/// What the keys of a resume token cost.
pub(super) const DERIVATION_OPENS: u32 = 3;
/// The dearest datagram: a response from an address where two handshakes are under way and a third waits for its confirmation.
const DATAGRAM_OPENS_MAX: u32 = 3 * RESPONSE_OPENS + DERIVATION_OPENS;
/// The smallest burst of the budget.
pub(crate) const BURST_OPENS_MIN: u32 = 1_024;
// The share of a prefix pays for the dearest datagram.
const _: () = assert!(BURST_OPENS_MIN / PREFIX_SHARE >= DATAGRAM_OPENS_MAX);

/// Of everything, one prefix is served so many parts while it is scarce.
const PREFIX_SHARE: u32 = 64;
/// Exempt prefixes at most: each is looked at for each request.
pub(crate) const EXEMPT_PREFIXES_MAX: usize = 32;
/// Buckets of prefixes, and of those who are expected.
const PLACES: usize = 4_096;
/// An honest client repeats a request or a response ten times a second; the rest is for what arrives twice, and for two who share a place.
const EXPECTED_RATE: Rate = Rate { per_s: 32, burst: 32 };

/// The budget of everything unproved.
pub(super) struct UnprovedBudget {
    rate: Rate,
    total: TokenBucket,
    prefixes: Buckets,
    expected: Buckets,
    exempt: Vec<Prefix>,
}

/// What speaks for the sender of something that is not proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Stranger,
    /// It comes with the tag of a resume token of this server.
    Returner { tag: u64 },
    /// A good token was shown at its address.
    Challenged,
}

impl UnprovedBudget {
    pub(super) fn new(config: &Config, now: Timestamp, hash_key: [u8; 16]) -> Self {
        let rate = Rate { per_s: config.unproved_opens_per_s, burst: config.unproved_opens_burst };
        let share = Rate { per_s: rate.per_s.div_ceil(PREFIX_SHARE), burst: rate.burst / PREFIX_SHARE };
        Self {
            rate,
            total: TokenBucket::full(now, rate),
            prefixes: Buckets::full(now, share, hash_key),
            expected: Buckets::full(now, EXPECTED_RATE, hash_key),
            exempt: config.exempt_prefixes.clone(),
        }
    }

    /// Spends so many opens on something that `from` asks for; `false`, with nothing spent, if the budget is gone for it.
    ///
    /// `opens` is at most [`DATAGRAM_OPENS_MAX`].
    pub(super) fn try_spend(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        standing: Standing,
        opens: u32,
    ) -> bool {
        let is_served = self.is_served(now, from, standing, opens);
        if is_served {
            self.total.take_up_to(now, self.rate, opens);
        }
        is_served
    }

    fn is_served(&mut self, now: Timestamp, from: SocketAddr, standing: Standing, opens: u32) -> bool {
        let share_rate = self.prefixes.rate;
        let share = self.prefixes.bucket(self.share_of(from));
        let level = self.total.level(now, self.rate);
        let lasts = |kept_back: u32| level >= u64::from(kept_back) + u64::from(opens);
        if lasts(self.rate.burst / 2) && !is_planted(PlantedBug::PrefixesRefuseEarly) {
            share.take_up_to(now, share_rate, opens);
            return true;
        }
        if lasts(self.rate.burst / 4) && share.try_take(now, share_rate, opens) {
            return true;
        }
        let expected = match standing {
            Standing::Stranger => return false,
            Standing::Returner { tag } => self.expected.bucket(tag),
            Standing::Challenged => self.expected.bucket(from),
        };
        lasts(0) && expected.try_take(now, EXPECTED_RATE, 1)
    }

    /// Charges so many opens of a packet that is not the player's whose it could have been. It was not to be refused, so it takes nothing
    /// from the reserves.
    pub(super) fn charge_failed_opens(&mut self, now: Timestamp, opens: u32) {
        let spare = self.total.level(now, self.rate).saturating_sub(u64::from(self.rate.burst / 2));
        let charged = u32::try_from(spare).map_or(opens, |spare| spare.min(opens));
        self.total.take_up_to(now, self.rate, charged);
    }

    /// Whose share an address belongs to: that of its site, or its own with its port.
    fn share_of(&self, from: SocketAddr) -> (Prefix, u16) {
        let one = Prefix::of_one(from.ip());
        if self.exempt.iter().any(|prefix| prefix.contains(from.ip())) {
            (one, from.port())
        } else {
            (one.of_site(), 0)
        }
    }

    /// The memory it takes beyond its own place.
    pub(super) fn memory_bytes(&self) -> usize {
        2 * Buckets::memory_bytes() + vec_bytes(&self.exempt)
    }

    /// The most memory it takes beyond its own place.
    pub(super) const fn memory_bytes_max() -> usize {
        2 * Buckets::memory_bytes() + EXEMPT_PREFIXES_MAX * size_of::<Prefix>()
    }
}

/// Token buckets of one rate, found by a keyed hash. Those that meet in one place share it.
struct Buckets {
    rate: Rate,
    hash: KeyedHash,
    places: Box<[TokenBucket]>,
}

impl Buckets {
    fn full(now: Timestamp, rate: Rate, hash_key: [u8; 16]) -> Self {
        let places = alloc::vec![TokenBucket::full(now, rate); PLACES].into_boxed_slice();
        Self { rate, hash: KeyedHash::new(hash_key), places }
    }

    fn bucket(&mut self, key: impl core::hash::Hash) -> &mut TokenBucket {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 4,096")]
        let place = (self.hash.hash_one(key) % PLACES as u64) as usize;
        &mut self.places[place]
    }

    const fn memory_bytes() -> usize {
        PLACES * size_of::<TokenBucket>()
    }
}

#[cfg(test)]
mod tests;
