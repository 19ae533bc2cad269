//! What somebody can try who sees, repeats, holds back or forges packets, and what must not come of it.

use alloc::vec::Vec;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, SessionState as State};
use crate::link::frame::{FrameWriter, HeartbeatResponse, Hello, PAYLOAD_BYTES_MAX};
use crate::{ClientId, Config, DropReason, Verdict};

use super::harness::{Harness, client_address, framed_config, raw_config, token_login_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;

/// A framed session from the request to the goodbye, with everything its client sent.
fn record_session(server: &mut Harness) -> (Peer, Vec<Vec<u8>>) {
    let mut anna = server.newcomer(ANNA, 1);
    let mut recording = Vec::new();
    let mut send = |server: &mut Harness, anna: &mut Peer, datagram: Vec<u8>| {
        server.talk(anna, &datagram);
        recording.push(datagram);
    };
    let request = anna.request();
    send(server, &mut anna, request);
    let response = anna.response();
    send(server, &mut anna, response);
    let hello = anna.hello();
    send(server, &mut anna, hello);
    let login = anna.login(1, b"secret");
    send(server, &mut anna, login);
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    for datagram in [anna.message(0, b"pay"), anna.moves(&[3]), anna.heartbeat(), anna.disconnect()] {
        send(server, &mut anna, datagram);
    }
    assert_eq!(server.state_of(ANNA), None);
    (anna, recording)
}

#[test]
fn a_recorded_session_replayed_from_the_same_address_opens_nothing_and_delivers_nothing() {
    let mut server = Harness::framed();
    let (anna, recording) = record_session(&mut server);
    let (events, sent) = (server.events.len(), server.sent.len());

    for datagram in &recording {
        assert!(matches!(server.take(anna.address, datagram), Verdict::Dropped(_)));
    }

    assert_eq!((server.events.len(), server.sent.len()), (events, sent));
    assert!(server.manager.is_empty());
    server.close();
}

#[test]
fn a_recording_replayed_into_the_living_session_does_nothing_either() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let recording = [anna.message(0, b"pay"), anna.moves(&[3]), anna.heartbeat()];
    for datagram in &recording {
        server.talk(&mut anna, datagram);
    }
    let received = server.received_from(id).len();

    for datagram in &recording {
        let verdict = server.take(anna.address, datagram);
        assert_eq!(verdict, Verdict::Dropped(DropReason::Replayed));
    }

    assert_eq!(server.received_from(id).len(), received);
    server.close();
}

#[test]
fn a_sniffed_request_sent_first_from_elsewhere_neither_lets_the_thief_in_nor_keeps_its_owner_out() {
    let mut server = Harness::raw();
    let mut owner = server.newcomer(ANNA, 1);
    let request = owner.request();
    for port in 100..110 {
        assert_eq!(server.take(client_address(port), &request), Verdict::Answered);
    }

    server.shake_hands(&mut owner);
    let keep_alive = owner.keep_alive();
    server.talk(&mut owner, &keep_alive);

    let session = server.session_of(ANNA);
    assert_eq!((session.state(), session.address()), (State::LoggedIn, owner.address));
    for port in 100..110 {
        assert_eq!(server.take(client_address(port), &request), Verdict::Dropped(DropReason::TokenConsumed));
    }
    server.close();
}

#[test]
fn an_answer_to_the_challenge_of_another_token_is_refused() {
    let mut server = Harness::raw();
    let (mut anna, mut ben) = (server.newcomer(ANNA, 1), server.newcomer(BEN, 2));
    for peer in [&mut anna, &mut ben] {
        let request = peer.request();
        server.talk(peer, &request);
    }
    let foreign = ben.challenge.clone().unwrap();

    let response = anna.response_to(foreign);

    assert_eq!(server.talk(&mut anna, &response), Verdict::Dropped(DropReason::ChallengeMismatch));
    assert!(server.manager.is_empty());
    server.close();
}

#[test]
fn an_answer_to_the_challenge_of_another_token_of_the_same_identity_is_refused() {
    let mut server = Harness::raw();
    let (mut first, mut second) = (server.newcomer(ANNA, 1), server.newcomer(ANNA, 2));
    for peer in [&mut first, &mut second] {
        let request = peer.request();
        server.talk(peer, &request);
    }
    let foreign = second.challenge.clone().unwrap();

    let response = first.response_to(foreign);

    assert_eq!(server.talk(&mut first, &response), Verdict::Dropped(DropReason::ChallengeMismatch));
    server.close();
}

#[test]
fn empty_datagrams_anywhere_in_a_batch_cost_the_others_nothing() {
    for position in 0..4 {
        let mut server = Harness::raw();
        let mut anna = server.raw_player(ANNA, 1);
        let id = server.id_of(ANNA);
        let mut batch: Vec<Vec<u8>> = (0..3).map(|number| anna.payload(&[number])).collect();
        batch.insert(position, Vec::new());

        for datagram in &batch {
            server.read(anna.address, datagram);
        }
        server.settle();

        assert_eq!(server.dropped(DropReason::Empty), 1);
        assert_eq!(server.received_from(id), [[0], [1], [2]]);
        server.close();
    }
}

#[test]
fn every_first_byte_with_every_short_length_is_harmless_from_anywhere() {
    for config in [raw_config(), framed_config()] {
        let mut server = Harness::new(config);
        let mut anna = server.newcomer(ANNA, 1);
        server.shake_hands(&mut anna);
        let events = server.events.len();
        for prefix in 0..=u8::MAX {
            for len in 0..=64 {
                let mut datagram = alloc::vec![0xA5; len];
                if let Some(first) = datagram.first_mut() {
                    *first = prefix;
                }
                for from in [anna.address, client_address(2)] {
                    let verdict = server.read(from, &datagram);
                    assert!(matches!(verdict, Verdict::Dropped(_)), "{prefix:#04x} × {len}: {verdict:?}");
                }
            }
        }
        server.settle();
        assert_eq!(server.events.len(), events);
        assert_eq!(server.manager.counters().dropped_total(), 256 * 65 * 2);
        server.close();
    }
}

#[test]
fn every_change_of_one_bit_in_a_packet_is_harmless() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let id = server.id_of(ANNA);
    let genuine = anna.payload(b"genuine");

    for bit in 0..genuine.len() * 8 {
        let mut forged = genuine.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(server.take(anna.address, &forged), Verdict::Dropped(_)), "bit {bit}");
    }

    assert_eq!(server.take(anna.address, &genuine), Verdict::Accepted(id));
    server.close();
}

#[test]
fn a_move_input_of_the_last_tick_there_is_mutes_nobody() {
    for server_tick in [None, Some(500)] {
        let mut server = Harness::framed();
        let (mut anna, mut ben) = (server.player(ANNA, 1), server.player(BEN, 2));
        if let Some(tick) = server_tick {
            server.call(|manager, now| manager.set_server_tick(now, tick));
        }

        let far = anna.moves(&[u64::MAX]);
        server.talk(&mut anna, &far);
        for peer in [&mut anna, &mut ben] {
            let near = peer.moves(&[100]);
            server.talk(peer, &near);
        }

        for client_id in [ANNA, BEN] {
            assert_eq!(server.ticks_from(server.id_of(client_id)), [100]);
        }
        assert_eq!(server.session_of(ANNA).moves().unwrap().too_far_ahead, 1);
        server.close();
    }
}

#[test]
fn a_sequence_at_the_end_of_the_range_breaks_nothing() {
    let mut server = Harness::raw();
    let mut anna = server.raw_player(ANNA, 1);
    let id = server.id_of(ANNA);
    anna.sequence = u64::MAX - 1;

    let last = anna.payload(b"last");
    assert_eq!(server.talk(&mut anna, &last), Verdict::Accepted(id));
    anna.sequence = 9;
    let low = anna.payload(b"low");

    assert_eq!(server.talk(&mut anna, &low), Verdict::Dropped(DropReason::Replayed));
    server.close();
}

#[test]
fn a_recorded_connection_response_repeated_for_ever_keeps_no_dead_session_alive() {
    let mut server = Harness::raw();
    let mut anna = server.newcomer(ANNA, 1);
    let request = anna.request();
    server.talk(&mut anna, &request);
    let response = anna.response();
    server.talk(&mut anna, &response);

    for _ in 0..60 {
        server.take(anna.address, &response);
        server.advance(100);
    }

    assert_eq!(server.state_of(ANNA), None);
    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::TimedOut));
    server.close();
}

#[test]
fn a_recorded_connection_response_says_nothing_once_the_session_is_confirmed() {
    let mut server = Harness::raw();
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);
    let response = anna.response();
    let keep_alive = anna.keep_alive();
    server.talk(&mut anna, &keep_alive);
    let sent = server.sent.len();

    for _ in 0..40 {
        let verdict = server.take(anna.address, &response);
        assert_eq!(verdict, Verdict::Dropped(DropReason::ResponseUnexpected));
    }

    assert_eq!(server.sent.len(), sent);
    server.advance(5_000);
    assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
    server.close();
}

#[test]
fn a_new_response_on_an_unconfirmed_session_is_answered_with_one_keep_alive() {
    let mut server = Harness::raw();
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);
    let heard = anna.keep_alives.len();

    let response = anna.response();
    assert_eq!(server.talk(&mut anna, &response), Verdict::Answered);

    assert_eq!(anna.keep_alives.len(), heard + 1);
    server.close();
}

#[test]
fn a_withheld_response_of_a_backend_token_released_later_cuts_no_living_player() {
    let mut server = Harness::raw();
    let mut earlier = server.newcomer(ANNA, 1);
    let request = earlier.request();
    server.talk(&mut earlier, &request);
    let withheld = earlier.response();
    let mut anna = server.raw_player(ANNA, 2);
    let id = server.id_of(ANNA);

    assert_eq!(server.take(earlier.address, &withheld), Verdict::Answered);
    server.live_raw(&mut [&mut anna], 20_000);

    assert_eq!(server.id_of(ANNA), id);
    assert_eq!(server.session_of(ANNA).address(), anna.address);
    assert_eq!(server.kinds_of(ANNA).len(), 3);
    server.close();
}

#[test]
fn keys_whose_handshake_was_never_confirmed_vanish_without_trace() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let events = server.events.len();
    let mut attempt = server.newcomer(ANNA, 2);
    server.shake_hands(&mut attempt);
    assert_eq!(server.manager.directory.len(), (2, 1));

    server.live(&mut [&mut anna], 5_001);

    assert_eq!(server.events.len(), events);
    assert_eq!(server.manager.directory.len(), (1, 1));
    let hello = attempt.hello();
    assert_eq!(server.talk(&mut attempt, &hello), Verdict::Dropped(DropReason::UnknownAddress));
    server.close();
}

#[test]
fn a_newcomer_on_a_used_port_displaces_only_the_path() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);

    let mut ben = server.player(BEN, 1);

    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::ReconnectPending)));
    assert_eq!(server.last_of(ANNA).cause, Cause::PathTaken);
    assert_eq!(
        server.manager.session_at(client_address(1)).map(|view| view.client_id()),
        Some(ClientId(BEN))
    );
    server.inbox(client_address(1));
    server.resume(&mut anna, 3);
    assert_eq!((server.id_of(ANNA), server.state_of(ANNA)), (id, Some(State::LoggedIn)));
    server.beat(&mut ben);
    server.close();
}

#[test]
fn an_unconfirmed_newcomer_on_a_used_port_displaces_nobody() {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let mut ben = server.newcomer(BEN, 1);
    server.shake_hands(&mut ben);
    server.inbox(client_address(1));

    let heartbeat = anna.heartbeat();
    assert!(
        matches!(server.take(anna.address, &heartbeat), Verdict::Accepted(id) if id == server.id_of(ANNA))
    );
    server.advance(4_999);
    let heartbeat = anna.heartbeat();
    assert!(matches!(server.take(anna.address, &heartbeat), Verdict::Accepted(_)));
    server.advance(1);

    assert_eq!(server.kinds_of(ANNA).len(), 3);
    assert_eq!(server.state_of(BEN), None);
    server.close();
}

#[test]
fn a_guest_whose_port_a_newcomer_confirms_is_gone() {
    let mut server = Harness::framed();
    let _anna = server.guest(ANNA, 1);

    let _ben = server.guest(BEN, 1);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::PathTaken));
    assert_eq!(server.kinds_of(BEN), [Kind::TransportConnected]);
    server.close();
}

#[test]
fn a_guest_with_two_unconfirmed_handshakes_at_an_address_is_gone_when_a_newcomer_has_it() {
    let mut server = Harness::raw();
    for _ in 0..2 {
        let mut anna = server.newcomer(ANNA, 1);
        server.shake_hands(&mut anna);
    }

    let mut ben = server.newcomer(BEN, 1);
    server.shake_hands(&mut ben);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::PathTaken));
    server.close();
}

#[test]
fn two_handshakes_from_one_address_leave_the_later_one() {
    let mut server = Harness::raw();
    let (mut anna, mut ben) = (server.newcomer(ANNA, 1), server.newcomer(BEN, 1));
    server.shake_hands(&mut anna);

    server.shake_hands(&mut ben);
    let keep_alive = ben.keep_alive();
    server.talk(&mut ben, &keep_alive);

    assert_eq!(server.last_of(ANNA).cause, Cause::Ended(DisconnectReason::PathTaken));
    assert_eq!(server.state_of(BEN), Some(State::LoggedIn));
    server.close();
}

/// Every frame a client may send, in one payload.
fn one_of_each(peer: &Peer) -> Vec<u8> {
    let mut payload = [0; PAYLOAD_BYTES_MAX];
    let mut writer = FrameWriter::new(&mut payload);
    let response = HeartbeatResponse {
        stamp: 1_000_000,
        delay_micros: 1,
        server_tick: 0,
        tick_phase_micros: 0,
        move_arrival: None,
    };
    assert!(writer.write_hello(&Hello::new(peer.lane_epoch)));
    assert_eq!(writer.write_ack(9, [4..=5, 1..=2].into_iter()), 2);
    assert!(writer.write_heartbeat(3) && writer.write_heartbeat_response(&response));
    assert!(writer.write_login(1, b"credential"));
    assert!(writer.write_lane(0, 3, (b"message", &[])) && writer.write_datagram((b"datagram", &[])));
    assert_eq!(writer.write_moves([(90, &b"ab"[..]), (80, b""), (79, b"c")].into_iter()), 3);
    let len = writer.len();
    payload[..len].to_vec()
}

#[test]
fn authentic_nonsense_breaks_nothing() {
    let mut server = Harness::new(Config { violations_max: 1_000, ..token_login_config() });
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let mut below = |bound: usize| usize::try_from(random.next_u64() % bound as u64).unwrap();
    let mut ben = server.player(BEN, 2);
    let mut anna = server.player(ANNA, 1);

    for round in 0..4_000 {
        let mut nonsense = one_of_each(&anna);
        for _ in 0..=below(3) {
            let place = below(nonsense.len());
            nonsense[place] = u8::try_from(below(256)).unwrap();
        }
        nonsense.truncate(1 + below(2 * nonsense.len()));
        let datagram = anna.payload(&nonsense);
        server.talk(&mut anna, &datagram);
        if server.state_of(ANNA).is_none() || round % 100 == 0 {
            // An identity has four unexpired tokens at most, of 45 seconds each.
            server.live(&mut [&mut ben], 12_000);
            anna = server.player(ANNA, 1);
        }
    }

    assert!(server.dropped(DropReason::Violation) > 500);
    assert_eq!(server.kinds_of(BEN).len(), 3, "the others notice nothing");
    server.close();
}
