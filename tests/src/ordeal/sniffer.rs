//! Somebody who hears everything, says anything again from anywhere, and makes up more.

use std::net::SocketAddr;

use crate::model::may_be_challenge;
use crate::world::{Chance, Datagram, World, server_address};

/// Listens on the wire and repeats what it heard: to the server from any address, and to players in the server's name.
///
/// It makes the wire of its world record, and takes what it has heard out of the recording.
#[derive(Debug)]
pub struct Sniffer {
    chance: Chance,
    heard: Vec<Datagram>,
    /// Until where it has relayed what it heard.
    relayed: usize,
    /// An address of its own.
    address: SocketAddr,
}

impl Sniffer {
    /// A sniffer in this world, who hears what is sent from now on.
    #[must_use]
    pub fn new(world: &mut World, chance: Chance) -> Self {
        world.wire.record = Some(Vec::new());
        Self { chance, heard: Vec::new(), relayed: 0, address: world.fresh_address() }
    }

    /// Repeats so many datagrams, a few of them changed.
    pub fn repeat(&mut self, world: &mut World, datagrams: usize) {
        self.listen(world);
        for _ in 0..datagrams {
            let index = self.index_below(self.heard.len());
            let mut datagram = self.heard[index].clone();
            let victim = self.victim(world);
            match (datagram.to == server_address(), self.chance.below(3)) {
                (true, 0) => datagram.from = victim,
                (true, 1) => datagram.from = world.fresh_address(),
                (true, _) => {}
                (false, _) => datagram.to = victim,
            }
            if self.chance.percent(10) {
                let byte = self.index_below(datagram.bytes.len());
                datagram.bytes[byte] ^= 1 << self.chance.below(8);
            }
            world.deliver(datagram);
        }
    }

    /// Sends packets that nobody has sealed in the name of players and of the server, with any sequence.
    pub(super) fn forge(&mut self, world: &mut World) {
        for _ in 0..4 {
            let victim = self.victim(world);
            let sequence = if self.chance.percent(50) { u64::MAX } else { self.chance.number() };
            let kind = u8::try_from(4 + self.chance.below(3)).expect("a kind");
            let mut bytes = vec![kind | 8 << 4];
            bytes.extend(sequence.to_le_bytes());
            bytes.extend(self.chance.bytes::<24>());
            let (from, to) =
                if self.chance.percent(50) { (victim, server_address()) } else { (server_address(), victim) };
            world.deliver(Datagram { from, to, bytes });
        }
    }

    /// Sends handshakes it has just heard, which are still on their way, from its own address: it arrives first. And it lets players hear
    /// the path challenges that are sent to addresses of its own.
    pub(super) fn relay(&mut self, world: &mut World) {
        self.listen(world);
        for index in self.relayed..self.heard.len() {
            let Datagram { from, to, bytes } = &self.heard[index];
            let is_handshake = bytes.first().is_some_and(|prefix| matches!(prefix & 0xf, 0 | 3));
            if *to == server_address() && is_handshake {
                world.deliver(Datagram { from: self.address, to: *to, bytes: bytes.clone() });
            }
            if *from == server_address()
                && may_be_challenge(bytes)
                && world.players.iter().all(|player| player.address != *to)
            {
                let players: Vec<_> = world.players.iter().map(|player| player.address).collect();
                for player in players {
                    world.deliver(Datagram { from: *from, to: player, bytes: bytes.clone() });
                }
            }
        }
        self.relayed = self.heard.len();
    }

    fn listen(&mut self, world: &mut World) {
        self.heard.append(world.wire.record.as_mut().expect("a recording"));
    }

    fn victim(&mut self, world: &World) -> SocketAddr {
        world.players[self.index_below(world.players.len())].address
    }

    fn index_below(&mut self, end: usize) -> usize {
        usize::try_from(self.chance.below(end as u64)).expect("an index")
    }
}
