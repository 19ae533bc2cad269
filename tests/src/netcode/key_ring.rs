//! The keys of everybody, learned from the connection requests on the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{KeyBytes, Request, header, open_packet, open_request};

/// A key of a [`KeyRing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// Which token it is from, in the order in which they were first presented.
    pub token: usize,
    /// Whether it seals packets to the server.
    pub is_to_server: bool,
}

/// A sealed packet, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The key it was sealed under.
    pub key: KeyId,
    /// Its number in the standard: 1 denied, 2 challenge, 3 response, 4 keep-alive, 5 payload, 6 disconnect.
    pub kind: u8,
    /// Its sequence.
    pub sequence: u64,
    /// Its body.
    pub body: Vec<u8>,
}

/// Reads along, with the private key of the servers: their tokens hold all other keys.
#[derive(Clone, Debug)]
pub struct KeyRing {
    protocol_id: u64,
    private_key: KeyBytes,
    /// By token: the keys to the server and to the client.
    keys: Vec<(KeyBytes, KeyBytes)>,
    tokens: BTreeMap<[u8; 24], usize>,
    /// By source and destination: the key that the last packet opened with.
    in_use: BTreeMap<(SocketAddr, SocketAddr), KeyId>,
}

impl KeyRing {
    /// Nobody has shown a token yet.
    #[must_use]
    pub const fn new(protocol_id: u64, private_key: KeyBytes) -> Self {
        Self { protocol_id, private_key, keys: Vec::new(), tokens: BTreeMap::new(), in_use: BTreeMap::new() }
    }

    /// Reads a request and remembers its keys; `None` if it is none.
    pub fn learn(&mut self, datagram: &[u8]) -> Option<Request> {
        let request = open_request(self.protocol_id, &self.private_key, datagram)?;
        let next = self.keys.len();
        if *self.tokens.entry(request.nonce).or_insert(next) == next {
            self.keys.push((request.client_to_server, request.server_to_client));
        }
        Some(request)
    }

    /// Opens a packet with whichever key it was sealed under; `None` if that is none of them.
    pub fn open(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> Option<Packet> {
        let (kind, sequence, _) = header(datagram)?;
        let newest_first = (0..self.keys.len()).rev();
        let both =
            newest_first.flat_map(|token| [true, false].map(|is_to_server| KeyId { token, is_to_server }));
        let in_use = self.in_use.get(&(from, to)).copied();
        let (key, body) = in_use.into_iter().chain(both).find_map(|key| {
            let body = open_packet(self.protocol_id, &self.key(key)?, datagram)?;
            Some((key, body))
        })?;
        self.in_use.insert((from, to), key);
        Some(Packet { key, kind, sequence, body })
    }

    /// The number of the token with this nonce, if it was shown.
    #[must_use]
    pub fn token_of(&self, nonce: &[u8; 24]) -> Option<usize> {
        self.tokens.get(nonce).copied()
    }

    /// The bytes of a key.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<KeyBytes> {
        let (to_server, to_client) = self.keys.get(id.token)?;
        Some(if id.is_to_server { *to_server } else { *to_client })
    }

    /// The key in use from one address to another, as the last packet that was opened showed.
    #[must_use]
    pub fn key_between(&self, from: SocketAddr, to: SocketAddr) -> Option<KeyBytes> {
        self.key(*self.in_use.get(&(from, to))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{PRIVATE_KEY, PROTOCOL_ID, World, config, server_address};

    #[test]
    fn whoever_has_the_private_key_reads_everything() {
        let mut world = World::new(config(), 1);
        world.wire.record = Some(Vec::new());
        let player = world.add_logged_in(1);
        world.run_for_ms(500);
        world.move_address(player);
        world.run_for_ms(500);
        let mut ring = KeyRing::new(PROTOCOL_ID, PRIVATE_KEY);

        let mut kinds = std::collections::BTreeSet::new();
        for datagram in world.wire.record.iter().flatten() {
            if ring.learn(&datagram.bytes).is_none() {
                let packet = ring.open(datagram.from, datagram.to, &datagram.bytes).expect("a known key");
                assert_eq!(packet.key.is_to_server, datagram.to == server_address());
                kinds.insert(packet.kind);
            }
        }

        assert_eq!(ring.keys.len(), 2, "the backend's token and the resume token");
        assert!([2, 3, 4, 5].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    }

    #[test]
    fn a_changed_packet_opens_with_no_key() {
        let mut world = World::new(config(), 1);
        world.wire.record = Some(Vec::new());
        world.add_logged_in(1);
        let mut ring = KeyRing::new(PROTOCOL_ID, PRIVATE_KEY);
        let record = world.wire.record.as_ref().expect("a recording");
        assert!(ring.learn(&record[0].bytes).is_some());
        let mut last = record.last().expect("a datagram").clone();
        assert!(ring.open(last.from, last.to, &last.bytes).is_some());

        *last.bytes.last_mut().expect("a byte") ^= 1;

        assert_eq!(ring.open(last.from, last.to, &last.bytes), None);
    }
}
