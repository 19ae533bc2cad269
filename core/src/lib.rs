//! Rejoin keeps UDP game sessions alive when connections are not.
//!
//! It is the session layer of a game server, without a socket, a clock or a thread of its own. A [`MultiSessionManager`] tracks every
//! peer through connect, login, heartbeat, timeout, reconnect and removal, judges each peer's move inputs by tick, and brings a
//! player who lost the network back to the same session: same [`SessionId`], same progress, no reliable message lost or repeated.
//! On the wire it is netcode 1.02; what travels inside is specified in `PROTOCOL.md`.
//!
//! # The loop
//!
//! Whoever embeds the core owns the socket and the clock, and repeats three steps: *feed* what arrived, *drain* what leaves, *sleep* as
//! long as the core says.
//!
//! ```no_run
//! use std::net::UdpSocket;
//! use std::time::{Duration, Instant, SystemTime};
//! use rejoin::{Config, DATAGRAM_BYTES_MAX, Event, Key, LifecycleEvent, MultiSessionManager, Timestamp};
//! use rejoin::lifecycle::LifecycleEventKind;
//!
//! # fn secret() -> [u8; 32] { unimplemented!() }
//! let socket = UdpSocket::bind("127.0.0.1:40000")?;
//! let start = Instant::now();
//! let now = || Timestamp::ZERO + start.elapsed();
//! let unix_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
//! let config = Config::new(0x52454A4F494E0001, Key::new(secret()), socket.local_addr()?);
//! let mut manager = MultiSessionManager::new(config, secret(), now(), unix_s)?;
//! let (mut datagram, mut payload) = ([0; DATAGRAM_BYTES_MAX], Vec::new());
//! loop {
//!     while let Some(event) = manager.poll_event(&mut payload) {
//!         match event {
//!             Event::Lifecycle(LifecycleEvent { kind: LifecycleEventKind::LoginStarted, session, .. }) => {
//!                 // `payload` holds the credential. An error means that the peer has left meanwhile.
//!                 let _ = manager.accept_login(now(), session);
//!             }
//!             Event::Message { session, lane } => {
//!                 // An error means that the peer has left, or acknowledges nothing: no reason to stop.
//!                 let _ = manager.send(now(), session, lane, &payload);
//!             }
//!             other => println!("{other:?}"),
//!         }
//!     }
//!     while let Some(transmit) = manager.poll_transmit(now(), &mut datagram) {
//!         let _ = socket.send_to(&datagram[..transmit.len], transmit.to);
//!     }
//!     let sleep = manager.poll_timeout().map(|deadline| (deadline.at - now()).max(Duration::from_millis(1)));
//!     socket.set_read_timeout(sleep)?;
//!     if let Ok((len, from)) = socket.recv_from(&mut datagram) {
//!         manager.handle_datagram(now(), from, &mut datagram[..len]);
//!     }
//!     manager.handle_timeout(now());
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate `rejoin-mio` has this loop for one thread and many sockets, with budgets, signals and every errno survived.
//!
//! # What it promises
//!
//! * The laws of the drive API, listed at [`MultiSessionManager`].
//! * The lifecycle is one pure function, [`lifecycle::step`], published as a full matrix.
//! * Bytes from the network never panic, never allocate before a token has opened, and never end a call with an error.
//! * Whatever is refused has one cause and one counter, listed in [`ledger`].
//! * A mistake of the caller is an error of the operation it was made in: [`SendError`], [`LoginError`], [`UnknownSession`],
//!   [`ConfigError`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod cause_counts;
pub mod client;
mod config;
mod counters;
mod event;
mod farewell;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hash;
mod ids;
pub mod ledger;
pub mod lifecycle;
mod link;
mod log_budget;
mod memory;
mod movement;
mod netcode;
#[cfg(not(feature = "planted-bugs"))]
mod planted;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod prefix;
mod queue;
mod rate;
mod server;
mod time;
mod timers;
mod violation;

pub use config::{AtCapacity, Config, ConfigError, KeyHistory, Payloads};
pub use counters::{Counters, DenyReason, DropReason};
pub use event::{Continuity, Event, LifecycleEvent};
pub use ids::{ClientId, SessionId};
pub use lifecycle::{DuplicateIdentity, LoginPolicy, SessionState};
pub use link::{LinkStatistics, UNORDERED_LANE};
pub use log_budget::{LeftOut, LogBudget};
pub use movement::{ArrivalMargin, MovementCounters, MovementRules};
pub use netcode::{
    CONNECT_TOKEN_BYTES, ConnectToken, Key, MintError, TokenError, TokenSpec, USER_DATA_BYTES,
};
pub use prefix::{Prefix, PrefixError};
pub use server::{
    BanError, Broadcast, Deadline, DeadlineCause, Drain, DrainError, DrainState, LoginError, MemoryBound,
    MemoryReport, MultiSessionManager, SendError, SessionView, Transmit, UnknownSession, Verdict,
};
pub use time::Timestamp;
pub use violation::Violation;

/// The largest datagram this crate ever sends, in bytes, and the size of the buffer that `poll_transmit` needs.
pub const DATAGRAM_BYTES_MAX: usize = netcode::PACKET_BYTES_MAX;
