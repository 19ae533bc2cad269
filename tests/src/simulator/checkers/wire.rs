//! The laws of the wire: no nonce twice, no packet twice, no more bytes to an unproved address than from it, and each key for one session.

use std::collections::BTreeMap;

use rejoin::{ClientId, Event, Verdict};

use crate::laws::{KeyUse, Violation, WireWatch};
use crate::netcode::Packet;
use crate::simulator::player::Player;
use crate::simulator::step::{Datagram, Happening, Party, ProcessId, Reading, Step};
use crate::world::{PRIVATE_KEY, PROTOCOL_ID, Receiver, server_address};

/// Reads along with all keys, over all starts of the server and of players' programs.
///
/// It judges what the ends under test send, and what they read whoever sent it.
#[derive(Debug)]
pub(in crate::simulator) struct Wire {
    watch: WireWatch,
    keys: KeyUse,
    /// By player: the process that reads.
    processes: BTreeMap<ClientId, ProcessId>,
    /// Those among the happenings of the step that are packets which an end under test sent, opened.
    sent: Vec<(usize, Packet)>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            watch: WireWatch::new(server_address(), PROTOCOL_ID, PRIVATE_KEY),
            keys: KeyUse::default(),
            processes: BTreeMap::new(),
            sent: Vec::new(),
        }
    }
}

impl Wire {
    pub(in crate::simulator) fn check(&mut self, step: &Step, players: &[Player]) -> Result<(), Violation> {
        self.sent.clear();
        for (place, happening) in step.happenings.iter().enumerate() {
            match happening {
                Happening::ServerStarted => {
                    self.watch.server_started();
                    self.keys.server_started();
                }
                Happening::ProcessStarted { process, client_id } => {
                    self.processes.insert(*client_id, *process);
                }
                Happening::Sent { by: Party::Adversary(_), datagram } => {
                    self.watch.overheard(&datagram.bytes);
                }
                Happening::Sent { datagram: Datagram { from, to, bytes }, .. } => {
                    let packet = self.watch.sent(*from, *to, bytes)?;
                    self.sent.extend(packet.map(|packet| (place, packet)));
                }
                Happening::ServerTold { event: Event::PathMoved { from_port, to_port, .. }, .. } => {
                    self.watch.moved(*from_port, *to_port)?;
                }
                Happening::Received { by, datagram, reading } => {
                    let receiver = self.receiver(*by, players);
                    self.on_received(receiver, datagram, *reading)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The packets that players and the server sent in this step, opened, each with its place among the happenings.
    pub(in crate::simulator) fn sent(&self) -> &[(usize, Packet)] {
        &self.sent
    }

    /// The number of the token whose key a packet that the server read, and did not drop, is sealed under.
    pub(in crate::simulator) fn token_of_packet(&self, datagram: &[u8]) -> Option<usize> {
        self.watch.key_of(datagram).map(|key| key.token)
    }

    /// The number of the token with this nonce, if it was shown.
    pub(in crate::simulator) fn token_of_nonce(&self, nonce: &[u8; 24]) -> Option<usize> {
        self.watch.ring().token_of(nonce)
    }

    fn receiver(&self, party: Party, players: &[Player]) -> Receiver {
        let Party::Player(place) = party else { return Receiver::Server };
        let process = players.get(place).and_then(|player| self.processes.get(&player.client_id));
        Receiver::Client(process.map_or(0, |process| process.0 as usize))
    }

    fn on_received(
        &mut self,
        receiver: Receiver,
        datagram: &Datagram,
        reading: Reading,
    ) -> Result<(), Violation> {
        let Datagram { from, to, bytes } = datagram;
        self.watch.received(receiver, *from, *to, bytes, reading.fate())?;
        match (reading, self.watch.key_of(bytes)) {
            (Reading::Server(Verdict::Accepted(session)), Some(key)) => self.keys.taken(key, session),
            _ => Ok(()),
        }
    }
}
