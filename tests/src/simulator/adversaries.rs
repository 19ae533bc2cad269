//! Those who take part in every run with bad intentions: somebody who hears everything, somebody who sends from anywhere, somebody
//! who has good tokens and misbehaves, somebody who plays on two devices at once, and somebody behind each player's own router. In some runs
//! somebody floods the server as well, with more than it can look at while the faults last, and with less afterwards.
//!
//! They go on when the faults have stopped, and everybody honest gets in all the same. Three tricks stop then, for they keep honest players
//! out, or lead them astray, by design as long as they last.
//!
//! The first is a *good* request from an address that is not its owner's. An address has one handshake under way at
//! a time, and a token four addresses, the newest in place of the oldest; so whoever shows good tokens from a player's address, or a
//! player's token from other addresses, more often than a round trip of that player's takes, pushes each handshake out before it
//! completes. Nothing else could be done: the server cannot know who of two that show one token is its owner, and must not keep the first.
//! It heals with the next request that nobody pushes out.
//!
//! The second is a packet of a player's that was lost, delivered much later, unchanged and from its own address. It is genuine and new, so it
//! revives the session of a program that has crashed. Where a second login is rejected, the player waits for that session's end once more.
//!
//! The third is what the server sent to a relay's port, brought to its player. Where the player's own port moves meanwhile, a relay that
//! carries both ways *is* the path, and the session goes on by it, as it would by any router.

mod flooder;
mod insider;
mod pace;
mod relay;
mod sniffer;
mod spoofer;
#[cfg(test)]
mod tests;
mod twins;

use std::net::SocketAddr;

use super::adversary::Adversary;
use super::plan::AdversaryPlans;
use super::step::Datagram;
use crate::world::{Chance, server_address};

use flooder::Flooder;
use insider::Insider;
use relay::Relay;
use sniffer::Sniffer;
use spoofer::Spoofer;
use twins::Twins;

/// How many addresses of their own they need.
pub(super) const ADDRESSES: [usize; 5] = [1, 0, 4, 6, 0];

/// All of them; each has so many addresses as [`ADDRESSES`] says.
pub(super) fn all(
    plans: &AdversaryPlans,
    addresses: [Vec<SocketAddr>; 5],
    chance: &mut Chance,
) -> Vec<Box<dyn Adversary>> {
    let [sniffer, _, insider, twins, _] = addresses;
    vec![
        Box::new(Sniffer::new(plans, sniffer[0], chance.fork())),
        Box::new(Spoofer::new(plans, chance.fork())),
        Box::new(Insider::new(plans, insider, chance.fork())),
        Box::new(Twins::new(plans, &twins, chance.fork())),
        Box::new(Relay::new(plans, chance.fork())),
        Box::new(Flooder::new(plans, chance.fork())),
    ]
}

/// Whether a datagram is a connection request to the server.
fn is_request(datagram: &Datagram) -> bool {
    datagram.to == server_address() && datagram.bytes.first() == Some(&0)
}

/// The end of a datagram's way that is not the server.
fn player_end(datagram: &Datagram) -> SocketAddr {
    if datagram.to == server_address() { datagram.from } else { datagram.to }
}

/// A fair sample of all that was heard so far.
#[derive(Debug)]
struct Memory {
    kept: Vec<Datagram>,
    kept_max: usize,
    heard: u64,
}

impl Memory {
    const fn new(kept_max: usize) -> Self {
        Self { kept: Vec::new(), kept_max, heard: 0 }
    }

    fn hear(&mut self, datagram: &Datagram, chance: &mut Chance) {
        self.heard += 1;
        if self.kept.len() < self.kept_max {
            self.kept.push(datagram.clone());
        } else if let Some(place) = self.kept.get_mut(index_below(self.heard, chance)) {
            *place = datagram.clone();
        }
    }

    fn pick(&self, chance: &mut Chance) -> Option<&Datagram> {
        pick(&self.kept, chance)
    }
}

/// One of several, if there is any.
fn pick<'a, T>(of: &'a [T], chance: &mut Chance) -> Option<&'a T> {
    of.get(index_below((of.len() as u64).max(1), chance))
}

fn index_below(end: u64, chance: &mut Chance) -> usize {
    usize::try_from(chance.below(end)).unwrap_or(usize::MAX)
}
