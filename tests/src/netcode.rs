//! The cryptography of netcode 1.02 once more, for those who have all keys: checkers that read along, and peers that misbehave.
//!
//! It is written from the standard and shares nothing with the core, so that neither hides a mistake of the other.

mod key_ring;
pub mod kind;

use std::net::{IpAddr, SocketAddr};

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

pub use key_ring::{KeyId, KeyRing, Packet};
pub use kind::kind_of;

/// A key of a packet or of a token.
pub type KeyBytes = [u8; 32];

const VERSION_INFO: &[u8; 13] = b"NETCODE 1.02\0";
const MAC_BYTES: usize = 16;
const REQUEST_BYTES: usize = 1_078;
const USER_DATA_BYTES: usize = 256;

/// What a connection request says to whoever has the private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The nonce that its private part is sealed under.
    pub nonce: [u8; 24],
    /// The sealed private part.
    pub private: Vec<u8>,
    /// When the token expires, in Unix seconds.
    pub expiry_unix_s: u64,
    /// Who its holder is.
    pub client_id: u64,
    /// The servers it is for.
    pub addresses: Vec<SocketAddr>,
    /// The silence that ends a connection made with it, in seconds; negative if none does.
    pub timeout_s: i32,
    /// What the maker of the token put into it, 256 bytes.
    pub user_data: Vec<u8>,
    /// The key of packets to the server.
    pub client_to_server: KeyBytes,
    /// The key of packets to the client.
    pub server_to_client: KeyBytes,
}

/// Reads a connection request; `None` if it is none, or its token was not sealed under this key.
#[must_use]
pub fn open_request(protocol_id: u64, private_key: &KeyBytes, datagram: &[u8]) -> Option<Request> {
    if datagram.len() != REQUEST_BYTES || datagram[0] != 0 {
        return None;
    }
    // Prefix, version, protocol id; then the expiry, the nonce, and the private part up to the end.
    let (expiry, nonce, private) = (&datagram[22..30], &datagram[30..54], &datagram[54..]);
    let associated_data = [VERSION_INFO, &protocol_id.to_le_bytes()[..], expiry].concat();
    let salt: [u8; 16] = nonce[..16].try_into().ok()?;
    let subkey: KeyBytes = hchacha::<R20>(private_key.into(), &salt.into()).into();
    let plain = open(&subkey, nonce[16..].try_into().ok()?, &associated_data, private)?;
    let (addresses, after_addresses) = addresses(&plain)?;
    Some(Request {
        nonce: nonce.try_into().ok()?,
        private: private.to_vec(),
        expiry_unix_s: u64::from_le_bytes(expiry.try_into().ok()?),
        addresses,
        client_id: u64::from_le_bytes(*plain.first_chunk()?),
        timeout_s: i32::from_le_bytes(*plain.get(8..)?.first_chunk()?),
        client_to_server: *after_addresses.first_chunk()?,
        server_to_client: *after_addresses.get(32..)?.first_chunk()?,
        user_data: after_addresses.get(64..64 + USER_DATA_BYTES)?.to_vec(),
    })
}

/// The list of addresses behind the client id and the timeout, and what comes behind it: the two keys, and the user data.
fn addresses(private: &[u8]) -> Option<(Vec<SocketAddr>, &[u8])> {
    let count = u32::from_le_bytes(private.get(12..16)?.try_into().ok()?);
    let (mut addresses, mut rest) = (Vec::new(), private.get(16..)?);
    for _ in 0..count {
        let (&kind, ip_and_port) = rest.split_first()?;
        let ip: IpAddr = if kind == 1 {
            ip_and_port.first_chunk::<4>().copied()?.into()
        } else {
            let words = ip_and_port.get(..16)?.chunks(2);
            let bytes: Vec<u8> = words.flat_map(|word| word.iter().rev().copied()).collect();
            <[u8; 16]>::try_from(bytes).ok()?.into()
        };
        let port = ip_and_port.get(if kind == 1 { 4 } else { 16 }..)?;
        addresses.push(SocketAddr::new(ip, u16::from_le_bytes(*port.first_chunk()?)));
        rest = port.get(2..)?;
    }
    Some((addresses, rest))
}

/// The kind and the sequence of a sealed packet, and where its body begins.
#[must_use]
pub fn header(datagram: &[u8]) -> Option<(u8, u64, usize)> {
    let prefix = *datagram.first()?;
    let (kind, sequence_bytes) = (prefix & 0xf, usize::from(prefix >> 4));
    if !(1..=6).contains(&kind) || !(1..=8).contains(&sequence_bytes) {
        return None;
    }
    let mut sequence = [0; 8];
    sequence[..sequence_bytes].copy_from_slice(datagram.get(1..=sequence_bytes)?);
    Some((kind, u64::from_le_bytes(sequence), 1 + sequence_bytes))
}

/// What tells two sealed forms under one key and nonce apart: the end of the authenticator, which depends on every byte of the plaintext
/// and on all that it is bound to.
#[must_use]
pub fn seal_of(sealed: &[u8]) -> u64 {
    let tail = sealed.last_chunk().copied();
    tail.map_or_else(|| sealed.iter().fold(0, |seal, byte| seal << 8 | u64::from(*byte)), u64::from_le_bytes)
}

/// The body of a sealed packet; `None` if it does not open under this key.
#[must_use]
pub fn open_packet(protocol_id: u64, key: &KeyBytes, datagram: &[u8]) -> Option<Vec<u8>> {
    let (_, sequence, body) = header(datagram)?;
    let associated_data = packet_data(protocol_id, datagram[0]);
    open(key, sequence.to_le_bytes(), &associated_data, &datagram[body..])
}

/// A packet of this kind, with all eight bytes of its sequence.
#[must_use]
pub fn seal_packet(protocol_id: u64, key: &KeyBytes, kind: u8, sequence: u64, body: &[u8]) -> Vec<u8> {
    let prefix = kind | 8 << 4;
    let mut sealed = body.to_vec();
    let nonce = nonce_of(sequence.to_le_bytes());
    // Proof: sealing fails only far beyond the size of a datagram.
    expanded(key)
        .seal_in_place_append_tag(nonce, Aad::from(packet_data(protocol_id, prefix)), &mut sealed)
        .expect("a short body");
    [&[prefix], &sequence.to_le_bytes()[..], &sealed].concat()
}

fn packet_data(protocol_id: u64, prefix: u8) -> Vec<u8> {
    [VERSION_INFO, &protocol_id.to_le_bytes()[..], &[prefix]].concat()
}

fn open(key: &KeyBytes, nonce: [u8; 8], associated_data: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut body = sealed.to_vec();
    let plain_bytes = body.len().checked_sub(MAC_BYTES)?;
    expanded(key).open_in_place(nonce_of(nonce), Aad::from(associated_data), &mut body).ok()?;
    body.truncate(plain_bytes);
    Some(body)
}

fn nonce_of(tail: [u8; 8]) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&tail);
    Nonce::assume_unique_for_key(nonce)
}

fn expanded(key: &KeyBytes) -> LessSafeKey {
    // Proof: the cipher takes any key of 32 bytes.
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: KeyBytes = [3; 32];

    #[test]
    fn a_sealed_packet_opens_under_its_key_and_protocol_only() {
        let sealed = seal_packet(1, &KEY, 5, 77, b"a body");
        assert_eq!(header(&sealed), Some((5, 77, 9)));
        assert_eq!(open_packet(1, &KEY, &sealed).as_deref(), Some(&b"a body"[..]));
        assert_eq!(open_packet(2, &KEY, &sealed), None);
        assert_eq!(open_packet(1, &[4; 32], &sealed), None);
    }

    #[test]
    fn the_seal_of_a_packet_depends_on_its_plaintext_and_on_what_it_is_bound_to() {
        let seal = |protocol_id, kind, body| seal_of(&seal_packet(protocol_id, &KEY, kind, 77, body));
        assert_eq!(seal(1, 5, b"a body"), seal(1, 5, b"a body"));
        assert_ne!(seal(1, 5, b"a body"), seal(1, 5, b"a bodz"));
        assert_ne!(seal(1, 5, b"a body"), seal(1, 6, b"a body"));
        assert_ne!(seal(1, 5, b"a body"), seal(2, 5, b"a body"));
        assert_ne!(seal_of(b"ab"), seal_of(b"b"));
    }

    #[test]
    fn what_is_no_sealed_packet_has_no_header() {
        for datagram in [&[][..], &[0; 20], &[0x07, 1], &[0x95; 20], &[0x85, 1]] {
            assert_eq!(header(datagram), None);
        }
    }
}
