//! The part of a host that server and client share: sleep, read datagrams, write datagrams.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Interest, Poll, Registry, Token};
use rejoin::{DATAGRAM_BYTES_MAX, Deadline, Timestamp, Transmit};

use crate::clock::Clock;
use crate::signals::Signals;
use crate::socket_set::{Arrival, Departure, SocketSet};

/// Larger than any datagram that is accepted, so that one that was cut is still seen to be too long.
const RECEIVE_BUFFER_BYTES: usize = 2_048;

/// Events taken from the operating system in one wake; more come with the next.
const EVENTS_PER_WAKE: usize = 64;

/// The longest sleep; the operating system's timeouts have a range.
const SLEEP_MAX: Duration = Duration::from_hours(1);

/// The sleep while a datagram waits for room in the kernel: its event comes earlier, and timers run meanwhile.
const SLEEP_WHILE_BLOCKED: Duration = Duration::from_millis(5);

/// How long a socket that gives nothing but errors is left alone, unless an event comes for it.
const REST_AFTER_FAULTS: Duration = Duration::from_millis(1);

/// How long goodbyes wait for room in the kernel.
const FAREWELL_WAIT: Duration = Duration::from_millis(200);

const SIGNAL_TOKEN: Token = Token(usize::MAX);

/// Sockets, a clock and the operating system's event queue.
#[derive(Debug)]
pub(crate) struct EventLoop {
    poll: Poll,
    events: Events,
    sockets: SocketSet,
    clock: Clock,
    signals: Option<Signals>,
    /// How often a watched signal has come; those that come together count once.
    signals_taken: u32,
    receive_budget: u32,
    receive_buffer: Box<[u8]>,
    /// Holds the datagram that is on its way out, and keeps it while `unsent` says so.
    transmit_buffer: Box<[u8]>,
    /// A datagram the kernel had no room for.
    unsent: Option<Transmit>,
    /// When sockets that gave nothing but errors are tried again.
    rest_ends_at: Option<Timestamp>,
}

impl EventLoop {
    /// A loop around the sockets that `bind` opens on its registry.
    pub(crate) fn new<E>(
        receive_budget: u32,
        bind: impl FnOnce(&Registry) -> Result<SocketSet, E>,
    ) -> Result<Self, E>
    where
        E: From<io::Error>,
    {
        let poll = Poll::new()?;
        let sockets = bind(poll.registry())?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_WAKE),
            sockets,
            clock: Clock::start(),
            signals: None,
            signals_taken: 0,
            receive_budget: receive_budget.max(1),
            receive_buffer: vec![0; RECEIVE_BUFFER_BYTES].into(),
            transmit_buffer: vec![0; DATAGRAM_BYTES_MAX].into(),
            unsent: None,
            rest_ends_at: None,
        })
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn sockets(&self) -> &SocketSet {
        &self.sockets
    }

    /// Lets the sockets go, and what waited for room in them.
    pub(crate) fn close(&mut self) {
        self.sockets.close();
        self.unsent = None;
    }

    /// Replaces the sockets by those that `bind` opens; on an error the former ones stay.
    pub(crate) fn rebind<E>(&mut self, bind: impl FnOnce(&Registry) -> Result<SocketSet, E>) -> Result<(), E>
    where
        E: From<io::Error>,
    {
        let sockets = bind(self.poll.registry())?;
        self.sockets.replace(sockets);
        self.unsent = None;
        Ok(())
    }

    /// Takes Ctrl-C and SIGTERM as events from now on.
    pub(crate) fn watch_signals(&mut self) -> io::Result<()> {
        if self.signals.is_none() {
            let mut signals = Signals::watch()?;
            self.poll.registry().register(&mut signals, SIGNAL_TOKEN, Interest::READABLE)?;
            self.signals = Some(signals);
        }
        Ok(())
    }

    /// How often a watched signal has come.
    pub(crate) fn signals_taken(&self) -> u32 {
        self.signals_taken
    }

    /// Sleeps until a socket or signal wakes it, the core's deadline or another moment comes, or `timeout` is over.
    ///
    /// Does not sleep at all while datagrams are known to wait.
    pub(crate) fn sleep(
        &mut self,
        timeout: Option<Duration>,
        core_deadline: Option<Deadline>,
        other: Option<Timestamp>,
    ) -> io::Result<()> {
        let now = self.clock.now();
        let until = |moment: Timestamp| moment.since(now);
        let is_blocked = self.unsent.is_some();
        let core = if is_blocked {
            Some(SLEEP_WHILE_BLOCKED)
        } else {
            core_deadline.map(|deadline| until(deadline.at))
        };
        let waiting = self.sockets.is_readable().then_some(Duration::ZERO);
        let candidates = [waiting, timeout, core, other.map(until), self.rest_ends_at.map(until)];
        self.sleep_for(candidates.into_iter().flatten().fold(SLEEP_MAX, Duration::min))?;
        if self.rest_ends_at.is_some_and(|end| self.clock.now() >= end) {
            self.rest_ends_at = None;
            self.sockets.handle_rested();
        }
        Ok(())
    }

    fn sleep_for(&mut self, duration: Duration) -> io::Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(duration)) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
            self.events.clear();
        }
        for event in &self.events {
            if event.token() == SIGNAL_TOKEN {
                let is_taken = self.signals.as_mut().is_some_and(Signals::take);
                self.signals_taken = self.signals_taken.saturating_add(is_taken.into());
            } else {
                self.sockets.handle_event(event);
            }
        }
        Ok(())
    }

    /// Reads datagrams until none waits or the budget is used up, and hands each over. A socket that gives nothing but errors is left alone
    /// for a while.
    ///
    /// `handle` says whether the datagram proved that its sender can receive at its address.
    pub(crate) fn receive(&mut self, mut handle: impl FnMut(SocketAddr, &mut [u8]) -> bool) {
        for _ in 0..self.receive_budget {
            match self.sockets.receive(&mut self.receive_buffer) {
                Arrival::Datagram { bytes, from, socket } => {
                    if handle(from, &mut self.receive_buffer[..bytes]) {
                        self.sockets.learn_route(from, socket);
                    }
                }
                Arrival::Fault => {}
                Arrival::Drained => break,
            }
        }
        if self.rest_ends_at.is_none() && self.sockets.is_resting() {
            self.rest_ends_at = Some(self.clock.now() + REST_AFTER_FAULTS);
        }
    }

    /// Sends what `next` writes until it has nothing more, or there is no room for it.
    pub(crate) fn transmit(&mut self, mut next: impl FnMut(&mut [u8]) -> Option<Transmit>) {
        while let Some(transmit) = self.unsent.take().or_else(|| next(&mut self.transmit_buffer)) {
            let datagram = &self.transmit_buffer[..transmit.len];
            if self.sockets.send(transmit.to, datagram) == Departure::Blocked {
                self.unsent = Some(transmit);
                return;
            }
        }
    }

    /// The same for the last words before closing: waits for room, but not for long.
    pub(crate) fn transmit_farewells(
        &mut self,
        mut next: impl FnMut(Timestamp, &mut [u8]) -> Option<Transmit>,
    ) {
        let give_up_at = self.clock.now() + FAREWELL_WAIT;
        loop {
            let now = self.clock.now();
            self.transmit(|buffer| next(now, buffer));
            if self.unsent.is_none() || now >= give_up_at || self.sleep_for(SLEEP_WHILE_BLOCKED).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
