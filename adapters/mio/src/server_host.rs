//! A server: sockets, clock and event loop around the sessions.

mod start;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rejoin::{ConfigError, Drain, DrainState, Event, MultiSessionManager, Timestamp, Verdict};

use crate::address::normalised;
use crate::application::Application;
use crate::event_loop::EventLoop;
use crate::host_config::{HostConfig, StartError};
use crate::sessions::Sessions;
use crate::socket::SocketCounters;
use crate::ticks::Ticks;

/// How often the wall clock is compared, in microseconds.
const UNIX_TIME_EVERY_MICROS: u64 = 1_000_000;

/// A game server on the network: it owns the sockets, the clock and the [`MultiSessionManager`], and drives them.
///
/// [`start`](Self::start) makes one that runs. Then either [`run`](Self::run) it until somebody wants it to end, or
/// [`poll`](Self::poll) it from a loop of your own. [`stop`](Self::stop) tells every peer and clears all sessions; dropping it does the
/// same without telling the application.
pub struct ServerNetworkHost {
    event_loop: EventLoop,
    manager: MultiSessionManager,
    ticks: Option<Ticks>,
    unix_time_due_at: Timestamp,
    payload: Vec<u8>,
    /// What the first signal brings about, until it has come.
    drain_on_signal: Option<Drain>,
    stop_requested: bool,
    is_stopped: bool,
}

impl ServerNetworkHost {
    /// Binds every address and begins. On an error everything is closed again.
    pub fn start(config: HostConfig) -> Result<Self, StartError> {
        start::start(config)
    }

    /// The sessions: look up, enumerate, inspect. Commands go through the application's [`Sessions`].
    #[must_use]
    pub fn sessions(&self) -> &MultiSessionManager {
        &self.manager
    }

    /// Where it listens, with the real ports, in the order of the configuration; empty once it has stopped.
    #[must_use]
    pub fn bound_addresses(&self) -> Vec<SocketAddr> {
        self.event_loop.sockets().local_addresses().collect()
    }

    /// What went through the sockets.
    #[must_use]
    pub fn socket_counters(&self) -> SocketCounters {
        self.event_loop.sockets().counters()
    }

    /// The present moment on the clock whose moments events and views carry.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.event_loop.clock().now()
    }

    /// Replaces the addresses by which clients reach this server. Players who are in can come back to the former ones too.
    pub fn set_public_addresses(&mut self, addresses: &[SocketAddr]) -> Result<(), ConfigError> {
        self.manager.set_public_addresses(&normalised(addresses))
    }

    /// Gives the application's facade outside of its calls, for example to answer a login later. What it asks for leaves at the next
    /// [`poll`](Self::poll).
    pub fn commands(&mut self) -> Sessions<'_> {
        let now = self.event_loop.clock().now();
        Sessions::new(&mut self.manager, now, &mut self.stop_requested)
    }

    /// Lets Ctrl-C and SIGTERM ask for the end, from now on. [`run`](Self::run) does this by itself.
    pub fn watch_signals(&mut self) -> io::Result<()> {
        self.event_loop.watch_signals()
    }

    /// Whether it is time to end: the application asked for it, a drain is over, or a signal came. Where
    /// [`HostConfig::drain_on_signal`] is set the first signal begins a drain, and the second one asks for the end.
    #[must_use]
    pub fn is_stop_requested(&self) -> bool {
        self.stop_requested || self.manager.drain_state() == DrainState::Drained
    }

    /// Runs until Ctrl-C, SIGTERM or [`Sessions::request_stop`], or until nobody is left of a server that drains; then stops.
    ///
    /// Fails only where the operating system's event queue does.
    pub fn run(&mut self, application: &mut impl Application) -> io::Result<()> {
        self.watch_signals()?;
        while !self.is_stop_requested() && !self.is_stopped {
            self.poll(None, application)?;
        }
        self.stop(application);
        Ok(())
    }

    /// Sleeps until something is to be done, at most for `timeout`, and does it: reads datagrams up to the budget, fires timers, hands
    /// events and ticks to the application, and sends what there is to send.
    ///
    /// However much arrives, timers and output get their turn in every call. A host that has stopped returns at once. Fails only where the
    /// operating system's event queue does.
    pub fn poll(&mut self, timeout: Option<Duration>, application: &mut impl Application) -> io::Result<()> {
        if self.is_stopped {
            return Ok(());
        }
        let signals_before = self.event_loop.signals_taken();
        let next_tick_at = self.ticks.map(|ticks| ticks.next_at());
        self.event_loop.sleep(timeout, self.manager.poll_timeout(), next_tick_at)?;
        let now = self.event_loop.clock().now();
        self.heed_signals(now, signals_before);
        self.compare_unix_time(now);
        self.receive(now);
        self.manager.handle_timeout(now);
        self.deliver_events(now, application);
        self.deliver_ticks(now, application);
        self.deliver_events(now, application);
        self.event_loop.transmit(|buffer| self.manager.poll_transmit(now, buffer));
        Ok(())
    }

    /// Ends every session and closes the sockets: every peer is told, and the application gets the `Disconnected` of each session.
    ///
    /// A second call does nothing.
    pub fn stop(&mut self, application: &mut impl Application) {
        if std::mem::replace(&mut self.is_stopped, true) {
            return;
        }
        let now = self.event_loop.clock().now();
        self.manager.shutdown(now);
        self.deliver_events(now, application);
        self.event_loop.transmit_farewells(|now, buffer| self.manager.poll_transmit(now, buffer));
        self.event_loop.close();
    }

    /// A signal begins the drain there is to begin, or asks for the end.
    fn heed_signals(&mut self, now: Timestamp, taken_before: u32) {
        if self.event_loop.signals_taken() == taken_before {
            return;
        }
        let drain = self.drain_on_signal.take();
        // An application may have drained already, and waited for somebody to lose patience.
        let begins = drain.filter(|_| self.manager.drain_state() == DrainState::Serving);
        self.stop_requested |= begins.is_none_or(|drain| self.manager.drain(now, drain).is_err());
    }

    fn compare_unix_time(&mut self, now: Timestamp) {
        if now >= self.unix_time_due_at {
            self.manager.set_unix_time(now, self.event_loop.clock().unix_time_s());
            self.unix_time_due_at = now.plus_micros(UNIX_TIME_EVERY_MICROS);
        }
    }

    fn receive(&mut self, now: Timestamp) {
        let manager = &mut self.manager;
        self.event_loop.receive(|from, datagram| match manager.handle_datagram(now, from, datagram) {
            Verdict::Accepted(_) | Verdict::Answered => true,
            Verdict::Dropped(_) => false,
        });
    }

    fn deliver_events(&mut self, now: Timestamp, application: &mut impl Application) {
        while let Some(event) = self.manager.poll_event(&mut self.payload) {
            let mut sessions = Sessions::new(&mut self.manager, now, &mut self.stop_requested);
            application.handle_event(&mut sessions, event, &self.payload);
        }
    }

    fn deliver_ticks(&mut self, now: Timestamp, application: &mut impl Application) {
        let Some(ticks) = &mut self.ticks else { return };
        while let Some(tick) = ticks.poll(now) {
            self.manager.set_server_tick(now, tick);
            let mut sessions = Sessions::new(&mut self.manager, now, &mut self.stop_requested);
            application.handle_tick(&mut sessions, tick);
        }
    }
}

impl Drop for ServerNetworkHost {
    fn drop(&mut self) {
        self.stop(&mut |_: &mut Sessions<'_>, _: Event, _: &[u8]| {});
    }
}

impl fmt::Debug for ServerNetworkHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerNetworkHost")
            .field("bound_addresses", &self.bound_addresses())
            .field("sessions", &self.manager.len())
            .field("is_stopped", &self.is_stopped)
            .finish_non_exhaustive()
    }
}
