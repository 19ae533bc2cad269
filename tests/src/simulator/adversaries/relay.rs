//! Somebody behind a player's own router, at another port of the same address.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use rejoin::Timestamp;

use super::pace::Pace;
use super::{index_below, pick};
use crate::netcode::kind::{KEEP_ALIVE, PAYLOAD, kind_of};
use crate::simulator::adversary::{Adversary, Volley};
use crate::simulator::attack::Attack;
use crate::simulator::plan::AdversaryPlans;
use crate::simulator::step::Datagram;
use crate::world::{Chance, server_address};

/// Its ports at every player's address, which no player gets.
const FIRST_PORT: u16 = 60_000;
const PORTS: u64 = 3;
/// Packets that were sent so recently that some are still on their way.
const NEWEST_MAX: usize = 16;
/// Answers that it may bring to whom they are for.
const ANSWERS_MAX: usize = 64;

/// Copies what players send, as if their router had given them another port, before the player's own arrives or after it. What the server
/// sends to that port is lost, or comes to the player.
#[derive(Debug)]
pub(super) struct Relay {
    chance: Chance,
    pace: Pace,
    attacks: Vec<Attack>,
    calm_at: Timestamp,
    newest: VecDeque<Datagram>,
    answers: VecDeque<Datagram>,
    /// By address of its own: the player whose packets last came from there.
    victims: BTreeMap<SocketAddr, SocketAddr>,
}

impl Relay {
    pub(super) fn new(plans: &AdversaryPlans, chance: Chance) -> Self {
        Self {
            chance,
            pace: Pace::new(&plans.relay),
            attacks: plans.relay.attacks.clone(),
            calm_at: plans.calm_at,
            newest: VecDeque::new(),
            answers: VecDeque::new(),
            victims: BTreeMap::new(),
        }
    }

    fn pass_on(&mut self, now: Timestamp) -> Option<(Attack, Datagram)> {
        let attack = *pick(&self.attacks, &mut self.chance)?;
        let datagram = match attack {
            Attack::RelayedBack if now >= self.calm_at => return None,
            Attack::RelayedBack => {
                let answer = self.answers.pop_front()?;
                let victim = *self.victims.get(&answer.to)?;
                Datagram { to: victim, ..answer }
            }
            _ => {
                let age = if self.chance.percent(80) { 0 } else { index_below(4, &mut self.chance) };
                let heard = self.newest.remove(self.newest.len().checked_sub(1 + age)?)?;
                let port = FIRST_PORT + u16::try_from(self.chance.below(PORTS)).unwrap_or(0);
                let own = SocketAddr::new(heard.from.ip(), port);
                self.victims.insert(own, heard.from);
                Datagram { from: own, ..heard }
            }
        };
        Some((attack, datagram))
    }
}

impl Adversary for Relay {
    fn overhear(&mut self, _now: Timestamp, datagram: &Datagram) {
        let is_own = |address: SocketAddr| address.port() >= FIRST_PORT;
        let (list, len_max) = if datagram.from == server_address() && is_own(datagram.to) {
            (&mut self.answers, ANSWERS_MAX)
        } else if datagram.to == server_address()
            && !is_own(datagram.from)
            && matches!(kind_of(&datagram.bytes), Some(KEEP_ALIVE | PAYLOAD))
        {
            (&mut self.newest, NEWEST_MAX)
        } else {
            return;
        };
        if list.len() == len_max {
            list.pop_front();
        }
        list.push_back(datagram.clone());
    }

    fn take_turn(&mut self, now: Timestamp, volley: &mut Volley<'_>) -> Option<Timestamp> {
        for _ in 0..self.pace.due(now, &mut self.chance) {
            if let Some((attack, datagram)) = self.pass_on(now) {
                volley.attack(attack, datagram);
            }
        }
        self.pace.next_at()
    }
}
