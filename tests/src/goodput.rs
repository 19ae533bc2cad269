//! How fast a reliable transfer is on a narrow, lossy path: a lane of rejoin beside a stream of QUIC.
//!
//! Both go over the same simulated [path](crate::pipe). The clock starts when the first byte of the transfer is given to an end that has been
//! logged in for a while, and stops when the last one is handed to the application of the other end.

mod quinn;
mod rejoin;

use crate::pipe::{Entrance, PipeCounters, PipeSettings};

pub use quinn::transfer_with_quinn;
pub use rejoin::transfer_with_rejoin;

/// The bytes of a message of the transfer, and of a write to the stream.
pub const MESSAGE_BYTES: usize = 16_384;
/// What an end keeps that is not acknowledged: several times what fits the path.
pub const QUEUE_BYTES: u32 = 1_048_576;

/// What is transferred over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Messages of [`MESSAGE_BYTES`] each.
    pub messages: u64,
    /// One direction of the path, and the other.
    pub pipe: PipeSettings,
    /// Which packets are lost.
    pub seed: u64,
}

impl Trial {
    /// 16 MiB over 20 Mbit/s and 50 ms there and back, with 1 % of the packets lost at random in each direction, and a queue of one
    /// bandwidth-delay product.
    #[must_use]
    pub fn reference(seed: u64) -> Self {
        let pipe = PipeSettings {
            bits_per_s: 20_000_000,
            delay_micros: 25_000,
            jitter_micros: 0,
            loss_per_mille: 10,
            entrance: Entrance::Queue { bytes_max: 125_000 },
        };
        Self { messages: 1_024, pipe, seed }
    }

    /// The bytes of the transfer.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.messages * MESSAGE_BYTES as u64
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Delivered to the application.
    pub bytes: u64,
    /// From the first byte sent to the last one delivered, in microseconds.
    pub micros: u64,
    /// What became of the sender's packets.
    pub packets: PipeCounters,
}

impl Transfer {
    /// Bytes a second that reached the application.
    #[must_use]
    pub fn bytes_per_s(&self) -> u64 {
        self.bytes * 1_000_000 / self.micros.max(1)
    }
}
