//! A bad network for one direction of one client: loss, repeats, delay, disorder, and a cable that can be pulled.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use rejoin::Timestamp;

/// Bytes under way at most; what comes on top is dropped, as by a router whose queue is full.
const UNDER_WAY_BYTES_MAX: usize = 4 << 20;

/// How bad the network is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LinkConditions {
    /// Share of datagrams that get lost, 0 to 1.
    pub(crate) loss: f64,
    /// Share of datagrams that arrive twice, 0 to 1.
    pub(crate) duplicate: f64,
    /// How long each is under way, in milliseconds.
    pub(crate) delay_ms: u32,
    /// How much longer one may take, in milliseconds, drawn evenly for each.
    pub(crate) jitter_ms: u32,
}

/// A datagram and the address it goes to or came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) address: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// One direction of a bad network. The same seed and the same inputs give the same outputs.
#[derive(Debug)]
pub(crate) struct Conditioner {
    conditions: LinkConditions,
    random: fastrand::Rng,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    under_way_bytes: usize,
    entered: u64,
    cut: bool,
}

/// Ordered by arrival, then by entry, so that equal delays keep the order.
#[derive(Debug)]
struct UnderWay {
    arrives_at: Timestamp,
    number: u64,
    datagram: Datagram,
}

impl Conditioner {
    pub(crate) fn new(conditions: LinkConditions, seed: u64) -> Self {
        Self {
            conditions,
            random: fastrand::Rng::with_seed(seed),
            under_way: BinaryHeap::new(),
            under_way_bytes: 0,
            entered: 0,
            cut: false,
        }
    }

    /// A datagram enters the network.
    pub(crate) fn push(&mut self, now: Timestamp, address: SocketAddr, bytes: &[u8]) {
        let lost = self.random.f64() < self.conditions.loss;
        let repeated = self.random.f64() < self.conditions.duplicate;
        if self.cut || lost {
            return;
        }
        self.enter(now, address, bytes);
        if repeated {
            self.enter(now, address, bytes);
        }
    }

    /// A datagram that leaves the network by `now`; call it until `None`.
    pub(crate) fn poll(&mut self, now: Timestamp) -> Option<Datagram> {
        if self.next_at()? > now {
            return None;
        }
        let Reverse(arrived) = self.under_way.pop()?;
        self.under_way_bytes -= arrived.datagram.bytes.len();
        Some(arrived.datagram)
    }

    /// When the next datagram leaves the network.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.under_way.peek().map(|Reverse(first)| first.arrives_at)
    }

    /// Pulls the cable: what is under way is lost, and nothing enters until it is plugged in again.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
        self.under_way.clear();
        self.under_way_bytes = 0;
    }

    /// Plugs the cable in.
    pub(crate) fn mend(&mut self) {
        self.cut = false;
    }

    fn enter(&mut self, now: Timestamp, address: SocketAddr, bytes: &[u8]) {
        if self.under_way_bytes + bytes.len() > UNDER_WAY_BYTES_MAX {
            return;
        }
        let jitter_micros = self.random.u64(0..=u64::from(self.conditions.jitter_ms) * 1_000);
        self.under_way.push(Reverse(UnderWay {
            arrives_at: now.plus_millis(self.conditions.delay_ms.into()).plus_micros(jitter_micros),
            number: self.entered,
            datagram: Datagram { address, bytes: bytes.to_vec() },
        }));
        self.entered += 1;
        self.under_way_bytes += bytes.len();
    }
}

impl UnderWay {
    fn key(&self) -> (Timestamp, u64) {
        (self.arrives_at, self.number)
    }
}

impl Ord for UnderWay {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for UnderWay {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for UnderWay {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for UnderWay {}
