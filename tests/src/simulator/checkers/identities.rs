//! One live session for each identity and for each address, and every way to find it leads to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rejoin::lifecycle::SessionState;
use rejoin::{ClientId, Event, LifecycleEvent, MultiSessionManager, SessionId};

use crate::laws::{Violation, check_addresses, check_views, ensure};
use crate::simulator::checker::{Checker, View};
use crate::simulator::step::{Happening, Step};

/// Looks at sessions whose state changed, and once in a second at all.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// By address that was a session's path in this start of the server: the newest such session.
    addresses: BTreeMap<SocketAddr, SessionId>,
    /// By identity: the newest session.
    clients: BTreeMap<ClientId, SessionId>,
}

impl Checker for Identities {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => *self = Self::default(),
                Happening::ServerTold { event: Event::Lifecycle(event), .. } => {
                    let Some(manager) = view.server.manager() else { continue };
                    self.check_session(manager, event, view)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_whole(&mut self, view: &View<'_>) -> Result<(), Violation> {
        let Some(manager) = view.server.manager() else { return Ok(()) };
        check_views(manager, view.lifecycles)?;
        check_addresses(manager, self.addresses.keys())
    }
}

impl Identities {
    /// What can be seen of a session agrees with what the events of the whole step said.
    fn check_session(
        &mut self,
        manager: &MultiSessionManager,
        event: &LifecycleEvent,
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let id = event.session;
        let told = view.lifecycles.state_of(id);
        let seen = manager.session(id).map(|found| found.state());
        ensure(told == seen, || format!("session {id} is in {seen:?}, but the events said {told:?}"))?;
        let of_client = manager.session_of(event.client_id).map(|found| found.id());
        let is_found = of_client == Some(id);
        ensure(is_found == told.is_some(), || {
            format!("session {id} in {told:?}: its client's is {of_client:?}")
        })?;
        let Some(found) = manager.session(id) else { return Ok(()) };
        let former = self.clients.insert(event.client_id, id).filter(|former| *former != id);
        ensure(former.and_then(|former| manager.session(former)).is_none(), || {
            format!("the client of session {id} still has session {former:?}")
        })?;
        let former = self.addresses.insert(found.address(), id).filter(|former| *former != id);
        let displaced = former.and_then(|former| manager.session(former));
        let is_shared = displaced.is_some_and(|other| {
            other.state() == SessionState::LoggedIn && other.address() == found.address()
        });
        ensure(!is_shared || told != Some(SessionState::LoggedIn), || {
            format!("sessions {id} and {former:?} are both logged in at {}", found.address())
        })?;
        let at_address = manager.session_at(found.address()).map(|found| found.id());
        let is_there = at_address == Some(id) || told != Some(SessionState::LoggedIn);
        ensure(is_there, || format!("session {id} is logged in, but at its address is {at_address:?}"))
    }
}
