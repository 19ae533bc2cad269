//! What happened in one step: the record that checkers judge, adversaries overhear and the trace is made of.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use rejoin::client::{self, ClientEvent};
use rejoin::{ClientId, Event, SessionId, Timestamp, Verdict};

use crate::model::Command;
use crate::world::Fate;

/// Who takes part, by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    /// The server's machine.
    Server,
    /// The machine of a player.
    Player(usize),
    /// Somebody with bad intentions.
    Adversary(usize),
}

/// One run of a player's program; each has another number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessId(pub(super) u32);

/// One UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    /// Its source address.
    pub(super) from: SocketAddr,
    /// Its destination.
    pub(super) to: SocketAddr,
    /// Its payload.
    pub(super) bytes: Rc<[u8]>,
}

/// Where an application puts what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// A reliable lane.
    Lane(u8),
    /// The latest-wins value of a key.
    Key(u16),
    /// Unreliable messages.
    Datagram,
    /// The move input of this tick.
    Move(u64),
    /// The state of this tick of the server.
    State(u64),
}

/// What became of a datagram that a host read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// At the server.
    Server(Verdict),
    /// At a player.
    Player(client::Verdict),
}

impl Reading {
    /// The same in a word.
    pub(super) fn fate(self) -> Fate {
        match self {
            Self::Server(verdict) => verdict.into(),
            Self::Player(verdict) => verdict.into(),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A datagram left a machine.
    Sent {
        /// Whose.
        by: Party,
        /// The datagram, as it was sent.
        datagram: Datagram,
    },
    /// A datagram was read by a host, whatever became of it.
    Received {
        /// By whose.
        by: Party,
        /// The datagram, as it arrived.
        datagram: Datagram,
        /// What its end said about it.
        reading: Reading,
    },
    /// A server without memory begins.
    ServerStarted,
    /// The server's host says what its wall clock shows.
    ServerWallClock {
        /// In Unix seconds.
        unix_s: u64,
    },
    /// The server is gone.
    ServerStopped,
    /// The server's application was told something.
    ServerTold {
        /// What.
        event: Event,
        /// The bytes that belong to it.
        payload: Rc<[u8]>,
    },
    /// The server's application sent something, and the server took it.
    ServerQueued {
        /// To whom.
        session: SessionId,
        /// By which way.
        channel: Channel,
        /// What.
        message: Rc<[u8]>,
    },
    /// The server's host comes later than it was asked to.
    ServerLate {
        /// By how much, on its own clock.
        micros: u64,
    },
    /// The server's host lets fire what is due.
    ServerFired,
    /// The server's application or its host asked for something.
    ServerCommanded {
        /// For what.
        command: Command,
        /// Whether the server did it.
        is_done: bool,
    },
    /// The server's application set the tick.
    ServerTicked {
        /// The tick.
        tick: u64,
    },
    /// A player's program begins.
    ProcessStarted {
        /// Its number.
        process: ProcessId,
        /// Whose it is.
        client_id: ClientId,
    },
    /// A player's program is gone.
    ProcessStopped {
        /// Its number.
        process: ProcessId,
    },
    /// A player's application was told something.
    PlayerTold {
        /// Which process.
        process: ProcessId,
        /// What.
        event: ClientEvent,
        /// The bytes that belong to it.
        payload: Rc<[u8]>,
    },
    /// A player's application sent something, and the client took it.
    PlayerQueued {
        /// Which process.
        process: ProcessId,
        /// By which way.
        channel: Channel,
        /// What.
        message: Rc<[u8]>,
    },
}

/// What happened at one moment to those whom it touched.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// In order.
    pub(super) happenings: Vec<Happening>,
    /// When, in true time.
    pub(super) at: Timestamp,
}

impl Step {
    /// The next step begins.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.at = at;
        self.happenings.clear();
    }

    /// The sessions of the server that this step touched; one may come more than once.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.happenings.iter().filter_map(|happening| match happening {
            Happening::Received { reading: Reading::Server(Verdict::Accepted(session)), .. } => {
                Some(*session)
            }
            Happening::ServerQueued { session, .. } => Some(*session),
            Happening::ServerTold { event: Event::Lifecycle(event), .. } => Some(event.session),
            _ => None,
        })
    }

    /// Something happens.
    pub(super) fn note(&mut self, happening: Happening) {
        self.happenings.push(happening);
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { by, datagram } => write!(f, "{by:?} sends {datagram}"),
            Self::Received { by, datagram, reading } => write!(f, "{by:?} reads {datagram}: {reading:?}"),
            Self::ServerTold { event, payload } => {
                write!(f, "server told {event:?}, {} bytes", payload.len())
            }
            Self::ServerQueued { session, channel, message } => {
                write!(f, "server sends to {session} {channel:?}, {} bytes", message.len())
            }
            Self::PlayerTold { process, event, payload } => {
                write!(f, "{process} told {event:?}, {} bytes", payload.len())
            }
            Self::PlayerQueued { process, channel, message } => {
                write!(f, "{process} sends {channel:?}, {} bytes", message.len())
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first byte of a netcode packet holds its type.
        let kind = self.bytes.first().map_or(0, |prefix| prefix & 0xf);
        write!(f, "type {kind}, {} bytes, {} to {}", self.bytes.len(), self.from, self.to)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.0)
    }
}
