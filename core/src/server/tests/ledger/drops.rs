//! Why datagrams are dropped.

use alloc::vec::Vec;

use crate::ledger::{AttemptEnd, IgnoredInput};
use crate::link::frame::Hello;
use crate::server::way_back::ResumeContent;
use crate::{ClientId, Config, DropReason, DuplicateIdentity, Prefix, Timestamp, Verdict, Violation};

use super::super::harness::{Harness, client_address, framed_config, raw_config, tight_config};
use super::super::peer::Peer;
use super::super::ticket::Ticket;
use super::{Scene, play};

const ANNA: u64 = 11;
const BEN: u64 = 22;

#[test]
fn each_cause_of_a_drop_is_reached_and_counted_as_itself_and_once() {
    for reason in DropReason::ALL {
        play(scene(reason), Verdict::Dropped(reason), |counters| {
            counters.refuse(reason);
            match reason {
                DropReason::Violation => counters.refuse(Violation::UnknownFrame),
                // The lifecycle is asked whether the newcomer may take over, and that was its attempt.
                DropReason::NoLongerWelcome => {
                    counters.refuse(IgnoredInput::BackendConfirmed);
                    counters.refuse(AttemptEnd::NotWelcome);
                }
                _ => {}
            }
        });
    }
}

fn scene(reason: DropReason) -> Scene {
    match reason {
        DropReason::Empty => bytes(&[]),
        DropReason::Malformed => bytes(&[0x15, 0, 0]),
        DropReason::WrongDirection => bytes(&[&[0x11][..], &[0; 17]].concat()),
        DropReason::WrongProtocol => request_with_a_changed_byte(1),
        DropReason::TokenUnreadable => request_with_a_changed_byte(1_077),
        DropReason::TokenExpired => expired_token(),
        DropReason::TokenLifetime => request_of(Harness::raw(), |server| server.backend.lifetime_s = 51),
        DropReason::TokenBeforeStart => request_of(Harness::raw(), |server| server.backend.lifetime_s = 44),
        DropReason::TokenForOtherServer => {
            request_of(Harness::raw(), |server| server.backend.addresses = [client_address(9)].into())
        }
        DropReason::TokenConsumed => consumed_token(),
        DropReason::TokenHistoryFull => full_history(),
        DropReason::HandshakesFull => second_handshake(),
        DropReason::ClientTokensFull => fifth_token_of_an_identity(),
        DropReason::ResumeSpent => spent_resume_token(),
        DropReason::ResumeForged => resume_token_for_somebody_else(),
        DropReason::ResponseUnexpected => response_from_elsewhere(),
        DropReason::ChallengeMismatch => response_to_another_challenge(),
        DropReason::UnknownAddress => packet_of_a_player(|packet| packet, 2),
        DropReason::Unopened => packet_of_a_player(with_last_byte_changed, 1),
        DropReason::Replayed => repeated_packet(),
        DropReason::BeforeHello => first_packet(|anna| anna.message(0, b"too early")),
        DropReason::BadHello => {
            first_packet(|anna| anna.frames(|writer| assert!(writer.write_hello(&Hello::new(0)))))
        }
        DropReason::Violation => unknown_frame(),
        DropReason::EventsFull => second_payload_for_a_small_queue(),
        DropReason::RepliesFull => third_request_for_a_small_queue(),
        DropReason::NoLongerWelcome => rival_of_a_player(),
        DropReason::SessionMemory => second_gap_with_memory_for_one(),
        DropReason::SearchesSpent => second_packet_from_an_unknown_port(),
        DropReason::UnprovedBudget => request_for_a_small_budget(),
        DropReason::SessionBudget => one_payload_too_many(),
        DropReason::PrefixBanned => request_from_a_banned_prefix(),
    }
}

fn bytes(datagram: &[u8]) -> Scene {
    (Harness::raw(), client_address(1), datagram.into())
}

fn with_last_byte_changed(mut packet: Vec<u8>) -> Vec<u8> {
    *packet.last_mut().unwrap() ^= 1;
    packet
}

fn request_of(mut server: Harness, arrange: impl FnOnce(&mut Harness)) -> Scene {
    arrange(&mut server);
    let anna = server.newcomer(ANNA, 1);
    (server, anna.address, anna.request())
}

fn request_with_a_changed_byte(place: usize) -> Scene {
    let (server, from, mut request) = request_of(Harness::raw(), |_| ());
    request[place] ^= 1;
    (server, from, request)
}

fn expired_token() -> Scene {
    let (mut server, from, request) = request_of(Harness::raw(), |_| ());
    server.advance(45_000);
    (server, from, request)
}

fn consumed_token() -> Scene {
    let mut server = Harness::raw();
    let anna = server.raw_player(ANNA, 1);
    (server, anna.address, anna.request())
}

fn full_history() -> Scene {
    let mut server = Harness::new(Config { handshakes_max: 1, token_history_max: 1, ..raw_config() });
    server.raw_player(BEN, 2);
    request_of(server, |_| ())
}

/// A request while that of another identity takes the only place for handshakes.
fn second_handshake() -> Scene {
    let mut server = Harness::new(Config { handshakes_max: 1, ..raw_config() });
    challenged(&mut server, 2);
    request_of(server, |_| ())
}

/// Where one search in a second may be made.
fn second_packet_from_an_unknown_port() -> Scene {
    let mut server = Harness::new(Config { port_searches_per_s: 1, ..framed_config() });
    let mut anna = server.player(ANNA, 1);
    let packet = with_last_byte_changed(anna.heartbeat());
    let elsewhere = client_address(2);
    assert_eq!(server.take(elsewhere, &packet), Verdict::Dropped(DropReason::UnknownAddress));
    (server, elsewhere, packet)
}

fn fifth_token_of_an_identity() -> Scene {
    let mut server = Harness::raw();
    for port in 2..=5 {
        let mut anna = server.newcomer(ANNA, port);
        let request = anna.request();
        assert_eq!(server.talk(&mut anna, &request), Verdict::Answered);
    }
    request_of(server, |_| ())
}

fn spent_resume_token() -> Scene {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    server.resume(&mut anna, 2);
    (server, anna.address, anna.request())
}

/// A token as the server makes them, but for another identity than the session's.
fn resume_token_for_somebody_else() -> Scene {
    let mut server = Harness::framed();
    let anna = server.player(ANNA, 1);
    let content = ResumeContent {
        session: server.id_of(ANNA),
        client_id: ClientId(BEN),
        generation: 1,
        create_unix: server.unix_s(),
        timeout_seconds: 5,
        addresses: &server.backend.addresses,
    };
    let token = server.manager.mint.mint(&content).unwrap();
    (server, anna.address, Ticket::from(token).request())
}

fn response_from_elsewhere() -> Scene {
    let mut server = Harness::raw();
    let mut anna = challenged(&mut server, 1);
    let response = anna.response();
    (server, client_address(2), response)
}

fn response_to_another_challenge() -> Scene {
    let mut server = Harness::raw();
    let mut anna = challenged(&mut server, 1);
    let other = challenged(&mut server, 2).challenge.unwrap();
    let response = anna.response_to(other);
    (server, anna.address, response)
}

fn challenged(server: &mut Harness, port: u16) -> Peer {
    let mut peer = server.newcomer(port.into(), port);
    let request = peer.request();
    assert_eq!(server.talk(&mut peer, &request), Verdict::Answered);
    peer
}

fn packet_of_a_player(change: impl FnOnce(Vec<u8>) -> Vec<u8>, port: u16) -> Scene {
    let mut server = Harness::raw();
    let packet = server.raw_player(ANNA, 1).payload(b"payload");
    (server, client_address(port), change(packet))
}

fn repeated_packet() -> Scene {
    let (mut server, from, packet) = packet_of_a_player(|packet| packet, 1);
    assert!(matches!(server.take(from, &packet), Verdict::Accepted(_)));
    (server, from, packet)
}

/// The first packet after a handshake.
fn first_packet(make: impl FnOnce(&mut Peer) -> Vec<u8>) -> Scene {
    let mut server = Harness::framed();
    let mut anna = server.newcomer(ANNA, 1);
    server.shake_hands(&mut anna);
    let packet = make(&mut anna);
    (server, anna.address, packet)
}

fn unknown_frame() -> Scene {
    let mut server = Harness::framed();
    let mut anna = server.player(ANNA, 1);
    let packet = anna.payload(&[0x7F]);
    (server, anna.address, packet)
}

fn second_payload_for_a_small_queue() -> Scene {
    let mut server = Harness::new(Config { event_queue_bytes_max: 1_200, ..raw_config() });
    let mut anna = server.raw_player(ANNA, 1);
    let [first, second] = [anna.payload(&[1; 1_000]), anna.payload(&[2; 1_000])];
    assert!(matches!(server.read(anna.address, &first), Verdict::Accepted(_)));
    (server, anna.address, second)
}

fn third_request_for_a_small_queue() -> Scene {
    let mut server = Harness::new(Config { reply_queue_bytes_max: 1_200, ..raw_config() });
    for port in 2..=3 {
        let request = server.newcomer(port.into(), port).request();
        assert_eq!(server.read(client_address(port), &request), Verdict::Answered);
    }
    request_of(server, |_| ())
}

/// Somebody whose handshake was complete before the identity logged in elsewhere.
pub(super) fn rival_of_a_player() -> Scene {
    let mut server =
        Harness::new(Config { duplicate_identity: DuplicateIdentity::Reject, ..framed_config() });
    let mut anna = server.guest(ANNA, 1);
    let mut rival = server.newcomer(ANNA, 2);
    server.shake_hands(&mut rival);
    let login = anna.login(1, b"credential");
    server.talk(&mut anna, &login);
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    let hello = rival.hello();
    (server, rival.address, hello)
}

/// A message that waits for earlier ones, after one on another lane that had the memory for as many.
fn second_gap_with_memory_for_one() -> Scene {
    let mut server = Harness::new(tight_config());
    let mut anna = server.player(ANNA, 1);
    let [first, second] =
        [0, 1].map(|lane| anna.frames(|writer| assert!(writer.write_lane(lane, 10, (b"early", &[])))));
    assert!(matches!(server.take(anna.address, &first), Verdict::Accepted(_)));
    (server, anna.address, second)
}

/// A request for which too little is left in the half for everybody, and in the share of its prefix.
fn request_for_a_small_budget() -> Scene {
    let mut server = Harness::new(Config { unproved_opens_burst: 1_024, ..raw_config() });
    let (from, request) = (client_address(2), server.newcomer(BEN, 2).request());
    let verdicts: Vec<_> = (0..200).map(|_| server.read(from, &request)).collect();
    assert_eq!(verdicts.last(), Some(&Verdict::Dropped(DropReason::UnprovedBudget)));
    request_of(server, |_| ())
}

fn one_payload_too_many() -> Scene {
    let mut server = Harness::new(Config { session_datagrams_burst: 100, ..raw_config() });
    let mut anna = server.raw_player(ANNA, 1);
    for _ in 0..100 {
        let payload = anna.payload(b"payload");
        assert!(matches!(server.read(anna.address, &payload), Verdict::Accepted(_)));
    }
    let payload = anna.payload(b"payload");
    (server, anna.address, payload)
}

fn request_from_a_banned_prefix() -> Scene {
    let mut server = Harness::raw();
    let prefix = Prefix::new(client_address(1).ip(), 24).unwrap();
    server.call(|manager, now| manager.ban_prefix(now, prefix, Timestamp::NEVER)).unwrap();
    request_of(server, |_| ())
}
