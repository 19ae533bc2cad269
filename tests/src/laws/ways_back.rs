//! The law about ways back: who is in the game for a while can lose the network several times in a row.

use rejoin::client::ClientSession;

use super::{Violation, ensure};

/// How many unspent resume tokens the server sees to (`core/PROTOCOL.md`, P60).
const RESUME_TOKENS_MIN: usize = 3;

/// The client is in the game on a good network for a while, at a server that keeps sessions; then it has resume tokens.
pub fn check_ways_back(session: &ClientSession) -> Result<(), Violation> {
    check_count(session.resume_tokens())
}

fn check_count(tokens: usize) -> Result<(), Violation> {
    ensure(tokens >= RESUME_TOKENS_MIN, || {
        format!("a player is in the game with {tokens} resume tokens left")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, config};

    #[test]
    fn a_player_without_ways_back_is_caught() {
        let mut world = World::new(config(), 1);
        let player = world.add_player(1);
        assert!(check_ways_back(&world.players[player].session).is_err(), "it is not in yet");

        world.players[player].session.login(b"a credential").expect("a login");
        world.run_for_ms(1_000);

        assert_eq!(check_ways_back(&world.players[player].session), Ok(()));
        assert!(check_count(2).is_err());
    }
}
