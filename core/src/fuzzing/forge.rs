//! Sealing what nobody honest would: packets and private tokens with any content, so that it reaches the inside.

use alloc::vec;
use alloc::vec::Vec;

use crate::netcode::packet::{self, Packet};
use crate::netcode::private_token::TokenSeal;
use crate::netcode::{CHALLENGE_TOKEN_BYTES, PRIVATE_TOKEN_BYTES, TOKEN_NONCE_BYTES};
use crate::{CONNECT_TOKEN_BYTES, ConnectToken, DATAGRAM_BYTES_MAX, Key};

/// Where a token's private part lies: behind version, protocol id, two timestamps and nonce.
const PRIVATE_OFFSET: usize = 13 + 8 + 8 + 8 + TOKEN_NONCE_BYTES;

/// Which end of a connection seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The end that connects.
    Client,
    /// The end that lets in.
    Server,
}

/// What both ends of a connection share.
#[derive(Clone, Debug)]
pub struct ConnectionKeys {
    protocol_id: u64,
    client_to_server: Key,
    server_to_client: Key,
}

/// What was in a sealed packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The packet's sequence.
    pub sequence: u64,
    /// The payload; `None` if it was a packet of another kind.
    pub payload: Option<Vec<u8>>,
}

impl ConnectionKeys {
    /// The keys that the holder of this token connects with.
    #[must_use]
    pub fn of(token: &ConnectToken) -> Self {
        Self {
            protocol_id: token.protocol_id,
            client_to_server: token.client_to_server_key.clone(),
            server_to_client: token.server_to_client_key.clone(),
        }
    }

    /// Opens a datagram of the connection; `None` if it is none.
    #[must_use]
    pub fn open(&self, sender: Sender, datagram: &[u8]) -> Option<Opened> {
        let header = packet::peek(datagram).ok()?;
        let mut copy = datagram.to_vec();
        let payload = match packet::open(&mut copy, &header, self.protocol_id, self.key(sender))? {
            Packet::Payload(payload) => Some(payload.to_vec()),
            _ => None,
        };
        Some(Opened { sequence: header.sequence, payload })
    }

    /// Seals a payload; `None` if it is empty or longer than 1,200 bytes.
    #[must_use]
    pub fn seal_payload(&self, sender: Sender, sequence: u64, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal(sender, sequence, &Packet::Payload(payload))
    }

    /// Seals a packet without a payload, whichever of the five kinds `choice` means, its fields filled with `fill`.
    #[must_use]
    pub fn seal_other(&self, sender: Sender, sequence: u64, choice: u8, fill: u8) -> Option<Vec<u8>> {
        let token_sequence = fill.into();
        let token = &mut [fill; CHALLENGE_TOKEN_BYTES];
        let packet = match choice % 5 {
            0 => Packet::KeepAlive { client_index: fill.into(), max_clients: u32::MAX - u32::from(fill) },
            1 => Packet::Disconnect,
            2 => Packet::Denied,
            3 => Packet::Challenge { token_sequence, token },
            _ => Packet::Response { token_sequence, token },
        };
        self.seal(sender, sequence, &packet)
    }

    fn seal(&self, sender: Sender, sequence: u64, packet: &Packet<'_>) -> Option<Vec<u8>> {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let len = packet::seal(packet, sequence, self.protocol_id, self.key(sender), &mut datagram)?;
        datagram.truncate(len);
        Some(datagram)
    }

    const fn key(&self, sender: Sender) -> &Key {
        match sender {
            Sender::Client => &self.client_to_server,
            Sender::Server => &self.server_to_client,
        }
    }
}

/// Opens the private part of a token, lets `change` at its plain form, and seals it again under the same nonce; says whether it opened.
pub fn reseal_private(
    token: &mut [u8; CONNECT_TOKEN_BYTES],
    private_key: &Key,
    change: impl FnOnce(&mut [u8; PRIVATE_TOKEN_BYTES]),
) -> bool {
    let Ok(read) = ConnectToken::read(token) else { return false };
    let seal = TokenSeal {
        protocol_id: read.protocol_id,
        expire_unix: read.expire_unix,
        nonce: &read.nonce,
        private_key,
    };
    let Some(mut plain) = seal.open_plain(&read.private) else { return false };
    change(&mut plain);
    seal.seal_in_place(&mut plain);
    token[PRIVATE_OFFSET..][..PRIVATE_TOKEN_BYTES].copy_from_slice(&*plain);
    true
}
