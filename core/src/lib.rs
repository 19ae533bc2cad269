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
#[cfg_attr(not(test), expect(dead_code, reason = "the two ends of a session, its users, are still to come"))]
mod link;
#[cfg_attr(not(test), expect(dead_code, reason = "the session that owns it comes next"))]
mod movement;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "both ends of a connection are built on it, and none is here yet")
)]
mod netcode;
#[cfg_attr(not(test), expect(dead_code, reason = "the outbox that is made of it comes next"))]
mod queue;
mod time;
#[cfg_attr(not(test), expect(dead_code, reason = "the session manager that arms it comes next"))]
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
pub use time::Timestamp;
