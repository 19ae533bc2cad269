//! What a server shows, beside what must be.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use rejoin::{ClientId, DenyReason, MultiSessionManager, SessionId, SessionView};

use super::Model;
use crate::laws::{Violation, ensure};

impl Model {
    /// The sessions that the step touched.
    pub(super) fn compare_touched(&mut self, server: &MultiSessionManager) -> Result<(), Violation> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.dedup();
        self.note_round_trips(server, &touched);
        touched.iter().try_for_each(|id| self.compare_session(server, *id))?;
        touched.clear();
        self.touched = touched;
        same("how many sessions there are", &server.len(), &self.sessions.len())
    }

    /// Everything; `addresses` and `clients` are all that ever were.
    pub(super) fn compare_all<'a>(
        &self,
        server: &MultiSessionManager,
        mut addresses: impl Iterator<Item = &'a SocketAddr>,
        mut clients: impl Iterator<Item = &'a ClientId>,
    ) -> Result<(), Violation> {
        let seen: Vec<_> = server.sessions().map(|view| view.id()).collect();
        same("which sessions there are", &seen, &self.sessions.keys().copied().collect())?;
        seen.iter().try_for_each(|id| self.compare_session(server, *id))?;
        addresses.try_for_each(|address| self.compare_address(server, *address))?;
        clients.try_for_each(|client_id| {
            let found = server.session_of(*client_id).map(|view| view.id());
            same(format_args!("session_of({client_id})"), &found, &self.clients.get(client_id).copied())
        })?;
        same("how far it is in taking its leave", &server.drain_state(), &self.leave.state())?;
        let counters = server.counters();
        same("how many sessions were opened", &counters.sessions_opened, &self.opened)?;
        same("how many sessions moved to another port", &counters.paths_moved, &self.moves_followed)?;
        same("how many ways back there were", &counters.reconnects, &self.reconnects)?;
        let reasons = [DenyReason::Full, DenyReason::Draining, DenyReason::AlreadyLoggedIn];
        reasons.into_iter().try_for_each(|reason| {
            let denied = self.denied.get(&reason).copied().unwrap_or(0);
            same(
                format_args!("how often somebody was denied for {reason:?}"),
                &counters.denied(reason),
                &denied,
            )
        })
    }

    fn compare_session(&self, server: &MultiSessionManager, id: SessionId) -> Result<(), Violation> {
        let what = |field| format!("{field} of session {id}");
        let (view, session) = match (server.session(id), self.sessions.get(&id)) {
            (Some(view), Some(session)) => (view, session),
            (view, session) => return same(what("the existence"), &view.is_some(), &session.is_some()),
        };
        let seen = (view.state(), view.client_id(), view.address(), view.since(), view.last_received());
        let must = (session.state, session.client_id, session.path.address, session.since, session.last_live);
        if seen != must {
            same(what("state, identity, path, beginning, last sign of life"), &seen, &must)?;
        }
        let timeout = Duration::from_micros(session.timeout_micros);
        let (seen, must) = ((view.timeout(), view.resume_generation()), (timeout, session.spent));
        if seen.0 != must.0 || seen.1 < must.1 {
            same(what("timeout and newest resume token"), &seen, &must)?;
        }
        let of_client = server.session_of(session.client_id).map(|view| view.id());
        if of_client != Some(id) {
            same(what("session_of the identity"), &of_client, &Some(id))?;
        }
        self.compare_address(server, session.path.address)?;
        self.compare_moves(view)
    }

    fn compare_address(&self, server: &MultiSessionManager, address: SocketAddr) -> Result<(), Violation> {
        let seen = server.session_at(address).map(|view| view.id());
        same(format_args!("session_at({address})"), &seen, &self.paths.get(&address).copied())
    }

    fn compare_moves(&self, view: SessionView<'_>) -> Result<(), Violation> {
        let id = view.id();
        let seen = view.moves().map(|moves| (moves.accepted, moves.late, moves.missing));
        let seen = seen.zip(Some(view.move_high_water()));
        let filter = self.ticks.get(&id);
        let must = filter.map(|filter| ((filter.accepted, filter.late, filter.missing), filter.newest));
        same(format_args!("moves (accepted, late, missing; newest tick) of session {id}"), &seen, &must)
    }
}

fn same<T: PartialEq + Debug>(what: impl std::fmt::Display, seen: &T, must: &T) -> Result<(), Violation> {
    ensure(seen == must, || format!("{what} must be {must:?}, and the server says {seen:?}"))
}
