//! What a server host is started with, and why it may not start.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use rejoin::{Config, ConfigError, Drain, DrainError, Key};

use crate::socket::BindError;

/// The settings of a [`ServerNetworkHost`](crate::ServerNetworkHost).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostConfig {
    /// Where to listen, at least one address. Port 0 takes a free one. `[::]` receives IPv4 too, unless an IPv4 address is listed as well.
    ///
    /// An answer leaves by the socket that last received from its address; to an address not heard from, by the first socket of its family.
    /// A machine with several addresses: bind each address that clients reach it by, and not the wildcard. From a wildcard the kernel picks
    /// the source address of each answer, which may be another than the client spoke to and is then dropped by the client or its router.
    pub bind_addresses: Vec<SocketAddr>,
    /// By which addresses clients reach this server, up to 32, where that is not where it listens: behind a router or a wildcard. Empty:
    /// the bound addresses.
    pub public_addresses: Vec<SocketAddr>,
    /// The settings of the sessions. `public_addresses` in there is set by the host, and so is `key_history` where the key is the
    /// development key.
    pub sessions: Config,
    /// Whether the host calls [`handle_tick`](crate::Application::handle_tick) `sessions.tick_hz` times a second and tells the core the
    /// tick. Default: no.
    pub drive_ticks: bool,
    /// How the server takes its leave when a watched signal (Ctrl-C, SIGTERM) comes; a second one ends it at once. Default: `None`, so that the
    /// first one does.
    pub drain_on_signal: Option<Drain>,
    /// Datagrams read in one wake at most, before timers and output get their turn; at least 1. Default 512.
    pub receive_budget: u32,
    /// Room the kernel is asked for, in bytes, for datagrams that wait in each direction of each socket; it may grant less.
    /// Default 4,194,304.
    pub socket_buffer_bytes: usize,
}

impl HostConfig {
    /// The default settings for a server on this address.
    #[must_use]
    pub fn new(bind_address: SocketAddr, protocol_id: u64, private_key: Key) -> Self {
        Self {
            bind_addresses: vec![bind_address],
            public_addresses: Vec::new(),
            sessions: Config::new(protocol_id, private_key, bind_address),
            drive_ticks: false,
            drain_on_signal: None,
            receive_budget: 512,
            socket_buffer_bytes: 4_194_304,
        }
    }
}

/// Why a host did not start. Everything it had opened is closed again.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// There is no address to listen on.
    NoBindAddress,
    /// This address is listed more than once to listen on.
    BindAddressListedTwice(SocketAddr),
    /// An address could not be bound.
    Bind(BindError),
    /// It would listen on a wildcard, which no client can be told to connect to, and no public address is given.
    WildcardWithoutPublicAddress(SocketAddr),
    /// It would listen beyond this machine with the key that everybody knows.
    DevelopmentKeyBeyondLoopback(SocketAddr),
    /// The settings of the sessions are wrong.
    Config(ConfigError),
    /// What players would be told when a signal comes is wrong.
    Drain(DrainError),
    /// The operating system gives no random numbers.
    Random(getrandom::Error),
    /// The operating system gives no event queue.
    EventQueue(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBindAddress => f.write_str("there is no address to listen on"),
            Self::BindAddressListedTwice(address) => {
                write!(f, "{address} is listed twice among the addresses to listen on: once is enough")
            }
            Self::Bind(error) => error.fmt(f),
            Self::WildcardWithoutPublicAddress(address) => {
                write!(
                    f,
                    "clients cannot connect to the wildcard {address}: give the public address they reach it by"
                )
            }
            Self::DevelopmentKeyBeyondLoopback(address) => write!(
                f,
                "everybody knows the development key, so it serves loopback only and not {address}: use a key of your own"
            ),
            Self::Config(error) => error.fmt(f),
            Self::Drain(error) => error.fmt(f),
            Self::Random(error) => write!(f, "the system gives no random numbers: {error}"),
            Self::EventQueue(error) => write!(f, "the system gives no event queue: {error}"),
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::EventQueue(error)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bind(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Drain(error) => Some(error),
            Self::EventQueue(error) => Some(error),
            Self::Random(error) => Some(error),
            Self::NoBindAddress
            | Self::BindAddressListedTwice(_)
            | Self::WildcardWithoutPublicAddress(_)
            | Self::DevelopmentKeyBeyondLoopback(_) => None,
        }
    }
}
