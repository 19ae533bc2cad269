//! The two AEADs of netcode: ChaCha20-Poly1305 under a packet sequence, XChaCha20-Poly1305 under a token nonce.
//!
//! Packets and challenge tokens use the first (netcode standard, sections Packets and Challenge Token), private
//! tokens the second (section Connect Token). ring has no extended-nonce variant, so the subkey is derived by
//! `HChaCha20` from the first 16 nonce bytes and ring gets the last 8.
//!
//! ring's expanded key lives on the stack for the duration of one call and cannot be wiped from here; every key
//! and subkey that is stored is.

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroize;

use super::TOKEN_NONCE_BYTES;
use super::key::Key;

/// Size in bytes of a message authentication code.
pub(super) const MAC_BYTES: usize = 16;

/// A message authentication code (the standard calls it HMAC).
pub(crate) type Mac = [u8; MAC_BYTES];

/// Encrypts `body` in place under a packet or challenge `sequence` and returns its MAC.
///
/// A pair of key and sequence must never seal two different bodies.
pub(super) fn seal(key: &Key, sequence: u64, associated_data: &[u8], body: &mut [u8]) -> Mac {
    seal_with(key, sequence_nonce(sequence), associated_data, body)
}

/// Decrypts `sealed` (a body, then its MAC) in place and returns the body; `None` if it is not authentic.
///
/// A failed open leaves `sealed` overwritten: whoever has several keys to try must try them on copies.
pub(super) fn open<'a>(
    key: &Key,
    sequence: u64,
    associated_data: &[u8],
    sealed: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    open_with(key, sequence_nonce(sequence), associated_data, sealed)
}

/// Encrypts `body` in place under a token nonce and returns its MAC.
pub(super) fn seal_token(
    key: &Key,
    nonce: &[u8; TOKEN_NONCE_BYTES],
    associated_data: &[u8],
    body: &mut [u8],
) -> Mac {
    let (subkey, nonce) = extended_nonce(key, nonce);
    seal_with(&subkey, nonce, associated_data, body)
}

/// Decrypts `sealed` (a body, then its MAC) in place and returns the body; `None` if it is not authentic.
///
/// A failed open leaves `sealed` overwritten, as with [`open`].
pub(super) fn open_token<'a>(
    key: &Key,
    nonce: &[u8; TOKEN_NONCE_BYTES],
    associated_data: &[u8],
    sealed: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    let (subkey, nonce) = extended_nonce(key, nonce);
    open_with(&subkey, nonce, associated_data, sealed)
}

/// Four zero bytes, then the sequence (netcode standard, section Packets).
fn sequence_nonce(sequence: u64) -> [u8; NONCE_LEN] {
    short_nonce(sequence.to_le_bytes())
}

fn short_nonce(tail: [u8; 8]) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&tail);
    nonce
}

/// The subkey and the short nonce that stand for `key` and a 24-byte nonce.
fn extended_nonce(key: &Key, nonce: &[u8; TOKEN_NONCE_BYTES]) -> (Key, [u8; NONCE_LEN]) {
    let (mut salt, mut tail) = ([0; 16], [0; 8]);
    salt.copy_from_slice(&nonce[..16]);
    tail.copy_from_slice(&nonce[16..]);

    let mut subkey = hchacha::<R20>(key.as_bytes().into(), &salt.into());
    let derived = Key::new(subkey.0);
    subkey.0.zeroize();
    (derived, short_nonce(tail))
}

fn seal_with(key: &Key, nonce: [u8; NONCE_LEN], associated_data: &[u8], body: &mut [u8]) -> Mac {
    let tag = expanded(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated_data), body)
        .expect("sealing fails only beyond 256 GiB; the largest body here is a payload");
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(tag.as_ref());
    mac
}

fn open_with<'a>(
    key: &Key,
    nonce: [u8; NONCE_LEN],
    associated_data: &[u8],
    sealed: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    expanded(key).open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated_data), sealed).ok()
}

/// Built anew for each packet: it is seventeen times the size of the key and takes some 20 ns.
fn expanded(key: &Key) -> LessSafeKey {
    let unbound = UnboundKey::new(&CHACHA20_POLY1305, key.as_bytes())
        .expect("ChaCha20-Poly1305 takes any key of 32 bytes");
    LessSafeKey::new(unbound)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const BODY: &[u8] = b"a body";

    fn key() -> Key {
        Key::new([9; Key::BYTES])
    }

    fn sealed_under(sequence: u64, associated_data: &[u8]) -> Vec<u8> {
        let mut sealed = BODY.to_vec();
        let mac = seal(&key(), sequence, associated_data, &mut sealed);
        sealed.extend_from_slice(&mac);
        sealed
    }

    #[test]
    fn what_was_sealed_opens_under_the_same_key_sequence_and_associated_data() {
        let mut sealed = sealed_under(u64::MAX, b"bound");

        assert_eq!(open(&key(), u64::MAX, b"bound", &mut sealed).as_deref(), Some(BODY));
    }

    #[test]
    fn another_key_sequence_or_associated_data_opens_nothing() {
        let sealed = sealed_under(7, b"bound");
        let other = Key::new([8; Key::BYTES]);

        assert!(open(&other, 7, b"bound", &mut sealed.clone()).is_none());
        assert!(open(&key(), 8, b"bound", &mut sealed.clone()).is_none());
        assert!(open(&key(), 7, b"bounD", &mut sealed.clone()).is_none());
        assert!(open(&key(), 7, b"", &mut sealed.clone()).is_none());
    }

    #[test]
    fn a_changed_or_shortened_byte_opens_nothing() {
        let sealed = sealed_under(7, b"bound");

        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 0x80;
            assert!(open(&key(), 7, b"bound", &mut changed).is_none(), "byte {index} changed");
            assert!(open(&key(), 7, b"bound", &mut sealed.clone()[..index]).is_none(), "cut at {index}");
        }
    }

    #[test]
    fn every_byte_of_a_token_nonce_counts() {
        let nonce = [4; TOKEN_NONCE_BYTES];
        let mut sealed = BODY.to_vec();
        let mac = seal_token(&key(), &nonce, b"", &mut sealed);
        sealed.extend_from_slice(&mac);

        assert_eq!(open_token(&key(), &nonce, b"", &mut sealed.clone()).as_deref(), Some(BODY));
        for index in 0..nonce.len() {
            let mut other = nonce;
            other[index] ^= 1;
            assert!(open_token(&key(), &other, b"", &mut sealed.clone()).is_none(), "byte {index}");
        }
    }
}
