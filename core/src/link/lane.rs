//! Reliable lanes (PROTOCOL.md, section 9): what one end sends and what the other delivers.

mod kept_bytes;
mod message;
mod piece;
mod receiver;
mod sender;
mod set;
mod unordered;

#[cfg(test)]
mod tests;

use kept_bytes::KeptBytes;
pub(crate) use message::Message;
pub(crate) use piece::Piece;
pub(crate) use receiver::{LaneArrival, ReliableReceiver};
pub(crate) use sender::{LaneSendError, OutgoingPiece, ReliableSender};
pub(crate) use set::{LaneReceivers, LaneSenders};
use unordered::UnorderedReceiver;

/// The most pieces of one lane from the oldest unacknowledged one to the newest sent one (P51).
const WINDOW_PIECES: u64 = 256;
/// The most bytes of them, and the most that a receiver holds back (P51).
const WINDOW_BYTES: usize = 65_536;
