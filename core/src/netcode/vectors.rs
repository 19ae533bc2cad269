//! Every published byte vector is written byte for byte and read back.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::aead::MAC_BYTES;
use super::challenge::ChallengeToken;
use super::fixtures::{self, PROTOCOL_ID};
use super::packet::{self, Packet, PacketKind};
use super::private_token::PrivateToken;
use super::request::RequestPacket;
use super::{
    CHALLENGE_TOKEN_BYTES, CONNECT_TOKEN_BYTES, ConnectToken, Key, PACKET_BYTES_MAX, PRIVATE_TOKEN_BYTES,
    REQUEST_BYTES,
};

const VECTORS: &str = include_str!("../../tests/vectors/netcode-1.02.txt");

#[test]
fn every_vector_is_written_byte_for_byte_and_read_back() {
    let mut checked = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, len, hex] = fields[..] else { panic!("not a vector: {line}") };
        let expected = bytes_of(hex);
        assert_eq!(expected.len(), len.parse::<usize>().unwrap(), "{name}");

        check(name, &expected);
        checked += 1;
    }
    assert_eq!(checked, 186);
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn check(name: &str, expected: &[u8]) {
    match name {
        "private_plain" => check_private_plain(expected),
        "private_sealed" => check_private_sealed(expected),
        "connect_token" => check_connect_token(expected),
        "challenge_plain" => check_challenge_plain(expected),
        "challenge_sealed_seq5" => check_challenge_sealed(expected),
        "pkt0_request" => check_request(expected),
        _ => check_packet(name, expected),
    }
}

fn check_private_plain(expected: &[u8]) {
    let mut plain = [0xff; PRIVATE_TOKEN_BYTES];
    fixtures::private_token().write(&mut plain);
    assert_eq!(plain, expected);
    assert!(PrivateToken::read(&plain) == Ok(fixtures::private_token()));
}

fn check_private_sealed(expected: &[u8]) {
    let key = fixtures::private_key();
    let seal = fixtures::token_seal(&key);
    let sealed = fixtures::private_token().seal(&seal);
    assert_eq!(*sealed, expected);
    assert!(PrivateToken::open(&sealed, &seal) == Ok(fixtures::private_token()));
}

fn check_connect_token(expected: &[u8]) {
    let mut bytes = [0xff; CONNECT_TOKEN_BYTES];
    fixtures::connect_token().write(&mut bytes);
    assert_eq!(bytes, expected);
    assert_eq!(ConnectToken::read(expected), Ok(fixtures::connect_token()));
}

/// The vectors bind a challenge to nothing: the bytes after the user data are zero.
fn challenge_token() -> ChallengeToken {
    ChallengeToken {
        client_id: fixtures::CLIENT_ID,
        user_data: Zeroizing::new(fixtures::user_data()),
        binding: [0; MAC_BYTES],
        address_tag: 0,
    }
}

fn sealed_challenge() -> [u8; CHALLENGE_TOKEN_BYTES] {
    challenge_token().seal(fixtures::CHALLENGE_SEQUENCE, &fixtures::challenge_key())
}

fn check_challenge_plain(expected: &[u8]) {
    let mut plain = [0xff; CHALLENGE_TOKEN_BYTES];
    challenge_token().write(&mut plain);
    assert_eq!(plain, expected);
    assert!(ChallengeToken::read(expected) == Some(challenge_token()));
}

fn check_challenge_sealed(expected: &[u8]) {
    let mut sealed = sealed_challenge();
    assert_eq!(sealed, expected);
    let opened = ChallengeToken::open(&mut sealed, fixtures::CHALLENGE_SEQUENCE, &fixtures::challenge_key());
    assert!(opened == Some(challenge_token()));
}

fn check_request(expected: &[u8]) {
    let token = fixtures::connect_token();
    let request =
        RequestPacket { expire_unix: token.expire_unix, nonce: &token.nonce, private: &token.private };
    let mut datagram = [0xff; REQUEST_BYTES];
    request.write(PROTOCOL_ID, &mut datagram);
    assert_eq!(datagram, expected);

    let parsed = RequestPacket::parse(expected, PROTOCOL_ID).unwrap();
    assert_eq!(parsed.expire_unix, token.expire_unix);
    assert_eq!((parsed.nonce, parsed.private), (&token.nonce, &*token.private));
}

/// `name` is `pkt<number>_<kind>_seq_<sequence in hex>`.
fn check_packet(name: &str, expected: &[u8]) {
    let (kind, sequence) = name.split_once("_seq_").unwrap();
    let sequence = u64::from_str_radix(sequence, 16).unwrap();
    let (server, client) = (fixtures::server_to_client_key, fixtures::client_to_server_key);
    let (token_sequence, mut token) = (fixtures::CHALLENGE_SEQUENCE, sealed_challenge());
    let payload: [u8; 1200] = fixtures::pattern(23, 11);

    match kind {
        "pkt1_denied" => round_trip(&Packet::Denied, PacketKind::Denied, &server(), sequence, expected),
        "pkt2_challenge" => {
            let packet = Packet::Challenge { token_sequence, token: &mut token };
            round_trip(&packet, PacketKind::Challenge, &server(), sequence, expected);
        }
        "pkt3_response" => {
            let packet = Packet::Response { token_sequence, token: &mut token };
            round_trip(&packet, PacketKind::Response, &client(), sequence, expected);
        }
        "pkt4_keepalive" => {
            let (client_index, max_clients) = (fixtures::CLIENT_INDEX, fixtures::MAX_CLIENTS);
            let packet = Packet::KeepAlive { client_index, max_clients };
            round_trip(&packet, PacketKind::KeepAlive, &server(), sequence, expected);
        }
        "pkt6_disconnect" => {
            round_trip(&Packet::Disconnect, PacketKind::Disconnect, &client(), sequence, expected);
        }
        _ => {
            let len = kind.strip_prefix("pkt5_payload").unwrap().parse::<usize>().unwrap();
            let packet = Packet::Payload(&payload[..len]);
            round_trip(&packet, PacketKind::Payload, &client(), sequence, expected);
        }
    }
}

fn round_trip(packet: &Packet<'_>, kind: PacketKind, key: &Key, sequence: u64, expected: &[u8]) {
    let mut out = [0xff; PACKET_BYTES_MAX];
    let len = packet::seal(packet, sequence, PROTOCOL_ID, key, &mut out).unwrap();
    assert_eq!(out[..len], *expected, "{kind:?} {sequence:x}");

    let header = packet::peek(expected).unwrap();
    assert_eq!((header.kind, header.sequence), (kind, sequence));
    let opened = packet::open(&mut out[..len], &header, PROTOCOL_ID, key);
    assert_eq!(opened.as_ref(), Some(packet), "{kind:?} {sequence:x}");
}
