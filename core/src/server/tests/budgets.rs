//! What floods cost those who are honest: nothing while there is a budget, and little when it is gone.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::{Config, DropReason, Verdict};

use super::harness::{Harness, client_address, framed_config, raw_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;
/// What a request costs, of the budget below.
const REQUEST_OPENS: u32 = 8;
const DROPPED_UNREADABLE: Verdict = Verdict::Dropped(DropReason::TokenUnreadable);

fn small_budget() -> Config {
    Config { unproved_opens_per_s: 8_000, unproved_opens_burst: 8_000, ..framed_config() }
}

/// A request whose token does not open, and what else nobody has made.
struct Junk {
    request: Vec<u8>,
    response: Vec<u8>,
    keep_alive: Vec<u8>,
}

impl Junk {
    fn new(server: &mut Harness) -> Self {
        let mut request = server.newcomer(99, 99).request();
        request[1_000] ^= 1;
        let response = [&[0x13, 7][..], &[0x5a; 324]].concat();
        let keep_alive = [&[0x25, 0xff, 0xff][..], &[0x5a; 24]].concat();
        Self { request, response, keep_alive }
    }
}

/// An address in a /24 of its own.
fn site(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, high, low, 7], 1_000))
}

/// Requests until the server refuses them.
fn exhaust(server: &mut Harness, junk: &Junk, from: SocketAddr) {
    let mut verdicts = (0..2_000).map(|_| server.read(from, &junk.request));
    assert!(verdicts.any(|verdict| verdict == Verdict::Dropped(DropReason::UnprovedBudget)));
}

/// Requests from so many sites that nothing is left for those that spent little.
fn exhaust_from_everywhere(server: &mut Harness, junk: &Junk) {
    (0..100).for_each(|number| exhaust(server, junk, site(number)));
}

#[test]
fn with_a_flood_from_its_own_prefix_a_player_comes_in_and_back_as_fast_as_without() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    let flood = |server: &mut Harness, seconds: u64| {
        for _ in 0..seconds * 100 {
            server.now = server.now.plus_millis(10);
            // Of ten that the time pays for.
            (0..9).for_each(|port| _ = server.read(client_address(5_000 + port), &junk.request));
            server.settle();
        }
    };

    flood(&mut server, 5);
    let mut anna = server.player(ANNA, 1);
    flood(&mut server, 5);
    server.resume(&mut anna, 2);

    assert_eq!(server.dropped(DropReason::UnprovedBudget), 0);
    assert_eq!(server.dropped(DropReason::TokenUnreadable), 9_000);
    server.close();
}

#[test]
fn with_a_flood_beyond_the_budget_from_one_prefix_everybody_else_comes_in_and_back() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    exhaust(&mut server, &junk, site(1));

    let mut anna = server.player(ANNA, 1);
    exhaust(&mut server, &junk, site(1));
    server.resume(&mut anna, 2);

    assert!(server.dropped(DropReason::UnprovedBudget) > 0);
    server.close();
}

#[test]
fn with_a_flood_from_everywhere_those_who_are_known_come_back_and_newcomers_wait() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    let mut anna = server.player(ANNA, 1);
    let ben = server.newcomer(BEN, 2);
    exhaust(&mut server, &junk, client_address(9));
    exhaust_from_everywhere(&mut server, &junk);
    assert_eq!(server.read(ben.address, &ben.request()), Verdict::Dropped(DropReason::UnprovedBudget));

    server.resume(&mut anna, 3);

    assert_eq!(server.read(ben.address, &ben.request()), Verdict::Dropped(DropReason::UnprovedBudget));
    server.advance(1_000);
    assert_eq!(server.take(ben.address, &ben.request()), Verdict::Answered);
    server.close();
}

#[test]
fn a_handshake_that_is_under_way_is_finished_when_the_budget_is_gone() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    let mut anna = server.newcomer(ANNA, 1);
    let request = anna.request();
    assert_eq!(server.talk(&mut anna, &request), Verdict::Answered);
    exhaust(&mut server, &junk, client_address(9));
    exhaust_from_everywhere(&mut server, &junk);

    let response = anna.response();
    assert_eq!(server.talk(&mut anna, &response), Verdict::Answered);
    server.close();
}

#[test]
fn a_resume_token_that_is_shown_again_and_again_gets_little_more_than_an_honest_client_asks_for() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    let mut anna = server.player(ANNA, 1);
    exhaust(&mut server, &junk, client_address(9));
    exhaust_from_everywhere(&mut server, &junk);
    anna.begin_resume(client_address(3));

    let verdicts = [(); 40].map(|()| server.read(anna.address, &anna.request()));

    assert_eq!(verdicts[..32], [Verdict::Answered; 32]);
    assert_eq!(verdicts[32..], [Verdict::Dropped(DropReason::UnprovedBudget); 8]);
    server.close();
}

#[test]
fn junk_with_a_players_address_neither_silences_the_player_nor_keeps_anybody_out() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    let mut anna = server.player(ANNA, 1);
    for _ in 0..20 {
        for _ in 0..1_000 {
            for packet in [&junk.request, &junk.response, &junk.keep_alive] {
                server.read(anna.address, packet);
            }
        }
        server.beat(&mut anna);
    }
    assert_eq!(server.dropped(DropReason::Unopened), 20_000);

    // From elsewhere: what all that was charged with is the half for everybody, and one share.
    let ben = Peer::new(server.newcomer(BEN, 2).ticket, site(5));
    assert_eq!(server.take(ben.address, &ben.request()), Verdict::Answered);
    server.resume(&mut anna, 3);
    server.close();
}

#[test]
fn what_is_looked_for_among_a_players_neighbours_is_charged_like_all_that_does_not_open() {
    let mut server = Harness::new(Config { port_searches_per_s: 100_000, ..small_budget() });
    let junk = Junk::new(&mut server);
    let mut anna = server.player(ANNA, 1);
    server.beat(&mut anna);
    let count_served = |server: &mut Harness| {
        (0..500).filter(|_| server.read(site(1), &junk.request) == DROPPED_UNREADABLE).count()
    };
    server.now = server.now.plus_millis(2_000);
    let undisturbed = count_served(&mut server);

    server.now = server.now.plus_millis(2_000);
    let mut forged = anna.heartbeat();
    *forged.last_mut().unwrap() ^= 1;
    for port in 5_000..7_000 {
        let verdict = server.read(client_address(port), &forged);
        assert_eq!(verdict, Verdict::Dropped(DropReason::UnknownAddress));
    }

    let expected = undisturbed - 2_000 / REQUEST_OPENS as usize;
    assert_eq!(count_served(&mut server), expected, "one open each");
    server.settle();
    server.close();
}

#[test]
fn what_is_refused_before_any_cryptography_costs_nothing() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    let mut anna = server.newcomer(ANNA, 1);
    let used = anna.request();
    server.enter(&mut anna);
    for _ in 0..5_000 {
        for bytes in [&junk.request[..1_000], &junk.response, &junk.keep_alive, &used] {
            server.read(client_address(9), bytes);
        }
    }

    assert_eq!(server.dropped(DropReason::TokenConsumed), 5_000);
    assert_eq!(server.dropped(DropReason::UnprovedBudget), 0);
    assert_eq!(server.read(client_address(8), &junk.request), Verdict::Dropped(DropReason::TokenUnreadable));
}

#[test]
fn a_host_that_slept_has_saved_up_no_more_than_the_burst() {
    let mut server = Harness::new(small_budget());
    let junk = Junk::new(&mut server);
    exhaust(&mut server, &junk, site(1));
    let before = server.dropped(DropReason::TokenUnreadable);

    server.oversleep(30_000);
    exhaust(&mut server, &junk, site(1));

    assert_eq!(server.dropped(DropReason::TokenUnreadable), 2 * before);
    assert_eq!(before, u64::from(4_000 / REQUEST_OPENS));
}

/// A player who may send a hundred datagrams at once and a hundred a second.
fn small_session_budget() -> Config {
    Config { session_datagrams_per_s: 100, session_datagrams_burst: 100, ..framed_config() }
}

#[test]
fn a_peer_that_sends_more_than_it_may_is_alive_and_its_messages_come_later() {
    let mut server = Harness::new(small_session_budget());
    let mut anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    server.advance(2_000);
    let messages: Vec<_> = (0..101).map(|number| anna.message(number, b"one of many")).collect();
    let (last, first) = messages.split_last().unwrap();
    for message in first {
        assert_eq!(server.take(anna.address, message), Verdict::Accepted(id));
    }
    server.advance(9);

    assert_eq!(server.take(anna.address, last), Verdict::Dropped(DropReason::SessionBudget));

    assert_eq!(server.session_of(ANNA).last_received(), server.now, "a sign of life");
    assert_eq!(server.received_from(id).len(), 100);
    server.advance(1);
    let again = anna.frames(|writer| assert!(writer.write_lane(0, 100, (b"one of many", &[]))));
    assert_eq!(server.take(anna.address, &again), Verdict::Accepted(id));
    assert_eq!(server.received_from(id).len(), 101);
    server.close();
}

#[test]
fn what_one_peer_sends_too_much_of_costs_another_nothing() {
    let mut server = Harness::new(small_session_budget());
    let (mut anna, mut ben) = (server.player(ANNA, 1), server.player(BEN, 2));
    for _ in 0..1_000 {
        let heartbeat = anna.heartbeat();
        server.take(anna.address, &heartbeat);
    }
    assert!(server.dropped(DropReason::SessionBudget) > 800);

    for _ in 0..50 {
        server.beat(&mut ben);
    }
    server.close();
}

#[test]
fn a_goodbye_counts_and_a_player_comes_back_whatever_was_sent_before() {
    let mut server = Harness::new(small_session_budget());
    let mut anna = server.player(ANNA, 1);
    let flood = |server: &mut Harness, anna: &mut Peer| {
        for _ in 0..200 {
            let heartbeat = anna.heartbeat();
            server.read(anna.address, &heartbeat);
        }
        server.settle();
    };
    flood(&mut server, &mut anna);
    let id = server.id_of(ANNA);
    server.request_resume(&mut anna, 3);
    let response = anna.response();
    server.talk(&mut anna, &response);
    let hello = anna.hello();
    assert_eq!(server.talk(&mut anna, &hello), Verdict::Accepted(id));

    flood(&mut server, &mut anna);
    let disconnect = anna.disconnect();
    assert_eq!(server.talk(&mut anna, &disconnect), Verdict::Accepted(id));
    assert!(server.manager.is_empty());
    server.close();
}

/// Payloads of a raw client until the event queue has no room for it; gives how many it took.
fn fill_events(server: &mut Harness, peer: &mut Peer) -> usize {
    let mut taken = 0;
    loop {
        let payload = peer.payload(&[7; 1_000]);
        match server.read(peer.address, &payload) {
            Verdict::Accepted(_) => taken += 1,
            verdict => {
                assert_eq!(verdict, Verdict::Dropped(DropReason::EventsFull));
                return taken;
            }
        }
    }
}

#[test]
fn a_peer_that_fills_the_event_queue_leaves_the_others_their_room() {
    let mut server = Harness::new(Config { event_queue_bytes_max: 120_000, ..raw_config() });
    let mut peers: Vec<_> = (1..=4).map(|port| server.raw_player(port.into(), port)).collect();

    let taken: Vec<_> = peers.iter_mut().map(|peer| fill_events(&mut server, peer)).collect();

    // Half of the queue, half of the other half, and so on: nobody finds it full, and nobody who comes late gets nothing.
    assert_eq!(taken, [58, 29, 15, 7]);
    server.settle();
    // When the queue was polled everybody begins anew.
    assert_eq!(fill_events(&mut server, &mut peers[3]), 58);
    server.settle();
    server.close();
}

#[test]
fn peers_that_fill_the_event_queue_together_have_equal_parts() {
    let mut server = Harness::new(Config { event_queue_bytes_max: 120_000, ..raw_config() });
    let mut peers: Vec<_> = (1..=3).map(|port| server.raw_player(port.into(), port)).collect();
    let mut taken = [0; 3];
    for _ in 0..100 {
        for (peer, taken) in peers.iter_mut().zip(&mut taken) {
            let payload = peer.payload(&[7; 1_000]);
            *taken += u32::from(matches!(server.read(peer.address, &payload), Verdict::Accepted(_)));
        }
    }

    assert!(taken.iter().all(|taken| (28..=30).contains(taken)), "{taken:?}");
    server.close();
}

#[test]
fn a_slot_that_is_given_to_another_session_has_nothing_in_the_queue() {
    let mut server = Harness::new(Config { event_queue_bytes_max: 120_000, ..raw_config() });
    let mut anna = server.raw_player(ANNA, 1);
    fill_events(&mut server, &mut anna);
    let id = server.id_of(ANNA);
    server.call(|manager, now| manager.remove(now, id)).unwrap();

    let mut ben = server.raw_player(BEN, 2);

    assert_eq!(server.id_of(BEN).index, id.index);
    assert_eq!(fill_events(&mut server, &mut ben), 58);
    server.close();
}

#[test]
fn players_do_not_wait_for_all_the_answers_to_a_flood_of_requests() {
    let mut server = Harness::framed();
    let anna = server.player(ANNA, 1);
    let id = server.id_of(ANNA);
    let request = server.newcomer(BEN, 2).request();
    (0..100).for_each(|_| assert_eq!(server.read(client_address(2), &request), Verdict::Answered));
    for number in 0..3_u8 {
        server.measured(|manager, now| manager.send(now, id, 0, &[number; 1_000])).unwrap();
    }
    let before = server.sent.len();

    server.drain();

    let is_annas = |(to, _): &&(SocketAddr, Vec<u8>)| *to == anna.address;
    let sent = &server.sent[before..];
    let turns: Vec<_> = sent.chunks(9).map(|turn| turn.iter().filter(is_annas).count()).collect();
    assert_eq!(turns[..4], [1, 1, 1, 0], "one in nine, as long as there is something to send");
    assert_eq!(sent.len(), 103);
    server.settle();
    server.close();
}
