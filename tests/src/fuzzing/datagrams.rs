//! Anybody may send anything from any address: it harms nobody who has a session.

use std::net::SocketAddr;

use arbitrary::{Arbitrary, Result, Unstructured};
use rejoin::lifecycle::SessionState;

use super::cast::{self, check_well, config, join};
use super::change::Change;
use crate::laws::{Watch, uphold};
use crate::model::Command;
use crate::world::{Datagram, Logins, World, server_address};

/// Players of the world: two in the game, one away, one whose login waits for an answer.
const PLAYERS: usize = 4;
const AWAY: usize = 2;
const PENDING: usize = 3;
const SHOTS_MAX: usize = 64;
const RAW_BYTES_MAX: usize = 1_400;
/// How long the honest get to recover: a timeout, the tries of a way back, and its messages.
const RECOVERY_MS: u64 = 5_000;

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Shot {
    /// Bytes out of the blue.
    Raw { route: Route, bytes: Vec<u8> },
    /// A datagram that was on the wire before, counted from the newest one back.
    Replay { back: u16, route: Route, change: Change },
    /// An honest player and its session send each other a message.
    Talk { player: u8 },
    /// Time passes.
    Wait { millis: u8 },
    /// The player that is away gets its network back.
    Heal,
}

/// Which way a datagram seems to go.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Route {
    /// As it was recorded; to the server, if it was not.
    AsRecorded,
    /// From a player's address to the server.
    FromPlayer(u8),
    /// From an address nobody has to the server.
    FromStranger(u8),
    /// From the server's address to a player.
    ToPlayer(u8),
}

/// An input: what the senders do, one after the other.
#[derive(Debug)]
pub struct Datagrams {
    shots: Vec<Shot>,
}

impl<'a> Arbitrary<'a> for Datagrams {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut shots = Vec::new();
        while !input.is_empty() && shots.len() < SHOTS_MAX {
            shots.push(Shot::arbitrary(input)?);
        }
        Ok(Self { shots })
    }
}

impl Datagrams {
    /// Runs the shots in a world of four players: its laws hold after each, and everybody honest is well at the end.
    ///
    /// # Panics
    ///
    /// If a law is broken or an honest player is worse off.
    pub fn run(self) {
        let mut range = Range::new();
        for shot in self.shots {
            range.take(shot);
            uphold(range.watch.check(&range.world));
        }
        range.recover();
    }
}

/// The world, its watch, and how much was said.
struct Range {
    world: World,
    watch: Watch,
    said: u32,
}

impl Range {
    fn new() -> Self {
        let config = config();
        let mut world = World::new(config.clone(), 1);
        world.wire.record = Some(Vec::new());
        world.keep_server_log();
        for client_id in 1..=3 {
            let player = join(&mut world, client_id);
            world.run_until("the login", |world| world.players[player].session.state().is_logged_in());
        }
        world.run_for_ms(100);
        world.cut(AWAY);
        world.run_for_ms(1_300);
        world.logins = Logins::Pending;
        let pending = join(&mut world, 4);
        world
            .run_until("the login request", |world| world.state(pending) == Some(SessionState::LoginPending));
        assert_eq!(world.state(AWAY), Some(SessionState::ReconnectPending));
        Self { world, watch: Watch::new(&config), said: 0 }
    }

    fn take(&mut self, shot: Shot) {
        match shot {
            Shot::Raw { route, mut bytes } => {
                bytes.truncate(RAW_BYTES_MAX);
                let (from, to) = self.ends(route).unwrap_or_else(|| (stranger(0), server_address()));
                self.shoot(Datagram { from, to, bytes });
            }
            Shot::Replay { back, route, change } => self.replay(back, route, change),
            Shot::Talk { player } => self.talk(usize::from(player) % PENDING),
            Shot::Wait { millis } => self.world.run_for_ms(millis.into()),
            Shot::Heal => self.world.heal(AWAY),
        }
    }

    fn replay(&mut self, back: u16, route: Route, change: Change) {
        let record = self.world.wire.record.as_deref().unwrap_or_default();
        let Some(index) = record.len().checked_sub(1 + usize::from(back) % record.len().max(1)) else {
            return;
        };
        let mut datagram = record[index].clone();
        if let Some((from, to)) = self.ends(route) {
            datagram = Datagram { from, to, ..datagram };
        }
        change.apply(&mut datagram.bytes);
        self.shoot(datagram);
    }

    /// The addresses of a route; `None` for those of the recording.
    fn ends(&self, route: Route) -> Option<(SocketAddr, SocketAddr)> {
        let player = |player: u8| self.world.players[usize::from(player) % PLAYERS].address;
        match route {
            Route::AsRecorded => None,
            Route::FromPlayer(index) => Some((player(index), server_address())),
            Route::FromStranger(index) => Some((stranger(index), server_address())),
            Route::ToPlayer(index) => Some((server_address(), player(index))),
        }
    }

    fn shoot(&mut self, datagram: Datagram) {
        self.world.deliver(datagram);
        self.world.settle();
    }

    fn talk(&mut self, player: usize) {
        cast::talk(&mut self.world, &mut self.watch, player, self.said);
        self.said += 1;
    }

    /// The shots end. Then everybody is in the game, and everything said arrives.
    fn recover(mut self) {
        self.world.heal(AWAY);
        self.world.logins = Logins::Accepted;
        let waits = self.world.state(PENDING) == Some(SessionState::LoginPending);
        if waits {
            let session = self.world.session_id(PENDING);
            self.world.server.accept_login(self.world.now, session).expect("a pending login");
            self.world.note_command(Command::Accept(session), true);
        }
        self.world.run_for_ms(RECOVERY_MS);
        uphold(self.watch.check(&self.world));
        let honest = if waits { PLAYERS } else { PENDING };
        for player in 0..honest {
            check_well(&self.world, &self.watch, player);
        }
    }
}

fn stranger(index: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, index], 9))
}
