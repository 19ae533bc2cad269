//! Rejoin over real UDP: hosts that own sockets, the clock and the event loop, built on [mio].
//!
//! No protocol decision is made here. The core decides what a datagram means; this crate reads and writes datagrams, tells the core
//! the time, and hands its events to the application.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod clock;
pub mod development_key;
mod signals;
mod socket;
#[cfg_attr(not(test), expect(dead_code, reason = "the hosts are built on it, and none is here yet"))]
mod socket_set;
mod ticks;

pub use clock::Clock;
pub use signals::Signals;
pub use socket::{BindError, Received, Sent, Socket, SocketCounters, SocketFault};
pub use ticks::Ticks;
