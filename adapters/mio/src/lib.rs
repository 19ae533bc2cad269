//! Rejoin over real UDP: hosts that own sockets, the clock and the event loop, built on [mio].
//!
//! No protocol decision is made here. The core decides what a datagram means; this crate reads and writes datagrams, tells the core
//! the time, and hands its events to the application.
//!
//! A server is a [`ServerNetworkHost`] and something that handles events, here a closure; where the game ticks, an [`Application`]:
//!
//! ```no_run
//! use rejoin::lifecycle::LifecycleEventKind;
//! use rejoin::{Event, LifecycleEvent};
//! use rejoin_mio::{HostConfig, ServerNetworkHost, Sessions, development_key};
//!
//! let config = HostConfig::new("127.0.0.1:40000".parse()?, 7, development_key());
//! let mut host = ServerNetworkHost::start(config)?;
//! host.run(&mut |sessions: &mut Sessions<'_>, event: Event, payload: &[u8]| match event {
//!     Event::Lifecycle(LifecycleEvent { kind: LifecycleEventKind::LoginStarted, session, .. }) => {
//!         let _ = sessions.accept_login(session); // `payload` holds the credential
//!     }
//!     Event::Message { session, lane } => {
//!         let _ = sessions.send(session, lane, payload);
//!     }
//!     other => println!("{other:?}"),
//! })?; // until Ctrl-C or SIGTERM; every peer is told
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A player is a [`ClientNetworkHost`], polled once a frame. The directory `examples` has both, and a game that ticks.
//!
//! Unix only: signals and errno values are Unix's.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod application;
mod client_host;
mod clock;
mod development_key;
mod event_loop;
mod host_config;
mod key_file;
mod receivable;
mod server_host;
mod session;
mod sessions;
mod signals;
mod socket;
mod socket_set;
mod ticks;
mod token;

pub use application::Application;
pub use client_host::{ClientApplication, ClientNetworkHost, ConnectError};
pub use clock::Clock;
pub use development_key::{development_key, forbidden_address, is_development_key};
pub use host_config::{HostConfig, StartError};
pub use key_file::{KeyFileError, read_key_file};
pub use server_host::ServerNetworkHost;
pub use session::Session;
pub use sessions::Sessions;
pub use signals::Signals;
pub use socket::{BindError, Received, Sent, Socket, SocketCounters, SocketFault};
pub use ticks::Ticks;
pub use token::{TokenRequest, TokenRequestError};
