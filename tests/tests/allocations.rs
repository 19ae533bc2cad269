//! In the steady state nothing is allocated: neither for payloads nor for heartbeats, ticks, acks, reliable messages or latest-wins values.

use std::net::SocketAddr;

use allocation_counter::measure;
use rejoin::client::ClientState;
use rejoin::{DATAGRAM_BYTES_MAX, DropReason, Event, SessionId, Verdict};
use rejoin_tests::world::{World, config, server_address};

const PLAYERS: u64 = 4;
const ROUND_MS: u64 = 16;

/// Allocations of the two ends, counted apart from those of the test itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Allocations {
    server: u64,
    clients: u64,
}

/// Drives the ends of a world by hand, without its wire, and counts what they allocate.
struct Bench {
    world: World,
    ids: Vec<SessionId>,
    buffer: [u8; DATAGRAM_BYTES_MAX],
    payload: Vec<u8>,
    tick: u64,
    counted: Allocations,
}

impl Bench {
    fn new() -> Self {
        let mut world = World::new(config(), 21);
        for client_id in 1..=PLAYERS {
            world.add_logged_in(client_id);
        }
        world.run_for_ms(1_000);
        let ids = world.server.sessions().map(|view| view.id()).collect();
        let payload = Vec::with_capacity(4_096);
        let counted = Allocations::default();
        Self { world, ids, buffer: [0; DATAGRAM_BYTES_MAX], payload, tick: 0, counted }
    }

    fn server<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let mut result = None;
        self.counted.server += measure(|| result = Some(act(self))).count_total;
        result.expect("the measured closure ran")
    }

    fn clients<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let mut result = None;
        self.counted.clients += measure(|| result = Some(act(self))).count_total;
        result.expect("the measured closure ran")
    }

    fn round(&mut self) {
        self.world.now = self.world.now.plus_millis(ROUND_MS);
        self.tick += 1;
        self.clients(Self::players_act);
        for player in 0..self.world.players.len() {
            while let Some(len) = self.clients(|bench| bench.transmit_of(player)) {
                self.server(|bench| bench.arrive_at_server(player, len));
            }
        }
        self.server(Self::server_acts);
        while let Some((to, len)) = self.server(Self::transmit_of_server) {
            self.clients(|bench| bench.arrive_at_player(to, len));
        }
    }

    fn players_act(&mut self) {
        let now = self.world.now;
        for player in &mut self.world.players {
            player.session.handle_timeout(now);
            player.session.send_move(self.tick, b"turn and run").expect("a later tick");
            player.session.send_datagram(b"look over there").expect("room");
            player.session.send_latest(2, &self.tick.to_le_bytes()).expect("room");
            if self.tick.is_multiple_of(4) {
                player.session.send(0, b"a line of chat").expect("room");
            }
        }
    }

    fn transmit_of(&mut self, player: usize) -> Option<usize> {
        let now = self.world.now;
        let session = &mut self.world.players[player].session;
        session.poll_transmit(now, &mut self.buffer).map(|transmit| transmit.len)
    }

    fn arrive_at_server(&mut self, player: usize, len: usize) {
        let from = self.world.players[player].address;
        self.world.server.handle_datagram(self.world.now, from, &mut self.buffer[..len]);
    }

    fn server_acts(&mut self) {
        let now = self.world.now;
        let server = &mut self.world.server;
        server.set_server_tick(now, self.tick);
        server.handle_timeout(now);
        while let Some(event) = server.poll_event(&mut self.payload) {
            if let Event::Message { session, lane } = event {
                server.send(now, session, lane, &self.payload).expect("room");
            }
        }
        for &id in &self.ids {
            server.publish_state(now, id, self.tick, &[7; 200]).expect("a session");
            let key = u16::try_from(self.tick % 9).expect("a key");
            let len = usize::from(key) * 11;
            server.send_latest(now, id, key, &[8; 100][..len]).expect("room");
        }
    }

    fn transmit_of_server(&mut self) -> Option<(SocketAddr, usize)> {
        let transmit = self.world.server.poll_transmit(self.world.now, &mut self.buffer)?;
        Some((transmit.to, transmit.len))
    }

    fn arrive_at_player(&mut self, to: SocketAddr, len: usize) {
        let player = self.world.players.iter_mut().find(|player| player.address == to).expect("a player");
        player.session.handle_datagram(self.world.now, server_address(), &mut self.buffer[..len]);
        while player.session.poll_event(&mut self.payload).is_some() {}
    }
}

#[test]
fn the_steady_state_allocates_nothing() {
    let mut bench = Bench::new();
    for _ in 0..2_000 {
        bench.round();
    }
    assert!(
        bench.counted.server > 0 && bench.counted.clients > 0,
        "queues grew at first: {:?}",
        bench.counted
    );
    bench.counted = Allocations::default();

    for _ in 0..2_000 {
        bench.round();
    }

    assert_eq!(bench.counted, Allocations::default());
    let heartbeats = bench.world.server.session(bench.ids[0]).unwrap().statistics();
    assert!(heartbeats.packets_received > 4_000, "the players did play: {heartbeats:?}");
    assert!(bench.world.players.iter().all(|player| player.session.state() == ClientState::LoggedIn));
}

#[test]
fn a_broadcast_is_kept_once_however_many_players_it_waits_for() {
    const BYTES: u32 = 10_000;
    let mut bench = Bench::new();
    let broadcast = |bench: &mut Bench| {
        let now = bench.world.now;
        let mut queued = 0;
        let allocated =
            measure(|| queued = bench.world.server.broadcast(now, 1, &[9; BYTES as usize]).queued);
        assert_eq!(queued, bench.ids.len());
        allocated
    };
    // The first ones grow the queues.
    for _ in 0..3 {
        broadcast(&mut bench);
    }
    bench.world.run_for_ms(2_000);

    let allocated = broadcast(&mut bench);

    assert_eq!(allocated.count_total, 1);
    assert!((u64::from(BYTES)..u64::from(BYTES) + 64).contains(&allocated.bytes_total), "{allocated:?}");
    bench.world.run_for_ms(1_000);
    let waiting = |id: &SessionId| bench.world.server.session(*id).unwrap().statistics().message_bytes_queued;
    assert!(bench.ids.iter().all(|id| waiting(id) == 0));
}

#[test]
fn what_opens_no_token_allocates_nothing() {
    let mut world = World::new(config(), 22);
    let player = world.add_logged_in(1);
    world.wire.record = Some(Vec::new());
    world.wire.conditions.loss_percent = 100;
    let token = world.mint(rejoin::ClientId(2));
    world.add_player_with(2, &token, rejoin::client::ClientConfig::default());
    world.run_for_ms(500);
    let recorded = world.wire.record.take().expect("a record");
    let request =
        recorded.iter().find(|datagram| datagram.bytes.len() == 1_078).expect("a request").bytes.clone();
    let known = world.players[player].address;
    let unknown = world.fresh_address();

    let mut verdicts = Vec::with_capacity(20_000);
    let allocated = measure(|| {
        let mut buffer = [0; 1_300];
        for (number, from) in (0..5_000_usize).zip([known, unknown].into_iter().cycle()) {
            // A real request with one byte changed, at every place in turn; and anything at all.
            buffer[..request.len()].copy_from_slice(&request);
            buffer[number % request.len()] ^= 1;
            verdicts.push(world.server.handle_datagram(world.now, from, &mut buffer[..request.len()]));
            buffer.fill(u8::try_from(number % 256).expect("a byte"));
            verdicts.push(world.server.handle_datagram(world.now, from, &mut buffer[..number % 1_300]));
        }
    });

    assert_eq!(allocated.count_total, 0);
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Dropped(_))));
    assert!(
        world.server.counters().dropped(DropReason::TokenUnreadable) > 1_000,
        "the forged requests were tried"
    );
}
