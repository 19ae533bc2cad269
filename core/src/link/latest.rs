//! Latest-wins values by key (PROTOCOL.md, section 11): of each key only the newest value matters, and it arrives in the end.

mod receiver;
mod sender;
mod store;

#[cfg(test)]
mod tests;

pub(crate) use receiver::{LatestArrival, LatestReceiver};
pub(crate) use sender::{LatestSendError, LatestSender};
