//! What a session's owner may see of its link.

use super::Link;

/// Totals of a session's packets since it began, and the state of its path and its queues.
///
/// Only payload packets count, with the bytes of their payloads, without any header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStatistics {
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received that were well-formed and acted on.
    pub packets_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Sent packets that were acknowledged before they were found lost.
    pub packets_acknowledged: u64,
    /// Sent packets that were found lost; those that a change of connection cut off are not among them.
    pub packets_lost: u64,
    /// Packets that did not come, between the first and the newest of each connection. One that comes late is taken off again; one that
    /// was refused stays.
    pub packets_missed: u64,
    /// The smoothed round-trip time; `None` before the first sample of the connection.
    pub round_trip_micros: Option<u64>,
    /// The newest sample of it.
    pub round_trip_latest_micros: Option<u64>,
    /// The shortest sample of the connection.
    pub round_trip_min_micros: Option<u64>,
    /// How far samples are from the smoothed round-trip time, on average.
    pub jitter_micros: Option<u64>,
    /// Packets under way that the peer acknowledges without delay.
    pub packets_in_flight: usize,
    /// Their bytes.
    pub bytes_in_flight: u64,
    /// How many bytes may be under way before reliable messages wait for acknowledgements.
    pub congestion_window_bytes: u32,
    /// The window above which it grows slowly; `None` before the first sign of congestion.
    pub slow_start_threshold_bytes: Option<u32>,
    /// Bytes a second at which reliable messages leave at most; `None` before the first round-trip sample.
    pub pacing_bytes_per_s: Option<u64>,
    /// Bytes of reliable messages that are kept until the peer has acknowledged them.
    pub message_bytes_queued: usize,
    /// Received bytes of reliable messages that wait for an earlier one or for the rest of their message.
    pub message_bytes_held_back: usize,
    /// Pieces of reliable messages (all of it, for a short one) that arrived again after they were delivered.
    pub messages_repeated: u64,
    /// Unreliable messages that wait for a packet.
    pub datagrams_queued: usize,
    /// Their bytes.
    pub datagram_bytes_queued: usize,
    /// Unreliable messages that gave way to newer ones before they were sent, because their queue was full, or to a fresh start.
    pub datagrams_dropped: u64,
    /// Unreliable messages that were dropped because the session had used up its bandwidth.
    pub datagrams_dropped_over_bandwidth: u64,
    /// Bytes of the latest-wins values that the peer has not acknowledged, with 4 beside each value.
    pub latest_bytes_queued: usize,
    /// Latest-wins values that a newer one of their key replaced before they were sent.
    pub latest_replaced: u64,
    /// Latest-wins values that arrived after a newer one of their key, or again.
    pub latest_stale: u64,
    /// States that a newer one replaced before they were sent.
    pub states_overwritten: u64,
}

impl LinkStatistics {
    /// Which part of the packets sent was found lost, 0 to 1, of those whose fate is known; 0 while none is.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a fraction need not be exact to 16 digits")]
    pub fn lost_fraction(&self) -> f64 {
        let known = self.packets_acknowledged.saturating_add(self.packets_lost);
        if known == 0 { 0.0 } else { self.packets_lost as f64 / known as f64 }
    }

    /// Which part of the packets that the peer sent did not come, 0 to 1; 0 while nothing came.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a fraction need not be exact to 16 digits")]
    pub fn missed_fraction(&self) -> f64 {
        let sent = self.packets_received.saturating_add(self.packets_missed);
        if sent == 0 { 0.0 } else { self.packets_missed as f64 / sent as f64 }
    }
}

impl Link {
    /// What happened so far, and how things stand.
    pub(crate) fn statistics(&self) -> LinkStatistics {
        let is_sampled = self.rtt.min_micros().is_some();
        let path = LinkStatistics {
            packets_sent: self.totals.packets_sent,
            packets_received: self.totals.packets_received,
            bytes_sent: self.totals.bytes_sent,
            bytes_received: self.totals.bytes_received,
            packets_acknowledged: self.totals.packets_acknowledged,
            packets_lost: self.totals.packets_lost,
            packets_missed: self.received.missed(),
            round_trip_micros: is_sampled.then(|| self.rtt.smoothed_micros()),
            round_trip_latest_micros: is_sampled.then(|| self.rtt.latest_micros()),
            round_trip_min_micros: self.rtt.min_micros(),
            jitter_micros: is_sampled.then(|| self.rtt.variance_micros()),
            packets_in_flight: self.sent.packets_in_flight(),
            bytes_in_flight: self.sent.bytes_in_flight(),
            congestion_window_bytes: self.congestion.window_bytes(),
            slow_start_threshold_bytes: self.congestion.slow_start_threshold_bytes(),
            pacing_bytes_per_s: self.pace().map(|pace| pace.bytes_per_s()),
            states_overwritten: self.totals.states_overwritten,
            ..LinkStatistics::default()
        };
        let Some(queues) = self.traffic.get() else { return path };
        LinkStatistics {
            message_bytes_queued: queues.lanes_out.queue_bytes(),
            message_bytes_held_back: queues.lanes_in.held_back_bytes(),
            messages_repeated: queues.lanes_in.duplicates(),
            datagrams_queued: queues.datagrams.len(),
            datagram_bytes_queued: queues.datagrams.queue_bytes(),
            datagrams_dropped: queues.datagrams.dropped(),
            datagrams_dropped_over_bandwidth: queues.datagrams.dropped_over_bandwidth(),
            latest_bytes_queued: queues.latest_out.queue_bytes(),
            latest_replaced: queues.latest_out.replaced(),
            latest_stale: queues.latest_in.stale(),
            ..path
        }
    }
}
