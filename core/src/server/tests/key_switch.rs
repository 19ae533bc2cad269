//! At a change of key epoch nothing of the former one counts, and nothing of the new one is lost, in whatever order packets arrive.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::RangeInclusive;

use crate::lifecycle::{Cause, DisconnectReason};
use crate::link::frame::{Frame, Hello};
use crate::{DropReason, Event, SessionId, Verdict, Violation};

use super::harness::{Harness, client_address};
use super::peer::Peer;

const ANNA: u64 = 11;
/// Where sequences begin that are not mistaken for those of the key epoch before.
const FAR: u64 = 1_000;

/// Comes back as far as the hello: nothing of the new key epoch is acknowledged yet.
fn switch_keys(server: &mut Harness, anna: &mut Peer, port: u16) {
    anna.begin_resume(client_address(port));
    server.shake_hands(anna);
    let hello = anna.hello();
    assert!(matches!(server.talk(anna, &hello), Verdict::Accepted(_)));
}

fn queued_bytes(server: &Harness) -> usize {
    server.session_of(ANNA).statistics().message_bytes_queued
}

fn acknowledge(anna: &mut Peer, sequences: RangeInclusive<u64>) -> Vec<u8> {
    anna.frames(|writer| assert_eq!(writer.write_ack(0, core::iter::once(sequences)), 1))
}

/// Whether the server has acknowledged this packet.
fn is_acknowledged(anna: &Peer, sequence: u64) -> bool {
    let ranges = |frame| match frame {
        Frame::Ack(ack) => Some(ack.ranges().any(|range| range.contains(&sequence))),
        _ => None,
    };
    anna.heard(ranges).into_iter().any(|names_it| names_it)
}

/// A player to whom the server has sent a message over many packets, the last of them not acknowledged.
fn player_with_a_message_under_way(server: &mut Harness) -> Peer {
    let mut anna = server.player(ANNA, 1);
    for _ in 0..20 {
        server.beat(&mut anna);
    }
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.send(now, id, 0, b"message")).unwrap();
    server.listen(&mut anna);
    assert_eq!((anna.messages().len(), queued_bytes(server)), (1, 7));
    anna
}

#[test]
fn a_recorded_ack_of_the_former_keys_confirms_nothing_under_the_new_ones() {
    for port in [1, 2] {
        let mut server = Harness::framed();
        let mut anna = player_with_a_message_under_way(&mut server);
        let recorded = anna.heartbeat();
        switch_keys(&mut server, &mut anna, port);

        for from in [client_address(1), anna.address] {
            assert!(matches!(server.take(from, &recorded), Verdict::Dropped(_)));
        }

        assert_eq!(queued_bytes(&server), 7);
        server.beat(&mut anna);
        assert_eq!(queued_bytes(&server), 0, "the new epoch's own acknowledgement counts");
        server.close();
    }
}

#[test]
fn p13_an_ack_of_former_sequences_sealed_under_the_new_keys_confirms_nothing() {
    let mut server = Harness::framed();
    let mut anna = player_with_a_message_under_way(&mut server);
    switch_keys(&mut server, &mut anna, 2);

    for sequences in [0..=20, 15..=20, 20..=20] {
        let ack = acknowledge(&mut anna, sequences);
        assert_eq!(server.talk(&mut anna, &ack), Verdict::Dropped(DropReason::Violation));
    }

    assert_eq!(queued_bytes(&server), 7);
    assert_eq!(server.manager.counters().violations(Violation::AckNeverSent), 3);
    assert_eq!(anna.messages(), [b"message"]);
    server.close();
}

#[test]
fn p22_lane_data_that_overtakes_the_hello_is_neither_taken_nor_acknowledged_and_is_delivered_after_it() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);
    anna.sequence = FAR;
    let hello = anna.hello();
    let overtaking = anna.message(0, b"once");

    assert_eq!(server.talk(&mut anna, &overtaking), Verdict::Dropped(DropReason::BeforeHello));
    server.talk(&mut anna, &hello);
    server.live(&mut [&mut anna], 1_000);

    assert!(is_acknowledged(&anna, FAR) && !is_acknowledged(&anna, FAR + 1));
    assert!(server.received_from(id).is_empty());
    for _ in 0..2 {
        let again = anna.message(0, b"once");
        server.talk(&mut anna, &again);
    }
    assert_eq!(server.received_from(id), [b"once"]);
    server.close();
}

#[test]
fn p22_a_goodbye_on_the_way_back_counts_with_the_hello_before_it_and_not_alone() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    anna.begin_resume(client_address(2));
    server.shake_hands(&mut anna);
    let hello = Hello::new(anna.lane_epoch);

    let alone = anna.frames(|writer| assert!(writer.write_goodbye(0, b"")));
    assert_eq!(server.talk(&mut anna, &alone), Verdict::Dropped(DropReason::BeforeHello));
    assert!(server.session_of(ANNA).state().is_logged_in());
    let introduced =
        anna.frames(|writer| assert!(writer.write_hello(&hello) && writer.write_goodbye(0, b"")));
    assert_eq!(server.talk(&mut anna, &introduced), Verdict::Accepted(id));

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::PeerLeft));
    server.close();
}

/// A player of whose messages 0 to 2 the server has taken two; the third was sent and held back by somebody.
fn player_with_a_withheld_message(server: &mut Harness) -> (Peer, SessionId, Vec<u8>) {
    let mut anna = server.player(ANNA, 1);
    for number in 0..2 {
        let message = anna.message(number, b"former");
        server.talk(&mut anna, &message);
    }
    let withheld = anna.message(2, b"withheld");
    let id = server.id_of(ANNA);
    assert_eq!(server.received_from(id).len(), 2);
    (anna, id, withheld)
}

#[test]
fn p24_a_restarted_client_is_not_taken_for_its_former_self_nor_its_former_self_for_it() {
    let mut server = Harness::framed();
    let (mut anna, id, withheld) = player_with_a_withheld_message(&mut server);
    anna.lane_epoch += 1;
    anna.begin_resume(client_address(1));
    server.shake_hands(&mut anna);
    anna.sequence = FAR;

    let early = anna.message(2, b"new 2");
    assert_eq!(server.talk(&mut anna, &early), Verdict::Dropped(DropReason::BeforeHello));
    let hello = anna.hello();
    server.talk(&mut anna, &hello);
    assert!(matches!(server.take(anna.address, &withheld), Verdict::Dropped(_)));
    for (number, content) in [(2, b"new 2"), (1, b"new 1"), (0, b"new 0")] {
        let message = anna.message(number, content);
        assert_eq!(server.talk(&mut anna, &message), Verdict::Accepted(id));
    }

    assert_eq!(server.received_from(id)[2..], [b"new 0", b"new 1", b"new 2"]);
    assert!(!is_acknowledged(&anna, FAR), "what came before the hello");
    assert_eq!(server.session_of(ANNA).statistics().messages_repeated, 0);
    server.close();
}

#[test]
fn p24_a_client_that_kept_its_memory_goes_on_with_its_numbers() {
    let mut server = Harness::framed();
    let (mut anna, id, withheld) = player_with_a_withheld_message(&mut server);
    switch_keys(&mut server, &mut anna, 1);

    assert_eq!(server.take(anna.address, &withheld), Verdict::Dropped(DropReason::Unopened));
    for (number, content) in [(0, b"former"), (2, b"second"), (2, b"second"), (3, b"third!")] {
        let message = anna.message(number, content);
        assert_eq!(server.talk(&mut anna, &message), Verdict::Accepted(id));
    }

    assert_eq!(server.received_from(id)[2..], [b"second", b"third!"]);
    assert_eq!(server.session_of(ANNA).statistics().messages_repeated, 2);
    server.close();
}

#[test]
fn p24_what_the_server_had_under_way_to_a_restarted_client_is_not_confirmed_by_it() {
    let mut server = Harness::framed();
    let mut anna = player_with_a_message_under_way(&mut server);
    let id = server.id_of(ANNA);
    let recorded = anna.heartbeat();
    anna.lane_epoch += 1;
    switch_keys(&mut server, &mut anna, 1);
    assert_eq!(queued_bytes(&server), 0, "what was not acknowledged is discarded");

    server.call(|manager, now| manager.send(now, id, 0, b"afresh")).unwrap();
    assert_eq!(server.take(anna.address, &recorded), Verdict::Dropped(DropReason::Unopened));
    let welcomed = anna.frames(|writer| assert!(writer.write_heartbeat(1)));
    server.talk(&mut anna, &welcomed);

    assert_eq!(queued_bytes(&server), 6);
    assert_eq!(anna.messages(), [b"afresh"], "its number is that of the message before");
    server.close();
}

/// Every kind of packet that a client seals, as somebody on the way may record it. None of the later ones has arrived.
fn record_epoch(server: &mut Harness, anna: &mut Peer) -> Vec<(SocketAddr, Vec<u8>)> {
    let request = anna.request();
    server.talk(anna, &request);
    let response = anna.response();
    server.talk(anna, &response);
    let hello = anna.hello();
    server.talk(anna, &hello);
    server.beat(anna);
    let packets = [
        request,
        response,
        anna.response(),
        hello,
        anna.keep_alive(),
        anna.heartbeat(),
        anna.message(0, b"recorded"),
        anna.moves(&[90]),
        anna.frames(|writer| assert!(writer.write_goodbye(0, b""))),
        anna.payload(&[0x7F]),
        anna.disconnect(),
    ];
    packets.into_iter().map(|packet| (anna.address, packet)).collect()
}

#[test]
fn a_recorded_packet_of_an_older_key_epoch_does_nothing_from_anywhere() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut recording = Vec::new();
    for port in [2, 1] {
        anna.begin_resume(client_address(port));
        recording.extend(record_epoch(&mut server, &mut anna));
    }
    switch_keys(&mut server, &mut anna, 1);
    server.live(&mut [&mut anna], 1_000);
    let look = |server: &Harness| {
        let view = server.session_of(ANNA);
        (view.state(), view.address(), view.last_received(), view.statistics(), view.last_violation())
    };
    let (before, events, sent) = (look(&server), server.events.len(), server.sent.len());
    server.oversleep(20);

    for (from, packet) in &recording {
        for from in [*from, anna.address, client_address(9)] {
            let verdict = server.take(from, packet);
            assert!(matches!(verdict, Verdict::Dropped(_)), "{from}: {verdict:?}");
        }
    }

    assert_eq!(look(&server), before);
    assert_eq!(server.sent.len(), sent);
    // That a spent token was presented again is told, and nothing else.
    assert!(server.events[events..].iter().all(|(event, _)| matches!(event, Event::TokenReuse { .. })));
    server.beat(&mut anna);
    server.close();
}
