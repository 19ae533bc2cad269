//! The laws about looking: every way to find a session leads to the same one, and what is seen is what the events said.

use std::net::SocketAddr;

use rejoin::MultiSessionManager;
use rejoin::lifecycle::SessionState;

use super::{Lifecycles, Violation, ensure};

/// All events of `server` were polled and given to `lifecycles`; then what can be seen of its sessions agrees with them, and with itself.
pub fn check_views(server: &MultiSessionManager, lifecycles: &Lifecycles) -> Result<(), Violation> {
    let seen: Vec<_> = server.sessions().map(|view| (view.id(), view.state())).collect();
    let told: Vec<_> = lifecycles.live().collect();
    ensure(seen == told, || format!("the sessions are {seen:?}, but the events said {told:?}"))?;
    ensure(server.len() == seen.len(), || format!("{} sessions, but len() is {}", seen.len(), server.len()))?;
    let sessions_max = server.config().sessions_max as usize;
    ensure(seen.len() <= sessions_max, || format!("{} sessions, but {sessions_max} at most", seen.len()))?;
    for view in server.sessions() {
        let id = view.id();
        let by_id = server.session(id).map(|found| found.id());
        ensure(by_id == Some(id), || format!("session({id}) finds {by_id:?}"))?;
        let by_client = server.session_of(view.client_id()).map(|found| found.id());
        ensure(by_client == Some(id), || format!("session_of the client of {id} finds {by_client:?}"))?;
        if view.state() == SessionState::LoggedIn {
            let by_address = server.session_at(view.address()).map(|found| found.id());
            ensure(by_address == Some(id), || format!("session_at the path of {id} finds {by_address:?}"))?;
        }
        let has_movement = view.moves().is_some();
        ensure(has_movement == view.state().is_logged_in(), || {
            format!("session {id} in {} with movement: {has_movement}", view.state())
        })?;
    }
    Ok(())
}

/// A session found at one of these addresses is one whose path it is: no index leads to where a session was before.
pub fn check_addresses<'a>(
    server: &MultiSessionManager,
    addresses: impl IntoIterator<Item = &'a SocketAddr>,
) -> Result<(), Violation> {
    addresses.into_iter().try_for_each(|address| {
        check_found(*address, server.session_at(*address).map(|found| found.address()))
    })
}

fn check_found(address: SocketAddr, path: Option<SocketAddr>) -> Result<(), Violation> {
    let leads_there = path.is_none_or(|path| path == address);
    ensure(leads_there, || format!("session_at({address}) finds a session at {path:?}"))
}

#[cfg(test)]
mod tests {
    use rejoin::Event;
    use rejoin::lifecycle::LifecyclePolicy;

    use super::*;
    use crate::world::{World, config};

    #[test]
    fn a_session_the_events_did_not_tell_of_is_caught_and_one_they_told_of_is_fine() {
        let mut world = World::new(config(), 1);
        world.add_logged_in(1);
        let policy = LifecyclePolicy { reconnect: true, ..LifecyclePolicy::default() };
        let mut lifecycles = Lifecycles::new(policy);
        assert!(check_views(&world.server, &lifecycles).is_err());

        for (event, _) in &world.server_events {
            if let Event::Lifecycle(event) = event {
                lifecycles.observe(event).unwrap();
            }
        }

        assert_eq!(check_views(&world.server, &lifecycles), Ok(()));
    }

    #[test]
    fn an_address_that_leads_to_a_session_elsewhere_is_caught() {
        let (here, elsewhere) =
            (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([192, 0, 2, 1], 2)));
        assert_eq!(check_found(here, None), Ok(()));
        assert_eq!(check_found(here, Some(here)), Ok(()));
        assert!(check_found(here, Some(elsewhere)).is_err());
    }

    #[test]
    fn a_session_that_is_gone_without_an_end_is_caught() {
        let mut world = World::new(config(), 1);
        let player = world.add_logged_in(1);
        let mut lifecycles =
            Lifecycles::new(LifecyclePolicy { reconnect: true, ..LifecyclePolicy::default() });
        for (event, _) in &world.server_events {
            if let Event::Lifecycle(event) = event {
                lifecycles.observe(event).unwrap();
            }
        }

        world.server.remove(world.now, world.session_id(player)).unwrap();

        assert!(check_views(&world.server, &lifecycles).is_err());
    }
}
