//! Connect tokens made here rather than by a backend elsewhere: for tests, tools and games that hold the private key themselves.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use rejoin::{ClientId, ConnectToken, Key, MintError, TokenSpec, USER_DATA_BYTES};

use crate::address::normalised;

/// What a token says; the secrets in it are drawn from the operating system.
#[derive(Clone, Debug)]
pub struct TokenRequest<'a> {
    /// The game and its version; the server must have the same.
    pub protocol_id: u64,
    /// The key shared with the server.
    pub private_key: &'a Key,
    /// Who the holder is. The server knows a player by it.
    pub client_id: ClientId,
    /// The public addresses of the server, 1 to 32, in the order the client tries them.
    pub addresses: &'a [SocketAddr],
    /// Seconds for which the token opens a session. A server refuses those that live longer than it is configured for.
    pub lifetime_s: u32,
    /// Seconds of silence after which either end gives the path up; negative means never.
    pub timeout_s: i32,
}

impl TokenRequest<'_> {
    /// Makes a token that begins at `unix_time_s`, in seconds since 1970.
    pub fn mint(&self, unix_time_s: u64) -> Result<ConnectToken, TokenRequestError> {
        let spec = TokenSpec {
            protocol_id: self.protocol_id,
            create_unix: unix_time_s,
            expire_unix: unix_time_s.saturating_add(self.lifetime_s.into()),
            nonce: draw()?,
            private_key: self.private_key,
            client_id: self.client_id,
            timeout_seconds: self.timeout_s,
            addresses: &normalised(self.addresses),
            client_to_server_key: &Key::new(draw()?),
            server_to_client_key: &Key::new(draw()?),
            user_data: &[0; USER_DATA_BYTES],
        };
        spec.mint().map_err(TokenRequestError::Mint)
    }
}

fn draw<const BYTES: usize>() -> Result<[u8; BYTES], TokenRequestError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(TokenRequestError::Random)?;
    Ok(bytes)
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRequestError {
    /// The request asks for a token that could never be used.
    Mint(MintError),
    /// The operating system gives no random numbers.
    Random(getrandom::Error),
}

impl fmt::Display for TokenRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mint(error) => error.fmt(f),
            Self::Random(error) => write!(f, "the system gives no random numbers: {error}"),
        }
    }
}

impl Error for TokenRequestError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint(addresses: &[SocketAddr]) -> Result<ConnectToken, TokenRequestError> {
        let request = TokenRequest {
            protocol_id: 7,
            private_key: &Key::new([1; 32]),
            client_id: ClientId(42),
            addresses,
            lifetime_s: 45,
            timeout_s: 15,
        };
        request.mint(1_000)
    }

    #[test]
    fn a_token_says_what_was_asked_for() {
        let addresses = ["192.0.2.1:40000".parse().unwrap(), "[2001:db8::1]:40000".parse().unwrap()];
        let token = mint(&addresses).unwrap();
        assert_eq!((token.create_unix(), token.expire_unix()), (1_000, 1_045));
        assert_eq!((token.protocol_id(), token.timeout_seconds()), (7, 15));
        assert_eq!(token.addresses(), addresses);
    }

    #[test]
    fn a_token_lists_a_mapped_address_as_the_ipv4_address_it_is() {
        let token = mint(&["[::ffff:192.0.2.1]:40000".parse().unwrap()]).unwrap();
        assert_eq!(token.addresses(), ["192.0.2.1:40000".parse().unwrap()]);
    }

    #[test]
    fn no_two_tokens_share_their_secrets() {
        let addresses = ["192.0.2.1:40000".parse().unwrap()];
        let written = |token: ConnectToken| {
            let mut bytes = [0; rejoin::CONNECT_TOKEN_BYTES];
            token.write(&mut bytes);
            bytes
        };
        assert_ne!(written(mint(&addresses).unwrap()), written(mint(&addresses).unwrap()));
    }

    #[test]
    fn a_token_without_a_server_is_refused() {
        assert_eq!(mint(&[]).unwrap_err(), TokenRequestError::Mint(MintError::NoAddresses));
    }
}
