//! All laws about what is on the wire at once.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{Nonces, PathQuestions, TakenOnce, UnprovedAddresses, Violation, ensure};
use crate::netcode::kind::{RESPONSE, kind_of};
use crate::netcode::{KeyId, KeyRing, Packet, header, seal_of};
use crate::world::{Fate, Receiver};

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
    questions: PathQuestions,
    /// By seal: the key of each packet that ends sent, and of what else they took or answered.
    keys: HashMap<u64, KeyId>,
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
            questions: PathQuestions::default(),
            keys: HashMap::new(),
        }
    }

    /// The keys it has learned.
    #[must_use]
    pub const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The key of a packet that an end sent, took or answered.
    #[must_use]
    pub fn key_of(&self, datagram: &[u8]) -> Option<KeyId> {
        self.keys.get(&seal_of(datagram)).copied()
    }

    /// The server was replaced by one without memory.
    pub fn server_started(&mut self) {
        self.nonces.server_started();
        self.unproved = UnprovedAddresses::default();
        self.questions = PathQuestions::default();
    }

    /// Somebody with bad intentions sent a datagram: what that is worth shows only where it is read. But it may hold a good token.
    pub fn overheard(&mut self, datagram: &[u8]) {
        self.ring.learn(datagram);
    }

    /// An end sent a datagram. Gives it back opened, if it is a packet.
    pub fn sent(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Result<Option<Packet>, Violation> {
        if let Some(request) = self.ring.learn(datagram) {
            return self.nonces.requested(&request).map(|()| None);
        }
        let packet = self.ring.open(from, to, datagram);
        ensure(packet.is_some() || header(datagram).is_none(), || {
            format!("what {from} sends to {to} is sealed under no key of a token that was shown")
        })?;
        if let Some(packet) = &packet {
            self.nonces.sealed(packet, datagram)?;
            self.keys.insert(seal_of(datagram), packet.key);
            if from == self.server {
                self.questions.sent_by_server(to, packet);
            } else {
                self.questions.sent_by_client(seal_of(datagram), packet);
            }
        }
        if from == self.server {
            self.unproved.sent(to, datagram.len(), packet.as_ref())?;
        }
        Ok(packet)
    }

    /// An end read a datagram.
    pub fn received(
        &mut self,
        receiver: Receiver,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        fate: Fate,
    ) -> Result<(), Violation> {
        if fate == Fate::Taken {
            self.check_authentic(from, to, datagram)?;
            self.once.taken(receiver, datagram)?;
        }
        if receiver != Receiver::Server {
            return Ok(());
        }
        if fate == Fate::Taken {
            for address in self.questions.taken_by_server(seal_of(datagram)) {
                self.unproved.proved(address);
            }
        }
        let response = self.response(from, datagram, fate);
        self.unproved.received(from, datagram.len(), response.as_ref(), fate != Fate::Dropped)
    }

    /// The server told that a session moved from one port to another.
    pub fn moved(&self, from_port: u16, to_port: u16) -> Result<(), Violation> {
        self.questions.moved(from_port, to_port)
    }

    /// What is taken was sealed by somebody who has the keys of a token.
    fn check_authentic(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Violation> {
        let seal = seal_of(datagram);
        if self.keys.contains_key(&seal) {
            return Ok(());
        }
        let packet = self.ring.open(from, to, datagram);
        let packet = packet.ok_or_else(|| Violation::new(format!("{to} took what nobody has sealed")))?;
        self.keys.insert(seal, packet.key);
        if to == self.server {
            self.questions.sent_by_client(seal, &packet);
        }
        Ok(())
    }

    /// Opens what is a response; one that did nothing proves nothing, so it need not be opened.
    fn response(&mut self, from: SocketAddr, datagram: &[u8], fate: Fate) -> Option<Packet> {
        if kind_of(datagram) != Some(RESPONSE) || fate == Fate::Dropped {
            return None;
        }
        let packet = self.ring.open(from, self.server, datagram)?;
        self.keys.insert(seal_of(datagram), packet.key);
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netcode::seal_packet;
    use crate::world::{Conditions, Observation, PRIVATE_KEY, PROTOCOL_ID, World, config, server_address};

    /// Shows the watch everything that happened in a world.
    fn show(watch: &mut WireWatch, world: &World) {
        for observation in world.observations.iter().flatten() {
            let result = match observation {
                Observation::Sent(datagram) => {
                    watch.sent(datagram.from, datagram.to, &datagram.bytes).map(drop)
                }
                Observation::Received(receiver, datagram, fate) => {
                    watch.received(*receiver, datagram.from, datagram.to, &datagram.bytes, *fate)
                }
            };
            assert_eq!(result, Ok(()));
        }
    }

    /// A watch that has seen a login, and the address of the player.
    fn watch_of_a_session() -> (WireWatch, SocketAddr) {
        let mut world = World::new(config(), 1);
        world.observations = Some(Vec::new());
        let player = world.add_logged_in(1);
        let mut watch = WireWatch::new(server_address(), PROTOCOL_ID, PRIVATE_KEY);
        show(&mut watch, &world);
        (watch, world.players[player].address)
    }

    #[test]
    fn what_is_sealed_under_no_key_of_a_token_is_caught_where_an_end_sends_or_takes_it() {
        let (mut watch, player) = watch_of_a_session();
        let forged = seal_packet(PROTOCOL_ID, &[9; 32], 5, 1_000, b"forged");

        assert!(watch.sent(player, server_address(), &forged).is_err());
        assert!(watch.received(Receiver::Server, player, server_address(), &forged, Fate::Taken).is_err());
        assert_eq!(
            watch.received(Receiver::Server, player, server_address(), &forged, Fate::Dropped),
            Ok(())
        );
    }

    #[test]
    fn whoever_has_the_keys_of_a_token_may_be_taken_for_its_holder_once() {
        let (mut watch, player) = watch_of_a_session();
        let key = watch.ring().key_between(player, server_address()).expect("a key in use");
        let sealed = seal_packet(PROTOCOL_ID, &key, 5, 1_000, b"by somebody");

        assert_eq!(watch.received(Receiver::Server, player, server_address(), &sealed, Fate::Taken), Ok(()));
        assert_eq!(watch.key_of(&sealed), Some(KeyId { token: 0, is_to_server: true }));
        assert!(watch.received(Receiver::Server, player, server_address(), &sealed, Fate::Taken).is_err());
    }

    #[test]
    fn an_ordinary_world_on_a_rough_network_breaks_no_law_of_the_wire() {
        let mut world = World::new(config(), 1);
        world.observations = Some(Vec::new());
        world.wire.conditions = Conditions::ROUGH;
        let player = world.add_logged_in(1);
        world.move_address(player);
        world.run_for_ms(3_000);

        let mut watch = WireWatch::new(server_address(), PROTOCOL_ID, PRIVATE_KEY);
        show(&mut watch, &world);
    }
}
