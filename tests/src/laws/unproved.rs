//! The law about addresses: one proves itself by its own challenge, and gets no more bytes than it sent before.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use super::{Violation, ensure};
use crate::netcode::Packet;

/// What passed between one start of a server and each address.
#[derive(Clone, Debug, Default)]
pub struct UnprovedAddresses {
    accounts: HashMap<SocketAddr, Account>,
}

#[derive(Clone, Debug, Default)]
struct Account {
    /// The challenges it was sent, as hashes, each under the keys of the token it answers.
    challenges: BTreeSet<(usize, u64)>,
    bytes_from: usize,
    bytes_to: usize,
    /// The tokens for which it answered its own challenge.
    proved_for: BTreeSet<usize>,
    /// A path challenge that went there was answered.
    is_heard: bool,
}

impl UnprovedAddresses {
    /// The server read a datagram of so many bytes, which is this packet if it is any, and went on with it or not.
    pub fn received(
        &mut self,
        from: SocketAddr,
        bytes: usize,
        packet: Option<&Packet>,
        went_on: bool,
    ) -> Result<(), Violation> {
        let account = self.accounts.entry(from).or_default();
        account.bytes_from += bytes;
        let Some(response) = packet.filter(|packet| packet.kind == 3) else { return Ok(()) };
        let token = response.key.token;
        if account.challenges.contains(&(token, hash_of(&response.body))) {
            account.proved_for.insert(token);
        }
        // Once the handshake is complete its responses are answered again, also one to a challenge that another address got.
        ensure(account.proved_for.contains(&token) || !went_on, || {
            format!("{from} answered a challenge that it never got for its token, and was believed")
        })
    }

    /// A session's peer returned the value of a path challenge that went there.
    pub fn proved(&mut self, address: SocketAddr) {
        self.accounts.entry(address).or_default().is_heard = true;
    }

    /// The server sent a datagram of so many bytes, which is this packet if it is any.
    pub fn sent(&mut self, to: SocketAddr, bytes: usize, packet: Option<&Packet>) -> Result<(), Violation> {
        let account = self.accounts.entry(to).or_default();
        if let Some(challenge) = packet.filter(|packet| packet.kind == 2) {
            account.challenges.insert((challenge.key.token, hash_of(&challenge.body)));
        }
        account.bytes_to += bytes;
        let Account { bytes_from, bytes_to, is_heard, .. } = *account;
        ensure(is_heard || !account.proved_for.is_empty() || bytes_to <= bytes_from, || {
            format!("{to} has not proved itself, sent {bytes_from} bytes and got {bytes_to}")
        })
    }
}

fn hash_of(challenge: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    challenge.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netcode::KeyId;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn packet(kind: u8, token: usize, body: &[u8]) -> Packet {
        Packet { key: KeyId { token, is_to_server: kind == 3 }, kind, sequence: 0, body: body.to_vec() }
    }

    #[test]
    fn more_bytes_than_came_are_caught_until_the_address_has_proved_itself() {
        let mut addresses = UnprovedAddresses::default();
        let challenge = packet(2, 0, b"challenge");
        assert_eq!(addresses.received(address(1), 1_078, None, true), Ok(()));
        assert_eq!(addresses.sent(address(1), 333, Some(&challenge)), Ok(()));
        assert!(addresses.clone().sent(address(1), 746, None).is_err());

        let response = packet(3, 0, b"challenge");
        assert_eq!(addresses.received(address(1), 333, Some(&response), true), Ok(()));

        assert_eq!(addresses.sent(address(1), 10_000, None), Ok(()));
    }

    #[test]
    fn an_answer_to_the_challenge_of_another_address_or_token_is_caught_where_it_is_believed() {
        let mut addresses = UnprovedAddresses::default();
        for port in [1, 2] {
            assert_eq!(addresses.received(address(port), 1_078, None, true), Ok(()));
        }
        assert_eq!(addresses.sent(address(1), 333, Some(&packet(2, 0, b"challenge"))), Ok(()));

        let response = packet(3, 0, b"challenge");
        assert!(addresses.received(address(2), 333, Some(&response), true).is_err());
        assert_eq!(addresses.received(address(2), 333, Some(&response), false), Ok(()));
        let of_other_token = packet(3, 1, b"challenge");
        assert!(addresses.received(address(1), 333, Some(&of_other_token), true).is_err());
    }

    #[test]
    fn whoever_has_proved_itself_for_a_token_may_be_answered_again_for_that_token_alone() {
        let mut addresses = UnprovedAddresses::default();
        assert_eq!(addresses.received(address(1), 1_078, None, true), Ok(()));
        assert_eq!(addresses.sent(address(1), 333, Some(&packet(2, 0, b"challenge"))), Ok(()));
        assert_eq!(addresses.received(address(1), 333, Some(&packet(3, 0, b"challenge")), true), Ok(()));

        assert_eq!(addresses.received(address(1), 333, Some(&packet(3, 0, b"of another")), true), Ok(()));
        assert!(addresses.received(address(1), 333, Some(&packet(3, 1, b"of another")), true).is_err());
    }
}
