//! A secret key.

use core::fmt;
use core::hint::black_box;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A 32-byte secret: the private key that seals connect tokens, or one direction of a connection.
///
/// It is wiped from memory when dropped, shows nothing in `Debug`, and compares in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; Self::BYTES]);

impl Key {
    /// Size of a key in bytes.
    pub const BYTES: usize = 32;

    /// A key of these bytes, which must come from a source nobody can guess.
    ///
    /// The bytes are copied; wiping the original is up to the caller.
    #[must_use]
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The secret bytes themselves.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // Folding all bytes, hidden from the optimizer, keeps the time independent of where they differ.
        let difference = self.0.iter().zip(&other.0).fold(0, |folded, (a, b)| black_box(folded | (a ^ b)));
        difference == 0
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn keys_are_equal_only_if_every_bit_is() {
        let key = Key::new([0x5a; Key::BYTES]);

        assert_eq!(key, key.clone());
        for index in 0..Key::BYTES {
            for bit in 0..8 {
                let mut bytes = *key.as_bytes();
                bytes[index] ^= 1 << bit;
                assert_ne!(key, Key::new(bytes), "byte {index} bit {bit}");
            }
        }
    }

    #[test]
    fn debug_shows_none_of_the_bytes() {
        assert_eq!(format!("{:?}", Key::new([0xab; Key::BYTES])), "Key(..)");
    }

    #[test]
    fn zeroize_wipes_the_bytes() {
        let mut key = Key::new([0xab; Key::BYTES]);

        key.zeroize();

        assert_eq!(key.as_bytes(), &[0; Key::BYTES]);
    }
}
