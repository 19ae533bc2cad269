//! The frame that comes first in every packet until the peer has answered it: hello or welcome (P20, P21).

use crate::Timestamp;

/// Whether the preface repeats, and when it asks for a packet of its own.
#[derive(Debug, Default)]
pub(crate) struct Preface {
    repeats: bool,
    interval_micros: Option<u32>,
    due: Option<Timestamp>,
    crowds_out: bool,
}

impl Preface {
    /// Puts it into every packet from now on: one at once, and, if an interval is given, one at least so often.
    pub(crate) const fn begin(&mut self, now: Timestamp, interval_micros: Option<u32>) {
        *self = Self { repeats: true, interval_micros, due: Some(now), crowds_out: false };
    }

    /// The peer has answered it.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// Whether it goes into each packet.
    pub(crate) const fn repeats(&self) -> bool {
        self.repeats
    }

    /// When a packet has to leave for its sake.
    pub(crate) const fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Whether a packet has to leave now.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// To be called for each packet that is sent.
    pub(crate) fn on_packet_sent(&mut self, now: Timestamp) {
        self.due = self.interval_micros.map(|interval_micros| now.plus_micros(interval_micros.into()));
    }

    /// To be called when it left no room for anything that waits; that waits for its end, then.
    pub(crate) const fn on_crowded_out(&mut self) {
        self.crowds_out = self.repeats;
    }

    /// Whether what waits has no room beside it.
    pub(crate) const fn crowds_out(&self) -> bool {
        self.crowds_out
    }
}
