//! What peers may make the server keep has a bound, and what it keeps is reckoned.

use alloc::vec::Vec;

use crate::{ClientId, Config, DropReason, SendError, SessionId, Timestamp, UNORDERED_LANE, Verdict};

use super::harness::{Harness, client_address, framed_config, raw_config};
use super::peer::Peer;

/// Trees of entries are reckoned by their number alone, and the backend's tokens with several addresses generously.
const TOLERANCE_BYTES: usize = 1_000;

/// Small bounds, so that they are all reached.
fn narrow_config() -> Config {
    Config {
        sessions_max: 8,
        handshakes_max: 40,
        token_history_max: 60,
        bans_max: 50,
        ordered_lanes: 3,
        message_bytes_max: 80_000,
        lane_queue_bytes_max: 100_000,
        datagram_queue_bytes_max: 20_000,
        event_queue_bytes_max: 40_000,
        reply_queue_bytes_max: 10_000,
        violations_max: 1_000,
        ..framed_config()
    }
}

/// Some players on a server, and what they do to it.
struct Siege {
    server: Harness,
    players: Vec<Peer>,
    ids: Vec<SessionId>,
}

impl Siege {
    fn new(config: Config) -> Self {
        let mut server = Harness::new(config);
        server.check_reckoning(TOLERANCE_BYTES);
        let players: Vec<_> = (1..=3_u16).map(|port| server.player(port.into(), port)).collect();
        let ids = (1..=3).map(|client_id| server.id_of(client_id)).collect();
        server.check_reckoning(TOLERANCE_BYTES);
        Self { server, players, ids }
    }

    fn each(&mut self, mut act: impl FnMut(&mut Harness, &mut Peer, SessionId)) {
        for (peer, id) in self.players.iter_mut().zip(&self.ids) {
            act(&mut self.server, peer, *id);
        }
        self.server.check_reckoning(TOLERANCE_BYTES);
    }

    fn bytes(&self, player: usize) -> usize {
        self.server.manager.session(self.ids[player]).expect("a session").memory_bytes()
    }
}

/// As many pieces as may wait for the first, on every lane.
fn leave_gaps(server: &mut Harness, peer: &mut Peer, bytes: usize) {
    for lane in 0..3 {
        for number in 1..=255 {
            let packet =
                peer.frames(|writer| assert!(writer.write_lane(lane, number, (&[1; 256][..bytes], &[]))));
            server.take(peer.address, &packet);
        }
    }
}

/// Messages without an end, on every lane; what they hold back has to be theirs, so the gaps stay open.
fn never_end(server: &mut Harness, peer: &mut Peer) {
    for lane in 0..3 {
        for number in 0..80 {
            let packet =
                peer.frames(|writer| assert!(writer.write_fragment(lane, number, (&[2; 1_150], &[]))));
            server.take(peer.address, &packet);
        }
    }
}

/// Fills every lane to a player who acknowledges nothing; gives the last refusal.
fn fill_lanes(server: &mut Harness, id: SessionId, message: &[u8]) -> SendError {
    let mut refusal = None;
    for lane in [UNORDERED_LANE, 0, 1, 2] {
        let send = |server: &mut Harness| server.call(|manager, now| manager.send(now, id, lane, message));
        refusal = core::iter::from_fn(|| Some(send(server))).find_map(Result::err);
    }
    refusal.expect("a full lane refuses")
}

#[test]
fn what_is_held_back_and_never_ends_is_bounded_and_reckoned() {
    let mut siege = Siege::new(narrow_config());
    siege.each(|server, peer, _| leave_gaps(server, peer, 1));
    siege.each(|server, peer, _| never_end(server, peer));

    let mut siege = Siege::new(narrow_config());
    siege.each(|server, peer, _| never_end(server, peer));
    assert!(siege.bytes(0) > 3 * 70_000);
    let mut siege = Siege::new(narrow_config());
    siege.each(|server, peer, _| leave_gaps(server, peer, 256));
    assert!(siege.bytes(0) > 3 * 65_000);
    assert!(siege.server.dropped(DropReason::Violation) == 0, "all of it is allowed");
}

#[test]
fn what_is_never_acknowledged_is_bounded_and_reckoned() {
    for message in [&[3; 16][..], &[3; 64], &[3; 1_150], &[3; 9_000]] {
        let mut siege = Siege::new(narrow_config());
        siege.each(|server, _, id| {
            assert!(matches!(fill_lanes(server, id, message), SendError::Full { .. }));
        });
        siege.each(|server, peer, id| {
            for tick in 0..600 {
                let moves = peer.moves(&[tick]);
                server.take(peer.address, &moves);
                server.call(|manager, now| manager.publish_state(now, id, tick, &[4; 700])).unwrap();
            }
        });
    }
}

#[test]
fn broadcasts_that_nobody_acknowledges_are_bounded_and_their_bytes_are_reckoned_once() {
    let mut siege = Siege::new(narrow_config());
    let before = siege.server.manager.memory_bytes();
    let queued = |siege: &mut Siege, message: &[u8]| {
        siege.server.measured(|manager, now| manager.broadcast(now, 1, message).queued)
    };
    assert_eq!(queued(&mut siege, &alloc::vec![5; 60_000]), 3);
    siege.server.check_reckoning(TOLERANCE_BYTES);
    assert!(siege.server.manager.memory_bytes() < before + 70_000);

    while queued(&mut siege, &[5; 100]) > 0 {}

    siege.server.settle();
    siege.each(|_, _, _| ());
    assert!(siege.bytes(0) > 50_000);
}

#[test]
fn values_that_nobody_acknowledges_are_bounded_and_reckoned_under_every_key() {
    let mut siege = Siege::new(Config { latest_keys: 300, latest_queue_bytes_max: 9_000, ..narrow_config() });
    let mut refused = 0;
    siege.each(|server, peer, id| {
        for round in 1..=3_u16 {
            for key in 0..300 {
                let packet = peer.frames(|writer| assert!(writer.write_latest(key, round.into(), &[5; 20])));
                server.take(peer.address, &packet);
                let value = &[8; 60][..usize::from(key * 7 + round * 13) % 60];
                let answer = server.call(|manager, now| manager.send_latest(now, id, key, value));
                refused += u32::from(matches!(answer, Err(SendError::Full { .. })));
            }
        }
    });
    assert!(refused > 100, "{refused}");
    assert!(siege.bytes(0) > 9_000 + 300 * 48, "{}", siege.bytes(0));
}

#[test]
fn floods_of_everything_that_needs_no_answer_are_bounded_and_reckoned() {
    let mut siege = Siege::new(narrow_config());
    let mut tick = 1;
    siege.each(|server, peer, id| {
        for number in 0..300 {
            let packet = peer.frames(|writer| while writer.write_datagram((&[6; 1], &[])) {});
            server.read(peer.address, &packet);
            let ticks: Vec<u64> = (tick..tick + 32).rev().collect();
            tick += 32;
            let moves = peer.moves(&ticks);
            server.read(peer.address, &moves);
            let login = peer.login(number, &[7; 1_000]);
            server.read(peer.address, &login);
            let hello = peer.hello();
            server.read(peer.address, &hello);
            let heartbeat = peer.frames(|writer| assert!(writer.write_heartbeat(number)));
            server.read(peer.address, &heartbeat);
            for bytes in [1, 1_000] {
                server.measured(|manager, now| manager.send_datagram(now, id, &[8; 1_000][..bytes])).unwrap();
            }
            if number % 50 == 0 {
                server.check_reckoning(TOLERANCE_BYTES);
            }
        }
    });
    siege.server.settle();
    siege.each(|_, _, _| ());
    assert!(siege.server.dropped(DropReason::EventsFull) > 0);
}

#[test]
fn logins_of_those_who_never_get_in_are_bounded_and_reckoned() {
    let mut server = Harness::new(Config { login_attempts_max: 200, ..narrow_config() });
    let mut guests: Vec<Peer> = (1..=8_u16).map(|port| server.guest(port.into(), port)).collect();
    for attempt in 1..=100 {
        for guest in &mut guests {
            // Only the first of them is asked about; the others find it pending.
            for repeated in 0..3 {
                let login = guest.login(3 * attempt + repeated, &[7; 1_024]);
                server.read(guest.address, &login);
            }
        }
        server.check_reckoning(TOLERANCE_BYTES);
        server.settle();
        for client_id in 1..=8 {
            let id = server.id_of(client_id);
            let reason = "no".repeat(127);
            server.measured(|manager, now| manager.reject_login(now, id, 1, &reason)).unwrap();
        }
        server.check_reckoning(TOLERANCE_BYTES);
    }
    server.settle();
    server.check_reckoning(TOLERANCE_BYTES);
    assert_eq!(server.manager.len(), 8);
}

#[test]
fn handshakes_from_many_addresses_are_bounded_and_reckoned() {
    let mut siege = Siege::new(narrow_config());
    let server = &mut siege.server;
    let mut verdicts = Vec::new();
    for port in 100..150_u16 {
        let newcomer = server.newcomer(u64::from(port), port);
        verdicts.push(server.take(newcomer.address, &newcomer.request()));
        // The same token from elsewhere.
        verdicts.push(server.take(client_address(port + 1_000), &newcomer.request()));
        server.check_reckoning(TOLERANCE_BYTES + server.manager.memory_bytes() / 10);
    }
    assert!(verdicts.contains(&Verdict::Dropped(DropReason::HandshakesFull)));

    // They are given up, and others come in their places, until the tokens run out.
    for round in 0..3 {
        server.live(&mut [&mut siege.players[0]], 12_000);
        for port in 300 * (round + 1)..300 * (round + 1) + 55 {
            let newcomer = server.newcomer(u64::from(port), port);
            verdicts.push(server.take(newcomer.address, &newcomer.request()));
        }
        server.check_reckoning(TOLERANCE_BYTES + server.manager.memory_bytes() / 10);
    }
    assert!(verdicts.contains(&Verdict::Dropped(DropReason::TokenHistoryFull)));
    for client_id in 0..100 {
        let ban =
            server.measured(|manager, now| manager.ban(now, ClientId(1_000 + client_id), Timestamp::NEVER));
        assert_eq!(ban.is_ok(), client_id < 50);
        server.check_memory();
    }
}

#[test]
fn sessions_that_come_go_and_come_back_are_bounded_and_reckoned() {
    let config = Config { token_history_max: 10_000, ..narrow_config() };
    let mut siege = Siege::new(config);
    for round in 0..20_u16 {
        siege.each(|server, peer, _| {
            for address in 0..6 {
                let ticket = peer.unspent_tickets().remove(0);
                let mut elsewhere = Peer::new(ticket, client_address(2_000 + 10 * round + address));
                let request = elsewhere.request();
                server.talk(&mut elsewhere, &request);
            }
        });
        let server = &mut siege.server;
        for port in 10..20 {
            let mut guest = server.newcomer(u64::from(1_000 + 20 * round + port), 5_000 + port);
            let request = guest.request();
            server.talk(&mut guest, &request);
            if guest.challenge.is_some() {
                let response = guest.response();
                server.talk(&mut guest, &response);
            }
        }
        server.check_reckoning(TOLERANCE_BYTES);
        let guests: Vec<_> = server.manager.sessions().map(|view| view.id()).collect();
        for id in guests.into_iter().filter(|id| !siege.ids.contains(id)) {
            server.measured(|manager, now| manager.disconnect(now, id, 1, &[9; 255])).unwrap();
            server.check_reckoning(TOLERANCE_BYTES);
        }
        server.settle();
        let mut players: Vec<&mut Peer> = siege.players.iter_mut().collect();
        server.live(&mut players, 500);
        server.check_reckoning(TOLERANCE_BYTES);
    }
}

#[test]
fn raw_payloads_that_wait_are_bounded_and_reckoned() {
    let mut server = Harness::new(Config { sessions_max: 4, handshakes_max: 4, ..raw_config() });
    let mut anna = server.raw_player(1, 1);
    let id = server.id_of(1);
    for bytes in [1_200, 1, 16, 700] {
        for _ in 0..20_000 {
            server.measured(|manager, now| manager.send_datagram(now, id, &[1; 1_200][..bytes])).unwrap();
        }
        server.check_reckoning(TOLERANCE_BYTES);
    }
    for _ in 0..2_000 {
        let payload = anna.payload(&[2]);
        server.read(anna.address, &payload);
    }
    server.check_reckoning(TOLERANCE_BYTES);
    server.settle();
    server.check_reckoning(TOLERANCE_BYTES);
}

#[test]
fn a_session_that_is_full_is_not_far_from_what_a_session_may_take() {
    let mut siege = Siege::new(narrow_config());
    siege.each(|server, _, id| {
        fill_lanes(server, id, &[1; 16]);
        for _ in 0..300 {
            server.measured(|manager, now| manager.send_datagram(now, id, &[2; 1_000])).unwrap();
        }
    });
    siege.each(|server, peer, _| {
        leave_gaps(server, peer, 200);
        never_end(server, peer);
    });

    let most = siege.server.manager.config().session_bytes_max();

    assert!(siege.bytes(0) * 3 > most, "{} of {most}", siege.bytes(0));
}

#[test]
fn an_idle_session_gives_back_what_an_attack_made_it_take() {
    let mut siege = Siege::new(Config {
        lane_queue_bytes_max: 1_000_000,
        session_cap_bytes: 10_000_000,
        ..narrow_config()
    });
    let before = siege.bytes(0);
    siege.each(|server, _, id| {
        fill_lanes(server, id, &[1; 1_150]);
    });
    assert!(siege.bytes(0) > 4_000_000);
    siege.server.live(&mut siege.players.iter_mut().collect::<Vec<_>>(), 60_000);
    let after = siege.bytes(0);

    assert_eq!(siege.server.session_of(1).statistics().message_bytes_queued, 0);
    assert!(after < before + 4 * 2 * 65_536 + 40_000, "from {before} to {after}");
}

/// As [`narrow_config`], with memory for a part of it only.
fn starved_config() -> Config {
    let config = Config { latest_keys: 300, latest_queue_bytes_max: 9_000, ..narrow_config() };
    let session_quota_bytes = config.session_fixed_bytes() + 10_000;
    Config { session_quota_bytes, session_cap_bytes: 300_000, pool_bytes_max: 400_000, ..config }
}

/// Everything that a peer and an application can make a session keep, all at once.
fn fill_every_bound(server: &mut Harness, peer: &mut Peer, id: SessionId) {
    leave_gaps(server, peer, 200);
    never_end(server, peer);
    for key in 0..300 {
        let packet = peer.frames(|writer| assert!(writer.write_latest(key, 1, &[5; 20])));
        server.read(peer.address, &packet);
        let _ = server.measured(|manager, now| manager.send_latest(now, id, key, &[8; 50]));
    }
    for message in [&[1; 16][..], &[3; 1_150], &[3; 9_000]] {
        fill_lanes(server, id, message);
    }
    for tick in 0..100 {
        server.measured(|manager, now| manager.send_datagram(now, id, &[2; 300])).unwrap();
        server.measured(|manager, now| manager.publish_state(now, id, tick, &[4; 1_150])).unwrap();
    }
}

#[test]
fn those_who_fill_every_bound_together_stay_below_the_ceiling_and_are_reckoned() {
    let mut server = Harness::new(starved_config());
    let mut players: Vec<_> = (1..=8_u16).map(|port| server.player(port.into(), port)).collect();
    let ids: Vec<_> = (1..=8).map(|client_id| server.id_of(client_id)).collect();
    let config = server.manager.config().clone();

    for (peer, id) in players.iter_mut().zip(&ids) {
        fill_every_bound(&mut server, peer, *id);
        server.check_reckoning(server.manager.memory_bytes() / 20);
    }

    let taken = server.manager.memory_bytes();
    assert!(server.manager.pool_bytes_taken() * 10 > config.pool_bytes_max * 9, "the pool is used up");
    assert!(server.dropped(DropReason::SessionMemory) > 0);
    // Everybody has what is sure, whoever came first.
    for id in &ids {
        let view = server.manager.session(*id).expect("a session");
        assert!(view.charged_bytes() * 10 > config.session_quota_bytes * 8, "{}", view.charged_bytes());
    }
    let mut players: Vec<&mut Peer> = players.iter_mut().collect();
    server.live(&mut players, 120_000);
    server.check_reckoning(server.manager.memory_bytes() / 20);
    assert!(server.manager.memory_bytes() < taken, "what is acknowledged is given back");
}
