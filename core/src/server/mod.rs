//! The server end: the manager of all sessions and what it is made of.
//!
//! ```text
//! datagram ─▶ inbound ─▶ admission ─▶ (request, challenge, response)
//!                │            └─▶ confirm ─▶ transition ─▶ events
//!                ├─▶ session's connection ─▶ content ─▶ events
//!                └─▶ moved_port ─▶ (challenges) ─▶ session's connection
//! command ─▶ commands ─▶ transition, content
//! time ─▶ deadlines ─▶ transition, content
//! outbound ◀─ due sessions, outbox
//! ```
//!
//! [`MultiSessionManager`] owns everything and is the only one that looks up a session; `directory` holds every index; `transition` is the
//! only place that changes a state, and only as [`lifecycle::step`](crate::lifecycle::step) says.

mod admission;
mod bans;
mod broadcast;
mod budget;
mod clock;
mod commands;
mod confirm;
mod content;
mod deadlines;
mod directory;
mod drain;
mod due;
mod framed;
mod frames;
mod handshake;
mod inbound;
mod inspect;
mod ledger;
mod manager;
mod memory;
mod moved_port;
mod outbound;
mod outbox;
mod pool;
mod search_budget;
mod session;
mod table;
mod transition;
mod trial_path;
mod way_back;

#[cfg(test)]
mod tests;

pub use broadcast::Broadcast;
pub(crate) use budget::{BURST_OPENS_MIN, EXEMPT_PREFIXES_MAX};
pub use commands::{BanError, LoginError, SendError, UnknownSession};
pub use drain::{Drain, DrainError, DrainState};
pub use inspect::SessionView;
pub use manager::{Deadline, DeadlineCause, MultiSessionManager, Transmit, Verdict};
pub use memory::{MemoryBound, MemoryReport};
