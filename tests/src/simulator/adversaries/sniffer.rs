//! Somebody who hears everything, and says it again.

use std::collections::VecDeque;
use std::net::SocketAddr;

use rejoin::Timestamp;

use super::pace::Pace;
use super::{Memory, is_request, pick, player_end};
use crate::netcode::kind::{KEEP_ALIVE, PAYLOAD, RESPONSE, kind_of};
use crate::simulator::adversary::{Adversary, Volley};
use crate::simulator::attack::Attack;
use crate::simulator::plan::AdversaryPlans;
use crate::simulator::step::Datagram;
use crate::world::{Chance, server_address};

/// Datagrams that were sent so recently that some are still on their way.
const NEWEST_MAX: usize = 16;
/// What it remembers of handshakes and endings, and what of everything else.
const REMEMBERED_MAX: usize = 512;

/// Replays anything from anywhere, at once or much later, to the server and to players.
#[derive(Debug)]
pub(super) struct Sniffer {
    address: SocketAddr,
    chance: Chance,
    pace: Pace,
    attacks: Vec<Attack>,
    calm_at: Timestamp,
    newest: VecDeque<Datagram>,
    /// Requests, denials, challenges, responses and disconnects.
    handshakes: Memory,
    /// Keep-alives and payloads.
    sessions: Memory,
}

impl Sniffer {
    pub(super) fn new(plans: &AdversaryPlans, address: SocketAddr, chance: Chance) -> Self {
        Self {
            address,
            chance,
            pace: Pace::new(&plans.sniffer),
            attacks: plans.sniffer.attacks.clone(),
            calm_at: plans.calm_at,
            newest: VecDeque::new(),
            handshakes: Memory::new(REMEMBERED_MAX),
            sessions: Memory::new(REMEMBERED_MAX),
        }
    }

    fn replay(&mut self, now: Timestamp) -> Option<(Attack, Datagram)> {
        let attack = *pick(&self.attacks, &mut self.chance)?;
        let heard = match attack {
            Attack::ReplayAtOnce => self.newest.pop_back()?,
            // Before the player's own has arrived, perhaps.
            Attack::ReplayFromOwn if self.chance.percent(50) => {
                let mut newest_first = self.newest.iter().rev();
                newest_first.find(|heard| is_request(heard) || is_response(heard))?.clone()
            }
            _ if self.chance.percent(50) => self.handshakes.pick(&mut self.chance)?.clone(),
            _ => self.sessions.pick(&mut self.chance)?.clone(),
        };
        let heard = shown_here(heard);
        if now >= self.calm_at && stops_with_the_faults(attack, &heard) {
            return None;
        }
        let is_to_server = heard.to == server_address();
        let datagram = match attack {
            Attack::ReplayFromOwn => Datagram { from: self.address, ..heard },
            Attack::ReplayAcross => {
                let other = player_end(self.sessions.pick(&mut self.chance)?);
                if is_to_server { Datagram { from: other, ..heard } } else { Datagram { to: other, ..heard } }
            }
            Attack::Reflection => Datagram { from: heard.to, to: heard.from, bytes: heard.bytes },
            _ => heard,
        };
        Some((attack, datagram))
    }
}

/// The two tricks that do.
fn stops_with_the_faults(attack: Attack, heard: &Datagram) -> bool {
    let is_request_from_elsewhere = attack != Attack::ReplayAtOnce && is_request(heard);
    let is_late_sign_of_life =
        attack == Attack::ReplayLater && heard.to == server_address() && is_of_session(heard);
    is_request_from_elsewhere || is_late_sign_of_life
}

fn is_of_session(datagram: &Datagram) -> bool {
    matches!(kind_of(&datagram.bytes), Some(KEEP_ALIVE | PAYLOAD))
}

fn is_response(datagram: &Datagram) -> bool {
    kind_of(&datagram.bytes) == Some(RESPONSE)
}

/// What a player sent to another server is shown to this one.
fn shown_here(heard: Datagram) -> Datagram {
    let is_for_another = heard.from != server_address() && heard.bytes.first() == Some(&0);
    if is_for_another { Datagram { to: server_address(), ..heard } } else { heard }
}

impl Adversary for Sniffer {
    fn overhear(&mut self, _now: Timestamp, datagram: &Datagram) {
        if self.newest.len() == NEWEST_MAX {
            self.newest.pop_front();
        }
        self.newest.push_back(datagram.clone());
        let memory = if is_of_session(datagram) { &mut self.sessions } else { &mut self.handshakes };
        memory.hear(datagram, &mut self.chance);
    }

    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp> {
        for _ in 0..self.pace.due(now, &mut self.chance) {
            if let Some((attack, datagram)) = self.replay(now) {
                volley.attack(attack, datagram);
            }
        }
        self.pace.next_at()
    }
}
