//! The law about memory: whatever peers do, it stays below what the settings say.

use rejoin::MultiSessionManager;

use super::{Violation, ensure};

/// No session takes more memory than a session may, and the server no more than it may in all.
pub fn check_memory(server: &MultiSessionManager) -> Result<(), Violation> {
    let config = server.config();
    check_within("the server", server.memory_bytes(), config.memory_bytes_max())?;
    server
        .sessions()
        .try_for_each(|view| check_within("a session", view.memory_bytes(), config.session_bytes_max()))
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
