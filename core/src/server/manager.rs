//! The owner of everything, and the calls that drive it.

use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::config::{Config, ConfigError};
use crate::counters::{Counters, DropReason};
use crate::event::Event;
use crate::lifecycle::{LifecycleEventKind, LifecyclePolicy};
use crate::netcode::{Key, PACKET_BYTES_MAX};
use crate::timers::TimerWheel;
use crate::{SessionId, Timestamp};

use super::admission::{Admission, AdmissionSeeds};
use super::bans::Bans;
use super::budget::UnprovedBudget;
use super::clock::Clock;
use super::directory::Directory;
use super::drain::Leave;
use super::due::DueSessions;
use super::ledger::LogBudgets;
use super::outbox::{Outbox, OutboxLimits};
use super::pool::MemoryPool;
use super::search_budget::SearchBudget;
use super::table::SessionTable;
use super::way_back::ResumeMint;

/// Tracks every peer of a server through connect, login, heartbeat, timeout, reconnect and removal.
///
/// It does no input or output of its own and reads no clock. An embedder's loop
///
/// 1. *feeds* it: [`handle_datagram`](Self::handle_datagram), [`handle_timeout`](Self::handle_timeout), and the commands of the
///    application ([`accept_login`](Self::accept_login), [`send`](Self::send), …);
/// 2. *drains* it: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until both give `None`, in any order;
/// 3. *asks* it with [`poll_timeout`](Self::poll_timeout) how long to sleep, and begins again.
///
/// # Laws
///
/// 1. After any mutation, drain transmits and events until `None`, then ask for the timeout.
/// 2. Output that may be sent now means `poll_timeout() <= now`; without a mutation it always gives the same answer.
/// 3. A deadline that fired moves forward or has produced output: a loop that obeys law 1 never spins.
/// 4. Time is a [`Timestamp`]; arithmetic saturates, and a clock that goes back is ignored.
/// 5. Every session ends with exactly one `Disconnected` event, the last of its events. Lifecycle events are never dropped.
/// 6. A [`SessionId`] whose session has ended is an error of the caller's, never a panic and never somebody else's session.
/// 7. Every queue is bounded: what is unreliable is dropped and counted, what is reliable pushes back on `send`.
/// 8. The same seed and the same inputs give the same outputs, byte for byte.
/// 9. In the steady state (payloads, heartbeats, ticks) nothing is allocated.
pub struct MultiSessionManager {
    pub(super) config: Config,
    pub(super) policy: LifecyclePolicy,
    pub(super) clock: Clock,
    pub(super) table: SessionTable,
    pub(super) directory: Directory,
    pub(super) timers: TimerWheel,
    pub(super) admission: Admission,
    pub(super) bans: Bans,
    pub(super) pool: MemoryPool,
    pub(super) search_budget: SearchBudget,
    pub(super) budget: UnprovedBudget,
    pub(super) mint: ResumeMint,
    pub(super) outbox: Outbox,
    /// Sessions with output, in the order of their turns.
    pub(super) due: DueSessions,
    pub(super) counters: Counters,
    pub(super) log_budgets: LogBudgets,
    pub(super) rng: ChaCha20Rng,
    /// The game's tick and when it was set.
    pub(super) server_tick: Option<(u64, Timestamp)>,
    pub(super) leave: Leave,
    /// The host stalled: deadlines fire only after the datagrams that waited meanwhile were read.
    pub(super) reads_first: bool,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to this session.
    Accepted(SessionId),
    /// It was a handshake packet, and an answer is on its way.
    Answered,
    /// It did nothing, for this reason.
    Dropped(DropReason),
}

/// A datagram to send: its bytes are in the buffer given to `poll_transmit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where it goes.
    pub to: SocketAddr,
    /// Its length in bytes.
    pub len: usize,
}

/// When to come back, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When `handle_timeout`, or a poll where the cause is output, is due.
    pub at: Timestamp,
    /// What is due then.
    pub cause: DeadlineCause,
}

/// What a [`Deadline`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineCause {
    /// Events or datagrams wait to be polled.
    Output,
    /// A session's timer.
    Session,
    /// A handshake that was not finished.
    Handshake,
    /// The end of a [`Drain`](crate::Drain).
    Drain,
}

/// Timers handled in one call at most; the rest stays due.
const TIMERS_PER_CALL_MAX: usize = 4_096;

impl MultiSessionManager {
    /// Makes a manager without sessions.
    ///
    /// `seed` must be random and secret: keys, nonces and hashes are drawn from it. `unix_time_s` is used for the expiry of connect
    /// tokens only.
    pub fn new(
        config: Config,
        seed: [u8; 32],
        now: Timestamp,
        unix_time_s: u64,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut rng = ChaCha20Rng::from_seed(seed);
        let seeds = AdmissionSeeds {
            challenge_key: Key::new(draw(&mut rng)),
            first_sequence: rng.next_u64(),
            hash_key: draw(&mut rng),
        };
        let boot_id = rng.next_u64();
        let boot_secret = Key::new(draw(&mut rng));
        Ok(Self {
            policy: config.lifecycle_policy(),
            clock: Clock::new(now, unix_time_s, u64::from(config.stall_credit_max_ms) * 1_000),
            table: SessionTable::default(),
            directory: Directory::new(draw(&mut rng)),
            timers: TimerWheel::new(now),
            admission: Admission::new(&config, unix_time_s, seeds),
            bans: Bans::new(&config),
            pool: MemoryPool::new(&config),
            budget: UnprovedBudget::new(&config, now, draw(&mut rng)),
            mint: ResumeMint::new(config.protocol_id, config.private_key.clone(), boot_id, boot_secret),
            outbox: Outbox::new(OutboxLimits::of(&config)),
            due: DueSessions::default(),
            counters: Counters::default(),
            log_budgets: LogBudgets::default(),
            search_budget: SearchBudget::new(config.port_searches_per_s, now, draw(&mut rng)),
            rng,
            server_tick: None,
            leave: Leave::default(),
            reads_first: false,
            config,
        })
    }

    /// Takes a datagram that arrived from `from`. It is decrypted in place.
    ///
    /// Whatever it contains is never an error: the verdict says what became of it, and
    /// [`counters`](Self::counters) count why.
    pub fn handle_datagram(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) -> Verdict {
        self.enter(now);
        self.counters.datagrams_received += 1;
        let verdict = self.route(from, datagram).unwrap_or_else(Verdict::Dropped);
        match verdict {
            Verdict::Accepted(_) => self.counters.accepted += 1,
            Verdict::Answered => self.counters.answered += 1,
            Verdict::Dropped(reason) => {
                self.counters.refuse(reason);
                self.log_drop(from, datagram.len(), reason);
            }
        }
        debug_assert!(self.counters.add_up(), "something was refused without a cause, or for two");
        verdict
    }

    /// Does what is due by now, a bounded part of it; [`poll_timeout`](Self::poll_timeout) tells if more is.
    ///
    /// After a stall the first call does nothing: what fell due meanwhile fires in the second one, so that a host which reads the
    /// datagrams that waited before each call (all of them, or a budget's worth) holds no silence against a peer that was not silent.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.enter(now);
        if self.reads_first {
            self.reads_first = false;
            return;
        }
        self.admission.handle_timeout(&self.clock);
        self.fire_drain();
        for _ in 0..TIMERS_PER_CALL_MAX {
            let Some(index) = self.timers.pop_due(self.clock.now()) else { break };
            self.fire(index);
        }
    }

    /// Writes the next datagram into the front of `buffer`. `None`: nothing may be sent now.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than [`DATAGRAM_BYTES_MAX`](crate::DATAGRAM_BYTES_MAX): some datagram would never leave.
    pub fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<Transmit> {
        assert!(buffer.len() >= PACKET_BYTES_MAX, "the buffer is too small for some packets");
        self.enter(now);
        let transmit = self.poll_in_turn(buffer);
        self.counters.datagrams_sent += u64::from(transmit.is_some());
        transmit
    }

    /// Gives the next event; the bytes that belong to it replace what `payload` held.
    pub fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<Event> {
        let Some(event) = self.outbox.poll_event(payload) else {
            return self.poll_drained().inspect(|_| payload.clear());
        };
        self.table.forget_last_ended();
        match &event {
            Event::Lifecycle(lifecycle) if lifecycle.kind == LifecycleEventKind::Disconnected => {
                self.table.release(lifecycle.session);
            }
            Event::PathMoved { session, .. } => self.note_move_told(*session),
            _ => {}
        }
        Some(event)
    }

    /// When to call again if nothing else happens; `None`: never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let has_events = self.outbox.has_events() || self.is_drain_over();
        if has_events || self.outbox.has_datagrams() || !self.due.is_empty() {
            return Some(Deadline { at: self.clock.now(), cause: DeadlineCause::Output });
        }
        if self.reads_first {
            return Some(Deadline { at: self.clock.now(), cause: DeadlineCause::Session });
        }
        let session = self.timers.next().map(|at| Deadline { at, cause: DeadlineCause::Session });
        let handshake =
            self.admission.poll_timeout().map(|at| Deadline { at, cause: DeadlineCause::Handshake });
        let deadlines = session.into_iter().chain(handshake).chain(self.drain_deadline());
        deadlines.min_by_key(|deadline| deadline.at)
    }

    /// Corrects the unix time; call it when the wall clock was set, and now and then.
    pub fn set_unix_time(&mut self, now: Timestamp, unix_time_s: u64) {
        self.enter(now);
        self.clock.set_unix_s(unix_time_s);
    }

    /// Tells where the game's simulation stands; move inputs are judged against it.
    ///
    /// A tick begins when it is told first; to tell it again changes nothing. Ticks should ascend: after one that is lower, inputs are
    /// accepted only above the highest tick that was accepted before, and are too far ahead until the simulation comes near that.
    pub fn set_server_tick(&mut self, now: Timestamp, tick: u64) {
        self.enter(now);
        if self.server_tick.is_none_or(|(current, _)| current != tick) {
            self.server_tick = Some((tick, self.clock.now()));
        }
    }

    /// Replaces the addresses by which clients reach this server. Every player is sent new resume tokens; those made for former
    /// addresses stay valid.
    pub fn set_public_addresses(&mut self, addresses: &[SocketAddr]) -> Result<(), ConfigError> {
        let former = core::mem::replace(&mut self.config.public_addresses, addresses.to_vec());
        self.config.validate().inspect_err(|_| self.config.public_addresses = former)?;
        for index in 0..self.table.index_end() {
            self.renew_tokens(index);
            self.touch(index);
        }
        Ok(())
    }

    /// Stops all deadlines about peers (silence, login, attempts, the reconnect window), or lets them go on with the time they had
    /// left. For a debugger on either end: while they are held, nobody is timed out.
    pub fn set_hold(&mut self, now: Timestamp, hold: bool) {
        self.enter(now);
        self.clock.set_hold(hold);
        for index in 0..self.table.index_end() {
            self.touch(index);
        }
    }

    /// The common beginning of every call: moves the clock, and forgives sessions the time the host was not there.
    pub(super) fn enter(&mut self, now: Timestamp) {
        if now <= self.clock.now() {
            return;
        }
        // What was overdue at the call before is no news: only the time since then was slept through.
        let was_here = self.clock.now();
        let late_micros =
            self.poll_timeout().map_or(0, |deadline| now.micros_since(deadline.at.max(was_here)));
        self.clock.advance(now);
        let late_ms = late_micros / 1_000;
        if late_ms >= u64::from(self.config.stall_threshold_ms) {
            self.clock.credit(late_micros);
            self.reads_first = true;
            self.push_event_or_drop(Event::Stalled { late_ms });
        }
    }

    /// Two random numbers of the manager's own that differ.
    pub(super) fn draw_two(&mut self) -> [u64; 2] {
        let first = self.draw_u64();
        let second = self.draw_u64();
        [first, if second == first { !first } else { second }]
    }

    /// A random number of the manager's own.
    pub(super) fn draw_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

impl fmt::Debug for MultiSessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiSessionManager")
            .field("sessions", &self.table.live())
            .field("now", &self.clock.now())
            .finish_non_exhaustive()
    }
}

fn draw<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Room for one sealed packet.
pub(super) const fn packet_buffer() -> [u8; PACKET_BYTES_MAX] {
    [0; PACKET_BYTES_MAX]
}
