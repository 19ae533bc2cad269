//! Minting connect tokens, as a backend does, and a server for sessions that may come back.

use core::fmt;
use core::net::SocketAddr;

use zeroize::Zeroizing;

use super::address::ServerAddresses;
use super::key::Key;
use super::private_token::{PrivateToken, TokenSeal};
use super::token::ConnectToken;
use super::{TOKEN_NONCE_BYTES, USER_DATA_BYTES};
use crate::ClientId;

/// Everything a connect token is made of; [`TokenSpec::mint`] makes it.
///
/// The nonce and both connection keys must be fresh random bytes for each token: a nonce used twice under one
/// private key reveals what it sealed.
#[derive(Clone, Copy)]
pub struct TokenSpec<'a> {
    /// The game or application the token is for; servers of another one refuse it.
    pub protocol_id: u64,
    /// When the token is minted, in Unix seconds.
    pub create_unix: u64,
    /// The first Unix second at which servers refuse it; later than `create_unix`.
    pub expire_unix: u64,
    /// Random, never used before under `private_key`.
    pub nonce: [u8; TOKEN_NONCE_BYTES],
    /// The secret that servers and backends share.
    pub private_key: &'a Key,
    /// Who the holder of the token is.
    pub client_id: ClientId,
    /// Seconds of silence after which either end gives up; negative means never, which is for development only.
    pub timeout_seconds: i32,
    /// The servers to try, in this order: between 1 and 32.
    pub addresses: &'a [SocketAddr],
    /// Seals what the client sends.
    pub client_to_server_key: &'a Key,
    /// Seals what the server sends.
    pub server_to_client_key: &'a Key,
    /// For the server's application, out of the client's reach.
    pub user_data: &'a [u8; USER_DATA_BYTES],
}

impl TokenSpec<'_> {
    /// Makes the token.
    ///
    /// Fails if the token could never be used: it lists no or too many addresses, or is born expired.
    pub fn mint(&self) -> Result<ConnectToken, MintError> {
        if self.expire_unix <= self.create_unix {
            return Err(MintError::BornExpired);
        }
        if self.addresses.is_empty() {
            return Err(MintError::NoAddresses);
        }
        let addresses = ServerAddresses::new(self.addresses).ok_or(MintError::TooManyAddresses)?;
        let private = PrivateToken {
            client_id: self.client_id,
            timeout_seconds: self.timeout_seconds,
            addresses: addresses.clone(),
            client_to_server_key: self.client_to_server_key.clone(),
            server_to_client_key: self.server_to_client_key.clone(),
            user_data: Zeroizing::new(*self.user_data),
        };
        let seal = TokenSeal {
            protocol_id: self.protocol_id,
            expire_unix: self.expire_unix,
            nonce: &self.nonce,
            private_key: self.private_key,
        };
        Ok(ConnectToken {
            protocol_id: self.protocol_id,
            create_unix: self.create_unix,
            expire_unix: self.expire_unix,
            nonce: self.nonce,
            private: private.seal(&seal),
            timeout_seconds: self.timeout_seconds,
            addresses,
            client_to_server_key: self.client_to_server_key.clone(),
            server_to_client_key: self.server_to_client_key.clone(),
        })
    }
}

impl fmt::Debug for TokenSpec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSpec")
            .field("protocol_id", &self.protocol_id)
            .field("create_unix", &self.create_unix)
            .field("expire_unix", &self.expire_unix)
            .field("client_id", &self.client_id)
            .field("timeout_seconds", &self.timeout_seconds)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Why a token cannot be minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MintError {
    /// The token would not expire after it was created.
    BornExpired,
    /// There is no address to connect to.
    NoAddresses,
    /// There are more than 32 addresses.
    TooManyAddresses,
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BornExpired => "a token must expire after it is created",
            Self::NoAddresses => "a token needs at least one server address",
            Self::TooManyAddresses => "a token lists at most 32 server addresses",
        })
    }
}

impl core::error::Error for MintError {}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::super::ADDRESSES_MAX;
    use super::super::fixtures::{self, SpecInputs};
    use super::*;

    #[test]
    fn a_minted_token_opens_with_the_private_key_and_says_what_was_asked() {
        let inputs = SpecInputs::new();
        let spec = inputs.spec();

        let token = spec.mint().unwrap();

        let seal = fixtures::token_seal(spec.private_key);
        let private = PrivateToken::open(&token.private, &seal).ok().unwrap();
        assert!(private == fixtures::private_token());
        assert_eq!(token.addresses(), spec.addresses);
        assert_eq!(token.client_to_server_key, private.client_to_server_key);
        assert_eq!(token.server_to_client_key, private.server_to_client_key);
        assert_eq!(
            (token.protocol_id(), token.create_unix(), token.expire_unix(), token.timeout_seconds()),
            (spec.protocol_id, spec.create_unix, spec.expire_unix, spec.timeout_seconds)
        );
    }

    #[test]
    fn the_private_part_of_one_token_does_not_open_under_the_expiry_of_another() {
        let inputs = SpecInputs::new();
        let spec = inputs.spec();
        let token = spec.mint().unwrap();
        let later =
            TokenSeal { expire_unix: spec.expire_unix + 60, ..fixtures::token_seal(spec.private_key) };

        assert!(PrivateToken::open(&token.private, &later).is_err());
    }

    #[test]
    fn a_token_that_could_never_be_used_is_not_minted() {
        let inputs = SpecInputs::new();
        let spec = inputs.spec();
        let too_many = [spec.addresses[0]; ADDRESSES_MAX + 1];

        let refusals = [
            TokenSpec { addresses: &[], ..spec },
            TokenSpec { addresses: &too_many, ..spec },
            TokenSpec { expire_unix: spec.create_unix, ..spec },
        ]
        .map(|spec| spec.mint().err());

        assert_eq!(
            refusals,
            [Some(MintError::NoAddresses), Some(MintError::TooManyAddresses), Some(MintError::BornExpired)]
        );
    }

    #[test]
    fn an_error_names_what_keeps_the_token_from_being_minted() {
        let named = [
            (MintError::BornExpired, "expire"),
            (MintError::NoAddresses, "at least one"),
            (MintError::TooManyAddresses, "at most 32"),
        ];
        for (error, part) in named {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", SpecInputs::new().spec());

        assert!(shown.contains("client_id"));
        assert!(!shown.contains("key") && !shown.contains("user_data") && !shown.contains("nonce"));
    }
}
