//! Peers that do whatever comes to their mind, with a network and a host that are no better, under the laws.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::lifecycle::{Cause, DisconnectReason, LifecycleEventKind, SessionState as State};
use crate::{ClientId, Config, DATAGRAM_BYTES_MAX, DuplicateIdentity, Payloads};

use super::harness::{Harness, client_address, framed_config, raw_config, token_login_config};
use super::peer::Peer;

const IDENTITIES: u64 = 6;
/// Fewer than identities and their former addresses, so that they get into each other's way.
const PORTS: u64 = 8;
/// Datagrams kept for somebody to repeat.
const RECORDED_MAX: usize = 64;

const WALKS: u64 = 12;
const STEPS: usize = 2_000;

/// One walk: what happens is drawn from its own numbers alone.
pub(super) struct Walk {
    pub(super) server: Harness,
    peers: Vec<Option<Peer>>,
    recorded: Vec<Vec<u8>>,
    random: ChaCha20Rng,
    messages_sent: u64,
    commands_done: u64,
}

impl Walk {
    pub(super) fn new(config: Config, manager_seed: u8, walk_seed: u64) -> Self {
        Self {
            server: Harness::with_seed(config, [manager_seed; 32]),
            peers: (0..IDENTITIES).map(|_| None).collect(),
            recorded: Vec::new(),
            random: ChaCha20Rng::seed_from_u64(walk_seed),
            messages_sent: 0,
            commands_done: 0,
        }
    }

    pub(super) fn run(mut self, steps: usize) -> Harness {
        for _ in 0..steps {
            self.step();
        }
        self.server.settle();
        assert!(steps == 0 || self.commands_done > 0, "the host does something");
        self.server
    }

    fn step(&mut self) {
        let client_id = self.below(IDENTITIES);
        match self.below(20) {
            0..=2 => self.pass_time(),
            3 => self.replay(),
            4..=5 => self.command(client_id),
            6 => self.come_in_anew(client_id),
            7 => self.come_back(client_id),
            8 => self.lose_datagrams(),
            _ => self.talk(client_id),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn a_port(&mut self) -> u16 {
        u16::try_from(1 + self.below(PORTS)).unwrap()
    }

    fn pass_time(&mut self) {
        let (long_ms, short_ms) = (self.below(9_000), self.below(800));
        match self.below(8) {
            0 => self.server.oversleep(long_ms),
            1 => self.server.advance(long_ms),
            2..=4 => self.server.advance(short_ms),
            5 => self.server.oversleep(short_ms / 20),
            6 => self.server.manager.handle_timeout(self.server.now),
            _ => self.transmit_one(),
        }
    }

    /// A host whose socket takes one datagram and no more.
    fn transmit_one(&mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        // What it was is lost on the way.
        let _ = self.server.manager.poll_transmit(self.server.now, &mut buffer);
    }

    fn lose_datagrams(&mut self) {
        let port = self.a_port();
        self.server.inbox(client_address(port));
    }

    fn replay(&mut self) {
        let from = client_address(self.a_port());
        let count = self.recorded.len() as u64;
        if count == 0 {
            return;
        }
        let chosen = usize::try_from(self.below(count)).unwrap();
        let mut datagram = self.recorded[chosen].clone();
        if self.below(3) == 0 {
            let place = usize::try_from(self.below(datagram.len() as u64)).unwrap();
            datagram[place] ^= 1;
        }
        self.server.read(from, &datagram);
    }

    fn come_in_anew(&mut self, client_id: u64) {
        let port = self.a_port();
        let mut peer = self.server.newcomer(client_id, port);
        peer.lane_epoch = 1 + self.below(3);
        let request = peer.request();
        self.say(&mut peer, request);
        self.peers[usize::try_from(client_id).unwrap()] = Some(peer);
    }

    fn come_back(&mut self, client_id: u64) {
        let address = client_address(self.a_port());
        let Some(mut peer) = self.peers[usize::try_from(client_id).unwrap()].take() else { return };
        if self.server.manager.config().payloads == Payloads::Framed
            && let Some(ticket) = peer.unspent_tickets().into_iter().next()
        {
            peer.change_path(ticket, address);
        }
        let request = peer.request();
        self.say(&mut peer, request);
        self.peers[usize::try_from(client_id).unwrap()] = Some(peer);
    }

    fn command(&mut self, client_id: u64) {
        let (choice, tick) = (self.below(40), self.below(1_000));
        let Some(session) = self.server.manager.session_of(ClientId(client_id)) else { return };
        let id = session.id();
        self.messages_sent += 1;
        let number = self.messages_sent.to_le_bytes();
        let (manager, now) = (&mut self.server.manager, self.server.now);
        // Whether a command fits the state is drawn too: a refusal is as good as a success.
        let is_done = match choice {
            0 => manager.disconnect(now, id, 1, b"out").is_ok(),
            1 => manager.remove(now, id).is_ok(),
            2..=4 => manager.reject_login(now, id, 2, "no").is_ok(),
            5..=15 => manager.accept_login(now, id).is_ok(),
            16..=22 => manager.send(now, id, 0, &number).is_ok(),
            23..=26 => manager.send_datagram(now, id, &number).is_ok(),
            27..=29 => manager.publish_state(now, id, tick, &number).is_ok(),
            30..=32 => manager.send_latest(now, id, number[0].into(), &number).is_ok(),
            33 => {
                manager.set_server_tick(now, tick);
                true
            }
            _ => manager.broadcast(now, 0, &number).refused.is_empty(),
        };
        self.commands_done += u64::from(is_done);
    }

    fn talk(&mut self, client_id: u64) {
        let Some(mut peer) = self.peers[usize::try_from(client_id).unwrap()].take() else { return };
        if self.below(4) > 0 {
            self.server.settle();
            self.server.listen(&mut peer);
        }
        let datagram = self.datagram_of(&mut peer, client_id);
        if self.below(5) > 0 {
            self.say(&mut peer, datagram);
        }
        self.peers[usize::try_from(client_id).unwrap()] = Some(peer);
    }

    fn say(&mut self, peer: &mut Peer, datagram: Vec<u8>) {
        self.server.read(peer.address, &datagram);
        if self.recorded.len() == RECORDED_MAX {
            self.recorded.remove(0);
        }
        self.recorded.push(datagram);
    }

    /// Mostly what fits, now and then what does not.
    fn datagram_of(&mut self, peer: &mut Peer, client_id: u64) -> Vec<u8> {
        let choice = self.below(100);
        let is_framed = self.server.manager.config().payloads == Payloads::Framed;
        let state = self.server.state_of(client_id);
        match (choice, state) {
            (0, _) => peer.disconnect(),
            (1, _) if is_framed => peer.frames(|writer| assert!(writer.write_goodbye(0, b""))),
            (2..=3, _) => peer.request(),
            (4..=15, _) if peer.challenge.is_some() => peer.response(),
            (_, _) if peer.keep_alives.is_empty() && peer.challenge.is_some() => peer.response(),
            (_, _) if peer.keep_alives.is_empty() => peer.request(),
            (_, _) if !is_framed && choice < 60 => peer.keep_alive(),
            (_, _) if !is_framed => peer.payload(&[9; 100]),
            (16..=40, _) => peer.hello(),
            (41..=60, Some(State::TransportConnected | State::LoginFailed)) => {
                let attempt = 1 + self.below(5);
                peer.login(attempt, b"credential")
            }
            (41..=60, Some(State::LoggedIn)) => peer.message(self.below(6), b"message"),
            (61..=70, Some(State::LoggedIn)) => peer.moves(&[50 + self.below(300)]),
            (71..=73, _) => peer.keep_alive(),
            _ => peer.heartbeat(),
        }
    }
}

/// Walks many ways; returns the kinds of events and the causes that were met.
fn walk(config: &Config) -> (BTreeSet<LifecycleEventKind>, BTreeSet<Cause>) {
    let (mut kinds, mut causes) = (BTreeSet::new(), BTreeSet::new());
    for walk_seed in 0..WALKS {
        let server = Walk::new(config.clone(), 5, walk_seed).run(STEPS);
        for client_id in 0..IDENTITIES {
            let events = server.lifecycle_of(client_id);
            kinds.extend(events.iter().map(|event| event.kind));
            causes.extend(events.iter().map(|event| event.cause));
        }
        server.close();
    }
    (kinds, causes)
}

#[test]
fn the_laws_hold_on_a_random_walk_of_framed_peers() {
    let (kinds, causes) = walk(&framed_config());

    assert_eq!(kinds.len(), 9, "it leads through everything: {kinds:?}");
    for cause in
        [Cause::Revived, Cause::Resumed, Cause::TakenOver, Cause::PathTaken, Cause::AttemptUnconfirmed]
    {
        assert!(causes.contains(&cause), "{cause:?} is missing in {causes:?}");
    }
}

#[test]
fn the_laws_hold_on_a_random_walk_of_framed_peers_whose_token_is_the_login() {
    let (_, causes) = walk(&token_login_config());

    assert!(causes.contains(&Cause::TakenOver) && causes.contains(&Cause::Resumed), "{causes:?}");
}

#[test]
fn the_laws_hold_on_a_random_walk_of_raw_peers() {
    let (_, causes) = walk(&raw_config());

    assert!(causes.contains(&Cause::TakenOver) && causes.contains(&Cause::Resumed), "{causes:?}");
}

#[test]
fn the_laws_hold_on_a_random_walk_without_room_and_without_patience() {
    let (_, causes) = walk(&Config {
        sessions_max: 3,
        handshakes_max: 4,
        reconnect_window_ms: None,
        violations_max: 0,
        duplicate_identity: DuplicateIdentity::Reject,
        heartbeat_events: true,
        stall_credit_max_ms: 0,
        ..framed_config()
    });

    assert!(causes.contains(&Cause::Ended(DisconnectReason::TimedOut)), "{causes:?}");
}
