//! The law of nonces: no pair of key and nonce ever seals two plaintexts, over servers and restarts.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use super::{Violation, ensure};
use crate::netcode::{KeyId, Packet, Request, seal_of};

/// What was sealed under each nonce so far, by its seal.
#[derive(Clone, Debug, Default)]
pub struct Nonces {
    packets: HashMap<(KeyId, u64), u64>,
    /// By start of the server, which has a challenge key of its own, and sequence.
    challenges: HashMap<(u64, u64), u64>,
    tokens: HashMap<[u8; 24], u64>,
    starts: u64,
}

impl Nonces {
    /// A request was sent: its private part is sealed under the servers' private key.
    pub fn requested(&mut self, request: &Request) -> Result<(), Violation> {
        note(&mut self.tokens, request.nonce, &request.private)
    }

    /// A packet was sent, as `datagram` is.
    pub fn sealed(&mut self, packet: &Packet, datagram: &[u8]) -> Result<(), Violation> {
        if packet.kind == 2
            && let Some((sequence, token)) = packet.body.split_first_chunk()
        {
            note(&mut self.challenges, (self.starts, u64::from_le_bytes(*sequence)), token)?;
        }
        note(&mut self.packets, (packet.key, packet.sequence), datagram)
    }

    /// Another start of the server begins.
    pub fn server_started(&mut self) {
        self.starts += 1;
    }
}

fn note<N: Copy + Eq + Hash + Debug>(
    sealed: &mut HashMap<N, u64>,
    nonce: N,
    bytes: &[u8],
) -> Result<(), Violation> {
    let seal = seal_of(bytes);
    let first = *sealed.entry(nonce).or_insert(seal);
    ensure(first == seal, || format!("two plaintexts are sealed under {nonce:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, sequence: u64, body: &[u8]) -> Packet {
        Packet { key: KeyId { token: 0, is_to_server: false }, kind, sequence, body: body.to_vec() }
    }

    #[test]
    fn a_second_plaintext_under_one_nonce_is_caught_and_the_same_bytes_again_are_fine() {
        let mut nonces = Nonces::default();
        assert_eq!(nonces.sealed(&packet(5, 1, b""), b"one"), Ok(()));
        assert_eq!(nonces.sealed(&packet(5, 1, b""), b"one"), Ok(()));
        assert_eq!(nonces.sealed(&packet(5, 2, b""), b"another"), Ok(()));
        assert!(nonces.sealed(&packet(4, 1, b""), b"another").is_err());
    }

    #[test]
    fn a_second_challenge_under_one_sequence_is_caught_but_another_start_has_another_key() {
        let mut nonces = Nonces::default();
        assert_eq!(nonces.sealed(&packet(2, 1, b"sequenceone"), b"1"), Ok(()));
        nonces.server_started();
        assert_eq!(nonces.sealed(&packet(2, 2, b"sequenceanother"), b"2"), Ok(()));
        assert!(nonces.sealed(&packet(2, 3, b"sequenceone"), b"3").is_err());
    }

    #[test]
    fn a_second_token_under_one_nonce_is_caught() {
        let request = |private: &[u8]| Request {
            nonce: [7; 24],
            private: private.to_vec(),
            expiry_unix_s: 1,
            client_id: 1,
            addresses: Vec::new(),
            timeout_s: 5,
            user_data: Vec::new(),
            client_to_server: [1; 32],
            server_to_client: [2; 32],
        };
        let mut nonces = Nonces::default();
        assert_eq!(nonces.requested(&request(b"one")), Ok(()));
        assert_eq!(nonces.requested(&request(b"one")), Ok(()));
        assert!(nonces.requested(&request(b"another")).is_err());
    }
}
