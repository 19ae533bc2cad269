//! The connect token: what a backend hands a client so that it may connect (netcode standard, section Connect Token).

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;
use core::ops::Range;

use super::address::{ADDRESS_LIST_BYTES_MAX, ServerAddresses};
use super::key::Key;
use super::wire::{Reader, Writer};
use super::{CONNECT_TOKEN_BYTES, PRIVATE_TOKEN_BYTES, TOKEN_NONCE_BYTES, VERSION_INFO};

// The longest token fits its fixed size, so writing one cannot fail.
const _: () = assert!(
    VERSION_INFO.len()
        + 3 * 8
        + TOKEN_NONCE_BYTES
        + PRIVATE_TOKEN_BYTES
        + 4
        + ADDRESS_LIST_BYTES_MAX
        + 2 * Key::BYTES
        <= CONNECT_TOKEN_BYTES
);

/// A connect token: the keys and addresses a client needs, and a sealed part that only servers can open.
///
/// It reaches the client over a channel that is already secret, such as HTTPS, for it holds the connection's
/// keys in the clear. A value of this type has passed every check of [`ConnectToken::read`].
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectToken {
    pub(crate) protocol_id: u64,
    pub(crate) create_unix: u64,
    pub(crate) expire_unix: u64,
    pub(crate) nonce: [u8; TOKEN_NONCE_BYTES],
    /// The private part as sealed by whoever minted the token; opaque to the client.
    pub(crate) private: Box<[u8; PRIVATE_TOKEN_BYTES]>,
    pub(crate) timeout_seconds: i32,
    pub(crate) addresses: ServerAddresses,
    pub(crate) client_to_server_key: Key,
    pub(crate) server_to_client_key: Key,
}

impl ConnectToken {
    /// Reads a token of exactly [`CONNECT_TOKEN_BYTES`].
    ///
    /// Refused are the cases the standard names for a client (section Request Connect Token): an address count
    /// outside 1 to 32, an unknown address type, a create timestamp after the expire timestamp; and any other
    /// version. Whether the token has expired is for whoever knows the time to say.
    pub fn read(bytes: &[u8]) -> Result<Self, TokenError> {
        if bytes.len() != CONNECT_TOKEN_BYTES {
            return Err(TokenError::Size);
        }
        let mut reader = Reader::new(bytes);
        if reader.array() != Some(VERSION_INFO) {
            return Err(TokenError::Version);
        }
        let protocol_id = reader.u64().ok_or(TokenError::Size)?;
        let create_unix = reader.u64().ok_or(TokenError::Size)?;
        let expire_unix = reader.u64().ok_or(TokenError::Size)?;
        if create_unix > expire_unix {
            return Err(TokenError::Timestamps { create_unix, expire_unix });
        }
        Ok(Self {
            protocol_id,
            create_unix,
            expire_unix,
            nonce: *reader.array().ok_or(TokenError::Size)?,
            private: Box::new(*reader.array().ok_or(TokenError::Size)?),
            timeout_seconds: reader.i32().ok_or(TokenError::Size)?,
            addresses: ServerAddresses::read(&mut reader)?,
            client_to_server_key: read_key(&mut reader)?,
            server_to_client_key: read_key(&mut reader)?,
        })
    }

    /// A token put together from its parts, as a session that it belongs to may carry them.
    ///
    /// `lifetime` begins with the create timestamp; `addresses` is how many there are, and they themselves as in a connect token;
    /// the first key is the client's. `None` if [`ConnectToken::read`] would refuse it.
    pub(crate) fn from_parts(
        protocol_id: u64,
        lifetime: Range<u64>,
        nonce: [u8; TOKEN_NONCE_BYTES],
        private: &[u8; PRIVATE_TOKEN_BYTES],
        timeout_seconds: i32,
        (address_count, addresses): (u8, &[u8]),
        [client_to_server_key, server_to_client_key]: [Key; 2],
    ) -> Option<Self> {
        if lifetime.start > lifetime.end {
            return None;
        }
        let mut list = [0; ADDRESS_LIST_BYTES_MAX];
        let (count, rest) = list.split_first_chunk_mut()?;
        *count = u32::from(address_count).to_le_bytes();
        rest.get_mut(..addresses.len())?.copy_from_slice(addresses);
        Some(Self {
            protocol_id,
            create_unix: lifetime.start,
            expire_unix: lifetime.end,
            nonce,
            private: Box::new(*private),
            timeout_seconds,
            addresses: ServerAddresses::read(&mut Reader::new(list.get(..4 + addresses.len())?)).ok()?,
            client_to_server_key,
            server_to_client_key,
        })
    }

    /// Writes the token; [`ConnectToken::read`] gives it back.
    pub fn write(&self, bytes: &mut [u8; CONNECT_TOKEN_BYTES]) {
        let mut writer = Writer::zeroed(bytes);
        writer.bytes(VERSION_INFO);
        writer.bytes(&self.protocol_id.to_le_bytes());
        writer.bytes(&self.create_unix.to_le_bytes());
        writer.bytes(&self.expire_unix.to_le_bytes());
        writer.bytes(&self.nonce);
        writer.bytes(&*self.private);
        writer.bytes(&self.timeout_seconds.to_le_bytes());
        self.addresses.write(&mut writer);
        writer.bytes(self.client_to_server_key.as_bytes());
        writer.bytes(self.server_to_client_key.as_bytes());
    }

    /// The game or application the token is for.
    #[must_use]
    pub const fn protocol_id(&self) -> u64 {
        self.protocol_id
    }

    /// When the token was minted, in Unix seconds; never after [`ConnectToken::expire_unix`].
    #[must_use]
    pub const fn create_unix(&self) -> u64 {
        self.create_unix
    }

    /// The first Unix second at which the token opens nothing any more.
    #[must_use]
    pub const fn expire_unix(&self) -> u64 {
        self.expire_unix
    }

    /// Seconds of silence after which either end gives up; negative means never.
    #[must_use]
    pub const fn timeout_seconds(&self) -> i32 {
        self.timeout_seconds
    }

    /// The servers to try, in this order: between 1 and 32.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl fmt::Debug for ConnectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectToken")
            .field("protocol_id", &self.protocol_id)
            .field("create_unix", &self.create_unix)
            .field("expire_unix", &self.expire_unix)
            .field("timeout_seconds", &self.timeout_seconds)
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}

/// Reads 32 bytes as a key, leaving no copy but the key's own.
pub(super) fn read_key(reader: &mut Reader<'_>) -> Result<Key, TokenError> {
    reader.array().map(|bytes| Key::new(*bytes)).ok_or(TokenError::Size)
}

/// Why bytes are not a connect token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// Not exactly [`CONNECT_TOKEN_BYTES`] long.
    Size,
    /// Not netcode 1.02.
    Version,
    /// The token was created after it expires.
    Timestamps {
        /// The create timestamp, in Unix seconds.
        create_unix: u64,
        /// The expire timestamp, in Unix seconds.
        expire_unix: u64,
    },
    /// This many addresses, which is not between 1 and 32.
    AddressCount(u32),
    /// An address of this type, which is neither IPv4 (1) nor IPv6 (2).
    AddressType(u8),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => write!(f, "a connect token is exactly {CONNECT_TOKEN_BYTES} bytes long"),
            Self::Version => f.write_str("not a connect token of netcode 1.02"),
            Self::Timestamps { create_unix, expire_unix } => {
                write!(f, "created at {create_unix}, after it expires at {expire_unix}")
            }
            Self::AddressCount(count) => write!(f, "{count} server addresses, where 1 to 32 are allowed"),
            Self::AddressType(kind) => write!(f, "unknown address type {kind}"),
        }
    }
}

impl core::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::super::fixtures;
    use super::*;

    const CREATE_AT: usize = 21;
    const ADDRESS_COUNT_AT: usize = 1089;

    fn token_bytes() -> [u8; CONNECT_TOKEN_BYTES] {
        let mut bytes = [0; CONNECT_TOKEN_BYTES];
        fixtures::connect_token().write(&mut bytes);
        bytes
    }

    #[test]
    fn a_written_token_reads_back() {
        assert_eq!(ConnectToken::read(&token_bytes()), Ok(fixtures::connect_token()));
    }

    #[test]
    fn any_other_size_is_refused() {
        let mut longer = [0; CONNECT_TOKEN_BYTES + 1];
        longer[..CONNECT_TOKEN_BYTES].copy_from_slice(&token_bytes());

        for size in (0..longer.len()).filter(|&size| size != CONNECT_TOKEN_BYTES).chain([longer.len()]) {
            assert_eq!(ConnectToken::read(&longer[..size]), Err(TokenError::Size), "{size} bytes");
        }
    }

    #[test]
    fn another_version_is_refused_whichever_byte_differs() {
        for index in 0..VERSION_INFO.len() {
            let mut bytes = token_bytes();
            bytes[index] ^= 1;
            assert_eq!(ConnectToken::read(&bytes), Err(TokenError::Version), "byte {index}");
        }
    }

    #[test]
    fn a_token_created_after_it_expires_is_refused_and_one_created_at_its_end_is_not() {
        let expire_unix = fixtures::EXPIRE_UNIX;
        for (create_unix, refused) in [(expire_unix, false), (expire_unix + 1, true), (u64::MAX, true)] {
            let mut bytes = token_bytes();
            bytes[CREATE_AT..CREATE_AT + 8].copy_from_slice(&create_unix.to_le_bytes());

            let error = ConnectToken::read(&bytes).err();

            assert_eq!(error, refused.then_some(TokenError::Timestamps { create_unix, expire_unix }));
        }
    }

    #[test]
    fn bad_address_lists_are_refused() {
        for count in [0, 33, u32::MAX] {
            let mut bytes = token_bytes();
            bytes[ADDRESS_COUNT_AT..ADDRESS_COUNT_AT + 4].copy_from_slice(&count.to_le_bytes());
            assert_eq!(ConnectToken::read(&bytes), Err(TokenError::AddressCount(count)));
        }
        let mut bytes = token_bytes();
        bytes[ADDRESS_COUNT_AT + 4] = 3;
        assert_eq!(ConnectToken::read(&bytes), Err(TokenError::AddressType(3)));
    }

    #[test]
    fn a_token_from_parts_is_the_one_they_come_from_and_none_where_reading_would_refuse_it() {
        let token = fixtures::connect_token();
        let from = |create_unix, address_count, addresses: &[u8]| {
            ConnectToken::from_parts(
                token.protocol_id,
                create_unix..token.expire_unix,
                token.nonce,
                &token.private,
                token.timeout_seconds,
                (address_count, addresses),
                [token.client_to_server_key.clone(), token.server_to_client_key.clone()],
            )
        };
        let mut list = [0; ADDRESS_LIST_BYTES_MAX];
        let list = token.addresses.encode(&mut list);
        let count = u8::try_from(token.addresses.len()).unwrap();

        assert!(from(token.create_unix, count, list) == Some(token.clone()));
        assert!(from(token.expire_unix, count, list).is_some(), "created at its end");
        assert!(from(token.expire_unix + 1, count, list).is_none(), "created after its end");
        assert!(from(token.create_unix, 0, &[]).is_none(), "no address");
        assert!(from(token.create_unix, count + 1, list).is_none(), "an address is missing");
        assert!(from(token.create_unix, count, &list[..list.len() - 1]).is_none(), "cut short");
        assert!(
            from(token.create_unix, count, &[1; ADDRESS_LIST_BYTES_MAX]).is_none(),
            "longer than any list"
        );
        let longest = [&[2][..], &[7; 18]].concat().repeat(32);
        assert!(from(token.create_unix, 32, &longest).is_some_and(|token| token.addresses.len() == 32));
        assert!(from(token.create_unix, 33, &longest).is_none());
    }

    #[test]
    fn an_error_names_what_is_wrong_with_the_token() {
        let timestamps = TokenError::Timestamps { create_unix: 46, expire_unix: 45 };
        let named = [
            (TokenError::Size, &["2048 bytes"][..]),
            (TokenError::Version, &["netcode 1.02"]),
            (timestamps, &["46", "45"]),
            (TokenError::AddressCount(33), &["33", "1 to 32"]),
            (TokenError::AddressType(3), &["type 3"]),
        ];
        for (error, parts) in named {
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }

    #[test]
    fn debug_shows_neither_keys_nor_sealed_bytes() {
        let shown = format!("{:?}", fixtures::connect_token());

        assert!(shown.contains("expire_unix: 1900000045"));
        assert!(!shown.contains("key"));
        assert!(!shown.contains("private"));
    }
}
