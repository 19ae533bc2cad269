//! The network: who has which address, and what becomes of a datagram on its way.

mod path;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rejoin::Timestamp;

use super::fault::FaultCounts;
use super::schedule::{Due, Schedule};
use super::step::{Datagram, Party};
use crate::world::{Chance, server_address};

pub(super) use path::{BurstLoss, PathPlan};

use path::Path;

/// How long a datagram takes that comes from nobody's path.
const STRANGE_DELAY_MS: u64 = 15;
/// Players that share a public IP address.
const PLAYERS_PER_IP: usize = 4;

/// A way that datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the server.
    Up,
    /// To the player.
    Down,
}

impl Direction {
    /// Both.
    pub(super) const BOTH: [Self; 2] = [Self::Up, Self::Down];
}

/// A player's place on the network.
#[derive(Debug)]
struct Attachment {
    address: SocketAddr,
    up: Path,
    down: Path,
}

/// Everything between the machines.
#[derive(Debug)]
pub(super) struct Network {
    players: Vec<Attachment>,
    owners: BTreeMap<SocketAddr, Party>,
    ports_given: u16,
}

impl Network {
    /// A network with so many players, each with its two paths.
    pub(super) fn new(paths: &[(PathPlan, PathPlan)], chance: &mut Chance) -> Self {
        let owners = BTreeMap::from([(server_address(), Party::Server)]);
        let mut network = Self { players: Vec::new(), owners, ports_given: 0 };
        for (player, (up, down)) in paths.iter().enumerate() {
            let address = network.fresh_address(player);
            network.owners.insert(address, Party::Player(player));
            let (up, down) = (Path::new(*up, chance.fork()), Path::new(*down, chance.fork()));
            network.players.push(Attachment { address, up, down });
        }
        network
    }

    /// Where a player's datagrams come from, as the server sees it.
    pub(super) fn address_of(&self, player: usize) -> SocketAddr {
        self.players[player].address
    }

    /// Who gets what is sent there.
    pub(super) fn owner_of(&self, address: SocketAddr) -> Option<Party> {
        self.owners.get(&address).copied()
    }

    /// Somebody who is no player gets another address of its own.
    pub(super) fn attach(&mut self, party: Party) -> SocketAddr {
        let address = self.fresh_address(0);
        self.owners.insert(address, party);
        address
    }

    /// A player gets an address that nobody had before.
    pub(super) fn move_player(&mut self, player: usize) {
        let address = self.fresh_address(player);
        self.owners.remove(&self.players[player].address);
        self.owners.insert(address, Party::Player(player));
        self.players[player].address = address;
    }

    /// `newcomer` gets the address that `former` had, and `former` another one.
    pub(super) fn hand_over_address(&mut self, former: usize, newcomer: usize) {
        let address = self.players[former].address;
        self.move_player(former);
        self.owners.remove(&self.players[newcomer].address);
        self.owners.insert(address, Party::Player(newcomer));
        self.players[newcomer].address = address;
    }

    /// One direction of a player's holds everything back until then.
    pub(super) fn hold_until(&mut self, player: usize, direction: Direction, end: Timestamp) {
        self.path_mut(player, direction).hold_until(end);
    }

    /// Nothing passes in one direction of a player's until then.
    pub(super) fn close_until(&mut self, player: usize, direction: Direction, end: Timestamp) {
        self.path_mut(player, direction).close_until(end);
    }

    /// From now on everybody has a good network.
    pub(super) fn calm(&mut self) {
        for player in &mut self.players {
            player.up.calm();
            player.down.calm();
        }
    }

    /// Takes a datagram of the server or a player, and schedules what arrives of it.
    pub(super) fn carry(
        &mut self,
        now: Timestamp,
        by: Party,
        datagram: &Datagram,
        schedule: &mut Schedule,
        faults: &mut FaultCounts,
    ) {
        let path = match (by, self.owner_of(datagram.to)) {
            (Party::Player(player), _) => &mut self.players[player].up,
            (Party::Server, Some(Party::Player(player))) => &mut self.players[player].down,
            _ => return Self::carry_straight(now, datagram.clone(), schedule),
        };
        for (at, bytes) in path.carry(now, &datagram.bytes, faults).into_iter().flatten() {
            schedule.add(at, Due::Arrival(Datagram { bytes, ..*datagram }));
        }
    }

    /// A datagram that no path of a player's carries simply arrives.
    pub(super) fn carry_straight(now: Timestamp, datagram: Datagram, schedule: &mut Schedule) {
        schedule.add(now.plus_millis(STRANGE_DELAY_MS), Due::Arrival(datagram));
    }

    fn path_mut(&mut self, player: usize, direction: Direction) -> &mut Path {
        let attachment = &mut self.players[player];
        match direction {
            Direction::Up => &mut attachment.up,
            Direction::Down => &mut attachment.down,
        }
    }

    fn fresh_address(&mut self, player: usize) -> SocketAddr {
        self.ports_given += 1;
        let host = u8::try_from(1 + player / PLAYERS_PER_IP % 200).unwrap_or(1);
        SocketAddr::from(([198, 51, 100, host], 10_000 + self.ports_given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_owner_however_it_was_handed_on() {
        let plan = PathPlan::default();
        let mut network = Network::new(&[(plan, plan), (plan, plan)], &mut Chance::new(1));
        let (first, second) = (network.address_of(0), network.address_of(1));

        network.move_player(1);
        assert_eq!(network.owner_of(second), None);
        network.hand_over_address(0, 1);

        assert_eq!(network.owner_of(first), Some(Party::Player(1)));
        assert_eq!(network.address_of(1), first);
        assert_eq!(network.owner_of(network.address_of(0)), Some(Party::Player(0)));
    }
}
