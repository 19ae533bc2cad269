//! Somebody who sends more than a server can look at, from where a player is or says to be.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::rc::Rc;

use rejoin::Timestamp;

use super::{Memory, index_below, is_request, pick, player_end};
use crate::simulator::adversary::{Adversary, Volley};
use crate::simulator::attack::Attack;
use crate::simulator::backend;
use crate::simulator::plan::{AdversaryPlans, FloodPlan, Wave};
use crate::simulator::step::Datagram;
use crate::world::{Chance, server_address};

/// What it remembers of players and where they are.
const REMEMBERED_MAX: usize = 64;
/// The requests that it remembers.
const REQUESTS_MAX: usize = 16;
/// How long it sleeps while it floods.
const TURN_MICROS: u64 = 20_000;
/// Where in a request the expiry of the token is: behind the prefix, the version and the protocol.
const EXPIRY: Range<usize> = 22..30;
/// A response without its head: the number of the challenge, the challenge, and a code that proves who sealed it.
const RESPONSE_BODY_BYTES: usize = 8 + 300 + 16;

/// Floods in waves.
#[derive(Debug)]
pub(super) struct Flooder {
    chance: Chance,
    plan: FloodPlan,
    calm_at: Timestamp,
    /// Datagrams that are due, in millionths.
    due: u64,
    /// The newest, most of which are good.
    requests: VecDeque<Rc<[u8]>>,
    heard: Memory,
}

impl Flooder {
    pub(super) fn new(plans: &AdversaryPlans, chance: Chance) -> Self {
        Self {
            chance,
            plan: plans.flooder.clone(),
            calm_at: plans.calm_at,
            due: 0,
            requests: VecDeque::new(),
            heard: Memory::new(REMEMBERED_MAX),
        }
    }

    fn wave_at(&self, now: Timestamp) -> Option<Wave> {
        self.plan.waves.iter().find(|wave| (wave.from..wave.until).contains(&now)).copied()
    }

    fn next_wave_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.plan.waves.iter().map(|wave| wave.from).filter(|from| *from > now).min()
    }

    fn make(&mut self, now: Timestamp) -> Option<(Attack, Datagram)> {
        let attack = *pick(&self.plan.attacks, &mut self.chance)?;
        let victim = player_end(self.heard.pick(&mut self.chance)?);
        let neighbour = self.neighbour_of(victim);
        let (from, bytes) = match attack {
            Attack::FloodOfRequests => (neighbour, self.request_of_nobody(now)?),
            // A good request from elsewhere keeps its owner out as long as it lasts.
            Attack::FloodOfCopies if now >= self.calm_at => return None,
            Attack::FloodOfCopies => (neighbour, self.request()?),
            Attack::FloodOfResponses => {
                let from = if self.chance.percent(50) { victim } else { neighbour };
                (from, self.packet(3, RESPONSE_BODY_BYTES))
            }
            _ if self.chance.percent(30) => (victim, self.request_of_nobody(now)?),
            _ => {
                let kind = self.chance.between(4..=6);
                let len = 16 + index_below(64, &mut self.chance);
                (victim, self.packet(kind, len))
            }
        };
        Some((attack, Datagram { from, to: server_address(), bytes: bytes.into() }))
    }

    /// Somewhere in the same /24.
    fn neighbour_of(&mut self, victim: SocketAddr) -> SocketAddr {
        let IpAddr::V4(ip) = victim.ip() else { return victim };
        let [first, second, third, _] = ip.octets();
        let host = self.chance.between(1..=254).to_le_bytes()[0];
        let port = u16::try_from(self.chance.between(1_024..=9_999)).unwrap_or(1_024);
        SocketAddr::from(([first, second, third, host], port))
    }

    /// One that was overheard.
    fn request(&mut self) -> Option<Vec<u8>> {
        let place = index_below((self.requests.len() as u64).max(1), &mut self.chance);
        self.requests.get(place).map(|bytes| bytes.to_vec())
    }

    /// A request whose token does not open, though everything in front of it is right.
    fn request_of_nobody(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        let mut bytes = self.request()?;
        let expiry = backend::unix_s(now) + 5;
        bytes.get_mut(EXPIRY)?.copy_from_slice(&expiry.to_le_bytes());
        bytes.last_chunk_mut::<8>()?.copy_from_slice(&self.chance.number().to_le_bytes());
        Some(bytes)
    }

    fn packet(&mut self, kind: u64, body_bytes: usize) -> Vec<u8> {
        let prefix = kind.to_le_bytes()[0] | 0x20;
        let sequence = u16::try_from(self.chance.below(1 << 16)).unwrap_or(0);
        let words = std::iter::repeat_with(|| self.chance.number().to_le_bytes());
        let body: Vec<u8> = words.flatten().take(body_bytes).collect();
        [&[prefix], &sequence.to_le_bytes()[..], &body].concat()
    }
}

impl Adversary for Flooder {
    fn overhear(&mut self, _now: Timestamp, datagram: &Datagram) {
        if !is_request(datagram) {
            return self.heard.hear(datagram, &mut self.chance);
        }
        self.requests.push_back(Rc::clone(&datagram.bytes));
        if self.requests.len() > REQUESTS_MAX {
            self.requests.pop_front();
        }
    }

    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp> {
        let Some(wave) = self.wave_at(now) else { return self.next_wave_after(now) };
        self.due += wave.per_second * TURN_MICROS;
        for _ in 0..self.due / 1_000_000 {
            if let Some((attack, datagram)) = self.make(now) {
                volley.attack(attack, datagram);
            }
        }
        self.due %= 1_000_000;
        Some(now.plus_micros(TURN_MICROS))
    }
}
