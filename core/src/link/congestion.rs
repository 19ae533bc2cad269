//! How much reliable data may be under way: `NewReno` as in RFC 9002, section 7, that also gives way to the queue it builds.

mod delay_guard;

use super::frame::PAYLOAD_BYTES_MAX;
use super::received::MAX_ACK_DELAY_MICROS;
use super::rtt::RttEstimator;
use super::sent::{AckedPacket, Lost};
use crate::Timestamp;
use delay_guard::DelayGuard;

/// The longest payload, which windows are counted in.
#[expect(clippy::cast_possible_truncation, reason = "1,200")]
const PACKET_BYTES: u32 = PAYLOAD_BYTES_MAX as u32;
/// What may be under way at first (RFC 9002, section 7.2).
const INITIAL_WINDOW_BYTES: u32 = 10 * PACKET_BYTES;
/// What may always be under way (RFC 9002, section 7.2).
const WINDOW_BYTES_MIN: u32 = 2 * PACKET_BYTES;
/// More than any record of sent packets can hold.
const WINDOW_BYTES_MAX: u32 = 1 << 26;
/// The threshold while nothing has ended the slow start.
const NO_THRESHOLD: u32 = u32::MAX;
/// Silence over so many probe time-outs is persistent congestion (RFC 9002, section 7.6.1).
const PERSISTENT_PTOS: u64 = 3;

/// The congestion window of one path, in bytes of payload; a new key epoch begins with a new one (P25).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Congestion {
    window_bytes: u32,
    slow_start_threshold_bytes: u32,
    /// Acknowledged since the window last grew; a whole window of it is worth a packet.
    acked_bytes: u32,
    /// When the window was last reduced for a loss: what was sent before tells nothing new.
    recovery_start: Option<Timestamp>,
    guard: DelayGuard,
}

impl Congestion {
    /// The initial window, in slow start.
    pub(crate) const fn new() -> Self {
        Self {
            window_bytes: INITIAL_WINDOW_BYTES,
            slow_start_threshold_bytes: NO_THRESHOLD,
            acked_bytes: 0,
            recovery_start: None,
            guard: DelayGuard::new(),
        }
    }

    /// How much may be under way.
    pub(crate) const fn window_bytes(&self) -> u32 {
        self.window_bytes
    }

    /// The window at which doubling ends; `None` before the first congestion.
    pub(crate) const fn slow_start_threshold_bytes(&self) -> Option<u32> {
        match self.slow_start_threshold_bytes {
            NO_THRESHOLD => None,
            bytes => Some(bytes),
        }
    }

    /// Whether the window doubles each round trip.
    pub(crate) const fn is_in_slow_start(&self) -> bool {
        self.window_bytes < self.slow_start_threshold_bytes
    }

    /// Whether another packet may be under way beside so many bytes.
    pub(crate) fn has_room(&self, bytes_in_flight: u64) -> bool {
        let is_cut = self.guard.is_draining() && !self.is_in_slow_start();
        let window_bytes = if is_cut { self.window_bytes / 2 } else { self.window_bytes };
        bytes_in_flight + u64::from(PACKET_BYTES) <= window_bytes.max(WINDOW_BYTES_MIN).into()
    }

    /// A packet was acknowledged: the window grows if it was in use, so that it never stands for what was not tried
    /// (RFC 9002, section 7.8).
    pub(crate) fn on_acked(&mut self, packet: AckedPacket, is_window_used: bool) {
        let is_old_news = self.recovery_start.is_some_and(|start| packet.sent_at <= start);
        if is_old_news || !is_window_used {
            return;
        }
        let bytes = u32::from(packet.bytes_in_flight);
        if self.is_in_slow_start() {
            self.grow(bytes);
            return;
        }
        self.acked_bytes = self.acked_bytes.saturating_add(bytes);
        if self.acked_bytes >= self.window_bytes {
            self.acked_bytes -= self.window_bytes;
            self.grow(PACKET_BYTES);
        }
    }

    /// Packets were found lost: the window is halved, once for all that were under way then, or falls to the least there is
    /// if nothing at all came through for long (RFC 9002, sections 7.3.2 and 7.6).
    ///
    /// A window that was not in use falls no lower than where every path begins: the states of a game alone, which do not wait for it,
    /// would else have taken all of it by the time that there is something to send.
    pub(crate) fn on_lost(&mut self, now: Timestamp, lost: &Lost, rtt: &RttEstimator, is_window_used: bool) {
        let is_new = self.recovery_start.is_none_or(|start| lost.newest_sent_at > start);
        let is_reducible = is_window_used || self.window_bytes > INITIAL_WINDOW_BYTES;
        if lost.packets > 0 && is_new && is_reducible {
            self.recovery_start = Some(now);
            let least_bytes = if is_window_used { WINDOW_BYTES_MIN } else { INITIAL_WINDOW_BYTES };
            self.reduce_to((self.window_bytes / 2).max(least_bytes));
        }
        let persistent_micros = rtt.pto_micros(MAX_ACK_DELAY_MICROS).saturating_mul(PERSISTENT_PTOS);
        if lost.longest_run_micros > persistent_micros {
            self.window_bytes = WINDOW_BYTES_MIN;
            self.recovery_start = None;
        }
    }

    /// A packet sent at `sent_at` took so long. If a whole round of packets did, it is the queue in front of the
    /// narrowest part of the path that delays them: the window shrinks to what the path holds without it. Not where the window
    /// was not in use, for then the queue is others'.
    pub(crate) fn on_round_trip(
        &mut self,
        now: Timestamp,
        sent_at: Timestamp,
        round_trip_micros: u64,
        is_window_used: bool,
    ) {
        let is_in_slow_start = self.is_in_slow_start();
        if let Some(queue) = self.guard.on_sample(now, sent_at, round_trip_micros, is_in_slow_start)
            && is_window_used
        {
            let drained = u64::from(self.window_bytes) * queue.path_micros / queue.round_micros.max(1);
            let drained = u32::try_from(drained).unwrap_or(self.window_bytes);
            self.reduce_to(drained.max(self.window_bytes / 2));
        }
    }

    /// The path was seen to be this short without a word about what is under way.
    pub(crate) fn on_idle_round_trip(&mut self, now: Timestamp, round_trip_micros: u64) {
        self.guard.on_idle_sample(now, round_trip_micros);
    }

    fn grow(&mut self, bytes: u32) {
        self.window_bytes = self.window_bytes.saturating_add(bytes).min(WINDOW_BYTES_MAX);
    }

    fn reduce_to(&mut self, bytes: u32) {
        let former_bytes = self.window_bytes;
        self.window_bytes = bytes.max(WINDOW_BYTES_MIN);
        self.slow_start_threshold_bytes = self.window_bytes;
        // What came through before is not lost: it stays the same share of the next packet. It is less than a window, so it fits.
        let acked_bytes =
            u64::from(self.acked_bytes) * u64::from(self.window_bytes) / u64::from(former_bytes);
        self.acked_bytes = u32::try_from(acked_bytes).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests;
