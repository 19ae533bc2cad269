//! Whatever peers do, the log stays short and says nothing that they wrote. At the most talkative level, as nobody would have it for long.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};
use rejoin::DropReason;
use rejoin_tests::world::{Chance, Datagram, Logins, World, config, server_address};

/// The most lines that a server writes in a minute, whatever happens.
const LINES_MAX: usize = 60;
const JUNK: u64 = 1_000_000;
const MINUTE_MS: u64 = 60_000;

thread_local! {
    /// What the server of this test, which runs on a thread of its own, has written.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Captures every line of this thread from now on.
fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).expect("nobody else listens");
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.with_borrow_mut(Vec::clear);
}

fn lines() -> Vec<String> {
    LINES.with_borrow(Clone::clone)
}

/// Junk of every kind, from strangers and under the name of a player.
struct Flood {
    chance: Chance,
    player: SocketAddr,
    /// What the player has sent: a request that is used up, and packets that have arrived.
    sent: Vec<Datagram>,
}

impl Flood {
    fn new(world: &World, player: usize) -> Self {
        let player = world.players[player].address;
        let sent = world.wire.record.iter().flatten().filter(|datagram| datagram.from == player);
        Self { chance: Chance::new(5), player, sent: sent.cloned().collect() }
    }

    fn next(&mut self) -> Datagram {
        let kind = self.chance.below(8);
        let stranger = self.stranger();
        let (from, bytes) = match kind {
            0 => (stranger, Vec::new()),
            1 => (stranger, self.random(60)),
            2 => (stranger, self.with_prefix(0, 1_078)),
            3 => (stranger, self.changed_request()),
            4 => (stranger, self.sent[0].bytes.clone()),
            5 => (stranger, self.with_prefix(0x13, 1 + 1 + 308 + 16)),
            6 => (self.player, self.with_prefix(0x85, 100)),
            _ => (self.player, self.sent[self.sent.len() - 1].bytes.clone()),
        };
        Datagram { from, to: server_address(), bytes }
    }

    fn stranger(&mut self) -> SocketAddr {
        let [a, b, c, d] = self.chance.bytes();
        SocketAddr::from(([10, a, b, c], 1_024 + u16::from(d)))
    }

    fn random(&mut self, len_max: u64) -> Vec<u8> {
        let bytes: [u8; 64] = self.chance.bytes();
        let len = usize::try_from(1 + self.chance.below(len_max)).expect("a small number");
        bytes[..len].to_vec()
    }

    fn with_prefix(&mut self, prefix: u8, len: usize) -> Vec<u8> {
        let random: [u8; 64] = self.chance.bytes();
        let mut bytes: Vec<u8> = random.iter().copied().cycle().take(len).collect();
        bytes[0] = prefix;
        bytes
    }

    fn changed_request(&mut self) -> Vec<u8> {
        let mut bytes = self.sent[0].bytes.clone();
        let place = usize::try_from(self.chance.below(1_078)).expect("a small number");
        bytes[place] ^= 1;
        bytes
    }
}

/// A player in a world whose wire is recorded.
fn world_with_player() -> (World, usize) {
    let mut world = World::new(config(), 3);
    world.wire.record = Some(Vec::new());
    let player = world.add_logged_in(1);
    world.run_for_ms(1_000);
    (world, player)
}

#[test]
fn a_million_junk_datagrams_in_a_minute_give_no_more_lines_than_a_minute_may_have() {
    capture();
    let (mut world, player) = world_with_player();
    let mut flood = Flood::new(&world, player);
    world.wire.record = None;

    let rounds = 1_000;
    for _ in 0..rounds {
        for _ in 0..JUNK / rounds {
            world.deliver(flood.next());
        }
        world.run_for_ms(MINUTE_MS / rounds);
    }

    assert!(world.server.counters().dropped_total() >= JUNK * 99 / 100);
    for reason in [DropReason::Empty, DropReason::Malformed, DropReason::Unopened, DropReason::Replayed] {
        assert!(world.server.counters().dropped(reason) > 1_000, "{reason:?}");
    }
    assert!((10..=LINES_MAX).contains(&lines().len()), "{:#?}", lines());
    let told = lines().iter().any(|line| line.contains("lines like it were left out"));
    assert!(told, "{:#?}", lines());
}

#[test]
fn junk_that_comes_at_once_gives_a_burst_of_lines_and_no_more() {
    capture();
    let (mut world, player) = world_with_player();
    let mut flood = Flood::new(&world, player);
    world.wire.record = None;
    let before = lines().len();

    for _ in 0..JUNK {
        world.deliver(flood.next());
    }

    let written = lines().len() - before;
    assert!((1..=20).contains(&written), "{:#?}", lines());
}

#[test]
fn peers_that_come_and_go_in_a_loop_are_told_of_now_and_then() {
    capture();
    let mut world = World::new(config(), 4);
    world.logins = Logins::Pending;

    for client_id in 0.. {
        if world.now.as_micros() >= MINUTE_MS * 1_000 {
            break;
        }
        let player = world.add_player(client_id);
        world.players[player].session.login(b"a credential").expect("a login");
        world.run_for_ms(150);
        let now = world.now;
        world.players[player].session.disconnect(now);
        world.run_for_ms(50);
    }

    assert!(world.server.counters().sessions_opened > 200);
    assert!(lines().len() <= LINES_MAX, "{:#?}", lines());
}

#[test]
fn no_line_holds_what_a_peer_wrote() {
    const WORDS: &[u8] = b"correct horse battery staple";
    capture();
    let mut world = World::new(config(), 5);
    let player = world.add_player(1);
    world.players[player].session.login(WORDS).expect("a login");
    world.run_for_ms(500);
    let session = &mut world.players[player].session;
    session.send(0, WORDS).expect("room");
    session.send_datagram(WORDS).expect("room");
    session.send_latest(0, WORDS).expect("room");
    session.send_move(1_000_000, WORDS).expect("room");
    world.run_for_ms(500);
    let id = world.session_id(player);
    assert!(world.server.send(world.now, id, 99, WORDS).is_err());
    world.deliver(Datagram {
        from: world.players[player].address,
        to: server_address(),
        bytes: [&[0x25][..], WORDS, WORDS].concat(),
    });
    world.server.disconnect(world.now, id, 1, WORDS).expect("a session");
    world.run_for_ms(500);

    let as_list = format!("{WORDS:?}");
    let as_list = as_list.trim_matches(['[', ']']);
    assert!(lines().len() > 4, "{:#?}", lines());
    for line in lines() {
        assert!(!line.contains("horse") && !line.contains(as_list), "{line}");
    }
}
