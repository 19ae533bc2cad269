//! All laws about what is on the wire at once.

use std::net::SocketAddr;

use super::{Nonces, TakenOnce, UnprovedAddresses, Violation};
use crate::netcode::{KeyRing, Packet};
use crate::world::Fate;

/// Reads along with all keys, at both ends of the wire, and judges what it sees.
///
/// It wants to know what ends send, and what they read whoever sent it.
#[derive(Clone, Debug)]
pub struct WireWatch {
    server: SocketAddr,
    ring: KeyRing,
    nonces: Nonces,
    unproved: UnprovedAddresses,
    once: TakenOnce,
}

impl WireWatch {
    /// Watches the server at this address, whose tokens are for this protocol and sealed under this key.
    #[must_use]
    pub fn new(server: SocketAddr, protocol_id: u64, private_key: [u8; 32]) -> Self {
        Self {
            server,
            ring: KeyRing::new(protocol_id, private_key),
            nonces: Nonces::default(),
            unproved: UnprovedAddresses::default(),
            once: TakenOnce::default(),
        }
    }

    /// The keys it has learned.
    #[must_use]
    pub const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The server was replaced by one without memory.
    pub fn server_started(&mut self) {
        self.nonces.server_started();
        self.unproved = UnprovedAddresses::default();
        self.once = TakenOnce::default();
    }

    /// An end sent a datagram.
    pub fn sent(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> Result<(), Violation> {
        if let Some(request) = self.ring.learn(datagram) {
            return self.nonces.requested(&request);
        }
        let packet = self.ring.open(from, to, datagram);
        if let Some(packet) = &packet {
            self.nonces.sealed(packet, datagram)?;
        }
        if from == self.server {
            self.unproved.sent(to, datagram.len(), packet.as_ref())?;
        }
        Ok(())
    }

    /// An end read a datagram.
    pub fn received(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        fate: Fate,
    ) -> Result<(), Violation> {
        if fate == Fate::Taken {
            self.once.taken(to, datagram)?;
        }
        if to != self.server {
            return Ok(());
        }
        let response = self.response(from, datagram, fate);
        self.unproved.received(from, datagram.len(), response.as_ref(), fate != Fate::Dropped)
    }

    /// Opens what is a response; one that did nothing proves nothing, so it need not be opened.
    fn response(&mut self, from: SocketAddr, datagram: &[u8], fate: Fate) -> Option<Packet> {
        let is_response = datagram.first().is_some_and(|prefix| prefix & 0xf == 3);
        if is_response && fate != Fate::Dropped { self.ring.open(from, self.server, datagram) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Conditions, Observation, PRIVATE_KEY, PROTOCOL_ID, World, config, server_address};

    #[test]
    fn an_ordinary_world_on_a_rough_network_breaks_no_law_of_the_wire() {
        let mut world = World::new(config(), 1);
        world.observations = Some(Vec::new());
        world.wire.conditions = Conditions::ROUGH;
        let player = world.add_logged_in(1);
        world.move_address(player);
        world.run_for_ms(3_000);

        let mut watch = WireWatch::new(server_address(), PROTOCOL_ID, PRIVATE_KEY);
        for observation in world.observations.iter().flatten() {
            let result = match observation {
                Observation::Sent(datagram) => watch.sent(datagram.from, datagram.to, &datagram.bytes),
                Observation::Received(datagram, fate) => {
                    watch.received(datagram.from, datagram.to, &datagram.bytes, *fate)
                }
            };
            assert_eq!(result, Ok(()));
        }
    }
}
