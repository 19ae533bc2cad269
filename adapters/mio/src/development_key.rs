//! The key everybody knows.
//!
//! A server that is tried out on one machine needs no key file: it can run on the development key. Whoever has the private key can make
//! tokens for any identity, so the hosts recognise this one by its value, wherever it comes from, and serve it on loopback only.

use std::net::SocketAddr;

use rejoin::Key;

const BYTES: [u8; Key::BYTES] = *b"Rejoin development key: no guard";

/// The fixed private key for trying things out on one machine. It protects nothing.
#[must_use]
pub const fn development_key() -> Key {
    Key::new(BYTES)
}

/// Whether it is the development key, wherever it came from.
#[must_use]
pub fn is_development_key(key: &Key) -> bool {
    *key.as_bytes() == BYTES
}

/// The first of these addresses that must not be served with this key: anything but loopback, with the development key.
///
/// A wildcard is not loopback, since it is reached from outside.
#[must_use]
pub fn forbidden_address(key: &Key, addresses: &[SocketAddr]) -> Option<SocketAddr> {
    if !is_development_key(key) {
        return None;
    }
    addresses.iter().copied().find(|address| !address.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_development_key_serves_loopback_of_both_families() {
        let loopback = addresses(&["127.0.0.1:1", "127.8.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"]);
        assert_eq!(forbidden_address(&development_key(), &loopback), None);
    }

    #[test]
    fn the_development_key_serves_nothing_else() {
        for outside in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[::ffff:192.0.2.1]:1"] {
            let mixed = addresses(&["127.0.0.1:1", outside]);
            assert_eq!(forbidden_address(&development_key(), &mixed), Some(mixed[1]), "{outside}");
        }
    }

    #[test]
    fn another_key_serves_every_address() {
        assert_eq!(forbidden_address(&Key::new([1; 32]), &addresses(&["0.0.0.0:1", "192.0.2.1:1"])), None);
    }
}
