//! The backend that makes connect tokens.

use std::net::SocketAddr;

use rejoin::{ClientId, ConnectToken, Key, TokenSpec, USER_DATA_BYTES};

use super::{Chance, PROTOCOL_ID};

/// What a backend writes into a token of every world's protocol.
#[derive(Clone, Copy, Debug)]
pub struct TokenTerms<'a> {
    /// Who its holder is.
    pub client_id: ClientId,
    /// When it is made, in Unix seconds.
    pub create_unix_s: u64,
    /// For how long it is good, in seconds, 1 at least.
    pub lifetime_s: u64,
    /// The silence that ends a connection made with it, in seconds.
    pub timeout_s: i32,
    /// The servers to try, 1 to 32.
    pub addresses: &'a [SocketAddr],
    /// The key it is sealed with.
    pub private_key: [u8; 32],
}

impl TokenTerms<'_> {
    /// Makes the token; `number` must be another one each time. Its user data begins with it.
    #[must_use]
    pub fn mint(&self, chance: &mut Chance, number: u64) -> ConnectToken {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        let mut user_data = [0x5a; USER_DATA_BYTES];
        user_data[..8].copy_from_slice(&number.to_le_bytes());
        let (up, down) = (Key::new(chance.bytes()), Key::new(chance.bytes()));
        TokenSpec {
            protocol_id: PROTOCOL_ID,
            create_unix: self.create_unix_s,
            expire_unix: self.create_unix_s + self.lifetime_s,
            nonce,
            private_key: &Key::new(self.private_key),
            client_id: self.client_id,
            timeout_seconds: self.timeout_s,
            addresses: self.addresses,
            client_to_server_key: &up,
            server_to_client_key: &down,
            user_data: &user_data,
        }
        .mint()
        .expect("a valid token")
    }
}
