//! Tokens, public and private, and the packets that carry them: what is read is what was there, and only what is authentic opens.

use core::net::{IpAddr, SocketAddr};

use alloc::vec::Vec;
use zeroize::Zeroizing;

use super::input::Input;
use crate::netcode::address::ServerAddresses;
use crate::netcode::challenge::ChallengeToken;
use crate::netcode::packet::{self, Packet};
use crate::netcode::private_token::{PrivateToken, PrivateTokenError, TokenSeal};
use crate::netcode::request::RequestPacket;
use crate::netcode::{PRIVATE_TOKEN_BYTES, REQUEST_BYTES};
use crate::{CONNECT_TOKEN_BYTES, ClientId, ConnectToken, DATAGRAM_BYTES_MAX, Key, TokenError, TokenSpec};

const VERSION_BYTES: usize = 13;
const TIMES_OFFSET: usize = VERSION_BYTES + 8;
const COUNT_OFFSET: usize = TIMES_OFFSET + 2 * 8 + 24 + PRIVATE_TOKEN_BYTES + 4;
const PRIVATE_COUNT_OFFSET: usize = 8 + 4;
const PROTOCOL_ID: u64 = 0x5245_4a4f_494e_0001;

/// Reads bytes as a token, public or sealed anew, or as a packet; or mints a token from them.
///
/// # Panics
///
/// If something is read that was not there, does not survive the way back, or opens after a change.
pub fn tokens(input: &[u8]) {
    let mut input = Input::new(input);
    match input.u8() % 6 {
        0 => public(input.rest()),
        1 => private(input),
        2 => challenge(input),
        3 => request(input.rest()),
        4 => sealed_packet(input),
        _ => mint(input),
    }
}

/// Bytes as a public token, filled up with zeroes to its size.
fn public(bytes: &[u8]) {
    assert!(bytes.len() == CONNECT_TOKEN_BYTES || ConnectToken::read(bytes) == Err(TokenError::Size));
    let bytes: [u8; CONNECT_TOKEN_BYTES] = Input::new(bytes).array();
    let number = |offset| Input::new(&bytes[offset..]).u64();
    let (create_unix, expire_unix) = (number(TIMES_OFFSET), number(TIMES_OFFSET + 8));
    match ConnectToken::read(&bytes) {
        Ok(token) => {
            assert!(create_unix <= expire_unix && bytes.starts_with(b"NETCODE 1.02\0"));
            let mut written = [0; CONNECT_TOKEN_BYTES];
            token.write(&mut written);
            let used = COUNT_OFFSET + 4 + list_len(token.addresses()) + 2 * Key::BYTES;
            assert_eq!(written[..used], bytes[..used]);
            assert_eq!(written[used..], [0; CONNECT_TOKEN_BYTES][used..]);
        }
        Err(TokenError::Version) => assert!(!bytes.starts_with(b"NETCODE 1.02\0")),
        Err(TokenError::Timestamps { .. }) => assert!(create_unix > expire_unix),
        Err(error) => check_list_error(error, &bytes[COUNT_OFFSET..]),
    }
}

/// Bytes as the plain form of a private token, sealed whatever they say.
fn private(mut input: Input<'_>) {
    let (private_key, nonce) = (Key::new(input.array()), input.array());
    let seal = TokenSeal {
        protocol_id: PROTOCOL_ID,
        expire_unix: input.u64(),
        nonce: &nonce,
        private_key: &private_key,
    };
    let changed = input.u16();
    let plain: [u8; PRIVATE_TOKEN_BYTES] = input.array();
    let mut sealed = plain;
    seal.seal_in_place(&mut sealed);
    match PrivateToken::open(&sealed, &seal) {
        Ok(token) => {
            let mut written = [0; PRIVATE_TOKEN_BYTES];
            token.write(&mut written);
            let used = PRIVATE_COUNT_OFFSET + 4 + list_len(&token.addresses) + 2 * Key::BYTES + 256;
            assert_eq!(written[..used], plain[..used]);
            assert_eq!(written[used..], [0; PRIVATE_TOKEN_BYTES][used..]);
            assert!(PrivateToken::open(&token.seal(&seal), &seal) == Ok(token));
        }
        Err(PrivateTokenError::Malformed(error)) => check_list_error(error, &plain[PRIVATE_COUNT_OFFSET..]),
        Err(PrivateTokenError::NotAuthentic) => panic!("what was sealed does not open"),
    }
    sealed[usize::from(changed) % PRIVATE_TOKEN_BYTES] ^= 1 << (changed >> 13);
    let refusal = PrivateToken::open(&sealed, &seal).err();
    assert_eq!(refusal, Some(PrivateTokenError::NotAuthentic), "a changed token opens");
}

/// How many bytes the addresses take in a token.
fn list_len(addresses: &[SocketAddr]) -> usize {
    addresses.iter().map(|address| if address.is_ipv4() { 7 } else { 19 }).sum()
}

/// A list is refused for its count or for a type that does not exist; the sizes of tokens have room for every list.
fn check_list_error(error: TokenError, list: &[u8]) {
    let count = Input::new(list).u32();
    match error {
        TokenError::AddressCount(refused) => assert!(refused == count && !(1..=32).contains(&count)),
        TokenError::AddressType(refused) => {
            assert!((1..=32).contains(&count) && ![1, 2].contains(&refused));
        }
        other => panic!("{other} in a token of the right size"),
    }
}

fn challenge(mut input: Input<'_>) {
    let (key, sequence) = (Key::new(input.array()), input.u64());
    let token = ChallengeToken {
        client_id: ClientId(input.u64()),
        user_data: Zeroizing::new(input.array()),
        binding: input.array(),
        address_tag: input.u32(),
    };
    let sealed = token.seal(sequence, &key);
    assert!(ChallengeToken::open(&mut sealed.clone(), sequence, &key) == Some(token));
    let mut changed = sealed;
    let place = usize::from(input.u16()) % sealed.len();
    changed[place] ^= input.u8().max(1);
    assert!(ChallengeToken::open(&mut changed, sequence, &key).is_none(), "a changed challenge opens");
    assert!(ChallengeToken::open(&mut sealed.clone(), sequence ^ 1, &key).is_none());
}

fn request(bytes: &[u8]) {
    let datagram: [u8; REQUEST_BYTES] = Input::new(bytes).array();
    assert!(bytes.len() == REQUEST_BYTES || RequestPacket::parse(bytes, PROTOCOL_ID).is_err());
    let Ok(request) = RequestPacket::parse(&datagram, PROTOCOL_ID) else { return };
    let mut written = [0; REQUEST_BYTES];
    request.write(PROTOCOL_ID, &mut written);
    assert_eq!(written, datagram);
}

/// Bytes as a datagram, and as a payload.
fn sealed_packet(mut input: Input<'_>) {
    let (key, sequence) = (Key::new(input.array()), input.u64());
    let (changed, bytes) = (input.u16(), input.rest());
    if let Ok(header) = packet::peek(bytes) {
        assert!((2..=9).contains(&header.body_offset) && bytes.len() >= header.body_offset + 16);
        assert!(
            packet::open(&mut bytes.to_vec(), &header, PROTOCOL_ID, &key).is_none(),
            "bytes at random open"
        );
    }
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let len = packet::seal(&Packet::Payload(bytes), sequence, PROTOCOL_ID, &key, &mut out);
    assert_eq!(len.is_some(), (1..=1_200).contains(&bytes.len()), "{} bytes", bytes.len());
    let Some(len) = len else { return };
    let mut datagram = out[..len].to_vec();
    let header = packet::peek(&datagram).expect("a packet's own header");
    assert_eq!(header.sequence, sequence);
    let opened = packet::open(&mut datagram, &header, PROTOCOL_ID, &key);
    assert_eq!(opened, Some(Packet::Payload(bytes)));

    let mut datagram = out[..len].to_vec();
    datagram[usize::from(changed) % len] ^= 1 << (changed >> 13);
    if let Ok(header) = packet::peek(&datagram) {
        assert!(packet::open(&mut datagram, &header, PROTOCOL_ID, &key).is_none(), "a changed packet opens");
    }
}

fn mint(mut input: Input<'_>) {
    let (private_key, up, down) = (Key::new(input.array()), Key::new(input.array()), Key::new(input.array()));
    let addresses: Vec<SocketAddr> = (0..input.u8() % 40).map(|_| draw_address(&mut input)).collect();
    let user_data = input.array();
    let spec = TokenSpec {
        protocol_id: input.u64(),
        create_unix: input.u64(),
        expire_unix: input.u64(),
        nonce: input.array(),
        private_key: &private_key,
        client_id: ClientId(input.u64()),
        timeout_seconds: i32::from_le_bytes(input.array()),
        addresses: &addresses,
        client_to_server_key: &up,
        server_to_client_key: &down,
        user_data: &user_data,
    };
    let minted = spec.mint();
    let is_usable = spec.create_unix < spec.expire_unix && (1..=32).contains(&addresses.len());
    assert_eq!(minted.is_ok(), is_usable);
    let Ok(minted) = minted else { return };
    let mut bytes = [0; CONNECT_TOKEN_BYTES];
    minted.write(&mut bytes);
    assert!(ConnectToken::read(&bytes) == Ok(minted.clone()));
    let seal = TokenSeal {
        protocol_id: spec.protocol_id,
        expire_unix: spec.expire_unix,
        nonce: &spec.nonce,
        private_key: &private_key,
    };
    let private = PrivateToken {
        client_id: spec.client_id,
        timeout_seconds: spec.timeout_seconds,
        addresses: ServerAddresses::new(&addresses).expect("1 to 32 addresses"),
        client_to_server_key: up.clone(),
        server_to_client_key: down.clone(),
        user_data: Zeroizing::new(user_data),
    };
    assert!(PrivateToken::open(&minted.private, &seal) == Ok(private));
}

fn draw_address(input: &mut Input<'_>) -> SocketAddr {
    let ip = if input.u8() & 1 == 0 {
        IpAddr::from(input.array::<4>())
    } else {
        IpAddr::from(input.array::<16>())
    };
    SocketAddr::new(ip, input.u16())
}
