//! Players that come and leave, and somebody who got hold of their tokens.

use rejoin::client::ClientConfig;
use rejoin::{ClientId, ConnectToken};

use super::FIRST_GUEST;
use crate::world::{Chance, World};

/// Identities that guests have.
const IDENTITIES: u64 = 3;

#[derive(Debug, Default)]
pub(super) struct Guests {
    present: Option<usize>,
    tokens: Vec<(u64, ConnectToken)>,
}

impl Guests {
    /// The guest that is here leaves; if there is none, another one comes.
    pub(super) fn come_or_go(&mut self, world: &mut World, chance: &mut Chance) {
        if let Some(player) = self.present.take() {
            world.players[player].session.disconnect(world.now);
            return;
        }
        let identity = FIRST_GUEST + chance.below(IDENTITIES);
        let token = world.mint(ClientId(identity));
        self.present = Some(enter(world, identity, &token));
        self.tokens.push((identity, token));
    }

    /// Somebody comes with the token of a guest.
    pub(super) fn present_used_token(&self, world: &mut World, chance: &mut Chance) {
        if !self.tokens.is_empty() {
            let index = usize::try_from(chance.below(self.tokens.len() as u64)).expect("an index");
            let (identity, token) = &self.tokens[index];
            enter(world, *identity, token);
        }
    }

    /// The same with the token of the newest one.
    pub(super) fn present_newest_token(&self, world: &mut World) {
        if let Some((identity, token)) = self.tokens.last() {
            enter(world, *identity, token);
        }
    }
}

fn enter(world: &mut World, identity: u64, token: &ConnectToken) -> usize {
    let player = world.add_player_with(identity, token, ClientConfig::default());
    // The token may have expired long ago: then the client ends by itself.
    let _ = world.players[player].session.login(b"a credential");
    player
}
