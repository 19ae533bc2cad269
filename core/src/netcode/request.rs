//! The connection request, the one packet that is not sealed (netcode standard, section Processing Connection
//! Requests).

use super::aead::{MAC_BYTES, Mac};
use super::private_token::TokenSeal;
use super::wire::{Reader, Writer};
use super::{Key, PRIVATE_TOKEN_BYTES, REQUEST_BYTES, TOKEN_NONCE_BYTES, VERSION_INFO};

/// The first byte of a request; every other packet's first byte is not zero.
pub(crate) const REQUEST_PREFIX: u8 = 0;

// The parts fill the fixed size exactly, so writing a request cannot fail and reading one misses nothing.
const _: () =
    assert!(1 + VERSION_INFO.len() + 8 + 8 + TOKEN_NONCE_BYTES + PRIVATE_TOKEN_BYTES == REQUEST_BYTES);

/// A well-formed request of the right version and protocol; nothing in it is proved yet.
#[derive(Clone, Copy)]
pub(crate) struct RequestPacket<'a> {
    /// When the token claims to expire, in Unix seconds.
    pub(crate) expire_unix: u64,
    pub(crate) nonce: &'a [u8; TOKEN_NONCE_BYTES],
    /// The sealed private part of the connect token.
    pub(crate) private: &'a [u8; PRIVATE_TOKEN_BYTES],
}

/// Why a datagram is not a request to this server, in the order of the standard's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// Not exactly [`REQUEST_BYTES`] long, or not of the request type.
    Size,
    /// Not netcode 1.02.
    Version,
    /// For another game or application.
    ProtocolId,
}

impl<'a> RequestPacket<'a> {
    /// Does the checks that need neither cryptography nor a clock. Expiry is the caller's to judge.
    pub(crate) fn parse(datagram: &'a [u8], protocol_id: u64) -> Result<Self, RequestError> {
        let mut reader = Reader::new(datagram);
        if datagram.len() != REQUEST_BYTES || reader.u8() != Some(REQUEST_PREFIX) {
            return Err(RequestError::Size);
        }
        if reader.array() != Some(VERSION_INFO) {
            return Err(RequestError::Version);
        }
        if reader.u64() != Some(protocol_id) {
            return Err(RequestError::ProtocolId);
        }
        Ok(Self {
            expire_unix: reader.u64().ok_or(RequestError::Size)?,
            nonce: reader.array().ok_or(RequestError::Size)?,
            private: reader.array().ok_or(RequestError::Size)?,
        })
    }

    /// Writes the request.
    pub(crate) fn write(&self, protocol_id: u64, datagram: &mut [u8; REQUEST_BYTES]) {
        let mut writer = Writer::zeroed(datagram);
        writer.bytes(&[REQUEST_PREFIX]);
        writer.bytes(VERSION_INFO);
        writer.bytes(&protocol_id.to_le_bytes());
        writer.bytes(&self.expire_unix.to_le_bytes());
        writer.bytes(self.nonce);
        writer.bytes(self.private);
    }

    /// The token's MAC, which identifies the token; proved only once the private part was opened.
    pub(crate) fn token_mac(&self) -> Mac {
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&self.private[PRIVATE_TOKEN_BYTES - MAC_BYTES..]);
        mac
    }

    /// What the private part must have been sealed under for this request to be genuine.
    pub(crate) fn token_seal(&self, protocol_id: u64, private_key: &'a Key) -> TokenSeal<'a> {
        TokenSeal { protocol_id, expire_unix: self.expire_unix, nonce: self.nonce, private_key }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, PROTOCOL_ID};
    use super::super::private_token::PrivateToken;
    use super::*;

    fn datagram() -> [u8; REQUEST_BYTES] {
        let token = fixtures::connect_token();
        let request =
            RequestPacket { expire_unix: token.expire_unix, nonce: &token.nonce, private: &token.private };
        let mut datagram = [0; REQUEST_BYTES];
        request.write(PROTOCOL_ID, &mut datagram);
        datagram
    }

    #[test]
    fn a_written_request_is_parsed_and_its_token_opens() {
        let (datagram, key) = (datagram(), fixtures::private_key());

        let request = RequestPacket::parse(&datagram, PROTOCOL_ID).unwrap();

        let private = PrivateToken::open(request.private, &request.token_seal(PROTOCOL_ID, &key));
        assert!(private == Ok(fixtures::private_token()));
        assert_eq!(request.token_mac()[..], datagram[REQUEST_BYTES - MAC_BYTES..]);
    }

    #[test]
    fn a_request_cut_short_or_too_long_is_refused_at_every_size() {
        let mut longer = [0; REQUEST_BYTES + 1];
        longer[..REQUEST_BYTES].copy_from_slice(&datagram());

        for size in (0..REQUEST_BYTES).chain([REQUEST_BYTES + 1]) {
            let parsed = RequestPacket::parse(&longer[..size], PROTOCOL_ID);
            assert_eq!(parsed.err(), Some(RequestError::Size), "{size} bytes");
        }
    }

    #[test]
    fn another_type_version_or_protocol_is_refused() {
        for (range, error) in
            [(0..1, RequestError::Size), (1..14, RequestError::Version), (14..22, RequestError::ProtocolId)]
        {
            for index in range {
                let mut changed = datagram();
                changed[index] ^= 0x10;
                assert_eq!(RequestPacket::parse(&changed, PROTOCOL_ID).err(), Some(error), "byte {index}");
            }
        }
    }

    #[test]
    fn a_request_with_a_changed_expiry_carries_a_token_that_does_not_open() {
        let key = fixtures::private_key();
        let mut changed = datagram();
        changed[22] ^= 1;

        let request = RequestPacket::parse(&changed, PROTOCOL_ID).unwrap();

        assert!(PrivateToken::open(request.private, &request.token_seal(PROTOCOL_ID, &key)).is_err());
    }
}
