//! What an embedder of a client decides, checked once.

use core::fmt;

use crate::config::Payloads;
use crate::link::LinkLimits;
use crate::link::lane::LaneWindow;

/// The settings of a [`ClientSession`](super::ClientSession).
///
/// Start from [`ClientConfig::default`] and change what differs; the session checks it when it is made. Each field says its unit and
/// its range, both ends included.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What payloads carry; the server's setting must be the same. Default: `Framed`.
    pub payloads: Payloads,
    /// Milliseconds without a packet of our own after which a keep-alive goes out, 10 to 60,000. Only where payloads are raw; framed
    /// sessions use the interval that the server names. Default 100, the standard's ten a second.
    pub raw_keep_alive_ms: u32,
    /// Milliseconds without a sign of life after which a logged-in session counts its path as lost, and says so, 100 to 3,600,000.
    /// `None`: half the server's timeout, but at most 2,000 and at least three of its heartbeats. From one and a half heartbeats of silence
    /// on the session asks four times as often (P35), so that lost packets alone hardly ever make it so long. It looks for another way to the
    /// server as soon as the path looks dead, usually after half a second (P37), without a word, and without harm if that was wrong. Only
    /// where payloads are framed; raw sessions use the timeout of their token.
    pub path_dead_ms: Option<u32>,
    /// The fewest packets that carry each move input, 1 to `move_redundancy_max` (P46). Default 3: as many as it takes where packets
    /// overtake each other, but are not overtaken so often that they count as lost.
    pub move_redundancy_min: u8,
    /// The most packets that carry each move input, up to 32. Between the two the session chooses so few that one input in a thousand
    /// is lost with all of them, at the loss it measures (P48). Default 8, which is enough for 40 % loss.
    pub move_redundancy_max: u8,
    /// The pause after every token of the server was tried in vain, in milliseconds, 10 to `retry_max_ms`. It doubles each time.
    /// Default 250.
    pub retry_min_ms: u32,
    /// The longest such pause, in milliseconds, up to 3,600,000. Default 4,000.
    pub retry_max_ms: u32,
    /// Reliable, ordered lanes that the application sends on, 1 to 16; a server that has fewer is not for it, and its welcome is dropped.
    /// Default 4. A lane that is used holds back at most `lane_window_bytes` of what it receives and what has come of one unfinished
    /// message, in memory of at most twice that; one that is not takes no memory.
    pub ordered_lanes: u8,
    /// The longest message on a lane that the application takes, in bytes, 1 to 16,777,216; a server that may send longer ones is not for
    /// it, and its welcome is dropped. Default 262,144.
    pub message_bytes_max: u32,
    /// The largest window of a lane that the application has memory for, in bytes, 16,384 to 1,048,576; the server names the window, and one
    /// with a larger is not for it: its welcome is dropped. Default 131,072.
    pub lane_window_bytes: u32,
    /// Reliable messages of one lane that wait or are unacknowledged, in bytes, 1,200 to 16,777,216, and at most one for each 16 of them.
    /// Default 262,144.
    pub lane_queue_bytes_max: usize,
    /// Unreliable messages that wait, in bytes, 1,200 to 16,777,216, and at most one for each 16 of them; the oldest gives way. Default
    /// 16,384.
    pub datagram_queue_bytes_max: usize,
    /// Packets whose fate is remembered until they are acknowledged or lost, 16 to 8,192; about 140 bytes each, taken as they are
    /// needed. While so many are under way, reliable messages wait. Default 1,024.
    pub packets_in_flight_max: u16,
    /// Bytes that the session sends at most, in a second, 8,000 to 4,294,967,295, each packet counted with 53 bytes of headers. Inputs and states go
    /// first, reliable messages take what they leave; when even they are more, datagrams are dropped, and of states only the newest leave. Only where
    /// payloads are framed. `None`, the default: as many as the path carries.
    pub bandwidth_max_bytes_per_s: Option<u32>,
    /// The most keys for latest-wins values in each direction, 0 to 65,535; a server that has more is not for it, and its welcome is dropped.
    /// Default 256. A session that uses them takes 40 bytes for each key up to the highest that was sent, and 8 for each up to the highest
    /// that was received.
    pub latest_keys: u16,
    /// Latest-wins values that the server has not acknowledged, in bytes, with 4 beside each value, 1,200 to 16,777,216; their memory is
    /// at most twice that. Default 65,536.
    pub latest_queue_bytes_max: usize,
    /// Bytes of events that wait for `poll_event`, 1,200 to 268,435,456; above it no payload is taken. Default 1,048,576.
    pub event_queue_bytes_max: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            payloads: Payloads::Framed,
            raw_keep_alive_ms: 100,
            path_dead_ms: None,
            move_redundancy_min: 3,
            move_redundancy_max: 8,
            retry_min_ms: 250,
            retry_max_ms: 4_000,
            ordered_lanes: 4,
            message_bytes_max: 262_144,
            lane_window_bytes: 131_072,
            lane_queue_bytes_max: 262_144,
            datagram_queue_bytes_max: 16_384,
            packets_in_flight_max: 1_024,
            bandwidth_max_bytes_per_s: None,
            latest_keys: 256,
            latest_queue_bytes_max: 65_536,
            event_queue_bytes_max: 1_048_576,
        }
    }
}

impl ClientConfig {
    /// The default settings for a server whose payloads are raw.
    #[must_use]
    pub fn raw() -> Self {
        Self { payloads: Payloads::Raw, ..Self::default() }
    }

    /// Checks every range.
    pub fn validate(&self) -> Result<(), ClientConfigError> {
        let retry_max_ms = u64::from(self.retry_max_ms);
        let move_redundancy_max = u64::from(self.move_redundancy_max);
        let ranges = [
            ("raw_keep_alive_ms", u64::from(self.raw_keep_alive_ms), 10, 60_000),
            ("path_dead_ms", self.path_dead_ms.unwrap_or(100).into(), 100, 3_600_000),
            ("move_redundancy_max", move_redundancy_max, 1, 32),
            ("move_redundancy_min", self.move_redundancy_min.into(), 1, move_redundancy_max),
            ("retry_max_ms", retry_max_ms, 10, 3_600_000),
            ("retry_min_ms", self.retry_min_ms.into(), 10, retry_max_ms),
        ];
        let events = ("event_queue_bytes_max", self.event_queue_bytes_max as u64, 1_200, 268_435_456);
        let ranges = ranges.into_iter().chain(self.link_limits().ranges()).chain([events]);
        for (field, value, min, max) in ranges {
            if value < min || value > max {
                return Err(ClientConfigError { field, value, min, max });
            }
        }
        Ok(())
    }

    /// The bounds of its session's queues, as the settings say.
    pub(super) const fn link_limits(&self) -> LinkLimits {
        LinkLimits {
            ordered_lanes: self.ordered_lanes,
            lane_queue_bytes_max: self.lane_queue_bytes_max,
            message_bytes_max: self.message_bytes_max,
            lane_window: LaneWindow::new(self.lane_window_bytes),
            lane_queue_pieces_max: self.lane_queue_bytes_max / LinkLimits::MESSAGE_BYTES_TYPICAL,
            datagram_queue_bytes_max: self.datagram_queue_bytes_max,
            datagram_queue_messages_max: self.datagram_queue_bytes_max / LinkLimits::MESSAGE_BYTES_TYPICAL,
            latest_keys: self.latest_keys,
            latest_queue_bytes_max: self.latest_queue_bytes_max,
            packets_in_flight_max: self.packets_in_flight_max,
            bandwidth_max_bytes_per_s: self.bandwidth_max_bytes_per_s,
        }
    }
}

/// A setting is outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientConfigError {
    /// Which setting.
    pub field: &'static str,
    /// What it was.
    pub value: u64,
    /// The least it may be.
    pub min: u64,
    /// The most it may be.
    pub max: u64,
}

impl fmt::Display for ClientConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, min, max } = self;
        write!(f, "{field} is {value}, where {min} to {max} are allowed")
    }
}

impl core::error::Error for ClientConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(ClientConfig::default().validate(), Ok(()));
        assert_eq!(ClientConfig::raw().validate(), Ok(()));
    }

    #[test]
    fn a_setting_outside_its_range_is_named() {
        let config = ClientConfig { retry_min_ms: 5_000, ..ClientConfig::default() };

        let error = config.validate().unwrap_err();

        assert_eq!(error, ClientConfigError { field: "retry_min_ms", value: 5_000, min: 10, max: 4_000 });
    }
}
