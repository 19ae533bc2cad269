//! One session: its lifecycle state, its connection, and what survives the connection.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::event::Continuity;
use crate::ledger::Record;
use crate::lifecycle::SessionState;
use crate::memory::{doubling_bytes_max, vec_bytes};
use crate::movement::Movement;
use crate::netcode::connection::Connection;
use crate::netcode::{Mac, USER_DATA_BYTES};
use crate::rate::TokenBucket;
use crate::{ClientId, SessionId, Timestamp};

use super::clock::{Clock, PeerDeadline};
use super::content::Content;
use super::pool::Account;
use super::transition::CurrentState;
use super::trial_path::TrialPath;
use super::way_back::ResumeLedger;

/// Keep-alives to a peer that has not confirmed its handshake (netcode standard: ten a second).
pub(super) const UNCONFIRMED_KEEP_ALIVE_MICROS: u64 = 100_000;
/// Addresses from which one session's resume handshakes may be under way.
pub(super) const RESUME_HANDSHAKES_MAX: usize = 4;

/// Everything about one peer, from the completed handshake to the end.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) client_id: ClientId,
    /// `None` until the session's first event.
    pub(super) state: CurrentState,
    pub(super) since: Timestamp,

    /// The path and keys in use. Replaced at each way back.
    pub(super) connection: Connection,
    /// Whether a packet under these keys has arrived.
    pub(super) is_confirmed: bool,
    /// When the next keep-alive to an unconfirmed peer is due.
    pub(super) next_keep_alive: Timestamp,
    /// When something was last sent on the path.
    pub(super) last_sent: Timestamp,
    pub(super) timeout_micros: u64,
    /// What its peer may still send.
    pub(super) datagrams: TokenBucket,

    /// Another port from which packets of the session come.
    pub(super) trial: Option<Box<TrialPath>>,
    /// The host has not polled the event of its last move to another port.
    pub(super) has_untold_move: bool,
    /// A completed handshake that would replace the connection.
    pub(super) attempt: Option<Box<Attempt>>,
    /// Resume handshakes that were challenged and have not answered, the newest last.
    pub(super) resume_handshakes: Vec<ResumeHandshake>,
    pub(super) tokens: ResumeLedger,
    /// The highest generation whose key epoch was confirmed.
    pub(super) confirmed_generation: u64,
    /// The highest spent generation whose reuse was reported.
    pub(super) reuse_reported: u64,
    pub(super) take_overs: TakeOvers,

    pub(super) content: Content,
    /// What it has of the memory of all.
    pub(super) account: Account,
    /// From the login on.
    pub(super) movement: Option<Box<Movement>>,
    pub(super) login: Login,
    /// What was refused and what happened lately; made when there is something to note.
    pub(super) record: Option<Box<Record>>,
    /// What the host says to the peer at the end.
    pub(super) farewell_detail: Box<[u8]>,

    pub(super) last_live: Timestamp,
    pub(super) liveness: PeerDeadline,
    /// Runs while the session is away.
    pub(super) reconnect: Option<PeerDeadline>,
    /// Since when that is.
    pub(super) away_since: Option<Timestamp>,
}

/// A handshake of this identity that is complete but not confirmed. It ends without trace unless it is.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) connection: Connection,
    pub(super) origin: AttemptOrigin,
    pub(super) deadline: PeerDeadline,
    /// The highest sequence of a response to this handshake's challenge.
    pub(super) newest_response: u64,
    pub(super) next_keep_alive: Timestamp,
    /// Whether `ReconnectStarted` told of it: that comes at most once for a token.
    pub(super) is_announced: bool,
}

/// Which token an attempt was made with.
#[derive(Debug)]
pub(super) enum AttemptOrigin {
    /// One that this server handed to the session.
    Resume { generation: u64 },
    /// One of the backend.
    Backend { timeout_micros: u64, user_data: Box<[u8; USER_DATA_BYTES]> },
}

impl AttemptOrigin {
    /// Whether it is a way back to the session, not a login of its own.
    pub(super) const fn is_resume(&self) -> bool {
        matches!(self, Self::Resume { .. })
    }
}

/// A resume handshake between challenge and response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResumeHandshake {
    pub(super) generation: u64,
    pub(super) token_mac: Mac,
    pub(super) address: SocketAddr,
}

/// The progress of a login.
#[derive(Debug)]
pub(super) struct Login {
    /// When the slot is lost unless somebody is logged in.
    pub(super) deadline: PeerDeadline,
    pub(super) attempts_made: u32,
    /// The number the peer gave to its newest login request.
    pub(super) newest_attempt: u64,
    /// The application's words for the newest rejection.
    pub(super) rejection: Option<Box<Rejection>>,
}

/// Why the application rejected a login.
#[derive(Debug)]
pub(super) struct Rejection {
    pub(super) code: u32,
    pub(super) attempts_left: u32,
    pub(super) text: Box<str>,
}

/// When another process took over a living path of the session lately.
#[derive(Debug, Default)]
pub(super) struct TakeOvers(Vec<Timestamp>);

impl TakeOvers {
    const WINDOW_MICROS: u64 = 60_000_000;

    /// The memory it takes beyond its own place.
    pub(super) const fn memory_bytes(&self) -> usize {
        vec_bytes(&self.0)
    }

    /// The most memory it takes beyond its own place, where more than `take_overs_max` end the session.
    pub(super) const fn memory_bytes_max(take_overs_max: usize) -> usize {
        doubling_bytes_max::<Timestamp>(take_overs_max + 1)
    }

    /// Counts one more; returns how many there were within the last minute.
    pub(super) fn count(&mut self, now: Timestamp) -> usize {
        self.0.retain(|&at| now.micros_since(at) <= Self::WINDOW_MICROS);
        self.0.push(now);
        self.0.len()
    }
}

/// What a new session is made of.
#[derive(Debug)]
pub(super) struct NewSession {
    pub(super) client_id: ClientId,
    pub(super) connection: Connection,
    pub(super) timeout_micros: u64,
    pub(super) liveness: PeerDeadline,
    pub(super) login_deadline: PeerDeadline,
    pub(super) content: Content,
    pub(super) account: Account,
    pub(super) datagrams: TokenBucket,
}

impl Session {
    pub(super) fn new(id: SessionId, new: NewSession, now: Timestamp) -> Self {
        Self {
            id,
            client_id: new.client_id,
            state: CurrentState::default(),
            since: now,
            connection: new.connection,
            is_confirmed: false,
            next_keep_alive: now,
            last_sent: now,
            timeout_micros: new.timeout_micros,
            trial: None,
            has_untold_move: false,
            datagrams: new.datagrams,
            attempt: None,
            resume_handshakes: Vec::new(),
            tokens: ResumeLedger::default(),
            confirmed_generation: 0,
            reuse_reported: 0,
            take_overs: TakeOvers::default(),
            content: new.content,
            account: new.account,
            movement: None,
            login: Login {
                deadline: new.login_deadline,
                attempts_made: 0,
                newest_attempt: 0,
                rejection: None,
            },
            record: None,
            farewell_detail: Box::default(),
            last_live: now,
            liveness: new.liveness,
            reconnect: None,
            away_since: None,
        }
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.state.get().is_some_and(SessionState::is_logged_in)
    }

    pub(super) fn is_away(&self) -> bool {
        self.state.get().is_some_and(SessionState::is_away)
    }

    /// Whether the path may be used: confirmed, and not given up.
    pub(super) fn has_live_path(&self) -> bool {
        self.is_confirmed && !self.is_away()
    }

    /// Whether the attempt, rather than the session's first handshake, was made from `address`.
    pub(super) fn has_attempt_at(&self, address: SocketAddr) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.connection.address() == address)
    }

    /// What the maker of the attempt can go on with, whose hello named this lane epoch. A token of the backend begins afresh (P24).
    pub(super) fn continuity_of_attempt(&self, lane_epoch: Option<u64>) -> Continuity {
        let is_resume = self.attempt.as_ref().is_some_and(|attempt| attempt.origin.is_resume());
        if is_resume { self.content.continuity_with(lane_epoch) } else { Continuity::Restarted }
    }

    /// Whether the session's first handshake was made from `address` and is not confirmed. An attempt may wait there as well.
    pub(super) fn first_handshake_waits_at(&self, address: SocketAddr) -> bool {
        !self.is_confirmed && self.connection.address() == address
    }

    /// The connection that waits for its confirmation from `address`: the attempt's, or the first of the session.
    pub(super) fn unconfirmed_at(&mut self, address: SocketAddr) -> Option<&mut Connection> {
        let first_waits = self.first_handshake_waits_at(address);
        match &mut self.attempt {
            Some(attempt) if attempt.connection.address() == address => Some(&mut attempt.connection),
            _ if first_waits => Some(&mut self.connection),
            _ => None,
        }
    }

    /// Notes a challenged resume handshake. One from the same address is replaced; of five the oldest is given up and returned.
    pub(super) fn note_resume_handshake(&mut self, handshake: ResumeHandshake) -> Option<SocketAddr> {
        self.resume_handshakes.retain(|other| other.address != handshake.address);
        let given_up = (self.resume_handshakes.len() >= RESUME_HANDSHAKES_MAX)
            .then(|| self.resume_handshakes.remove(0).address);
        self.resume_handshakes.push(handshake);
        given_up
    }

    /// The resume handshake that was challenged at `address`.
    pub(super) fn resume_handshake_at(&self, address: SocketAddr) -> Option<ResumeHandshake> {
        self.resume_handshakes.iter().find(|handshake| handshake.address == address).copied()
    }

    /// The earliest of the deadlines that the peer has to meet, whatever the session waits for.
    pub(super) fn peer_deadline_at(&self, clock: &Clock) -> Timestamp {
        let path = if self.is_away() { self.reconnect } else { Some(self.liveness) };
        let login = (!self.is_logged_in()).then_some(self.login.deadline);
        let attempt = self.attempt.as_ref().map(|attempt| attempt.deadline);
        let trial = self.trial.as_ref().and_then(|trial| trial.deadline());
        [path, login, attempt, trial]
            .into_iter()
            .flatten()
            .map(|deadline| deadline.ends_at(clock))
            .min()
            .unwrap_or(Timestamp::NEVER)
    }

    /// When this session will have output without any input.
    pub(super) fn next_output(&self, heartbeat_micros: u64) -> Timestamp {
        let mut earliest = Timestamp::NEVER;
        let mut consider = |at: Timestamp| earliest = earliest.min(at);
        if let Some(attempt) = &self.attempt {
            consider(attempt.next_keep_alive);
        }
        if !self.is_confirmed {
            consider(self.next_keep_alive);
        }
        consider(self.next_challenge());
        if self.has_live_path() {
            consider(self.content.next_deadline(self.last_sent, heartbeat_micros));
        }
        earliest
    }
}
