//! A client: a socket, a clock and an event loop around one session.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::Registry;
use rejoin::ConnectToken;
use rejoin::client::{
    ClientConfig, ClientError, ClientEvent, ClientSession, ClientState, SavedError, Verdict,
};

use crate::clock::Clock;
use crate::event_loop::EventLoop;
use crate::session::Session;
use crate::socket::{BindError, SocketCounters, SocketFault};
use crate::socket_set::SocketSet;

/// Datagrams read in one wake at most.
const RECEIVE_BUDGET: u32 = 256;

/// The game's side of a [`ClientNetworkHost`]; a closure will do.
pub trait ClientApplication {
    /// Something happened. `payload` holds the bytes that belong to the event, and is empty where none do.
    fn handle_event(&mut self, session: &mut Session<'_>, event: ClientEvent, payload: &[u8]);
}

impl<F: FnMut(&mut Session<'_>, ClientEvent, &[u8])> ClientApplication for F {
    fn handle_event(&mut self, session: &mut Session<'_>, event: ClientEvent, payload: &[u8]) {
        self(session, event, payload);
    }
}

/// A player on the network: it owns the socket, the clock and the [`ClientSession`], and drives them.
///
/// Make one with a connect token, then [`poll`](Self::poll) it once a frame. It comes back by itself when the network was away or is another
/// one, at once if the system says that there is no way to the server. Tell it with [`rebind`](Self::rebind) when you know that the machine's
/// network changed. Dropping it leaves the game.
pub struct ClientNetworkHost {
    event_loop: EventLoop,
    bind_addresses: Vec<SocketAddr>,
    session: ClientSession,
    payload: Vec<u8>,
}

impl ClientNetworkHost {
    /// Opens a socket on a free port for each family of the token's addresses, and begins to connect.
    pub fn connect(config: ClientConfig, token: &ConnectToken) -> Result<Self, ConnectError> {
        Self::start(wildcards(token.addresses()), |seed, clock| {
            ClientSession::new(config, seed, clock.now(), token, clock.unix_time_s())
                .map_err(ConnectError::Session)
        })
    }

    /// Goes on with a session that another process [saved](Session::save).
    pub fn resume(config: ClientConfig, saved: &[u8]) -> Result<Self, ConnectError> {
        let both: [SocketAddr; 2] = [([0; 4], 0).into(), ([0; 16], 0).into()];
        Self::start(both.to_vec(), |seed, clock| {
            ClientSession::resume(config, seed, clock.now(), saved, clock.unix_time_s())
                .map_err(ConnectError::Saved)
        })
    }

    fn start(
        bind_addresses: Vec<SocketAddr>,
        begin: impl FnOnce([u8; 32], &Clock) -> Result<ClientSession, ConnectError>,
    ) -> Result<Self, ConnectError> {
        let event_loop = EventLoop::new(RECEIVE_BUDGET, |registry| bind_any(&bind_addresses, registry))?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(ConnectError::Random)?;
        let session = begin(seed, event_loop.clock())?;
        Ok(Self { event_loop, bind_addresses, session, payload: Vec::new() })
    }

    /// The session: where it stands, and how well it goes. Commands go through [`Session`].
    #[must_use]
    pub fn session(&self) -> &ClientSession {
        &self.session
    }

    /// Where it receives, with the real ports.
    #[must_use]
    pub fn bound_addresses(&self) -> Vec<SocketAddr> {
        self.event_loop.sockets().local_addresses().collect()
    }

    /// What went through the sockets.
    #[must_use]
    pub fn socket_counters(&self) -> SocketCounters {
        self.event_loop.sockets().counters()
    }

    /// Gives the application's facade outside of its calls, for example to send the input of a frame. What it asks for leaves at the next
    /// [`poll`](Self::poll).
    pub fn commands(&mut self) -> Session<'_> {
        let now = self.event_loop.clock().now();
        Session::new(&mut self.session, now)
    }

    /// Lets Ctrl-C and SIGTERM come as [`is_signalled`](Self::is_signalled), from now on.
    pub fn watch_signals(&mut self) -> io::Result<()> {
        self.event_loop.watch_signals()
    }

    /// Whether a watched signal has come.
    #[must_use]
    pub fn is_signalled(&self) -> bool {
        self.event_loop.signals_taken() > 0
    }

    /// Moves to other ports, as after a change of the machine's network, and lets the session come back from there at once.
    ///
    /// On an error the former sockets stay.
    pub fn rebind(&mut self) -> Result<(), ConnectError> {
        let addresses = &self.bind_addresses;
        self.event_loop.rebind(|registry| bind_any(addresses, registry))?;
        self.session.network_changed(self.event_loop.clock().now());
        Ok(())
    }

    /// Sleeps until something is to be done, at most for `timeout`, and does it: sends what was asked for meanwhile, reads datagrams up to
    /// a budget, fires timers, hands events to the application, and sends what there is to send.
    ///
    /// Once the session has ended it returns at once. Fails only where the operating system's event queue does.
    pub fn poll(
        &mut self,
        timeout: Option<Duration>,
        application: &mut impl ClientApplication,
    ) -> io::Result<()> {
        self.transmit();
        if self.session.state() != ClientState::Disconnected {
            self.event_loop.sleep(timeout, self.session.poll_timeout(), None)?;
        }
        let now = self.event_loop.clock().now();
        let session = &mut self.session;
        self.event_loop.receive(|from, datagram| {
            matches!(session.handle_datagram(now, from, datagram), Verdict::Accepted)
        });
        self.session.handle_timeout(now);
        while let Some(event) = self.session.poll_event(&mut self.payload) {
            application.handle_event(&mut Session::new(&mut self.session, now), event, &self.payload);
        }
        self.transmit();
        Ok(())
    }

    /// Leaves the game: the server is told, and the application gets its `Disconnected`. A second call does nothing.
    pub fn stop(&mut self, application: &mut impl ClientApplication) {
        let now = self.event_loop.clock().now();
        self.session.disconnect(now);
        while let Some(event) = self.session.poll_event(&mut self.payload) {
            application.handle_event(&mut Session::new(&mut self.session, now), event, &self.payload);
        }
        self.event_loop.transmit_farewells(|now, buffer| self.session.poll_transmit(now, buffer));
        self.event_loop.close();
    }

    fn transmit(&mut self) {
        let now = self.event_loop.clock().now();
        let unreachable_before = self.unreachable();
        self.event_loop.transmit(|buffer| self.session.poll_transmit(now, buffer));
        if self.unreachable() > unreachable_before {
            // The machine lost its network: another one may follow, from which the session comes back with the first request that leaves.
            self.session.network_may_have_changed(now);
        }
    }

    /// How often the system knew no way to the server.
    fn unreachable(&self) -> u64 {
        self.socket_counters().send_faults[SocketFault::Unreachable as usize]
    }
}

impl Drop for ClientNetworkHost {
    fn drop(&mut self) {
        self.stop(&mut |_: &mut Session<'_>, _: ClientEvent, _: &[u8]| {});
    }
}

impl fmt::Debug for ClientNetworkHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientNetworkHost")
            .field("bound_addresses", &self.bound_addresses())
            .field("state", &self.session.state())
            .finish_non_exhaustive()
    }
}

/// The wildcard, with a free port, of each family that these addresses are of.
fn wildcards(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut wildcards = Vec::new();
    if addresses.iter().any(SocketAddr::is_ipv4) {
        wildcards.push(([0; 4], 0).into());
    }
    if addresses.iter().any(SocketAddr::is_ipv6) {
        wildcards.push(([0; 16], 0).into());
    }
    wildcards
}

/// Binds all addresses, or the first that can be bound: a machine may have one family only.
fn bind_any(addresses: &[SocketAddr], registry: &Registry) -> Result<SocketSet, ConnectError> {
    let all_error = match SocketSet::bind(addresses, registry.try_clone()?) {
        Ok(sockets) => return Ok(sockets),
        Err(error) => error,
    };
    for address in addresses {
        if let Ok(sockets) = SocketSet::bind(&[*address], registry.try_clone()?) {
            return Ok(sockets);
        }
    }
    Err(ConnectError::Bind(all_error))
}

/// Why a client host cannot begin, or cannot move.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// No socket could be opened.
    Bind(BindError),
    /// The token or the settings are wrong.
    Session(ClientError),
    /// The saved session or the settings are wrong.
    Saved(SavedError),
    /// The operating system gives no random numbers.
    Random(getrandom::Error),
    /// The operating system gives no event queue.
    EventQueue(io::Error),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::EventQueue(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::Saved(error) => error.fmt(f),
            Self::Random(error) => write!(f, "the system gives no random numbers: {error}"),
            Self::EventQueue(error) => write!(f, "the system gives no event queue: {error}"),
        }
    }
}

impl Error for ConnectError {}
