//! The inputs of the published byte vectors, shared by this layer's tests.

use core::net::SocketAddr;

use zeroize::Zeroizing;

use super::address::ServerAddresses;
use super::private_token::{PrivateToken, TokenSeal};
use super::{ConnectToken, Key, TOKEN_NONCE_BYTES, TokenSpec, USER_DATA_BYTES};
use crate::ClientId;

pub(super) const PROTOCOL_ID: u64 = 0xC0FF_EE01_2345_6789;
pub(super) const CREATE_UNIX: u64 = 1_900_000_000;
pub(super) const EXPIRE_UNIX: u64 = 1_900_000_045;
pub(super) const CLIENT_ID: ClientId = ClientId(0xF1E2_D3C4_B5A6_9788);
pub(super) const TIMEOUT_SECONDS: i32 = 17;
pub(super) const CHALLENGE_SEQUENCE: u64 = 5;
pub(super) const CLIENT_INDEX: u32 = 3;
pub(super) const MAX_CLIENTS: u32 = 256;
pub(super) const NONCE: &[u8; TOKEN_NONCE_BYTES] = &pattern(43, 0x84);

/// Byte number i is `i * factor + offset`, modulo 256.
pub(super) const fn pattern<const N: usize>(factor: u8, offset: u8) -> [u8; N] {
    let mut bytes = [offset; N];
    let mut index = 1;
    while index < N {
        bytes[index] = bytes[index - 1].wrapping_add(factor);
        index += 1;
    }
    bytes
}

pub(super) fn private_key() -> Key {
    Key::new(pattern(29, 0x40))
}

pub(super) fn client_to_server_key() -> Key {
    Key::new(pattern(31, 0x51))
}

pub(super) fn server_to_client_key() -> Key {
    Key::new(pattern(37, 0x62))
}

pub(super) fn challenge_key() -> Key {
    Key::new(pattern(41, 0x73))
}

pub(super) fn user_data() -> [u8; USER_DATA_BYTES] {
    pattern(3, 7)
}

pub(super) fn addresses() -> [SocketAddr; 4] {
    ["127.0.0.1:40000", "[::1]:40001", "[2001:db8:1:2:3:4:5:6]:65535", "203.0.113.9:1"]
        .map(|address| address.parse().unwrap())
}

pub(super) fn private_token() -> PrivateToken {
    PrivateToken {
        client_id: CLIENT_ID,
        timeout_seconds: TIMEOUT_SECONDS,
        addresses: ServerAddresses::new(&addresses()).unwrap(),
        client_to_server_key: client_to_server_key(),
        server_to_client_key: server_to_client_key(),
        user_data: Zeroizing::new(user_data()),
    }
}

pub(super) fn token_seal(private_key: &Key) -> TokenSeal<'_> {
    TokenSeal { protocol_id: PROTOCOL_ID, expire_unix: EXPIRE_UNIX, nonce: NONCE, private_key }
}

pub(super) fn connect_token() -> ConnectToken {
    SpecInputs::new().spec().mint().unwrap()
}

/// Owns what a [`TokenSpec`] borrows.
pub(super) struct SpecInputs {
    private_key: Key,
    client_to_server_key: Key,
    server_to_client_key: Key,
    addresses: [SocketAddr; 4],
    user_data: [u8; USER_DATA_BYTES],
}

impl SpecInputs {
    pub(super) fn new() -> Self {
        Self {
            private_key: private_key(),
            client_to_server_key: client_to_server_key(),
            server_to_client_key: server_to_client_key(),
            addresses: addresses(),
            user_data: user_data(),
        }
    }

    pub(super) fn spec(&self) -> TokenSpec<'_> {
        TokenSpec {
            protocol_id: PROTOCOL_ID,
            create_unix: CREATE_UNIX,
            expire_unix: EXPIRE_UNIX,
            nonce: *NONCE,
            private_key: &self.private_key,
            client_id: CLIENT_ID,
            timeout_seconds: TIMEOUT_SECONDS,
            addresses: &self.addresses,
            client_to_server_key: &self.client_to_server_key,
            server_to_client_key: &self.server_to_client_key,
            user_data: &self.user_data,
        }
    }
}

/// Numbers that look random and are the same in each run: a linear congruential generator.
pub(super) struct Lcg(pub(super) u64);

impl Lcg {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A value below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
