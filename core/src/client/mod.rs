//! The client's end of a session: sans-IO, the mirror of the server's drive API.
//!
//! A [`ClientSession`] connects with a connect token of the backend, logs in, sends and receives, notices when its path is dead, and
//! comes back by itself with the resume tokens the server gave it. It has no socket and no clock; its host drives it:
//!
//! ```text
//!  datagram ─▶ handle_datagram ─┐                         ┌─▶ poll_transmit ─▶ socket
//!  clock    ─▶ handle_timeout  ─┼─▶  ClientSession  ──────┼─▶ poll_event    ─▶ application
//!  calls    ─▶ login, send, …  ─┘                         └─▶ poll_timeout  ─▶ how long to wait
//! ```
//!
//! # The order of calls
//!
//! Give it what came in (a datagram, the time, a command), then call [`poll_transmit`](ClientSession::poll_transmit) and
//! [`poll_event`](ClientSession::poll_event) until each gives `None`, then ask [`poll_timeout`](ClientSession::poll_timeout) when
//! [`handle_timeout`](ClientSession::handle_timeout) is due.
//!
//! # After the end
//!
//! A session ends with [`ClientEvent::Disconnected`]. What to do then (ask the backend for another token, at once or later, or ask the
//! player) [`ClientDisconnectReason::next_step`] says for each reason, and [`NextStep::pause_ms`] how long to wait before.
//!
//! # What holds
//!
//! 1. `poll_timeout` changes nothing and gives the same answer until something else is called.
//! 2. Output that may be polled now means that `poll_timeout` is not later than the newest `now`.
//! 3. A deadline that fired has moved on or has produced output, so that nothing spins.
//! 4. A `now` earlier than one before counts as that one.
//! 5. [`ClientEvent::Disconnected`] comes exactly once and is the last event.
//! 6. Bytes from the network are never an error of the caller and never panic.
//! 7. Every queue is bounded: what is unreliable gives way, what is reliable pushes back.
//! 8. The same seed and the same calls give the same output, byte for byte.

mod clock;
mod commands;
mod config;
mod counters;
mod deadlines;
mod error;
mod event;
mod framed;
mod handshake;
mod inbound;
mod inspect;
mod lead;
mod login;
mod moves;
mod next_step;
mod path;
mod raw;
mod redundancy;
mod refusal;
mod resume;
mod saved;
mod state;
mod verdict;
mod watch;
mod way_back;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::config::Payloads;
use crate::farewell::Farewell;
use crate::netcode::ConnectToken;
use crate::{DATAGRAM_BYTES_MAX, Deadline, DeadlineCause, Timestamp, Transmit};

pub use clock::ServerClock;
pub use config::{ClientConfig, ClientConfigError};
pub use counters::ClientCounters;
pub use error::{ClientError, ClientLoginError, ClientSendError, SavedError};
pub use event::{ClientDisconnectReason, ClientEvent};
pub use next_step::NextStep;
pub use refusal::ClientSendRefusal;
pub use state::ClientState;
pub use verdict::{DropReason, Verdict};

use event::EventQueue;
use framed::Framed;
use handshake::Handshake;
use path::Path;
use raw::RawContent;
use resume::{HeldToken, Purse};
use way_back::WayBack;

/// A device's clock may be this many seconds fast without locking its owner out; servers know the time better.
const CLOCK_ERROR_S: u64 = 3_600;

/// One player's session, from the first handshake to its [`ClientEvent::Disconnected`]. See the [module](self) for how to drive it.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    rng: ChaCha20Rng,
    /// The latest time that was heard of.
    now: Timestamp,
    protocol_id: u64,
    state: ClientState,
    /// The connection in use.
    path: Option<Path>,
    /// A handshake under way: the first, or one to replace the path.
    handshake: Option<Handshake>,
    purse: Purse,
    /// Set while another path is looked for: the one in use is lost or looks dead, and the session may be resumed.
    way_back: Option<WayBack>,
    content: Content,
    events: EventQueue,
    farewells: Vec<Farewell>,
    counters: ClientCounters,
}

/// What payloads carry.
#[derive(Debug)]
enum Content {
    Raw(RawContent),
    Framed(Box<Framed>),
}

impl Content {
    fn framed(&self) -> Option<&Framed> {
        match self {
            Self::Raw(_) => None,
            Self::Framed(framed) => Some(framed),
        }
    }

    fn framed_mut(&mut self) -> Option<&mut Framed> {
        match self {
            Self::Raw(_) => None,
            Self::Framed(framed) => Some(framed),
        }
    }
}

/// Beginning a session.
impl ClientSession {
    /// A session that connects with a token of the backend.
    ///
    /// `seed` must be random and never used before: sequences that must not repeat are drawn from it. `unix_time_s` only serves to
    /// refuse a token that expired more than an hour ago; a token that fails otherwise fails at the server.
    pub fn new(
        config: ClientConfig,
        seed: [u8; 32],
        now: Timestamp,
        token: &ConnectToken,
        unix_time_s: u64,
    ) -> Result<Self, ClientError> {
        config.validate().map_err(ClientError::Config)?;
        if is_stale(token, unix_time_s) {
            return Err(ClientError::TokenExpired);
        }
        let mut session = Self::idle(config, seed, now, token.protocol_id());
        let held = session.hold_foreign(0, token.clone());
        session.handshake = Some(Handshake::new(held, now));
        Ok(session)
    }

    /// A session that goes on where another process left it: `saved` is what [`save`](Self::save) wrote there.
    ///
    /// It has no memory of messages, so the lanes begin afresh. It ends with [`ClientDisconnectReason::SessionGone`] if the server
    /// keeps the session no longer. `seed` and `unix_time_s` are as for [`new`](Self::new). The same bytes must resume one session
    /// only, for each token opens one handshake.
    pub fn resume(
        config: ClientConfig,
        seed: [u8; 32],
        now: Timestamp,
        saved: &[u8],
        unix_time_s: u64,
    ) -> Result<Self, SavedError> {
        config.validate().map_err(SavedError::Config)?;
        if config.payloads == Payloads::Raw {
            return Err(SavedError::RawPayloads);
        }
        let (terms, mut tokens) = saved::read(saved)?;
        tokens.retain(|(_, token)| !is_stale(token, unix_time_s));
        let protocol_id = tokens.first().ok_or(SavedError::TokenExpired)?.1.protocol_id();
        let mut session = Self::idle(config, seed, now, protocol_id);
        let held = tokens.into_iter().map(|(generation, token)| session.hold_foreign(generation, token));
        let held = held.collect();
        session.purse = Purse::restored(held);
        if let Some(framed) = session.content.framed_mut() {
            framed.restore_terms(terms);
        }
        let kept_ms = terms.timeout_ms.saturating_add(terms.reconnect_window_ms);
        session.way_back = Some(WayBack::new(&session.config, now.plus_millis(kept_ms)));
        session.try_next_token();
        Ok(session)
    }

    fn idle(config: ClientConfig, seed: [u8; 32], now: Timestamp, protocol_id: u64) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let content = match config.payloads {
            Payloads::Raw => {
                Content::Raw(RawContent::new(config.datagram_queue_bytes_max, config.raw_keep_alive_ms))
            }
            Payloads::Framed => {
                let lane_epoch = rng.next_u64().max(1);
                Content::Framed(Box::new(Framed::new(&config, lane_epoch, now)))
            }
        };
        Self {
            events: EventQueue::new(config.event_queue_bytes_max),
            config,
            rng,
            now,
            protocol_id,
            state: ClientState::Connecting,
            path: None,
            handshake: None,
            purse: Purse::default(),
            way_back: None,
            content,
            farewells: Vec::new(),
            counters: ClientCounters::default(),
        }
    }

    /// Holds a token that came from outside this process, under which somebody may have sealed already (P63).
    fn hold_foreign(&mut self, generation: u64, token: ConnectToken) -> HeldToken {
        let first_sequence = self.rng.next_u64() >> 24;
        let lifetime_s = token.expire_unix().saturating_sub(token.create_unix());
        let expires_at = self.now.plus_millis(lifetime_s.saturating_mul(1_000));
        HeldToken::new(generation, token, first_sequence, expires_at)
    }
}

/// Input and output.
impl ClientSession {
    /// Takes a datagram that came `from` an address. It is opened in place.
    pub fn handle_datagram(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) -> Verdict {
        self.enter(now);
        let result = self.receive(from, datagram);
        self.counters.count(result);
        debug_assert!(self.counters.add_up(), "a datagram has no fate, or two");
        match result {
            Ok(()) => Verdict::Accepted,
            Err(refusal) => Verdict::Dropped(refusal.reason()),
        }
    }

    /// Fires what is due. To be called when [`poll_timeout`](Self::poll_timeout) says so, after the datagrams that wait; more often
    /// does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.enter(now);
        self.fire();
    }

    /// Writes the next datagram into `buffer`, which holds at least [`DATAGRAM_BYTES_MAX`] bytes.
    ///
    /// `None` if nothing is to be sent now, or if the buffer is smaller. A datagram that the host cannot send may be thrown away.
    pub fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<Transmit> {
        self.enter(now);
        let now = self.now;
        if buffer.len() < DATAGRAM_BYTES_MAX {
            return None;
        }
        if let Some(farewell) = self.farewells.first_mut() {
            let transmit = farewell.poll_transmit(buffer);
            if farewell.is_over() {
                self.farewells.remove(0);
            }
            return transmit;
        }
        if self.ask_ahead_of_request()
            && let Some(question) = self.poll_path(now, buffer)
        {
            return Some(question);
        }
        self.poll_handshake(now, buffer).or_else(|| self.poll_path(now, buffer))
    }

    fn poll_handshake(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<Transmit> {
        let hello = self.content.framed().map(Framed::hello);
        let handshake = self.handshake.as_mut()?;
        let len = handshake.poll_transmit(now, hello.as_ref(), buffer)?;
        Some(Transmit { to: handshake.address(), len })
    }

    fn poll_path(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<Transmit> {
        let path = self.path.as_mut()?;
        let len = match &mut self.content {
            Content::Raw(raw) => raw.poll_packet(now, path, buffer),
            Content::Framed(framed) => framed.poll_packet(now, path, buffer),
        };
        (len > 0).then(|| Transmit { to: path.address(), len })
    }

    /// Gives the next event; the bytes that belong to it replace what `payload` held.
    pub fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<ClientEvent> {
        self.events.pop(payload)
    }

    /// When the session wants to be called again; `None` once there is nothing more to come.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let has_payload = match &self.content {
            Content::Raw(raw) => self.path.is_some() && raw.has_payload(),
            Content::Framed(_) => false,
        };
        if has_payload || !self.farewells.is_empty() || !self.events.is_empty() {
            return Some(Deadline { at: self.now, cause: DeadlineCause::Output });
        }
        let at = self.next_wake();
        let is_handshake = self.handshake.as_ref().is_some_and(|handshake| handshake.poll_timeout() == at);
        let cause = if is_handshake { DeadlineCause::Handshake } else { DeadlineCause::Session };
        (at < Timestamp::NEVER).then_some(Deadline { at, cause })
    }
}

impl ClientSession {
    /// Ends the session, once. Keys and tokens are wiped; events that wait stay.
    fn end(&mut self, reason: ClientDisconnectReason, detail: &[u8]) {
        if self.state == ClientState::Disconnected {
            return;
        }
        self.state = ClientState::Disconnected;
        self.path = None;
        self.handshake = None;
        self.way_back = None;
        self.purse = Purse::default();
        self.events.push(ClientEvent::Disconnected { reason }, detail);
    }
}

fn is_stale(token: &ConnectToken, unix_time_s: u64) -> bool {
    token.expire_unix().saturating_add(CLOCK_ERROR_S) <= unix_time_s
}
