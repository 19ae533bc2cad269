//! A player that is logged in, has the keys of its session, and breaks the protocol.

use rejoin::lifecycle::SessionState;

use super::{TRAITOR, config};
use crate::laws::{Violation, ensure};
use crate::netcode::{KeyRing, seal_packet};
use crate::world::{Datagram, PROTOCOL_ID, World, server_address};

/// Higher than any sequence that its client came to.
const FIRST_SEQUENCE: u64 = 1 << 60;
/// A payload with a frame of no type.
const NO_FRAME: &[u8] = &[0xff];

#[derive(Debug)]
pub(super) struct Traitor {
    player: usize,
    has_broken: bool,
}

impl Traitor {
    /// This player of the world, who is logged in.
    pub(super) const fn new(player: usize) -> Self {
        Self { player, has_broken: false }
    }

    /// Breaks the protocol once more than is tolerated.
    pub(super) fn break_the_protocol(&mut self, world: &mut World, ring: &KeyRing) {
        let from = world.players[self.player].address;
        let is_in = world.state(self.player) == Some(SessionState::LoggedIn);
        let Some(key) = ring.key_between(from, server_address()).filter(|_| is_in && !self.has_broken) else {
            return;
        };
        for count in 0..=u64::from(config().violations_max) {
            let bytes = seal_packet(PROTOCOL_ID, &key, 5, FIRST_SEQUENCE + count, NO_FRAME);
            world.deliver(Datagram { from, to: server_address(), bytes });
        }
        self.has_broken = true;
    }

    /// Whoever breaks the protocol too often has no session any more.
    pub(super) fn check(&self, world: &World) -> Result<(), Violation> {
        let is_in = world.server.session_of(TRAITOR).is_some();
        ensure(!(is_in && self.has_broken), || "a peer broke the protocol too often and is in".to_owned())
    }
}
