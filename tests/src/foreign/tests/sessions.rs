//! Every client meets every server.

use std::net::Ipv6Addr;

use super::{
    super::{
        ConnectError, DisconnectCause, ForeignClient, ForeignServer, Mint, MintError, NetcodeRsClient,
        OfficialClient, OfficialServer, RenetcodeClient, RenetcodeServer, SendError, ServerConfig,
        ServerEvent, StartError, Status,
    },
    LOOPBACK, PRIVATE_KEY, PROTOCOL_ID, Pair, ROUND, await_delivery, contents, payload, start, start_at,
    token,
};

const CLIENT_ID: u64 = 0x0123_4567_89ab_cdef;

/// The smallest payload, a typical one, and the largest that every client receives with any sequence number.
const PAYLOAD_BYTES: [usize; 3] = [1, 32, 1175];

fn a_client_connects_and_the_server_learns_who_it_is<C: ForeignClient, S: ForeignServer>() {
    let mut pair = Pair::<C, S>::new(CLIENT_ID);
    assert_eq!(pair.client.status(), Status::Connecting);

    pair.connect(CLIENT_ID);

    assert_ne!(pair.client.local_addr().port(), 0);
    assert!(pair.server.poll_event().is_none());
}

fn payloads_cross_both_ways_unchanged<C: ForeignClient, S: ForeignServer>() {
    let mut pair = Pair::<C, S>::connected(CLIENT_ID);

    for bytes in PAYLOAD_BYTES {
        pair.client.send(&payload(bytes, 0)).unwrap();
        pair.server.send(CLIENT_ID, &payload(bytes, 1)).unwrap();

        let up = pair.wait("the client's payload", |pair| pair.server.receive());
        let down = pair.wait("the server's payload", |pair| pair.client.receive());

        assert_eq!(up, (CLIENT_ID, payload(bytes, 0)));
        assert_eq!(down, payload(bytes, 1));
    }
}

fn a_quiet_connection_outlives_its_timeout<C: ForeignClient, S: ForeignServer>() {
    let mut pair = Pair::<C, S>::connected(CLIENT_ID);

    // Three times the timeout, in steps that the keep-alives can follow.
    for _ in 0..300 {
        pair.client.poll(ROUND * 25);
        pair.server.poll(ROUND * 25);
        await_delivery();
    }

    assert_eq!(pair.client.status(), Status::Connected);
    assert!(pair.server.poll_event().is_none());
}

fn a_client_that_leaves_is_reported<C: ForeignClient, S: ForeignServer>() {
    let mut pair = Pair::<C, S>::connected(CLIENT_ID);

    pair.client.disconnect();

    assert_eq!(pair.client.status(), Status::Disconnected(DisconnectCause::ByClient));
    let event = pair.wait("the departure", |pair| pair.server.poll_event());
    assert_eq!(event, ServerEvent::Disconnected { client_id: CLIENT_ID });
    assert_eq!(pair.server.send(CLIENT_ID, &[1]), Err(SendError::NotConnected));
    assert_eq!(pair.client.send(&[1]), Err(SendError::NotConnected));
}

fn a_kicked_client_learns_of_it<C: ForeignClient, S: ForeignServer>() {
    let mut pair = Pair::<C, S>::connected(CLIENT_ID);

    pair.server.kick(CLIENT_ID);

    let event = pair.wait("the departure", |pair| pair.server.poll_event());
    assert_eq!(event, ServerEvent::Disconnected { client_id: CLIENT_ID });
    pair.wait_for_status(Status::Disconnected(DisconnectCause::ByServer));
}

fn a_full_server_denies_another_client<C: ForeignClient, S: ForeignServer>() {
    let server: S = start(1);
    let client = C::connect(&token(&server, CLIENT_ID), LOOPBACK).unwrap();
    let mut pair = Pair { client, server };
    pair.connect(CLIENT_ID);
    let latecomer = C::connect(&token(&pair.server, CLIENT_ID + 1), LOOPBACK).unwrap();
    let mut pair = Pair { client: latecomer, server: pair.server };

    pair.wait_for_status(Status::Denied);

    assert!(pair.server.poll_event().is_none());
}

fn a_client_that_falls_silent_is_timed_out<C: ForeignClient, S: ForeignServer>() {
    let mut pair = Pair::<C, S>::connected(CLIENT_ID);

    for _ in 0..6 {
        pair.server.poll(ROUND * 500);
    }

    assert_eq!(pair.server.poll_event(), Some(ServerEvent::Disconnected { client_id: CLIENT_ID }));
}

fn a_client_notices_that_the_server_fell_silent<C: ForeignClient, S: ForeignServer>() {
    let mut pair = Pair::<C, S>::connected(CLIENT_ID);

    for _ in 0..7 {
        pair.client.poll(ROUND * 500);
    }

    assert_eq!(pair.client.status(), Status::Disconnected(DisconnectCause::TimedOut));
}

fn tokens_of_every_make_are_accepted<C: ForeignClient, S: ForeignServer>() {
    for mint in Mint::ALL {
        let server: S = start(1);
        let token = mint.mint(&contents(&[server.addr()], CLIENT_ID)).unwrap();
        let client = C::connect(&token, LOOPBACK).unwrap();

        Pair { client, server }.connect(CLIENT_ID);
    }
}

/// Runs every scenario with one client and one server.
macro_rules! scenarios {
    ($name:ident, $client:ty, $server:ty) => {
        mod $name {
            use super::*;

            scenarios! { @each $client, $server:
                a_client_connects_and_the_server_learns_who_it_is
                payloads_cross_both_ways_unchanged
                a_quiet_connection_outlives_its_timeout
                a_client_that_leaves_is_reported
                a_kicked_client_learns_of_it
                a_full_server_denies_another_client
                a_client_that_falls_silent_is_timed_out
                a_client_notices_that_the_server_fell_silent
                tokens_of_every_make_are_accepted
            }
        }
    };
    (@each $client:ty, $server:ty: $($scenario:ident)*) => {
        $(
            #[test]
            fn $scenario() {
                super::$scenario::<$client, $server>();
            }
        )*
    };
}

scenarios!(official_with_official, OfficialClient, OfficialServer);
scenarios!(official_with_renetcode, OfficialClient, RenetcodeServer);
scenarios!(renetcode_with_official, RenetcodeClient, OfficialServer);
scenarios!(renetcode_with_renetcode, RenetcodeClient, RenetcodeServer);
scenarios!(netcode_rs_with_official, NetcodeRsClient, OfficialServer);
scenarios!(netcode_rs_with_renetcode, NetcodeRsClient, RenetcodeServer);

/// Connects over IPv6. Client, mint and server must agree on how the token writes IPv6 addresses.
fn connect_over_ipv6<C: ForeignClient, S: ForeignServer>(mint: Mint) {
    let loopback = (Ipv6Addr::LOCALHOST, 0).into();
    let server: S = start_at(loopback, 1);
    let token = mint.mint(&contents(&[server.addr()], CLIENT_ID)).unwrap();
    let client = C::connect(&token, loopback).unwrap();

    Pair { client, server }.connect(CLIENT_ID);
}

#[test]
fn clients_connect_over_ipv6() {
    connect_over_ipv6::<OfficialClient, OfficialServer>(Mint::Official);
    connect_over_ipv6::<RenetcodeClient, RenetcodeServer>(Mint::Renetcode);
    connect_over_ipv6::<RenetcodeClient, RenetcodeServer>(Mint::NetcodeRs);
    connect_over_ipv6::<NetcodeRsClient, RenetcodeServer>(Mint::NetcodeRs);
    connect_over_ipv6::<NetcodeRsClient, RenetcodeServer>(Mint::Renetcode);
}

#[test]
fn no_client_starts_with_an_invalid_token() {
    fn refuses<C: ForeignClient>(token: &super::ConnectToken) -> bool {
        matches!(C::connect(token, LOOPBACK), Err(ConnectError::InvalidToken))
    }
    let server: OfficialServer = start(1);
    let valid = token(&server, CLIENT_ID);
    let mut wrong_version = valid;
    wrong_version[0] ^= 1;
    let mut created_after_expiry = valid;
    created_after_expiry[21..29].fill(0xff);
    let mut without_addresses = valid;
    without_addresses[1089..1093].fill(0);

    for token in [wrong_version, created_after_expiry, without_addresses] {
        assert!(refuses::<OfficialClient>(&token));
        assert!(refuses::<RenetcodeClient>(&token));
        assert!(refuses::<NetcodeRsClient>(&token));
    }
}

#[test]
fn no_server_starts_without_client_slots() {
    fn refuses<S: ForeignServer>(max_clients: usize) -> bool {
        let config = ServerConfig {
            bind_addr: LOOPBACK,
            private_key: PRIVATE_KEY,
            protocol_id: PROTOCOL_ID,
            max_clients,
        };
        matches!(S::start(&config), Err(StartError::MaxClients(refused)) if refused == max_clients)
    }

    assert!(refuses::<OfficialServer>(0));
    assert!(refuses::<OfficialServer>(257));
    assert!(refuses::<RenetcodeServer>(0));
    assert!(refuses::<RenetcodeServer>(1025));
}

#[test]
fn no_mint_takes_fewer_than_1_or_more_than_32_server_addresses() {
    for mint in Mint::ALL {
        for count in [0, 33] {
            let contents = contents(&vec![LOOPBACK; count], CLIENT_ID);
            assert_eq!(mint.mint(&contents), Err(MintError::ServerAddresses(count)));
        }
        assert!(mint.mint(&contents(&[LOOPBACK; 32], CLIENT_ID)).is_ok());
    }
}
