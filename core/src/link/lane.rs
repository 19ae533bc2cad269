//! Reliable lanes (PROTOCOL.md, section 9): what one end sends and what the other delivers.

mod kept_bytes;
mod message;
mod piece;
mod receiver;
mod sender;
mod set;
mod unordered;
mod window;

#[cfg(test)]
mod tests;

use kept_bytes::KeptBytes;
pub(crate) use message::Message;
pub(crate) use piece::Piece;
pub(crate) use receiver::{LaneArrival, ReliableReceiver};
pub(crate) use sender::{LaneSendError, OutgoingPiece, ReliableSender};
pub(crate) use set::{LaneReceivers, LaneSenders};
use unordered::UnorderedReceiver;
pub(crate) use window::LaneWindow;

/// The shortest message that is kept in a buffer of several lanes: a reference to it takes half as much in each.
pub(crate) const SHARED_BYTES_MIN: usize = 64;

/// What a receiver takes on a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneTerms {
    /// How far the sender may be ahead (P51).
    pub(crate) window: LaneWindow,
    /// The most bytes of a message (P54).
    pub(crate) message_bytes_max: usize,
}
