//! Somebody whom the backend gives good tokens, for identities of its own, and who misbehaves with the keys in them.

mod frames;
mod payloads;
mod seat;

use std::net::SocketAddr;
use std::rc::Rc;

use rejoin::{ClientId, Timestamp};

use super::pace::Pace;
use super::{Memory, index_below, pick, player_end};
use crate::netcode::kind::{KEEP_ALIVE, PAYLOAD};
use crate::simulator::adversary::{Adversary, INSIDERS, Volley};
use crate::simulator::attack::Attack;
use crate::simulator::payload::ResumeToken;
use crate::simulator::plan::AdversaryPlans;
use crate::simulator::step::Datagram;
use crate::world::{Chance, server_address};

use payloads::payload;
use seat::Seat;

/// From one turn to the next.
const TURN_MS: u64 = 25;
/// Connections at a time.
const SEATS_MAX: usize = 6;
/// Payloads of earlier sessions, and resume tokens that were used.
const ARCHIVE_MAX: usize = 64;
/// How long it may say nothing under keys that it has a right to.
const LATE_MS_MAX: u64 = 9_000;
/// Addresses of players that it has seen.
const PLAYERS_MAX: usize = 32;
/// The parts of a connect token: version and protocol, the expiry, the nonce and the private part.
const VERSION_AND_PROTOCOL: std::ops::Range<usize> = 0..21;
/// The same part in a request, and the prefix before it.
const REQUEST_HEAD: std::ops::Range<usize> = 0..22;
const EXPIRY: std::ops::Range<usize> = 29..37;
const NONCE_AND_PRIVATE: std::ops::Range<usize> = 37..37 + 24 + 1_024;

/// Does a correct handshake and a correct login, again and again, and then whatever it likes.
#[derive(Debug)]
pub(super) struct Insider {
    chance: Chance,
    pace: Pace,
    attacks: Vec<Attack>,
    calm_at: Timestamp,
    until: Option<Timestamp>,
    token_every_ms: u64,
    addresses: Vec<SocketAddr>,
    /// When each identity gets another token.
    next_token_at: [Timestamp; INSIDERS.len()],
    seats: Vec<Seat>,
    /// What it said in the sessions so far.
    said: Vec<Vec<u8>>,
    /// Requests with resume tokens that it has shown, or that were left over, and whose they were.
    used: Vec<(ClientId, Rc<[u8]>)>,
    players: Memory,
}

impl Insider {
    pub(super) fn new(plans: &AdversaryPlans, addresses: Vec<SocketAddr>, chance: Chance) -> Self {
        Self {
            chance,
            pace: Pace::new(&plans.insider),
            attacks: plans.insider.attacks.clone(),
            calm_at: plans.calm_at,
            until: plans.insider.until,
            token_every_ms: plans.insider_token_every_ms,
            addresses,
            next_token_at: [plans.insider.from; INSIDERS.len()],
            seats: Vec::new(),
            said: Vec::new(),
            used: Vec::new(),
            players: Memory::new(PLAYERS_MAX),
        }
    }

    /// Each identity that is nowhere comes with another token, when it gets one.
    fn come_in(&mut self, now: Timestamp, volley: &mut Volley<'_>) {
        for (number, identity) in INSIDERS.into_iter().enumerate() {
            let is_there = self.seats.iter().any(|seat| seat.identity == identity);
            if !is_there {
                self.fetch(now, number, volley);
            }
        }
    }

    fn fetch(&mut self, now: Timestamp, number: usize, volley: &mut Volley<'_>) -> bool {
        let is_over = self.until.is_some_and(|until| now >= until);
        if is_over || now < self.next_token_at[number] || self.seats.len() >= SEATS_MAX {
            return false;
        }
        self.next_token_at[number] = now.plus_millis(self.token_every_ms);
        let token = volley.fetch_token(now, INSIDERS[number]);
        let head = &token[VERSION_AND_PROTOCOL];
        let request = [&[0], head, &token[EXPIRY], &token[NONCE_AND_PRIVATE]].concat();
        let address = self.own_address();
        self.sit(now, INSIDERS[number], address, request);
        true
    }

    fn sit(&mut self, now: Timestamp, identity: ClientId, address: SocketAddr, request: Vec<u8>) {
        let lane_epoch = self.chance.number() | 1;
        self.seats.extend(Seat::new(now, identity, address, lane_epoch, request));
    }

    fn own_address(&mut self) -> SocketAddr {
        self.addresses[index_below(self.addresses.len() as u64, &mut self.chance)]
    }

    fn players_address(&mut self) -> Option<SocketAddr> {
        self.players.pick(&mut self.chance).map(player_end)
    }

    fn misbehave(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<()> {
        let attack = *pick(&self.attacks, &mut self.chance)?;
        let standing: Vec<_> = (0..self.seats.len()).filter(|seat| self.seats[*seat].is_in()).collect();
        let place = *pick(&standing, &mut self.chance)?;
        let datagram = match attack {
            Attack::TokenElsewhere => self.show_token_elsewhere(now, place)?,
            Attack::ParallelSession => {
                let identity = self.seats[place].identity;
                let number = INSIDERS.iter().position(|other| *other == identity)?;
                return self.fetch(now, number, volley).then(|| volley.attacks.count(attack));
            }
            Attack::ResumeTwice => {
                self.resume_twice(now, place)?;
                volley.attacks.count(attack);
                return Some(());
            }
            Attack::ResumeLate => {
                self.resume_late(now, place)?;
                volley.attacks.count(attack);
                return Some(());
            }
            Attack::ResumeAgain => {
                let (identity, request) = pick(&self.used, &mut self.chance)?.clone();
                let address = self.own_address();
                if self.seats.len() < SEATS_MAX && self.chance.percent(20) {
                    self.sit(now, identity, address, request.to_vec());
                }
                Datagram { from: address, to: server_address(), bytes: request }
            }
            Attack::KeyElsewhere => {
                let from = self.players_address()?;
                let bytes = self.seal_any(place, Attack::WildMoves);
                Datagram { from, to: server_address(), bytes }
            }
            attack => {
                let bytes = self.seal_any(place, attack);
                self.seats[place].addressed(bytes)
            }
        };
        volley.attack(attack, datagram);
        Some(())
    }

    /// The trick that stops with the faults: a good token, shown from a player's address.
    fn show_token_elsewhere(&mut self, now: Timestamp, place: usize) -> Option<Datagram> {
        if now >= self.calm_at {
            return None;
        }
        let from = self.players_address()?;
        let token = self.seats[place].tokens.first().cloned();
        let request = token.map(|token| self.request_with(place, &token));
        let bytes = request.map_or_else(|| Rc::clone(&self.seats[place].request), Rc::from);
        Some(Datagram { from, to: server_address(), bytes })
    }

    /// Comes back from two addresses at once, with one token.
    fn resume_twice(&mut self, now: Timestamp, place: usize) -> Option<()> {
        if self.seats.len() + 2 > SEATS_MAX || self.seats[place].tokens.is_empty() {
            return None;
        }
        let token = self.seats[place].tokens.remove(0);
        let (identity, request) = (self.seats[place].identity, self.request_with(place, &token));
        self.put_by(identity, request.clone());
        for _ in 0..2 {
            let address = self.own_address();
            self.sit(now, identity, address, request.clone());
        }
        Some(())
    }

    /// Comes back and says nothing, so that only the handshake is complete; what there was before falls silent as well, or goes on.
    fn resume_late(&mut self, now: Timestamp, place: usize) -> Option<()> {
        if self.seats.len() >= SEATS_MAX || self.seats[place].tokens.is_empty() {
            return None;
        }
        let token = self.seats[place].tokens.remove(0);
        let (identity, request) = (self.seats[place].identity, self.request_with(place, &token));
        if self.chance.percent(50) {
            self.seats.remove(place);
        }
        let address = self.own_address();
        self.sit(now, identity, address, request);
        self.seats.last_mut()?.speaks_at = now.plus_millis(self.chance.below(LATE_MS_MAX));
        Some(())
    }

    /// Whoever is about to say hello says something else first.
    fn stammer(&mut self, now: Timestamp, volley: &mut Volley<'_>) {
        for place in 0..self.seats.len() {
            if !self.seats[place].is_about_to_speak(now) || self.seats[place].has_stammered {
                continue;
            }
            self.seats[place].has_stammered = true;
            for attack in [Attack::NoHello, Attack::WrongHello] {
                if self.attacks.contains(&attack) {
                    let bytes = self.seal_any(place, attack);
                    volley.attack(attack, self.seats[place].addressed(bytes));
                }
            }
        }
    }

    /// Connections that are over leave tokens behind.
    fn leave_seats(&mut self, now: Timestamp) {
        for place in 0..self.seats.len() {
            if self.seats[place].is_over(now) {
                let identity = self.seats[place].identity;
                let tokens = std::mem::take(&mut self.seats[place].tokens);
                for token in &tokens {
                    let request = self.request_with(place, token);
                    self.put_by(identity, request);
                }
            }
        }
        self.seats.retain(|seat| !seat.is_over(now));
    }

    fn put_by(&mut self, identity: ClientId, request: Vec<u8>) {
        if self.used.len() == ARCHIVE_MAX {
            self.used.remove(0);
        }
        self.used.push((identity, request.into()));
    }

    fn request_with(&self, place: usize, token: &ResumeToken) -> Vec<u8> {
        // The version and the protocol are those of the token before.
        let head = &self.seats[place].request[REQUEST_HEAD];
        [head, &token.expiry, &token.nonce_and_private].concat()
    }

    fn seal_any(&mut self, place: usize, attack: Attack) -> Rc<[u8]> {
        let seat = &mut self.seats[place];
        if attack == Attack::EmptyFlood {
            let (kind, len) = if self.chance.percent(50) { (KEEP_ALIVE, 8) } else { (PAYLOAD, 0) };
            return seat.seal(kind, &[0; 8][..len]);
        }
        let old = if attack == Attack::OldPayload { pick(&self.said, &mut self.chance) } else { None };
        let body = match old {
            Some(old) => old.clone(),
            None => payload(attack, seat, &mut self.chance),
        };
        let bytes = seat.seal(PAYLOAD, &body);
        let room = index_below(ARCHIVE_MAX as u64, &mut self.chance);
        match self.said.get_mut(room) {
            Some(said) => *said = body,
            None => self.said.push(body),
        }
        bytes
    }
}

impl Adversary for Insider {
    fn overhear(&mut self, _now: Timestamp, datagram: &Datagram) {
        // It has only seen from where players come, not what they say.
        if datagram.to == server_address() {
            self.players.hear(datagram, &mut self.chance);
        }
    }

    fn receive(&mut self, now: Timestamp, datagram: &Datagram) {
        for seat in self.seats.iter_mut().filter(|seat| seat.address == datagram.to) {
            seat.hear(now, &datagram.bytes);
        }
    }

    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp> {
        self.leave_seats(now);
        self.come_in(now, volley);
        self.stammer(now, volley);
        for seat in &mut self.seats {
            volley.datagrams.extend(seat.keep_up(now));
        }
        for _ in 0..self.pace.due(now, &mut self.chance) {
            // Who is not in, or has nothing to do it with, misses its chance.
            let _ = self.misbehave(now, volley);
        }
        let next = now.plus_millis(TURN_MS);
        if !self.seats.is_empty() {
            return Some(next);
        }
        let goes_on = self.until.is_none_or(|until| now < until);
        let next_token_at = self.next_token_at.into_iter().min().filter(|_| goes_on)?;
        Some(next.max(next_token_at))
    }
}
