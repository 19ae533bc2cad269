//! Rejoin keeps UDP game sessions alive when connections are not.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod config;
mod counters;
mod event;
mod hash;
mod ids;
pub mod lifecycle;
mod link;
mod movement;
mod netcode;
mod queue;
mod server;
mod time;
mod timers;

pub use config::{Config, ConfigError, KeyHistory, Payloads};
pub use counters::{Counters, DenyReason, DropReason};
pub use event::{Continuity, Event, LifecycleEvent};
pub use ids::{ClientId, SessionId};
pub use lifecycle::{DuplicateIdentity, LoginPolicy, SessionState};
pub use link::LinkStatistics;
pub use movement::{ArrivalMargin, MovementCounters, MovementRules};
pub use netcode::{
    CONNECT_TOKEN_BYTES, ConnectToken, Key, MintError, TokenError, TokenSpec, USER_DATA_BYTES,
};
pub use server::{
    Broadcast, Deadline, DeadlineCause, LoginError, MultiSessionManager, SendError, SessionView, Transmit,
    UnknownSession, Verdict,
};
pub use time::Timestamp;

/// The largest datagram this crate ever sends, in bytes, and the size of the buffer that `poll_transmit` needs.
pub const DATAGRAM_BYTES_MAX: usize = netcode::PACKET_BYTES_MAX;
