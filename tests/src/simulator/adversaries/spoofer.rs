//! Somebody who sends from any address what nobody honest has made.

use std::net::SocketAddr;

use rejoin::{DATAGRAM_BYTES_MAX, Timestamp};

use super::pace::Pace;
use super::{Memory, index_below, is_request, pick, player_end};
use crate::simulator::adversary::{Adversary, Volley};
use crate::simulator::attack::Attack;
use crate::simulator::plan::AdversaryPlans;
use crate::simulator::step::Datagram;
use crate::world::{Chance, server_address};

/// What it remembers, to change it.
const REMEMBERED_MAX: usize = 64;
/// Where in a request the expiry of the token begins: behind the prefix, the version and the protocol.
const EXPIRY_OFFSET: usize = 1 + 13 + 8;
/// A response without its head: the number of the challenge, the challenge, and a code that proves who sealed it.
const RESPONSE_BODY_BYTES: usize = 8 + 300 + 16;
/// A disconnect packet without its head.
const DISCONNECT_BODY_BYTES: usize = 16;

/// Forges packets of players towards the server, and of the server towards players.
#[derive(Debug)]
pub(super) struct Spoofer {
    chance: Chance,
    pace: Pace,
    attacks: Vec<Attack>,
    heard: Memory,
    requests: Memory,
}

impl Spoofer {
    pub(super) fn new(plans: &AdversaryPlans, chance: Chance) -> Self {
        Self {
            chance,
            pace: Pace::new(&plans.spoofer),
            attacks: plans.spoofer.attacks.clone(),
            heard: Memory::new(REMEMBERED_MAX),
            requests: Memory::new(REMEMBERED_MAX),
        }
    }

    fn forge(&mut self) -> Option<(Attack, Datagram)> {
        let attack = *pick(&self.attacks, &mut self.chance)?;
        let datagram = match attack {
            Attack::RandomBytes => {
                let len = index_below(DATAGRAM_BYTES_MAX as u64 + 100, &mut self.chance);
                let bytes = self.bytes(len);
                self.somewhere(bytes)?
            }
            Attack::Junk => {
                let kind = self.chance.between(1..=6);
                let len = index_below(1_200, &mut self.chance);
                self.packet(kind, len)?
            }
            Attack::ChangedCopy => self.changed_copy()?,
            Attack::ChangedToken => self.changed_token()?,
            Attack::ForgedResponse => self.packet(3, RESPONSE_BODY_BYTES)?,
            Attack::ForgedDisconnect => self.packet(6, DISCONNECT_BODY_BYTES)?,
            _ => {
                let kind = self.chance.between(4..=6);
                let ahead = if self.chance.percent(50) { 0 } else { self.chance.below(1 << 40) };
                let len = 16 + index_below(64, &mut self.chance);
                self.packet_with(kind, u64::MAX - ahead, len)?
            }
        };
        Some((attack, datagram))
    }

    fn packet(&mut self, kind: u64, body_bytes: usize) -> Option<Datagram> {
        // Sequences as those of a session of some minutes, which a server may take for plausible.
        let sequence = self.chance.number() >> self.chance.between(40..=63);
        self.packet_with(kind, sequence, body_bytes)
    }

    fn packet_with(&mut self, kind: u64, sequence: u64, body_bytes: usize) -> Option<Datagram> {
        let sequence_bytes = (8 - sequence.leading_zeros() as usize / 8).max(1);
        let prefix = kind.to_le_bytes()[0] | u8::try_from(sequence_bytes << 4).unwrap_or(0);
        let body = self.bytes(body_bytes);
        let bytes = [&[prefix], &sequence.to_le_bytes()[..sequence_bytes], &body].concat();
        self.somewhere(bytes)
    }

    /// From a player or a stranger to the server, or the other way round.
    fn somewhere(&mut self, bytes: Vec<u8>) -> Option<Datagram> {
        let mut player = player_end(self.heard.pick(&mut self.chance)?);
        if self.chance.percent(20) {
            player = self.stranger();
        }
        let (from, to) =
            if self.chance.percent(60) { (player, server_address()) } else { (server_address(), player) };
        Some(Datagram { from, to, bytes: bytes.into() })
    }

    fn stranger(&mut self) -> SocketAddr {
        let host = self.chance.between(1..=254).to_le_bytes()[0];
        let port = u16::try_from(self.chance.between(1_024..=65_535)).unwrap_or(1_024);
        SocketAddr::from(([192, 0, 2, host], port))
    }

    fn changed_copy(&mut self) -> Option<Datagram> {
        let heard = self.heard.pick(&mut self.chance)?.clone();
        let mut bytes = heard.bytes.to_vec();
        match self.chance.below(4) {
            0 => bytes.truncate(index_below(bytes.len() as u64, &mut self.chance)),
            1 => bytes.extend(self.chance.bytes::<16>()),
            _ => self.flip(&mut bytes, 0),
        }
        Some(Datagram { bytes: bytes.into(), ..heard })
    }

    /// The token of a request says something else, so that it was not the backend who made it.
    fn changed_token(&mut self) -> Option<Datagram> {
        let heard = self.requests.pick(&mut self.chance)?.clone();
        let mut bytes = heard.bytes.to_vec();
        self.flip(&mut bytes, EXPIRY_OFFSET);
        let from = if self.chance.percent(50) { self.stranger() } else { heard.from };
        Some(Datagram { from, bytes: bytes.into(), ..heard })
    }

    /// Flips one bit behind an offset.
    fn flip(&mut self, bytes: &mut [u8], offset: usize) {
        let behind = bytes.len().saturating_sub(offset).max(1) as u64;
        let place = offset + index_below(behind, &mut self.chance);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << self.chance.below(8);
        }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.chance.number().to_le_bytes());
        words.flatten().take(len).collect()
    }
}

impl Adversary for Spoofer {
    fn overhear(&mut self, _now: Timestamp, datagram: &Datagram) {
        let memory = if is_request(datagram) { &mut self.requests } else { &mut self.heard };
        memory.hear(datagram, &mut self.chance);
    }

    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp> {
        for _ in 0..self.pace.due(now, &mut self.chance) {
            if let Some((attack, datagram)) = self.forge() {
                volley.attack(attack, datagram);
            }
        }
        self.pace.next_at()
    }
}
