//! At a change of key epoch a client takes nothing of the former one, and loses nothing of the new one, in whatever order packets
//! arrive.

use super::bench::{Bench, TIMEOUT_MS, first_server, frames, opened, resume_token, token, welcome};
use crate::client::{ClientConfig, ClientEvent, ClientState, DropReason, Verdict};
use crate::link::frame::{Frame, Welcome};
use crate::netcode::CHALLENGE_TOKEN_BYTES;
use crate::netcode::packet::Packet;
use crate::{ConnectToken, Violation};

/// A client that is logged in, has a resume token, and a message under way; with the token it came with and the sequence of its
/// message.
fn with_a_message_under_way() -> (Bench, ConnectToken, u64) {
    let backend = token(100, &[first_server()]);
    let mut bench = Bench::welcomed(ClientConfig::default(), &backend, &welcome());
    bench.give_resume_token(&backend, 1, &resume_token(1));
    bench.run_for_ms(50);
    bench.client.send(0, b"message").unwrap();
    let sent = opened(&bench.drain(), &backend);
    bench.events();
    (bench, backend, sent.last().unwrap().sequence)
}

/// Loses the path, and is let in again under the keys of its resume token; the welcome has not come.
fn let_in_again(bench: &mut Bench) {
    bench.run_for_ms(TIMEOUT_MS / 2);
    bench.let_in(&resume_token(1));
    bench.events();
}

fn switch_keys(bench: &mut Bench, lanes_kept: bool) {
    let_in_again(bench);
    bench.welcome(&resume_token(1), &Welcome { lanes_kept, ..welcome() });
    bench.drain();
    bench.events();
}

fn queued_bytes(bench: &Bench) -> usize {
    bench.client.statistics().message_bytes_queued
}

/// An acknowledgement of one packet of the client, as the server seals it under the keys of a token.
fn ack_of(bench: &mut Bench, token: &ConnectToken, sequence: u64) -> alloc::vec::Vec<u8> {
    let mut payload = [0; 64];
    let mut writer = crate::link::frame::FrameWriter::new(&mut payload);
    assert_eq!(writer.write_ack(0, core::iter::once(sequence..=sequence)), 1);
    let len = writer.len();
    bench.seal(token, &Packet::Payload(&payload[..len]))
}

#[test]
fn a_recorded_ack_of_the_former_keys_confirms_nothing_under_the_new_ones() {
    let (mut bench, backend, sequence) = with_a_message_under_way();
    let recorded = ack_of(&mut bench, &backend, sequence);
    switch_keys(&mut bench, true);

    assert_eq!(bench.give(&recorded), Verdict::Dropped(DropReason::Unopened));

    assert_eq!(queued_bytes(&bench), 7);
}

#[test]
fn p13_an_ack_of_former_sequences_sealed_under_the_new_keys_confirms_nothing() {
    let (mut bench, _, sequence) = with_a_message_under_way();
    switch_keys(&mut bench, true);

    let ack = ack_of(&mut bench, &resume_token(1), sequence);

    assert_eq!(bench.give(&ack), Verdict::Dropped(DropReason::Violation));
    assert_eq!(bench.client.counters().violations(Violation::AckNeverSent), 1);
    assert_eq!(queued_bytes(&bench), 7);
}

#[test]
fn p24_what_was_under_way_goes_on_under_the_new_keys_or_is_discarded_and_is_never_confirmed_unread() {
    for lanes_kept in [true, false] {
        let (mut bench, _, _) = with_a_message_under_way();
        let_in_again(&mut bench);
        let terms = Welcome { lanes_kept, ..welcome() };
        bench.welcome(&resume_token(1), &terms);

        let sent = opened(&bench.drain(), &resume_token(1));

        let is_sent_again = sent
            .iter()
            .flat_map(|packet| frames(&packet.payload))
            .any(|frame| matches!(frame, Frame::Lane { lane: 0, number: 0, message: b"message" }));
        assert_eq!(is_sent_again, lanes_kept);
        assert_eq!(queued_bytes(&bench), if lanes_kept { 7 } else { 0 });
    }
}

#[test]
fn p22_lane_data_that_overtakes_the_welcome_is_neither_taken_nor_acknowledged_and_is_delivered_after_it() {
    for lanes_kept in [true, false] {
        let (mut bench, backend, _) = with_a_message_under_way();
        let resume = resume_token(1);
        bench.give_frames(&backend, |writer| writer.write_lane(0, 0, (b"former", b"")));
        bench.events();
        // With lanes that begin afresh this number stands for another message.
        let number = u64::from(lanes_kept);
        let_in_again(&mut bench);

        let overtaking = bench.sequence;
        let verdict = bench.give_frames(&resume, |writer| writer.write_lane(0, number, (b"new", b"")));
        assert_eq!(verdict, Verdict::Dropped(DropReason::BeforeWelcome));
        bench.welcome(&resume, &Welcome { lanes_kept, ..welcome() });
        let sent = opened(&bench.run_for_ms(100), &resume);
        assert_eq!(bench.events().len(), 1, "that it is back");

        let names_it = |frame: &Frame<'_>| match frame {
            Frame::Ack(ack) => ack.ranges().any(|range| range.contains(&overtaking)),
            _ => false,
        };
        assert!(!sent.iter().any(|packet| frames(&packet.payload).iter().any(names_it)));
        for delivered in [1, 0] {
            bench.give_frames(&resume, |writer| writer.write_lane(0, number, (b"new", b"")));
            assert_eq!(bench.events(), [ClientEvent::Message { lane: 0 }][..delivered]);
        }
    }
}

#[test]
fn a_recorded_packet_of_an_older_key_epoch_does_nothing() {
    let (mut bench, backend, _) = with_a_message_under_way();
    let goodbye = [0x0A, 2, 0];
    let recording = [
        bench.keep_alive(&backend),
        bench.seal(&backend, &Packet::Payload(&[0x10, 0, 0, 1, b'x'])),
        bench.seal(&backend, &Packet::Payload(&goodbye)),
        bench.seal(&backend, &Packet::Payload(&[0x7F])),
        bench.seal(&backend, &Packet::Disconnect),
        bench.seal(&backend, &Packet::Denied),
        bench
            .seal(&backend, &Packet::Challenge { token_sequence: 3, token: &mut [5; CHALLENGE_TOKEN_BYTES] }),
    ];
    switch_keys(&mut bench, true);
    let statistics = bench.client.statistics();

    for packet in &recording {
        let verdict = bench.give(packet);
        assert!(
            matches!(verdict, Verdict::Dropped(DropReason::Unopened | DropReason::Unexpected)),
            "{verdict:?}"
        );
    }

    assert_eq!(bench.client.state(), ClientState::LoggedIn);
    assert_eq!(bench.client.statistics(), statistics);
    assert_eq!((bench.events(), bench.drain()), ([].into(), [].into()));
}
