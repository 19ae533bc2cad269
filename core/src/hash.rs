//! Hash maps whose keys may be chosen by an attacker.

use core::fmt;
use core::hash::BuildHasher;

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

/// A hash map under a secret hash key, so that nobody outside can choose keys that collide.
///
/// Its order depends on that hash key and must never reach an output: look things up, never iterate.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, KeyedHash>;

/// An empty [`KeyedMap`] under `key`, which must be random and secret.
pub(crate) fn keyed_map<K, V>(key: [u8; 16]) -> KeyedMap<K, V> {
    HashMap::with_hasher(KeyedHash::new(key))
}

/// Starts each hash as SipHash-1-3 under one secret key.
#[derive(Clone)]
pub(crate) struct KeyedHash {
    key: [u8; 16],
}

impl KeyedHash {
    /// Hashes under `key`, which must be random and secret.
    pub(crate) const fn new(key: [u8; 16]) -> Self {
        Self { key }
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedHash").finish_non_exhaustive()
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_the_key_and_on_nothing_else() {
        let first = KeyedHash { key: [1; 16] };
        let second = KeyedHash { key: [2; 16] };

        assert_eq!(first.hash_one(7_u64), first.clone().hash_one(7_u64));
        assert_ne!(first.hash_one(7_u64), second.hash_one(7_u64));
    }

    #[test]
    fn a_keyed_map_finds_what_was_put_in() {
        let mut map = keyed_map([3; 16]);

        map.insert("a", 1);

        assert_eq!(map.get("a"), Some(&1));
        assert_eq!(map.get("b"), None);
    }
}
