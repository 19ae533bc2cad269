//! What a handshake makes of packets that open under its keys.

use alloc::vec::Vec;

use super::bench::{Bench, Opened, TIMEOUT_MS, first_server, opened, token, welcome};
use crate::client::handshake::{Handshake, HandshakeStep};
use crate::client::resume::HeldToken;
use crate::client::{ClientConfig, ClientEvent, DropReason, Verdict};
use crate::netcode::CHALLENGE_TOKEN_BYTES;
use crate::netcode::packet::{self, Packet, PacketKind};
use crate::{ConnectToken, Timestamp};

/// A handshake, and a server that seals packets for it.
fn arranged() -> (Handshake, Bench, ConnectToken) {
    let held = HeldToken::new(0, token(1, &[first_server()]), 0, Timestamp::NEVER);
    let token = token(1, &[first_server()]);
    let server = Bench::new(ClientConfig::default(), &token);
    (Handshake::new(held, server.now), server, token)
}

/// What becomes of a packet: whether it completes the handshake.
fn take(handshake: &mut Handshake, mut datagram: Vec<u8>) -> Result<bool, DropReason> {
    let header = packet::peek(&datagram).unwrap();
    let step = handshake.handle_packet(Timestamp::from_millis(1_000), 0, &header, &mut datagram)?;
    Ok(matches!(step, HandshakeStep::Completed { .. }))
}

#[test]
fn an_answer_that_comes_twice_completes_a_handshake_once() {
    let (mut handshake, mut server, token) = arranged();
    let keep_alive = server.keep_alive(&token);

    assert_eq!(take(&mut handshake, keep_alive.clone()), Ok(true));
    assert_eq!(take(&mut handshake, keep_alive), Err(DropReason::Replayed));
}

#[test]
fn packets_that_no_server_answers_a_request_with_complete_nothing_though_they_open() {
    let (mut handshake, mut server, token) = arranged();
    let echoed = &mut [5; CHALLENGE_TOKEN_BYTES];
    let response = server.seal(&token, &Packet::Response { token_sequence: 3, token: echoed });
    let disconnect = server.seal(&token, &Packet::Disconnect);

    for datagram in [response, disconnect] {
        assert_eq!(take(&mut handshake, datagram), Err(DropReason::Unexpected));
    }
    assert!(!handshake.is_responding());
}

#[test]
fn a_payload_that_would_complete_a_way_back_waits_until_the_events_are_taken() {
    let backend = token(100, &[first_server()]);
    let resume = token(1, &[first_server()]);
    let config = ClientConfig { event_queue_bytes_max: 5_000, ..ClientConfig::default() };
    let mut bench = Bench::welcomed(config, &backend, &welcome());
    bench.give_resume_token(&backend, 1, &resume);
    for _ in 0..6 {
        bench.give_frames(&backend, |writer| writer.write_datagram((&[7; 1_000], &[])));
    }
    bench.run_for_ms(TIMEOUT_MS + 100);
    bench.sequence = 0;
    let challenge = bench.challenge(&resume);
    assert_eq!(bench.give(&challenge), Verdict::Accepted);
    let payload = bench.seal(&resume, &Packet::Payload(b"anything"));

    assert_eq!(bench.give(&payload), Verdict::Dropped(DropReason::EventsFull));
    assert!(bench.events().contains(&ClientEvent::PathLost));
    assert_ne!(bench.give(&payload), Verdict::Dropped(DropReason::EventsFull));

    let sent = opened(&bench.run_for_ms(100), &resume);
    let says_hello = |packet: &Opened| packet.kind == PacketKind::Payload;
    assert!(sent.iter().any(says_hello), "it is in");
}

#[test]
fn nothing_leaves_in_a_buffer_that_does_not_hold_it() {
    let (mut handshake, mut server, token) = arranged();

    assert_eq!(handshake.poll_transmit(server.now, None, &mut [0; 300]), None, "no request");
    let challenge = server.challenge(&token);
    assert_eq!(take(&mut handshake, challenge), Ok(false));
    assert_eq!(handshake.poll_transmit(server.now, None, &mut [0; 300]), None, "no response");
}
