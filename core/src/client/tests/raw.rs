//! Raw payloads: a netcode client as the standard describes it.

use alloc::vec;
use alloc::vec::Vec;

use super::bench::{Bench, TIMEOUT_S, first_server, opened, token};
use crate::ConnectToken;
use crate::client::{
    ClientConfig, ClientDisconnectReason, ClientEvent, ClientLoginError, ClientSendError, ClientState,
};
use crate::netcode::packet::{Packet, PacketKind};

fn connected(config: ClientConfig) -> (Bench, ConnectToken) {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(config, &token);
    bench.let_in(&token);
    bench.events();
    (bench, token)
}

#[test]
fn keep_alives_fill_the_pauses_between_payloads() {
    let (mut bench, token) = connected(ClientConfig { raw_keep_alive_ms: 200, ..ClientConfig::raw() });

    let mut sent = bench.run_for_ms(150);
    bench.client.send_datagram(b"payload").unwrap();
    sent.extend(bench.run_for_ms(450));

    let kinds: Vec<PacketKind> = opened(&sent, &token).iter().map(|packet| packet.kind).collect();
    assert_eq!(kinds, [PacketKind::Payload, PacketKind::KeepAlive, PacketKind::KeepAlive]);
}

#[test]
fn payloads_of_1_to_1200_bytes_are_sent_and_no_others() {
    let (mut bench, token) = connected(ClientConfig::raw());

    assert_eq!(bench.client.send_datagram(b""), Err(ClientSendError::Size));
    assert_eq!(bench.client.send_datagram(&[0; 1_201]), Err(ClientSendError::Size));
    for len in [1, 1_200] {
        bench.client.send_datagram(&vec![7; len]).unwrap();
    }

    let payloads: Vec<usize> =
        opened(&bench.drain(), &token).iter().map(|packet| packet.payload.len()).collect();
    assert_eq!(payloads, [1, 1_200]);
}

#[test]
fn the_oldest_payload_gives_way_when_too_many_wait() {
    let (mut bench, token) =
        connected(ClientConfig { datagram_queue_bytes_max: 1_200, ..ClientConfig::raw() });

    for number in 0..5 {
        bench.client.send_datagram(&[number; 500]).unwrap();
    }

    let sent = opened(&bench.drain(), &token);
    let numbers: Vec<u8> = sent.iter().map(|packet| packet.payload[0]).collect();
    assert_eq!(numbers, [3, 4]);
    assert_eq!(bench.client.statistics().datagrams_dropped, 3);
}

#[test]
fn a_server_that_falls_silent_for_the_tokens_timeout_ends_the_session() {
    let (mut bench, _) = connected(ClientConfig::raw());

    bench.run_for_ms(1_000 * u64::from(TIMEOUT_S.unsigned_abs()) - 1);
    assert_eq!(bench.client.state(), ClientState::Connected);
    bench.run_for_ms(1);

    let reason = ClientDisconnectReason::TimedOut;
    assert_eq!(bench.events(), [ClientEvent::Disconnected { reason }]);
}

#[test]
fn the_lateness_of_a_host_counts_once_however_often_it_calls() {
    let (mut bench, _) = connected(ClientConfig::raw());
    bench.now = bench.now.plus_millis(2_000);

    for _ in 0..3 {
        bench.client.handle_timeout(bench.now);
    }
    bench.run_for_ms(1_000 * u64::from(TIMEOUT_S.unsigned_abs()));

    assert_eq!(bench.client.state(), ClientState::Disconnected);
}

#[test]
fn the_servers_disconnect_ends_the_session() {
    let (mut bench, token) = connected(ClientConfig::raw());

    let disconnect = bench.seal(&token, &Packet::Disconnect);
    bench.give(&disconnect);

    let reason = ClientDisconnectReason::Closed;
    assert_eq!(bench.events(), [ClientEvent::Disconnected { reason }]);
}

#[test]
fn what_only_framed_sessions_have_is_refused() {
    let (mut bench, _) = connected(ClientConfig::raw());

    assert_eq!(bench.client.send(0, b"x"), Err(ClientSendError::FramedOnly));
    assert_eq!(bench.client.send_move(1, b"x"), Err(ClientSendError::FramedOnly));
    assert_eq!(bench.client.send_latest(1, b"x"), Err(ClientSendError::FramedOnly));
    assert_eq!(bench.client.login(b"x"), Err(ClientLoginError::FramedOnly));
    assert!(!bench.client.save(&mut Vec::new()));
}

#[test]
fn nothing_is_sent_before_the_connection() {
    let token = token(1, &[first_server()]);
    let mut bench = Bench::new(ClientConfig::raw(), &token);

    assert_eq!(bench.client.send_datagram(b"x"), Err(ClientSendError::NotConnected));
}

#[test]
fn a_change_of_network_leaves_a_connection_that_cannot_be_resumed_as_it_is() {
    let (mut bench, token) = connected(ClientConfig::raw());

    bench.client.network_changed(bench.now);
    bench.client.send_datagram(b"from elsewhere").unwrap();

    assert_eq!(opened(&bench.drain(), &token).len(), 1);
    assert_eq!(bench.client.state(), ClientState::Connected);
}
