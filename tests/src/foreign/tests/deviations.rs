//! Pins those departures from the standard that a server of ours has to live with.

use super::{
    super::{
        ConnectToken, ForeignClient, ForeignServer, Mint, NetcodeRsClient, OfficialClient, OfficialServer,
        RenetcodeClient, RenetcodeServer, SendError, Status, socket::Socket,
    },
    LOOPBACK, Pair, ROUND, ROUNDS_MAX, await_delivery, contents, payload, start, token,
};

const CLIENT_ID: u64 = 11;

/// The connection request a client sends for `token` (netcode standard, section "Packets").
fn connection_request(token: &ConnectToken) -> Vec<u8> {
    let (version_and_protocol_id, expiry_nonce_and_private_data) = (&token[..21], &token[29..1085]);
    [&[0], version_and_protocol_id, expiry_nonce_and_private_data].concat()
}

/// The prefix byte of a server's first challenge.
fn first_challenge_prefix<S: ForeignServer>() -> u8 {
    let mut server: S = start(1);
    let socket = Socket::bind(LOOPBACK).unwrap();
    socket.send(&connection_request(&token(&server, CLIENT_ID)), server.addr());
    let mut buffer = [0; 2048];
    for _ in 0..ROUNDS_MAX {
        server.poll(ROUND);
        if socket.receive(&mut buffer).is_some() {
            return buffer[0];
        }
        await_delivery();
    }
    panic!("the server did not answer the connection request: {server:?}");
}

/// The sequence number of the first encrypted packet a client sends.
///
/// A relay that overhears it sits between client and server: the token lists the relay's address, for the client to
/// use, and the server's, for the server to find.
fn first_encrypted_sequence<C: ForeignClient>() -> u8 {
    let mut server: OfficialServer = start(1);
    let (relay_to_client, relay_to_server) =
        (Socket::bind(LOOPBACK).unwrap(), Socket::bind(LOOPBACK).unwrap());
    let addrs = [relay_to_client.local_addr(), server.addr()];
    let token = Mint::Official.mint(&contents(&addrs, CLIENT_ID)).unwrap();
    let mut client = C::connect(&token, LOOPBACK).unwrap();
    let mut buffer = [0; 2048];
    for _ in 0..ROUNDS_MAX {
        client.poll(ROUND);
        server.poll(ROUND);
        await_delivery();
        while let Some((bytes, _)) = relay_to_client.receive(&mut buffer) {
            if buffer[0] != 0 {
                assert_eq!(buffer[0] >> 4, 1, "number of sequence bytes");
                return buffer[1];
            }
            relay_to_server.send(&buffer[..bytes], server.addr());
        }
        while let Some((bytes, _)) = relay_to_server.receive(&mut buffer) {
            relay_to_client.send(&buffer[..bytes], client.local_addr());
        }
    }
    panic!("the client did not answer the challenge: {client:?}");
}

/// A token's only server address in the serial form of its public part.
fn serial_ipv6(mint: Mint) -> [u8; 16] {
    let addr = "[102:304:506:708:90a:b0c:d0e:f10]:1".parse().unwrap();
    let token = mint.mint(&contents(&[addr], CLIENT_ID)).unwrap();
    token[1094..1110].try_into().unwrap()
}

#[test]
fn the_official_server_numbers_its_challenges_with_eight_bytes() {
    assert_eq!(first_challenge_prefix::<OfficialServer>(), 0x82);
}

#[test]
fn the_renetcode_server_leaves_out_the_sequence_number_of_its_first_challenge() {
    assert_eq!(first_challenge_prefix::<RenetcodeServer>(), 0x02);
}

#[test]
fn no_client_sends_an_encrypted_packet_numbered_zero() {
    assert!(first_encrypted_sequence::<OfficialClient>() >= 1);
    assert!(first_encrypted_sequence::<RenetcodeClient>() >= 1);
    assert!(first_encrypted_sequence::<NetcodeRsClient>() >= 1);
}

#[test]
fn only_the_official_mint_writes_ipv6_groups_in_the_order_of_the_standard() {
    let little_endian = [2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15];
    let big_endian = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    assert_eq!(serial_ipv6(Mint::Official), little_endian);
    assert_eq!(serial_ipv6(Mint::Renetcode), big_endian);
    assert_eq!(serial_ipv6(Mint::NetcodeRs), big_endian);
}

#[test]
fn an_official_client_cannot_connect_while_a_renetcode_server_keeps_sending_it_payloads() {
    let mut pair = Pair::<OfficialClient, RenetcodeServer>::new(CLIENT_ID);
    pair.wait("the server to report the client", |pair| pair.server.poll_event());

    // Two seconds with a payload every 100 ms.
    for round in 0..1000 {
        if round % 50 == 0 {
            pair.server.send(CLIENT_ID, &[1]).unwrap();
        }
        pair.client.poll(ROUND);
        pair.server.poll(ROUND);
        await_delivery();
    }

    assert_eq!(pair.client.status(), Status::Connecting);
}

#[test]
fn a_netcode_rs_client_loses_payloads_of_more_than_1182_bytes() {
    let mut pair = Pair::<NetcodeRsClient, OfficialServer>::connected(CLIENT_ID);

    pair.server.send(CLIENT_ID, &payload(1183, 0)).unwrap();
    pair.server.send(CLIENT_ID, &payload(1182, 0)).unwrap();

    let received = pair.wait("the payload that fits", |pair| pair.client.receive());
    assert_eq!(received.len(), 1182);
}

#[test]
fn each_client_has_its_own_range_of_payload_sizes() {
    fn send<C: ForeignClient>(bytes: usize) -> Result<(), SendError> {
        Pair::<C, OfficialServer>::connected(CLIENT_ID).client.send(&payload(bytes, 0))
    }

    assert_eq!(send::<OfficialClient>(0), Err(SendError::PayloadBytes(0)));
    assert_eq!(send::<OfficialClient>(1200), Ok(()));
    assert_eq!(send::<OfficialClient>(1201), Err(SendError::PayloadBytes(1201)));
    assert_eq!(send::<NetcodeRsClient>(0), Ok(()));
    assert_eq!(send::<NetcodeRsClient>(1200), Ok(()));
    assert_eq!(send::<NetcodeRsClient>(1201), Err(SendError::PayloadBytes(1201)));
    assert_eq!(send::<RenetcodeClient>(0), Ok(()));
    assert_eq!(send::<RenetcodeClient>(1300), Ok(()));
    assert_eq!(send::<RenetcodeClient>(1301), Err(SendError::PayloadBytes(1301)));
}

#[test]
fn a_dropped_official_client_says_goodbye_and_the_others_do_not() {
    fn says_goodbye<C: ForeignClient>() -> bool {
        let Pair { client, mut server } = Pair::<C, OfficialServer>::connected(CLIENT_ID);
        drop(client);
        (0..100).any(|_| {
            await_delivery();
            server.poll(ROUND);
            server.poll_event().is_some()
        })
    }

    assert!(says_goodbye::<OfficialClient>());
    assert!(!says_goodbye::<RenetcodeClient>());
    assert!(!says_goodbye::<NetcodeRsClient>());
}
