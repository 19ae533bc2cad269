//! A player whose router gave it another port, of which the player knows nothing: the session follows.

use alloc::vec::Vec;

use crate::lifecycle::{Cause, LifecycleEventKind as Kind, SessionState as State};
use crate::{
    Config, Continuity, DATAGRAM_BYTES_MAX, DropReason, Event, MultiSessionManager, SessionId, Verdict,
};

use super::harness::{Harness, client_address, framed_config, token_login_config};
use super::peer::Peer;

const ANNA: u64 = 11;
const BEN: u64 = 22;
/// As long as the two paths are asked where round trips are short.
const ANSWER_MS: u64 = 500;

/// The moves that were told: session, former port, port.
pub(super) fn moves(server: &Harness) -> Vec<(SessionId, u16, u16)> {
    let is_move = |(event, _): &(Event, Vec<u8>)| match event {
        Event::PathMoved { session, from_port, to_port, .. } => Some((*session, *from_port, *to_port)),
        _ => None,
    };
    server.events.iter().filter_map(is_move).collect()
}

/// A player whose round trip is short, and who has confirmed all that it was sent.
pub(super) fn near_player(server: &mut Harness, client_id: u64, port: u16) -> Peer {
    let mut peer = server.player(client_id, port);
    server.beat(&mut peer);
    peer
}

/// Answers the newest challenge that it heard.
pub(super) fn answer_newest(server: &mut Harness, peer: &mut Peer) {
    let value = *peer.path_challenges().last().expect("a challenge");
    let response = peer.path_response(value);
    assert!(matches!(server.talk(peer, &response), Verdict::Accepted(_)));
}

/// The router of a player gives it another port, from which its next packet comes; it hears what comes there.
pub(super) fn appear_at(server: &mut Harness, peer: &mut Peer, port: u16) {
    peer.address = client_address(port);
    let packet = peer.long_heartbeat();
    assert!(matches!(server.talk(peer, &packet), Verdict::Accepted(_)));
}

/// And it answers.
pub(super) fn move_port(server: &mut Harness, peer: &mut Peer, port: u16) {
    appear_at(server, peer, port);
    answer_newest(server, peer);
}

fn trials(server: &Harness) -> u64 {
    server.manager.counters().path_trials
}

#[test]
fn a_session_follows_its_player_to_another_port_within_half_a_second_and_no_state_changes() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let (id, told) = (server.id_of(ANNA), server.lifecycle_of(ANNA).len());

    move_port(&mut server, &mut anna, 2);
    server.call(|manager, now| manager.send(now, id, 0, b"said meanwhile")).unwrap();
    server.advance(ANSWER_MS - 1);
    assert_eq!(server.session_of(ANNA).address(), client_address(1), "not before the old path had its time");
    assert!(server.manager.session_at(client_address(2)).is_none());
    server.advance(1);

    assert_eq!(server.session_of(ANNA).address(), client_address(2));
    assert_eq!(server.manager.session_at(client_address(2)).map(|view| view.id()), Some(id));
    assert!(server.manager.session_at(client_address(1)).is_none());
    assert_eq!(moves(&server), [(id, 1, 2)]);
    assert_eq!(server.lifecycle_of(ANNA).len(), told, "nothing else is told");
    server.listen(&mut anna);
    assert_eq!(anna.messages(), [b"said meanwhile"]);
    assert_eq!((trials(&server), server.manager.counters().paths_moved), (1, 1));
    server.live(&mut [&mut anna], 20_000);
    assert_eq!(server.lifecycle_of(ANNA).len(), told);
    server.close();
}

#[test]
fn the_old_path_has_three_round_trips_where_that_is_longer() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    let far = |server: &mut Harness, peer: &mut Peer| {
        let heartbeat = peer.heartbeat();
        server.listen(peer);
        server.advance(400);
        server.take(peer.address, &heartbeat);
    };
    let id = server.id_of(ANNA);
    let login = anna.login(1, b"credential");
    server.talk(&mut anna, &login);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    for _ in 0..100 {
        far(&mut server, &mut anna);
    }
    let round_trip_ms = u64::try_from(server.session_of(ANNA).rtt().unwrap().as_millis()).unwrap();
    assert!(round_trip_ms >= 390, "{round_trip_ms}");

    move_port(&mut server, &mut anna, 2);
    server.advance(3 * round_trip_ms - 1);
    assert_eq!(moves(&server), []);
    server.advance(4);

    assert_eq!(moves(&server).len(), 1);
    server.close();
}

#[test]
fn the_shortest_timeout_passes_over_nobody_whose_port_moves_while_it_sends() {
    let config =
        Config { heartbeat_ms: 100, timeout_min_ms: 150, timeout_max_ms: 150, ..token_login_config() };
    let mut server = Harness::new(config);
    let mut anna = near_player(&mut server, ANNA, 1);
    for port in 2..6 {
        move_port(&mut server, &mut anna, port);
        for _ in 0..6 {
            server.advance(100);
            server.beat(&mut anna);
        }
        assert_eq!(server.session_of(ANNA).address(), client_address(port));
    }
    assert_eq!(server.last_of(ANNA).kind, Kind::LoginSucceeded);
    server.close();
}

#[test]
fn who_is_away_is_back_when_it_was_heard_to_hear_at_its_new_port_and_not_before() {
    for resumes in [false, true] {
        let mut server = Harness::framed();
        let mut anna = near_player(&mut server, ANNA, 1);
        server.advance(11_000);
        assert_eq!(server.state_of(ANNA), Some(State::ReconnectPending));
        if resumes {
            let mut elsewhere = server.newcomer(ANNA, 9);
            elsewhere.ticket = anna.unspent_tickets()[0].clone();
            server.shake_hands(&mut elsewhere);
            assert_eq!(server.state_of(ANNA), Some(State::Reconnecting));
        }
        let away = server.state_of(ANNA);

        move_port(&mut server, &mut anna, 2);
        server.advance(ANSWER_MS - 1);
        assert_eq!(server.state_of(ANNA), away, "its packets alone bring nobody back");
        server.advance(1);

        let last = server.last_of(ANNA);
        assert_eq!((last.kind, last.cause), (Kind::Reconnected, Cause::Revived));
        assert_eq!(last.continuity, Some(Continuity::Kept));
        assert_eq!(server.session_of(ANNA).address(), client_address(2));
        server.beat(&mut anna);
        server.close();
    }
}

#[test]
fn a_session_before_its_login_is_followed_and_can_log_in() {
    let mut server = Harness::framed();
    let mut anna = server.guest(ANNA, 1);
    server.beat(&mut anna);
    move_port(&mut server, &mut anna, 2);
    server.beat(&mut anna);
    // There was no round trip yet.
    server.advance(999);
    assert_eq!(moves(&server).len(), 1);

    let (id, login) = (server.id_of(ANNA), anna.login(1, b"credential"));
    server.talk(&mut anna, &login);
    server.call(|manager, now| manager.accept_login(now, id)).unwrap();
    server.listen(&mut anna);

    assert_eq!(anna.acceptances(), [1]);
    server.close();
}

#[test]
fn where_nobody_answers_nothing_changes_and_the_next_packet_asks_again() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    appear_at(&mut server, &mut anna, 2);
    server.advance(ANSWER_MS);
    assert_eq!((server.session_of(ANNA).address(), trials(&server)), (client_address(1), 1));

    appear_at(&mut server, &mut anna, 2);
    answer_newest(&mut server, &mut anna);
    server.advance(ANSWER_MS);

    assert_eq!((server.session_of(ANNA).address(), trials(&server)), (client_address(2), 2));
    server.close();
}

#[test]
fn a_player_is_followed_from_port_to_port_and_back() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    for port in [2, 3, 1, 2] {
        move_port(&mut server, &mut anna, port);
        server.advance(ANSWER_MS);
        assert_eq!(server.session_of(ANNA).address(), client_address(port));
    }
    assert_eq!(moves(&server).len(), 4);
    server.close();
}

#[test]
fn a_challenge_that_was_lost_comes_again_with_the_same_value() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let packet = anna.long_heartbeat();
    server.take(client_address(2), &packet);
    assert_eq!(server.inbox(client_address(2)).len(), 1, "lost");
    appear_at(&mut server, &mut anna, 2);
    assert_eq!(anna.path_challenges().len(), 0, "not at once");
    server.advance(100);
    server.listen(&mut anna);
    answer_newest(&mut server, &mut anna);

    server.advance(ANSWER_MS - 100);

    assert_eq!(moves(&server).len(), 1);
    server.close();
}

#[test]
fn of_hundreds_behind_one_address_who_moved_is_found_within_the_turns_it_takes() {
    let config = Config { heartbeat_ms: 50_000, timeout_max_ms: 3_600_000, ..token_login_config() };
    let mut server = Harness::new(Config { timeout_min_ms: 3_600_000, ..config });
    let mut peers: Vec<Peer> = (1..=120).map(|place| near_player(&mut server, place.into(), place)).collect();
    let anna = &mut peers[100];
    anna.address = client_address(999);

    let mut packets = 0;
    while trials(&server) == 0 {
        packets += 1;
        let packet = anna.long_heartbeat();
        server.talk(anna, &packet);
    }

    assert!(packets <= 120_usize.div_ceil(8), "{packets} packets of eight tries each");
    answer_newest(&mut server, anna);
    server.advance(1_000);
    assert_eq!(moves(&server).len(), 1);
}

#[test]
fn a_port_that_was_on_trial_may_be_another_player_s_by_now() {
    let mut server = Harness::framed();
    let (mut anna, mut ben) = (near_player(&mut server, ANNA, 1), near_player(&mut server, BEN, 3));
    appear_at(&mut server, &mut anna, 2);
    server.advance(ANSWER_MS);

    move_port(&mut server, &mut ben, 2);
    server.advance(ANSWER_MS);

    assert_eq!(server.session_of(BEN).address(), client_address(2));
    assert_eq!(server.session_of(ANNA).address(), client_address(1));
    server.close();
}

#[test]
fn a_host_that_stalled_reads_what_the_old_path_answered_before_the_session_moves() {
    for does_answer in [false, true] {
        let mut server = Harness::framed();
        let mut anna = near_player(&mut server, ANNA, 1);
        appear_at(&mut server, &mut anna, 2);
        answer_newest(&mut server, &mut anna);
        anna.address = client_address(1);
        server.listen(&mut anna);
        let challenges = anna.path_challenges();

        server.oversleep(3_000);
        if does_answer {
            let response = anna.path_response(challenges[challenges.len() - 1]);
            assert!(matches!(server.read(anna.address, &response), Verdict::Accepted(_)));
        }
        server.settle();
        server.advance(ANSWER_MS);

        assert_eq!(moves(&server).is_empty(), does_answer);
        server.close();
    }
}

#[test]
fn the_same_seed_and_packets_give_the_same_challenges_and_another_seed_others() {
    let run = |seed| {
        let mut server = Harness::with_seed(framed_config(), [seed; 32]);
        let mut anna = near_player(&mut server, ANNA, 1);
        move_port(&mut server, &mut anna, 2);
        server.advance(ANSWER_MS);
        (anna.path_challenges(), server.sent)
    };
    assert!(run(1) == run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn a_server_may_be_told_to_follow_nobody() {
    let mut server = Harness::new(Config { port_searches_per_s: 0, ..framed_config() });
    let mut anna = near_player(&mut server, ANNA, 1);
    let heartbeat = anna.heartbeat();
    let dropped = Verdict::Dropped(DropReason::UnknownAddress);
    assert_eq!(server.take(client_address(2), &heartbeat), dropped);
    server.close();
}

/// As [`move_port`], for a host that sends what is to be sent and polls no events.
fn move_port_untold(server: &mut Harness, peer: &mut Peer, port: u16) {
    peer.address = client_address(port);
    let asked_before = peer.path_challenges().len();
    let packet = peer.long_heartbeat();
    assert!(matches!(server.read(peer.address, &packet), Verdict::Accepted(_)));
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    while let Some(sent) = server.measured(|manager, now| manager.poll_transmit(now, &mut buffer)) {
        if sent.to == peer.address {
            peer.hear(buffer[..sent.len].to_vec());
        }
    }
    if let Some(&value) = peer.path_challenges().get(asked_before) {
        let response = peer.path_response(value);
        assert!(matches!(server.read(peer.address, &response), Verdict::Accepted(_)));
    }
    for _ in 0..5 {
        // In steps that are no stall.
        server.oversleep(100);
        server.measured(MultiSessionManager::handle_timeout);
    }
}

#[test]
fn a_host_that_polls_no_events_has_one_move_of_each_session_in_the_queue() {
    let mut server = Harness::framed();
    let mut anna = near_player(&mut server, ANNA, 1);
    let id = server.id_of(ANNA);
    for port in 2..6 {
        move_port_untold(&mut server, &mut anna, port);
        assert_eq!(server.manager.counters().paths_moved, 1);
    }
    server.settle();
    assert_eq!(moves(&server), [(id, 1, 2)]);

    move_port(&mut server, &mut anna, 6);
    server.advance(ANSWER_MS);
    assert_eq!(moves(&server), [(id, 1, 2), (id, 2, 6)]);
    server.close();
}
