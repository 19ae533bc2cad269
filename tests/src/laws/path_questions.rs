//! The law about sessions that move to another port: the peer hears there, and not where it was.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{Violation, ensure};
use crate::netcode::Packet;
use crate::path_frames::{path_challenge, path_responses};

/// What one start of a server asked by path challenges, and what came back to it.
#[derive(Clone, Debug, Default)]
pub struct PathQuestions {
    /// By token and address: the newest value that went there, and whether it came back.
    asked: HashMap<(usize, SocketAddr), (u64, bool)>,
    /// By seal: the values that a packet of a client's brings back.
    answers: HashMap<u64, Vec<u64>>,
}

impl PathQuestions {
    /// The server sent a packet.
    pub fn sent_by_server(&mut self, to: SocketAddr, packet: &Packet) {
        let Some(value) = path_challenge(&packet.body) else { return };
        let asked = self.asked.entry((packet.key.token, to)).or_insert((value, false));
        if asked.0 != value {
            *asked = (value, false);
        }
    }

    /// A client sent a packet, known by its seal.
    pub fn sent_by_client(&mut self, seal: u64, packet: &Packet) {
        let values = path_responses(&packet.body);
        if !values.is_empty() {
            self.answers.insert(seal, values);
        }
    }

    /// The server took the packet with this seal. Says whose value came back with it: whoever is there has shown that it hears.
    pub fn taken_by_server(&mut self, seal: u64) -> Vec<SocketAddr> {
        let Some(values) = self.answers.get(&seal) else { return Vec::new() };
        let mut proved = Vec::new();
        for ((_, address), (value, is_back)) in &mut self.asked {
            if values.contains(value) {
                *is_back = true;
                proved.push(*address);
            }
        }
        proved
    }

    /// A session moved from one port to another.
    pub fn moved(&self, from_port: u16, to_port: u16) -> Result<(), Violation> {
        let is_heard = |token: usize, address: SocketAddr| {
            self.asked.get(&(token, address)).is_some_and(|(_, is_back)| *is_back)
        };
        let is_right = |(token, to): &(usize, SocketAddr)| {
            let from = SocketAddr::new(to.ip(), from_port);
            to.port() == to_port
                && is_heard(*token, *to)
                && self.asked.contains_key(&(*token, from))
                && !is_heard(*token, from)
        };
        ensure(self.asked.keys().any(is_right), || {
            format!(
                "a session moved from port {from_port} to {to_port}, and its peer does not hear there alone"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netcode::KeyId;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn packet(frame: u8, value: u64) -> Packet {
        let body = [&[frame][..], &value.to_le_bytes()].concat();
        Packet { key: KeyId { token: 3, is_to_server: frame == 0x0c }, kind: 5, sequence: 0, body }
    }

    fn asked() -> PathQuestions {
        let mut questions = PathQuestions::default();
        questions.sent_by_server(address(1), &packet(0x0b, 10));
        questions.sent_by_server(address(2), &packet(0x0b, 20));
        questions.sent_by_client(1, &packet(0x0c, 10));
        questions.sent_by_client(2, &packet(0x0c, 20));
        questions
    }

    #[test]
    fn a_session_may_move_to_where_its_peer_hears_alone() {
        let mut questions = asked();
        assert!(questions.moved(1, 2).is_err(), "nothing came back");
        assert_eq!(questions.taken_by_server(2), [address(2)]);
        assert_eq!(questions.moved(1, 2), Ok(()));
        assert!(questions.moved(2, 1).is_err() && questions.moved(1, 3).is_err());
    }

    #[test]
    fn a_move_from_where_its_peer_hears_is_caught_until_it_is_asked_again() {
        let mut questions = asked();
        questions.taken_by_server(1);
        questions.taken_by_server(2);
        assert!(questions.moved(1, 2).is_err());
        questions.sent_by_server(address(1), &packet(0x0b, 10));
        assert!(questions.moved(1, 2).is_err(), "the same question");
        questions.sent_by_server(address(1), &packet(0x0b, 11));
        assert_eq!(questions.moved(1, 2), Ok(()));
    }
}
