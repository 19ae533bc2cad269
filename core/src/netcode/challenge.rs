//! The challenge token, by which a client proves that it receives at its address (netcode standard, section
//! Challenge Token).

use zeroize::{Zeroize, Zeroizing};

use super::aead::{self, MAC_BYTES, Mac};
use super::key::Key;
use super::wire::{Reader, Writer};
use super::{CHALLENGE_TOKEN_BYTES, USER_DATA_BYTES};
use crate::ClientId;

const BODY_BYTES: usize = CHALLENGE_TOKEN_BYTES - MAC_BYTES;

/// Size in bytes of what ties a challenge to an address.
const ADDRESS_TAG_BYTES: usize = 4;

// The parts fit the fixed size, so writing a challenge token cannot fail.
const _: () = assert!(8 + USER_DATA_BYTES + MAC_BYTES + ADDRESS_TAG_BYTES <= BODY_BYTES);

/// What the server gives a client to echo; sealed under a key that only this server has.
///
/// The standard leaves the bytes after the user data zero and clients echo the token unread. Here they bind the
/// challenge to the connect token it answers, so that the answer to one token's challenge cannot complete the
/// handshake of another, and to the address it was sent to, so that somebody who overhears the answer cannot
/// complete the handshake from elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ChallengeToken {
    pub(crate) client_id: ClientId,
    pub(crate) user_data: Zeroizing<[u8; USER_DATA_BYTES]>,
    /// The MAC of the connect token that is being challenged.
    pub(crate) binding: Mac,
    /// A keyed hash of the address that is being challenged.
    pub(crate) address_tag: u32,
}

impl ChallengeToken {
    /// The plain form; the last 16 bytes stay zero, room for the MAC.
    pub(super) fn write(&self, plain: &mut [u8; CHALLENGE_TOKEN_BYTES]) {
        let mut writer = Writer::zeroed(plain);
        writer.bytes(&self.client_id.0.to_le_bytes());
        writer.bytes(&*self.user_data);
        writer.bytes(&self.binding);
        writer.bytes(&self.address_tag.to_le_bytes());
    }

    pub(super) fn read(plain: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(plain);
        Some(Self {
            client_id: ClientId(reader.u64()?),
            user_data: Zeroizing::new(*reader.array()?),
            binding: *reader.array()?,
            address_tag: reader.u32()?,
        })
    }

    /// The sealed form. The same `sequence` must never seal two tokens under one `challenge_key`.
    pub(crate) fn seal(&self, sequence: u64, challenge_key: &Key) -> [u8; CHALLENGE_TOKEN_BYTES] {
        let mut sealed = [0; CHALLENGE_TOKEN_BYTES];
        self.write(&mut sealed);
        let (body, mac) = sealed.split_at_mut(BODY_BYTES);
        mac.copy_from_slice(&aead::seal(challenge_key, sequence, &[], body));
        sealed
    }

    /// Opens a sealed token; `None` if it was not sealed under this key and sequence.
    ///
    /// `sealed` is overwritten, and wiped of the plaintext.
    pub(crate) fn open(
        sealed: &mut [u8; CHALLENGE_TOKEN_BYTES],
        sequence: u64,
        challenge_key: &Key,
    ) -> Option<Self> {
        let plain = aead::open(challenge_key, sequence, &[], sealed)?;
        let token = Self::read(plain);
        plain.zeroize();
        token
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, CHALLENGE_SEQUENCE, CLIENT_ID};
    use super::*;

    fn token() -> ChallengeToken {
        ChallengeToken {
            client_id: CLIENT_ID,
            user_data: Zeroizing::new(fixtures::user_data()),
            binding: [0xb1; MAC_BYTES],
            address_tag: 0xa1a2_a3a4,
        }
    }

    fn sealed() -> [u8; CHALLENGE_TOKEN_BYTES] {
        token().seal(CHALLENGE_SEQUENCE, &fixtures::challenge_key())
    }

    #[test]
    fn a_sealed_challenge_opens_with_its_binding_and_leaves_no_plaintext() {
        let mut sealed = sealed();

        let opened = ChallengeToken::open(&mut sealed, CHALLENGE_SEQUENCE, &fixtures::challenge_key());

        assert!(opened == Some(token()));
        assert_eq!(sealed[..BODY_BYTES], [0; BODY_BYTES]);
    }

    #[test]
    fn another_key_or_sequence_opens_nothing() {
        let key = fixtures::challenge_key();

        assert!(ChallengeToken::open(&mut sealed(), CHALLENGE_SEQUENCE + 1, &key).is_none());
        assert!(ChallengeToken::open(&mut sealed(), CHALLENGE_SEQUENCE, &fixtures::private_key()).is_none());
    }

    #[test]
    fn a_challenge_with_any_byte_changed_opens_nothing() {
        for index in 0..CHALLENGE_TOKEN_BYTES {
            let mut changed = sealed();
            changed[index] ^= 1;
            let opened = ChallengeToken::open(&mut changed, CHALLENGE_SEQUENCE, &fixtures::challenge_key());
            assert!(opened.is_none(), "byte {index}");
        }
    }

    #[test]
    fn the_bindings_follow_the_user_data() {
        let mut plain = [0xff; CHALLENGE_TOKEN_BYTES];

        token().write(&mut plain);

        assert_eq!(plain[8 + USER_DATA_BYTES..][..MAC_BYTES], token().binding);
        let after = &plain[8 + USER_DATA_BYTES + MAC_BYTES..];
        assert_eq!(after[..ADDRESS_TAG_BYTES], token().address_tag.to_le_bytes());
        assert_eq!(after[ADDRESS_TAG_BYTES..], [0; MAC_BYTES], "room for the MAC");
    }
}
