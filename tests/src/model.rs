//! The reference model: what a server must do, as a few maps and lists.
//!
//! It is a second opinion, written from the specification of the lifecycle and from the rules of `core/PROTOCOL.md`: no keys, no packets,
//! no timer wheel, and nothing of the core's code. It is told what reaches a server, in order, and decides by itself which sessions there
//! are, in which state, at which address, until when, and what the application must have been told. [`Shadow`] compares that with what the
//! server says, after each step.
//!
//! ```text
//!  what reaches a server ─▶ Reader: whose it is ─▶ Model: what follows ─▶ expected events, views ─▶ compared with the server's
//! ```
//!
//! | part | its subject |
//! |---|---|
//! | `clock` | deadlines, and hosts that are late |
//! | `session` | what there is to know of one session |
//! | `transition` | how a session goes from state to state, and what is told of it |
//! | `arrival` | handshakes: who is let in, who is denied |
//! | `path` | packets: signs of life, ways back, take-overs |
//! | `trial` | packets from another port, and sessions that follow |
//! | `command` | what the application and the host ask for |
//! | `leave` | a server that drains |
//! | `moves` | the tick filter |
//! | `reuse` | resume tokens that are shown again |
//! | `compare` | what a server shows beside what the model says |
//! | `reader`, `shadow` | from datagrams to the model's terms, and from step to step |
//!
//! # What it takes on trust
//!
//! * That a datagram was opened and was new, or why it was not: the verdict. To which session it belongs, which handshake it confirms and
//!   whether it is a sign of life the model says by itself, by its source, its sequence, and the token that its sender showed before.
//! * That a token is good: its expiry, its seal, whether it was used. Whether its holder is let in the model says.
//!   What a server writes into its own tokens it reads as the server does.
//! * What is sealed inside a payload, as the events tell it: that it asks for a login, says goodbye, names a lane epoch, breaks the protocol
//!   (the verdict says so), holds a move. Each is believed only where a payload of that session has just been opened, and if the state fits.
//! * Which free slot a session gets, and which of several deadlines of one moment fires first.
//! * Which resume tokens are void after a session was handed over: how many were given is sealed. Those of spent generations it knows.
//! * Which session had memory of the pool for longest: how long messages are is sealed. That another one is in need of it at that moment it sees.
//! * That both ends were sure of their keys when a packet from another port was looked for in a session, and how long its round trip is.
//! * What `poll_timeout` asked for, against which the lateness of a host is measured. That a deadline was asked for is not: one that
//!   passes without a call is noticed.
//!
mod arrival;
mod clock;
mod command;
mod compare;
mod leave;
mod moves;
mod path;
mod reader;
mod reuse;
mod session;
mod shadow;
#[cfg(test)]
mod tests;
mod transition;
mod trial;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use rejoin::{ClientId, Config, DenyReason, Event, LifecycleEvent, SessionId, Timestamp};

use crate::laws::{Violation, ensure};
use leave::Leave;
use moves::TickFilter;
use reuse::Reuses;
use session::Session;

pub use command::Command;
pub use shadow::{Shadow, may_be_challenge};

/// What must be.
#[derive(Clone, Debug)]
struct Model {
    rules: Config,
    now: Timestamp,
    /// How late the host was so far, in all.
    late_micros: u64,
    /// For how long deadlines were held, up to the present hold.
    held_micros: u64,
    held_since: Option<Timestamp>,
    /// The host was late: before deadlines fire it may read what waited.
    reads_first: bool,
    /// No deadline ends before this.
    quiet_until: Timestamp,
    sessions: BTreeMap<SessionId, Session>,
    /// Who is in the house: by identity, by the path in use, by the handshake that waits for its first packet.
    clients: BTreeMap<ClientId, SessionId>,
    paths: BTreeMap<SocketAddr, SessionId>,
    waiting: BTreeMap<SocketAddr, SessionId>,
    /// By slot: the session that has it, until its end was told, and the generation of the next one.
    slots: BTreeMap<u32, (Option<SessionId>, u32)>,
    bans: BTreeMap<ClientId, Timestamp>,
    leave: Leave,
    server_tick: Option<u64>,
    /// By session, from the login that was told to the end that was told.
    ticks: BTreeMap<SessionId, TickFilter>,
    denied: BTreeMap<DenyReason, u64>,
    reuses: Reuses,
    opened: u64,
    reconnects: u64,
    moves_followed: u64,
    /// What the application is told in this step, of sessions and of stalls, and what of it must be so until now.
    told: Vec<Event>,
    expected: Vec<Event>,
    /// How much of it the application was told up to now.
    heard: usize,
    /// Who says goodbye in this step, and how many datagrams of each will still be accepted.
    leavers: BTreeMap<SessionId, usize>,
    /// Sessions that something happened to in this step.
    touched: Vec<SessionId>,
}

impl Model {
    /// A server starts.
    fn new(rules: Config, now: Timestamp) -> Self {
        Self {
            rules,
            now,
            late_micros: 0,
            held_micros: 0,
            held_since: None,
            reads_first: false,
            quiet_until: Timestamp::NEVER,
            sessions: BTreeMap::new(),
            clients: BTreeMap::new(),
            paths: BTreeMap::new(),
            waiting: BTreeMap::new(),
            slots: BTreeMap::new(),
            bans: BTreeMap::new(),
            leave: Leave::default(),
            server_tick: None,
            ticks: BTreeMap::new(),
            denied: BTreeMap::new(),
            reuses: Reuses::default(),
            opened: 0,
            reconnects: 0,
            moves_followed: 0,
            told: Vec::new(),
            expected: Vec::new(),
            heard: 0,
            leavers: BTreeMap::new(),
            touched: Vec::new(),
        }
    }

    /// The next thing that must be told of a session, as the server tells it.
    fn next_told(&self) -> Option<&LifecycleEvent> {
        lifecycle_of(self.told.get(self.expected.len())?)
    }

    /// What the server tells of this moment beyond what is expected until now.
    fn told_now(&self) -> impl Iterator<Item = &LifecycleEvent> {
        let told = self.told.iter().skip(self.expected.len()).filter_map(lifecycle_of);
        told.filter(|told| told.at == self.now)
    }

    /// The application is told something, which must have happened before.
    fn hear(&mut self, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Lifecycle(told) => {
                self.hear_expected(event)?;
                self.ticks_follow(told);
                self.slots_follow(told);
                Ok(())
            }
            Event::Stalled { .. } | Event::PathMoved { .. } => self.hear_expected(event),
            Event::Drained { .. } => self.hear_drained(event),
            Event::Move { session, tick } => self.judge_move(*session, *tick),
            Event::Message { session, .. }
            | Event::Datagram { session }
            | Event::Latest { session, .. }
            | Event::HeartbeatSent { session, .. }
            | Event::HeartbeatReceived { session, .. } => self.check_open(*session),
            Event::TokenReuse { session, generation } => self.hear_reuse(*session, *generation),
            _ => Ok(()),
        }
    }

    fn hear_expected(&mut self, event: &Event) -> Result<(), Violation> {
        let expected = self.expected.get(self.heard).copied().map(|expected| as_told(expected, event));
        self.heard += 1;
        ensure(expected == Some(*event), || match expected {
            Some(expected) => format!("told {}, but {} is next", Brief(event), Brief(&expected)),
            None => format!("told {}, for which there is no reason", Brief(event)),
        })
    }

    /// A session of which something is told has begun, and not ended, as far as was told.
    fn check_open(&self, session: SessionId) -> Result<(), Violation> {
        let holder = self.slots.get(&session.index).and_then(|(holder, _)| *holder);
        ensure(holder == Some(session), || format!("told of session {session}, but its slot has {holder:?}"))
    }

    /// The step is over: everything that must be told was told.
    fn check_all_told(&mut self) -> Result<(), Violation> {
        let missing = self.expected.get(self.heard).copied();
        if let Some(missing) = missing {
            return Err(Violation::new(format!("not told: {}", Brief(&missing))));
        }
        ensure(!self.is_left_by_all(), || "not told: that nobody is left".to_owned())?;
        self.expected.clear();
        self.told.clear();
        self.heard = 0;
        Ok(())
    }
}

const fn lifecycle_of(event: &Event) -> Option<&LifecycleEvent> {
    match event {
        Event::Lifecycle(event) => Some(event),
        _ => None,
    }
}

/// How a peer broke the protocol last is sealed: of that, the model expects only that it is told where a session ends for it.
fn as_told(expected: Event, told: &Event) -> Event {
    match (expected, told) {
        (Event::Lifecycle(expected), Event::Lifecycle(told)) if expected.violation.is_some() => {
            let violation = told.violation.or(expected.violation);
            Event::Lifecycle(LifecycleEvent { violation, ..expected })
        }
        _ => expected,
    }
}

/// An event in one line.
struct Brief<'a>(&'a Event);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event::Lifecycle(event) = self.0 else { return write!(f, "{:?}", self.0) };
        let LifecycleEvent { session, client_id, kind, previous, current, at, cause, continuity, .. } = event;
        let previous = previous.map_or("nothing".to_owned(), |previous| previous.to_string());
        write!(
            f,
            "{kind:?} of session {session} of {client_id} at {at}: from {previous} to {current}, {cause:?}"
        )?;
        continuity.map_or(Ok(()), |continuity| write!(f, ", {continuity:?}"))
    }
}
