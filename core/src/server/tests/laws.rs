//! The laws of the drive API, checked at every step of every test.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::SocketAddr;

use crate::event::LifecycleEvent;
use crate::lifecycle::{LifecycleEventKind as Kind, SessionState as State};
use crate::{Event, SessionId};

/// What was seen so far, to hold the next thing against.
#[derive(Debug, Default)]
pub(super) struct Laws {
    states: BTreeMap<SessionId, State>,
    ended: BTreeSet<SessionId>,
    /// Bytes from and to addresses that have not proved themselves.
    unproved: BTreeMap<SocketAddr, (usize, usize)>,
    proved: BTreeSet<SocketAddr>,
    is_drained: bool,
}

impl Laws {
    /// How many sessions have begun and not ended, by their events.
    pub(super) fn live(&self) -> usize {
        self.states.len()
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        let session = match event {
            Event::Lifecycle(event) => return self.on_lifecycle_event(event),
            Event::Message { session, .. }
            | Event::Datagram { session }
            | Event::Latest { session, .. }
            | Event::Move { session, .. }
            | Event::HeartbeatSent { session, .. }
            | Event::HeartbeatReceived { session, .. }
            | Event::TokenReuse { session, .. }
            | Event::PathMoved { session, .. } => session,
            Event::Stalled { .. } => return,
            Event::Drained { .. } => return self.on_drained(),
        };
        assert!(self.states.contains_key(session), "{event:?} belongs to a living session");
    }

    fn on_drained(&mut self) {
        assert!(self.states.is_empty(), "drained, but not everybody has left: {:?}", self.states);
        assert!(!core::mem::replace(&mut self.is_drained, true), "drained is told once");
    }

    fn on_lifecycle_event(&mut self, event: &LifecycleEvent) {
        assert!(!self.ended.contains(&event.session), "{event:?} is after the end");
        assert_eq!(event.previous, self.states.get(&event.session).copied(), "{event:?}");
        assert!(is_edge(event), "{event:?} is no edge of the lifecycle");
        assert_eq!(event.continuity.is_some(), event.kind == Kind::Reconnected, "{event:?}");
        if event.current == State::Disconnected {
            self.states.remove(&event.session);
            self.ended.insert(event.session);
        } else {
            self.states.insert(event.session, event.current);
        }
    }

    /// An address has proved that it receives as soon as it answers a challenge.
    pub(super) fn on_receipt(&mut self, from: SocketAddr, bytes: usize, is_answered_challenge: bool) {
        self.unproved.entry(from).or_default().0 += bytes;
        if is_answered_challenge {
            self.proved.insert(from);
        }
    }

    /// An address has proved it, too, when a session has its path there.
    pub(super) fn on_path(&mut self, address: SocketAddr) {
        self.proved.insert(address);
    }

    pub(super) fn on_transmit(&mut self, to: SocketAddr, bytes: usize) {
        if self.proved.contains(&to) {
            return;
        }
        let (received, sent) = self.unproved.entry(to).or_default();
        *sent += bytes;
        assert!(*sent <= *received, "{to} got more than it gave before it proved itself");
    }
}

/// The arrows of the lifecycle table, each with the event that tells of it.
fn is_edge(event: &LifecycleEvent) -> bool {
    let before_login = [State::TransportConnected, State::LoginPending, State::LoginFailed];
    let Some(from) = event.previous else {
        return (event.kind, event.current) == (Kind::TransportConnected, State::TransportConnected);
    };
    match (event.kind, event.current) {
        (Kind::LoginStarted, State::LoginPending) => {
            matches!(from, State::TransportConnected | State::LoginFailed)
        }
        (Kind::LoginSucceeded, State::LoggedIn) | (Kind::LoginFailed, State::LoginFailed) => {
            from == State::LoginPending
        }
        (Kind::TimedOut, State::TimedOut) => before_login.contains(&from) || from == State::LoggedIn,
        (Kind::ReconnectScheduled, State::ReconnectPending) => {
            matches!(from, State::TimedOut | State::LoggedIn | State::Reconnecting)
        }
        (Kind::ReconnectStarted, State::Reconnecting) => from == State::ReconnectPending,
        (Kind::Reconnected, State::LoggedIn) => {
            matches!(from, State::LoggedIn | State::ReconnectPending | State::Reconnecting)
        }
        (Kind::Disconnected, State::Disconnected) => from != State::Disconnected,
        _ => false,
    }
}
