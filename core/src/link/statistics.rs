//! What a session's owner may see of its link.

/// Totals of a session's packets since it began, and the state of its path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStatistics {
    /// Payload packets sent.
    pub packets_sent: u64,
    /// Payload packets received that were well-formed.
    pub packets_received: u64,
    /// Bytes of the payloads sent, without the netcode header.
    pub bytes_sent: u64,
    /// Bytes of the payloads received, without the netcode header.
    pub bytes_received: u64,
    /// Sent packets that were acknowledged before they were found lost.
    pub packets_acknowledged: u64,
    /// Sent packets that were found lost; those that a change of connection cut off are not among them.
    pub packets_lost: u64,
    /// How many bytes of payload may be under way before reliable messages wait for acknowledgements.
    pub congestion_window_bytes: u32,
    /// The window above which it grows slowly; `None` before the first sign of congestion.
    pub slow_start_threshold_bytes: Option<u32>,
    /// Bytes a second at which reliable messages leave at most; `None` before the first round-trip sample.
    pub pacing_bytes_per_s: Option<u64>,
    /// Packets under way that the peer acknowledges without delay.
    pub packets_in_flight: usize,
    /// The bytes of their payloads.
    pub bytes_in_flight: u64,
    /// Bytes of reliable messages that are kept until the peer has acknowledged them.
    pub message_bytes_queued: usize,
    /// Received bytes of reliable messages that wait for an earlier one or for the rest of their message.
    pub message_bytes_held_back: usize,
    /// Unreliable messages that gave way to newer ones before they were sent, because their queue was full.
    pub datagrams_dropped: u64,
    /// Unreliable messages that were dropped because the session had used up its bandwidth.
    pub datagrams_dropped_over_bandwidth: u64,
    /// States that a newer one replaced before they were sent.
    pub states_overwritten: u64,
    /// Pieces of reliable messages (all of it, for a short one) that arrived again after they were delivered.
    pub messages_repeated: u64,
    /// The smoothed round-trip time; `None` before the first sample of the connection.
    pub round_trip_micros: Option<u64>,
}
