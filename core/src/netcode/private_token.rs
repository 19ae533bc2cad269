//! The private part of a connect token, which only servers and backends can read (netcode standard, section
//! Connect Token).

use alloc::boxed::Box;

use zeroize::Zeroizing;

use super::address::{ADDRESS_LIST_BYTES_MAX, ServerAddresses};
use super::aead::{self, MAC_BYTES};
use super::key::Key;
use super::token::{TokenError, read_key};
use super::wire::{Reader, Writer};
use super::{PRIVATE_TOKEN_BYTES, TOKEN_NONCE_BYTES, USER_DATA_BYTES, VERSION_INFO};
use crate::ClientId;

const BODY_BYTES: usize = PRIVATE_TOKEN_BYTES - MAC_BYTES;

// The longest private part fits its fixed size, so writing one cannot fail.
const _: () = assert!(8 + 4 + ADDRESS_LIST_BYTES_MAX + 2 * Key::BYTES + USER_DATA_BYTES <= BODY_BYTES);

/// Who may connect, where to and under which keys. Keys and user data are wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PrivateToken {
    pub(crate) client_id: ClientId,
    /// Seconds of silence after which either end gives up; negative means never.
    pub(crate) timeout_seconds: i32,
    pub(crate) addresses: ServerAddresses,
    pub(crate) client_to_server_key: Key,
    pub(crate) server_to_client_key: Key,
    pub(crate) user_data: Zeroizing<[u8; USER_DATA_BYTES]>,
}

/// What a private token is sealed under: the key, and the public facts it is bound to.
#[derive(Clone, Copy)]
pub(crate) struct TokenSeal<'a> {
    pub(crate) protocol_id: u64,
    pub(crate) expire_unix: u64,
    pub(crate) nonce: &'a [u8; TOKEN_NONCE_BYTES],
    pub(crate) private_key: &'a Key,
}

/// Why a sealed private token gives no [`PrivateToken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrivateTokenError {
    /// Not sealed under this key, nonce, protocol id and expire timestamp.
    NotAuthentic,
    /// Sealed by somebody who has the key, but not a private token.
    Malformed(TokenError),
}

impl PrivateToken {
    /// Writes the plain form; the last 16 bytes stay zero, room for the MAC.
    pub(crate) fn write(&self, plain: &mut [u8; PRIVATE_TOKEN_BYTES]) {
        let mut writer = Writer::zeroed(plain);
        writer.bytes(&self.client_id.0.to_le_bytes());
        writer.bytes(&self.timeout_seconds.to_le_bytes());
        self.addresses.write(&mut writer);
        writer.bytes(self.client_to_server_key.as_bytes());
        writer.bytes(self.server_to_client_key.as_bytes());
        writer.bytes(&*self.user_data);
    }

    /// Reads the plain form; refuses address lists as [`super::ConnectToken::read`] does.
    pub(crate) fn read(plain: &[u8; PRIVATE_TOKEN_BYTES]) -> Result<Self, TokenError> {
        let mut reader = Reader::new(plain);
        Ok(Self {
            client_id: ClientId(reader.u64().ok_or(TokenError::Size)?),
            timeout_seconds: reader.i32().ok_or(TokenError::Size)?,
            addresses: ServerAddresses::read(&mut reader)?,
            client_to_server_key: read_key(&mut reader)?,
            server_to_client_key: read_key(&mut reader)?,
            user_data: Zeroizing::new(*reader.array().ok_or(TokenError::Size)?),
        })
    }

    /// The sealed form, its MAC in the last 16 bytes. A nonce must never seal two tokens under one key.
    pub(crate) fn seal(&self, seal: &TokenSeal<'_>) -> Box<[u8; PRIVATE_TOKEN_BYTES]> {
        let mut sealed = Box::new([0; PRIVATE_TOKEN_BYTES]);
        self.write(&mut sealed);
        seal.seal_in_place(&mut sealed);
        sealed
    }

    /// Opens and reads a sealed private token, which itself is left as it came.
    pub(crate) fn open(
        sealed: &[u8; PRIVATE_TOKEN_BYTES],
        seal: &TokenSeal<'_>,
    ) -> Result<Self, PrivateTokenError> {
        let plain = seal.open_plain(sealed).ok_or(PrivateTokenError::NotAuthentic)?;
        Self::read(&plain).map_err(PrivateTokenError::Malformed)
    }
}

impl TokenSeal<'_> {
    /// Seals a plain form, whatever it says; its MAC takes the last 16 bytes.
    pub(crate) fn seal_in_place(&self, plain: &mut [u8; PRIVATE_TOKEN_BYTES]) {
        let (body, mac) = plain.split_at_mut(BODY_BYTES);
        mac.copy_from_slice(&aead::seal_token(self.private_key, self.nonce, &self.associated_data(), body));
    }

    /// Opens a sealed private token, which itself is left as it came; `None` if it is not authentic.
    pub(crate) fn open_plain(
        &self,
        sealed: &[u8; PRIVATE_TOKEN_BYTES],
    ) -> Option<Zeroizing<[u8; PRIVATE_TOKEN_BYTES]>> {
        // A copy, so that another key may be tried on the same bytes; wiped, for it holds keys in the clear.
        let mut plain = Zeroizing::new(*sealed);
        aead::open_token(self.private_key, self.nonce, &self.associated_data(), &mut *plain)?;
        Some(plain)
    }

    fn associated_data(&self) -> [u8; VERSION_INFO.len() + 8 + 8] {
        let mut bytes = [0; VERSION_INFO.len() + 8 + 8];
        let mut writer = Writer::zeroed(&mut bytes);
        writer.bytes(VERSION_INFO);
        writer.bytes(&self.protocol_id.to_le_bytes());
        writer.bytes(&self.expire_unix.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    fn refusal(sealed: &[u8; PRIVATE_TOKEN_BYTES], seal: &TokenSeal<'_>) -> Option<PrivateTokenError> {
        PrivateToken::open(sealed, seal).err()
    }

    #[test]
    fn a_sealed_token_opens_more_than_once() {
        let (key, token) = (fixtures::private_key(), fixtures::private_token());
        let seal = fixtures::token_seal(&key);
        let sealed = token.seal(&seal);

        for _ in 0..2 {
            assert!(PrivateToken::open(&sealed, &seal) == Ok(token.clone()));
        }
    }

    #[test]
    fn the_largest_token_reads_back() {
        let address = "[2001:db8::1]:65535".parse().unwrap();
        let addresses = ServerAddresses::new(&[address; super::super::ADDRESSES_MAX]).unwrap();
        let token = PrivateToken { addresses, timeout_seconds: -1, ..fixtures::private_token() };
        let key = fixtures::private_key();
        let seal = fixtures::token_seal(&key);

        assert!(PrivateToken::open(&token.seal(&seal), &seal) == Ok(token));
    }

    #[test]
    fn a_token_is_bound_to_key_nonce_protocol_and_expiry() {
        let key = fixtures::private_key();
        let seal = fixtures::token_seal(&key);
        let sealed = fixtures::private_token().seal(&seal);
        let (other_key, other_nonce) = (Key::new([1; Key::BYTES]), [1; TOKEN_NONCE_BYTES]);

        for other in [
            TokenSeal { private_key: &other_key, ..seal },
            TokenSeal { nonce: &other_nonce, ..seal },
            TokenSeal { protocol_id: seal.protocol_id + 1, ..seal },
            TokenSeal { expire_unix: seal.expire_unix + 1, ..seal },
        ] {
            assert_eq!(refusal(&sealed, &other), Some(PrivateTokenError::NotAuthentic));
        }
    }

    #[test]
    fn a_token_with_any_byte_changed_is_refused() {
        let key = fixtures::private_key();
        let seal = fixtures::token_seal(&key);
        let sealed = fixtures::private_token().seal(&seal);

        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(refusal(&changed, &seal), Some(PrivateTokenError::NotAuthentic), "byte {index}");
        }
    }

    #[test]
    fn an_authentic_token_with_a_bad_address_list_is_refused() {
        let key = fixtures::private_key();
        let seal = fixtures::token_seal(&key);
        let mut sealed = Box::new([0; PRIVATE_TOKEN_BYTES]);
        fixtures::private_token().write(&mut sealed);
        sealed[12] = 33;
        seal.seal_in_place(&mut sealed);

        let error = PrivateTokenError::Malformed(TokenError::AddressCount(33));

        assert_eq!(refusal(&sealed, &seal), Some(error));
    }
}
