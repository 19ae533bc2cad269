//! A game that sends at a steady beat beside a bulk transfer, and notes what comes.

use rejoin::Timestamp;

use super::Session;

/// Bytes that number a message of a bulk transfer.
const NUMBER_BYTES: usize = 8;

/// What the application of one end sends and has received.
#[derive(Debug, Default)]
pub struct Application {
    /// What it transfers, if anything.
    pub bulk: Option<Bulk>,
    /// What it sends at a steady beat, if anything.
    pub cadence: Option<Cadence>,
    /// What came from the other end.
    pub inbox: Inbox,
}

impl Application {
    /// When it has something to do. The transfer goes on whenever there is room for it.
    pub(super) fn next_task(&self) -> Option<Timestamp> {
        self.cadence.as_ref().filter(|cadence| cadence.beats_left > 0).map(|cadence| cadence.next_at)
    }

    pub(super) fn run(&mut self, now: Timestamp, session: &mut impl Session) {
        if let Some(cadence) = &mut self.cadence {
            cadence.run(now, session);
        }
        if let Some(bulk) = &mut self.bulk {
            bulk.run(now, session);
        }
    }
}

/// A transfer of equally long messages on one lane, as fast as the session takes them.
#[derive(Clone, Debug)]
pub struct Bulk {
    lane: u8,
    message: Vec<u8>,
    messages_sent: u64,
    messages: u64,
}

impl Bulk {
    /// So many messages of so many bytes, at least 8.
    #[must_use]
    pub fn new(lane: u8, messages: u64, message_bytes: usize) -> Self {
        assert!(message_bytes >= NUMBER_BYTES, "a message holds its number");
        let message = (0..=u8::MAX).cycle().take(message_bytes).collect();
        Self { lane, message, messages_sent: 0, messages }
    }

    fn run(&mut self, now: Timestamp, session: &mut impl Session) {
        while self.messages_sent < self.messages {
            self.message[..NUMBER_BYTES].copy_from_slice(&self.messages_sent.to_le_bytes());
            if !session.send(now, self.lane, &self.message) {
                return;
            }
            self.messages_sent += 1;
        }
    }
}

/// Something new at a steady beat, of which the newest counts: moves of a client, states of a server. Ticks count from 1.
#[derive(Clone, Debug)]
pub struct Cadence {
    interval_micros: u64,
    bytes: Vec<u8>,
    next_at: Timestamp,
    beats_left: u64,
    sent_at: Vec<Timestamp>,
}

impl Cadence {
    /// So many beats from `start` on, of so many bytes each.
    #[must_use]
    pub fn new(start: Timestamp, interval_micros: u64, beats: u64, bytes: usize) -> Self {
        Self {
            interval_micros,
            bytes: vec![0x6d; bytes],
            next_at: start,
            beats_left: beats,
            sent_at: Vec::new(),
        }
    }

    fn run(&mut self, now: Timestamp, session: &mut impl Session) {
        if self.beats_left > 0 && self.next_at <= now {
            self.sent_at.push(now);
            session.send_newest(now, self.sent_at.len() as u64, &self.bytes);
            self.next_at = self.next_at.plus_micros(self.interval_micros);
            self.beats_left -= 1;
        }
    }

    /// How long each beat waited until it was on the wire, as `inbox` of the other end noted.
    #[must_use]
    pub fn latencies(&self, inbox: &Inbox) -> Latencies {
        let mut ticked = inbox.ticked.iter().peekable();
        let mut latencies = Latencies::default();
        for (tick, &sent_at) in (1..).zip(&self.sent_at) {
            while ticked.next_if(|ticked| ticked.tick < tick).is_some() {}
            match ticked.peek().filter(|ticked| ticked.tick == tick) {
                Some(ticked) => latencies.micros.push(ticked.departed_at.micros_since(sent_at)),
                None => latencies.missing += 1,
            }
        }
        latencies.micros.sort_unstable();
        latencies
    }
}

/// How long the beats of a [`Cadence`] waited for the wire.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    micros: Vec<u64>,
    /// Beats that never came: a newer one had taken their place, or they were lost.
    pub missing: usize,
}

impl Latencies {
    /// How many beats came.
    #[must_use]
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// The microseconds that so many of a hundred did not exceed.
    #[must_use]
    pub fn percentile_micros(&self, percent: usize) -> u64 {
        let rank = (self.micros.len() * percent).div_ceil(100).max(1);
        self.micros.get(rank - 1).copied().unwrap_or(0)
    }
}

/// Something that came from the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message of a lane.
    Message,
    /// A beat of the other end's [`Cadence`].
    Newest {
        /// Its tick.
        tick: u64,
    },
    /// Something else.
    Other,
}

/// A beat that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticked {
    /// Its number.
    pub tick: u64,
    /// When the first byte of the packet that brought it was put on the wire.
    pub departed_at: Timestamp,
    /// When it came.
    pub arrived_at: Timestamp,
}

/// What came from the other end.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    /// Bytes of the other end's [`Bulk`].
    pub bulk_bytes: u64,
    /// When the last of them came.
    pub bulk_at: Timestamp,
    /// Beats of the other end's [`Cadence`], in the order they came.
    pub ticked: Vec<Ticked>,
    messages: u64,
}

impl Inbox {
    /// Takes what a packet brought that departed at `departed_at`.
    ///
    /// # Panics
    ///
    /// If it is a message that has not its turn.
    pub(super) fn take(&mut self, now: Timestamp, departed_at: Timestamp, received: Received, bytes: &[u8]) {
        match received {
            Received::Message => {
                assert_eq!(bytes[..NUMBER_BYTES], self.messages.to_le_bytes(), "messages come in order");
                self.messages += 1;
                self.bulk_bytes += bytes.len() as u64;
                self.bulk_at = now;
            }
            Received::Newest { tick } => {
                self.ticked.push(Ticked { tick, departed_at, arrived_at: now });
            }
            Received::Other => {}
        }
    }
}
