//! What a scripted peer needs to come in: the part of a connect token that a handshake uses.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::link::frame::ResumeToken;
use crate::netcode::request::RequestPacket;
use crate::netcode::{PRIVATE_TOKEN_BYTES, REQUEST_BYTES, TOKEN_NONCE_BYTES};
use crate::{ClientId, ConnectToken, Key, TokenSpec};

pub(super) const PROTOCOL_ID: u64 = 0x5245_4A4F_494E_0001;

/// The keys and the sealed part of one token, whoever made it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The number among a session's resume tokens; 0 for a backend's.
    pub(super) generation: u64,
    pub(super) expire_unix: u64,
    nonce: [u8; TOKEN_NONCE_BYTES],
    private: Box<[u8; PRIVATE_TOKEN_BYTES]>,
    pub(super) client_to_server: Key,
    pub(super) server_to_client: Key,
}

impl Ticket {
    pub(super) fn request(&self) -> Vec<u8> {
        let mut datagram = [0; REQUEST_BYTES];
        let request =
            RequestPacket { expire_unix: self.expire_unix, nonce: &self.nonce, private: &self.private };
        request.write(PROTOCOL_ID, &mut datagram);
        datagram.to_vec()
    }
}

impl From<ConnectToken> for Ticket {
    fn from(token: ConnectToken) -> Self {
        Self {
            generation: 0,
            expire_unix: token.expire_unix,
            nonce: token.nonce,
            private: token.private,
            client_to_server: token.client_to_server_key,
            server_to_client: token.server_to_client_key,
        }
    }
}

impl From<&ResumeToken<'_>> for Ticket {
    fn from(token: &ResumeToken<'_>) -> Self {
        Self {
            generation: token.generation,
            expire_unix: token.expire_unix,
            nonce: *token.nonce,
            private: Box::new(*token.private),
            client_to_server: Key::new(*token.client_to_server_key),
            server_to_client: Key::new(*token.server_to_client_key),
        }
    }
}

/// Mints connect tokens that differ from each other.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub(super) private_key: Key,
    pub(super) lifetime_s: u64,
    pub(super) timeout_seconds: i32,
    pub(super) addresses: Vec<SocketAddr>,
    minted: u8,
}

impl Backend {
    pub(super) fn new(private_key: Key, server: SocketAddr) -> Self {
        Self { private_key, lifetime_s: 45, timeout_seconds: 5, addresses: [server].into(), minted: 0 }
    }

    pub(super) fn ticket(&mut self, client_id: u64, unix_s: u64) -> Ticket {
        self.minted += 1;
        let spec = TokenSpec {
            protocol_id: PROTOCOL_ID,
            create_unix: unix_s,
            expire_unix: unix_s + self.lifetime_s,
            nonce: [self.minted; TOKEN_NONCE_BYTES],
            private_key: &self.private_key,
            client_id: ClientId(client_id),
            timeout_seconds: self.timeout_seconds,
            addresses: &self.addresses,
            client_to_server_key: &Key::new([self.minted; Key::BYTES]),
            server_to_client_key: &Key::new([!self.minted; Key::BYTES]),
            user_data: &[self.minted; 256],
        };
        spec.mint().unwrap().into()
    }
}
