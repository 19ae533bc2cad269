//! A player whose program is not ours: it has its keys and seals with them whatever it likes. It harms nobody else.

use std::net::SocketAddr;

use arbitrary::{Arbitrary, Result, Unstructured};
use rejoin::fuzzing::{ConnectionKeys, Sender};
use rejoin::{ClientId, Event};

use super::cast::{check_key, check_lane, check_well, config, join, join_with, talk};
use super::forger::{Forger, Forgery};
use crate::laws::{Watch, uphold};
use crate::world::{Datagram, Logins, World, server_address};

const SHOTS_MAX: usize = 64;
/// The insider is the last of the players; the others are honest.
const HONEST: usize = 2;
const INSIDER: usize = HONEST;
/// How long the honest get to recover: a timeout, the tries of a way back, and its messages.
const RECOVERY_MS: u64 = 5_000;

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Shot {
    /// The insider sends a datagram from an address.
    Forge { from: Origin, forgery: Forgery },
    /// An honest player and its session send each other a message.
    Talk { player: u8 },
    /// Time passes.
    Wait { millis: u8 },
}

/// Where a datagram seems to come from.
#[derive(Arbitrary, Debug)]
enum Origin {
    Insider,
    Honest(bool),
    Stranger(u8),
}

/// An input: how patient the server is, whether the insider's login waits for an answer, and what happens then.
#[derive(Debug)]
pub struct Insider {
    violations_max: u8,
    is_pending: bool,
    shots: Vec<Shot>,
}

impl<'a> Arbitrary<'a> for Insider {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let (violations_max, is_pending) = (u8::arbitrary(input)?, bool::arbitrary(input)?);
        let mut shots = Vec::new();
        while !input.is_empty() && shots.len() < SHOTS_MAX {
            shots.push(Shot::arbitrary(input)?);
        }
        Ok(Self { violations_max, is_pending, shots })
    }
}

impl Insider {
    /// Runs the shots in a world of two honest players and the insider: the laws hold after each, and at the end the honest are well
    /// and a newcomer gets in.
    ///
    /// # Panics
    ///
    /// If a law is broken or an honest player is worse off.
    pub fn run(self) {
        let mut range = Range::new(self.violations_max, self.is_pending);
        for shot in self.shots {
            range.take(shot);
            range.check();
        }
        range.recover();
    }
}

struct Range {
    world: World,
    watch: Watch,
    forger: Forger,
    events_read: usize,
    said: u32,
}

impl Range {
    fn new(violations_max: u8, is_pending: bool) -> Self {
        let mut config = config();
        config.violations_max = violations_max.into();
        let mut world = World::new(config.clone(), 1);
        world.wire.record = Some(Vec::new());
        world.keep_server_log();
        let mut watch = Watch::new(&config);
        let mut keys = Vec::new();
        for client_id in 1..=3 {
            let is_insider = client_id == 3;
            world.logins = if is_insider && is_pending { Logins::Pending } else { Logins::Accepted };
            let token = world.mint(ClientId(client_id));
            let player = join_with(&mut world, client_id, &token);
            keys.push(ConnectionKeys::of(&token));
            world.run_until("the welcome", |world| world.players[player].session.session_id().is_some());
            world.run_for_ms(100);
        }
        world.logins = Logins::Accepted;
        watch.distrust(ClientId(3));
        let own = keys.pop().expect("three players");
        Self { world, watch, forger: Forger::new(Sender::Client, own, keys), events_read: 0, said: 0 }
    }

    fn take(&mut self, shot: Shot) {
        match shot {
            Shot::Forge { from, forgery } => {
                self.forger.overhear(self.world.wire.record.as_deref().unwrap_or_default());
                let from = self.address(&from);
                if let Some(bytes) = self.forger.forge(forgery) {
                    self.world.deliver(Datagram { from, to: server_address(), bytes });
                    self.world.settle();
                }
            }
            Shot::Talk { player } => {
                talk(&mut self.world, &mut self.watch, usize::from(player) % HONEST, self.said);
                self.said += 1;
            }
            Shot::Wait { millis } => self.world.run_for_ms(millis.into()),
        }
    }

    fn check(&mut self) {
        uphold(self.watch.check(&self.world));
        for (event, _) in self.world.server_events.iter().skip(self.events_read) {
            match *event {
                Event::Message { lane, .. } => check_lane(lane),
                Event::Latest { key, .. } => check_key(key),
                _ => {}
            }
        }
        self.events_read = self.world.server_events.len();
    }

    fn address(&self, origin: &Origin) -> SocketAddr {
        match *origin {
            Origin::Insider => self.world.players[INSIDER].address,
            Origin::Honest(is_first) => self.world.players[usize::from(is_first)].address,
            Origin::Stranger(last) => SocketAddr::from(([192, 0, 2, last], 9)),
        }
    }

    /// The shots end. The honest are in the game, everything they said arrives, and there is room for another.
    fn recover(mut self) {
        let newcomer = join(&mut self.world, 4);
        self.world.run_for_ms(RECOVERY_MS);
        self.check();
        for player in [0, 1, newcomer] {
            check_well(&self.world, &self.watch, player);
        }
        assert!(self.world.server.sessions().count() <= HONEST + 2, "the insider has several sessions");
    }
}
