//! One direction of a path with a rate, in virtual time.
//!
//! A pipe puts packets on the wire one after the other, each for as long as its bits take at the pipe's rate, and hands them out on the
//! other side after the propagation delay, in the order they were sent. What is waiting to get onto the wire is where the latency of a game
//! comes from, so a packet remembers when its first byte left. Everything follows from the seed.

mod application;
mod ends;
mod path;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rejoin::Timestamp;

use crate::world::Chance;

pub use application::{Application, Bulk, Cadence, Inbox, Latencies, Received, Ticked};
#[cfg(feature = "quinn")]
pub(crate) use ends::for_login;
pub use ends::{Client, End, Server, Session, SessionPath, logged_in_path};
pub use path::{Endpoint, Path};

/// What IPv4 and UDP put before a payload.
pub const PACKET_OVERHEAD_BYTES: u64 = 28;

/// How often the delay of a pipe with jitter changes.
const JITTER_PERIOD_MICROS: u64 = 10_000;

/// Where packets wait for the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// In a queue of a router on the way: the sender is never told to wait, and what finds the queue full is dropped.
    Queue {
        /// The most bytes that wait or are on their way onto the wire.
        bytes_max: u64,
    },
    /// In the sender, whose own interface has this rate: it takes a packet when the one before has left.
    Interface,
}

/// What a pipe is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeSettings {
    /// Bits a second that get onto the wire.
    pub bits_per_s: u64,
    /// From the last byte on the wire to the arrival, in microseconds.
    pub delay_micros: u64,
    /// How much longer it may take, in microseconds: drawn anew every 10 ms, as where a radio's schedule decides. Packets do not
    /// overtake each other.
    pub jitter_micros: u64,
    /// How many of a thousand packets are lost on the wire.
    pub loss_per_mille: u64,
    /// Where packets wait.
    pub entrance: Entrance,
}

/// A packet that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its UDP payload.
    pub bytes: Vec<u8>,
    /// When its first byte was put on the wire.
    pub departed_at: Timestamp,
}

/// What became of the packets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeCounters {
    /// Packets given to the pipe.
    pub packets_sent: u64,
    /// Those that found the queue full.
    pub packets_overflowed: u64,
    /// Those that were lost on the wire.
    pub packets_lost: u64,
    /// The most bytes that ever waited or were on their way onto the wire.
    pub queue_bytes_highest: u64,
}

/// One direction of a path.
#[derive(Debug)]
pub struct Pipe {
    settings: PipeSettings,
    /// When the last packet's last byte is on the wire, in nanoseconds, so that rounding costs no rate.
    free_at_nanos: u64,
    /// What packets take longer than the delay at present, in microseconds, and until when.
    jitter_micros: u64,
    jitter_until: Timestamp,
    under_way: VecDeque<(Timestamp, Packet)>,
    counters: PipeCounters,
    chance: Chance,
}

impl Pipe {
    /// An empty pipe whose losses and delays follow from `seed`.
    #[must_use]
    pub fn new(settings: PipeSettings, seed: u64) -> Self {
        Self {
            settings,
            free_at_nanos: 0,
            jitter_micros: 0,
            jitter_until: Timestamp::ZERO,
            under_way: VecDeque::new(),
            counters: PipeCounters::default(),
            chance: Chance::new(seed),
        }
    }

    /// Is another pipe from now on, but that what is under way arrives as it would have.
    pub fn change(&mut self, settings: PipeSettings, seed: u64) {
        self.settings = settings;
        self.jitter_until = Timestamp::ZERO;
        self.chance = Chance::new(seed);
        self.counters = PipeCounters::default();
    }

    /// Loses so many of a thousand packets from now on.
    pub fn set_loss_per_mille(&mut self, loss_per_mille: u64) {
        self.settings.loss_per_mille = loss_per_mille;
    }

    /// How long a packet with a UDP payload of so many bytes takes to get onto the wire, in microseconds.
    #[must_use]
    pub fn packet_time_micros(&self, payload_bytes: u64) -> u64 {
        self.packet_time_nanos(payload_bytes + PACKET_OVERHEAD_BYTES).div_ceil(1_000)
    }

    /// When the sender may give the next packet; in the past if it may now.
    #[must_use]
    pub fn takes_at(&self) -> Timestamp {
        match self.settings.entrance {
            Entrance::Queue { .. } => Timestamp::ZERO,
            Entrance::Interface => to_timestamp(self.free_at_nanos),
        }
    }

    /// Takes a packet, the sender having waited until [`takes_at`](Self::takes_at).
    ///
    /// # Panics
    ///
    /// If it has not.
    pub fn send(&mut self, now: Timestamp, bytes: Vec<u8>) {
        assert!(now >= self.takes_at(), "the interface is busy until {}", self.takes_at());
        self.counters.packets_sent += 1;
        let packet_bytes = bytes.len() as u64 + PACKET_OVERHEAD_BYTES;
        let starts_at_nanos = self.free_at_nanos.max(now.as_micros() * 1_000);
        let queue_bytes = self.queue_bytes(now) + packet_bytes;
        if let Entrance::Queue { bytes_max } = self.settings.entrance
            && queue_bytes > bytes_max
        {
            self.counters.packets_overflowed += 1;
            return;
        }
        self.counters.queue_bytes_highest = self.counters.queue_bytes_highest.max(queue_bytes);
        self.free_at_nanos = starts_at_nanos + self.packet_time_nanos(packet_bytes);
        if self.chance.below(1_000) < self.settings.loss_per_mille {
            self.counters.packets_lost += 1;
            return;
        }
        let packet = Packet { bytes, departed_at: to_timestamp(starts_at_nanos) };
        let arrival = self.arrival();
        self.under_way.push_back((arrival, packet));
    }

    fn arrival(&mut self) -> Timestamp {
        let on_wire_at = to_timestamp(self.free_at_nanos);
        if on_wire_at >= self.jitter_until {
            self.jitter_micros = self.chance.below(self.settings.jitter_micros + 1);
            self.jitter_until = on_wire_at.plus_micros(JITTER_PERIOD_MICROS);
        }
        let arrival = on_wire_at.plus_micros(self.settings.delay_micros + self.jitter_micros);
        self.under_way.back().map_or(arrival, |&(before, _)| arrival.max(before))
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Timestamp> {
        self.under_way.front().map(|&(arrival, _)| arrival)
    }

    /// Takes a packet that has arrived by `now`.
    pub fn arrive(&mut self, now: Timestamp) -> Option<Packet> {
        self.under_way.pop_front_if(|(arrival, _)| *arrival <= now).map(|(_, packet)| packet)
    }

    /// Bytes that wait for the wire or are on their way onto it.
    #[must_use]
    pub fn queue_bytes(&self, now: Timestamp) -> u64 {
        let busy_nanos = self.free_at_nanos.saturating_sub(now.as_micros() * 1_000);
        (busy_nanos * self.settings.bits_per_s).div_ceil(8 * 1_000_000_000)
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counters(&self) -> PipeCounters {
        self.counters
    }

    fn packet_time_nanos(&self, packet_bytes: u64) -> u64 {
        (packet_bytes * 8 * 1_000_000_000).div_ceil(self.settings.bits_per_s)
    }
}

/// The first whole microsecond that is not earlier.
fn to_timestamp(nanos: u64) -> Timestamp {
    Timestamp::from_micros(nanos.div_ceil(1_000))
}
