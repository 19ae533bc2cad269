//! The laws of the wire: no nonce twice, no packet twice, no more bytes to an unproved address than from it, and each key for one session.

use rejoin::Verdict;

use crate::laws::{KeyUse, Violation, WireWatch};
use crate::netcode::Packet;
use crate::simulator::step::{Datagram, Happening, Party, Reading, Step};
use crate::world::{PRIVATE_KEY, PROTOCOL_ID, server_address};

/// Reads along with all keys, over all starts of the server and of players' programs.
///
/// It judges what the ends under test send, and what they read whoever sent it.
#[derive(Debug)]
pub(in crate::simulator) struct Wire {
    watch: WireWatch,
    keys: KeyUse,
    /// Those among the happenings of the step that are packets which an end under test sent, opened.
    sent: Vec<(usize, Packet)>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            watch: WireWatch::new(server_address(), PROTOCOL_ID, PRIVATE_KEY),
            keys: KeyUse::default(),
            sent: Vec::new(),
        }
    }
}

impl Wire {
    pub(in crate::simulator) fn check(&mut self, step: &Step) -> Result<(), Violation> {
        self.sent.clear();
        for (place, happening) in step.happenings.iter().enumerate() {
            match happening {
                Happening::ServerStarted => {
                    self.watch.server_started();
                    self.keys.server_started();
                }
                Happening::Sent { by: Party::Adversary(_), datagram } => {
                    self.watch.overheard(&datagram.bytes);
                }
                Happening::Sent { datagram: Datagram { from, to, bytes }, .. } => {
                    let packet = self.watch.sent(*from, *to, bytes)?;
                    self.sent.extend(packet.map(|packet| (place, packet)));
                }
                Happening::Received { datagram, reading, .. } => self.on_received(datagram, *reading)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The packets that players and the server sent in this step, opened, each with its place among the happenings.
    pub(in crate::simulator) fn sent(&self) -> &[(usize, Packet)] {
        &self.sent
    }

    fn on_received(&mut self, datagram: &Datagram, reading: Reading) -> Result<(), Violation> {
        let Datagram { from, to, bytes } = datagram;
        self.watch.received(*from, *to, bytes, reading.fate())?;
        match (reading, self.watch.key_of(bytes)) {
            (Reading::Server(Verdict::Accepted(session)), Some(key)) => self.keys.taken(key, session),
            _ => Ok(()),
        }
    }
}
