//! The law about memory: whatever peers do, it stays below what the settings say.

use rejoin::{Config, MultiSessionManager, SessionView};

use super::{Violation, ensure};

/// No session takes more memory than a session may, nor the server more than it may in all, and what sessions have beyond their quotas is the pool's.
pub fn check_memory(server: &MultiSessionManager) -> Result<(), Violation> {
    let config = server.config();
    check_within("the server", server.memory_bytes(), config.memory_bytes_max())?;
    check_within("the pool", server.pool_bytes_taken(), config.pool_bytes_max)?;
    server.sessions().try_for_each(|view| check_session_memory(view, config))?;
    let excess = |view: SessionView<'_>| view.charged_bytes().saturating_sub(config.session_quota_bytes);
    let excess: usize = server.sessions().map(excess).sum();
    ensure(excess == server.pool_bytes_taken(), || {
        let taken = server.pool_bytes_taken();
        format!("sessions have {excess} bytes beyond their quotas, and {taken} are taken from the pool")
    })
}

/// A session takes no more than it is charged for, and is charged for no more than it may be.
pub fn check_session_memory(view: SessionView<'_>, config: &Config) -> Result<(), Violation> {
    check_within("a session", view.memory_bytes(), config.session_bytes_max())?;
    check_within("a session, of what is charged,", view.memory_bytes(), view.charged_bytes())?;
    check_within("a session, in all,", view.charged_bytes(), config.session_cap_bytes)
}

fn check_within(who: &str, taken: usize, most: usize) -> Result<(), Violation> {
    ensure(taken <= most, || format!("{who} takes {taken} bytes of memory, and may take {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, config};

    #[test]
    fn a_server_within_its_bound_is_fine_and_one_beyond_it_is_caught() {
        let mut world = World::new(config(), 1);
        world.add_logged_in(1);
        assert_eq!(check_memory(&world.server), Ok(()));
        assert_eq!(check_within("it", 2, 2), Ok(()));
        assert!(check_within("it", 3, 2).is_err());
    }
}
