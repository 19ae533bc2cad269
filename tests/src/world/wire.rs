//! The network between the server and its clients.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rejoin::Timestamp;

use super::{Chance, server_address};

/// One UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its source address.
    pub from: SocketAddr,
    /// Its destination.
    pub to: SocketAddr,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// What the network does to datagrams, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// How many of a hundred datagrams are lost.
    pub loss_percent: u64,
    /// How many of a hundred arrive twice.
    pub duplicate_percent: u64,
    /// How long a datagram takes at least, in milliseconds.
    pub delay_ms: u64,
    /// How much longer it may take, in milliseconds; this reorders.
    pub jitter_ms: u64,
}

impl Conditions {
    /// A network that only takes its time.
    pub const GOOD: Self = Self { loss_percent: 0, duplicate_percent: 0, delay_ms: 20, jitter_ms: 0 };
    /// A network that loses, repeats and reorders.
    pub const ROUGH: Self = Self { loss_percent: 20, duplicate_percent: 10, delay_ms: 30, jitter_ms: 60 };
}

/// Datagrams on their way.
#[derive(Debug)]
pub struct Wire {
    /// What happens to those that are sent from now on.
    pub conditions: Conditions,
    /// What happens to those to the server, where that is something else.
    pub conditions_up: Option<Conditions>,
    /// Every datagram that was ever sent, if recording is on.
    pub record: Option<Vec<Datagram>>,
    under_way: BTreeMap<(Timestamp, u64), Datagram>,
    sent: u64,
    chance: Chance,
}

impl Wire {
    pub(super) fn new(chance: Chance) -> Self {
        Self {
            conditions: Conditions::GOOD,
            conditions_up: None,
            record: None,
            under_way: BTreeMap::new(),
            sent: 0,
            chance,
        }
    }

    /// Puts a datagram on the wire.
    pub fn send(&mut self, now: Timestamp, datagram: Datagram) {
        if let Some(record) = &mut self.record {
            record.push(datagram.clone());
        }
        let conditions = match self.conditions_up {
            Some(conditions) if datagram.to == server_address() => conditions,
            _ => self.conditions,
        };
        if self.chance.percent(conditions.duplicate_percent) {
            self.put(now, conditions, datagram.clone());
        }
        if !self.chance.percent(conditions.loss_percent) {
            self.put(now, conditions, datagram);
        }
    }

    fn put(&mut self, now: Timestamp, conditions: Conditions, datagram: Datagram) {
        let jitter_micros = self.chance.below(conditions.jitter_ms * 1_000 + 1);
        let arrival = now.plus_millis(conditions.delay_ms).plus_micros(jitter_micros);
        self.sent += 1;
        self.under_way.insert((arrival, self.sent), datagram);
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Timestamp> {
        self.under_way.keys().next().map(|&(arrival, _)| arrival)
    }

    /// Takes a datagram that has arrived by `now`.
    pub fn arrive(&mut self, now: Timestamp) -> Option<Datagram> {
        let first = self.under_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
