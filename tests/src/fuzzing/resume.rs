//! Ways back, with saved sessions and resume tokens as they were made and as they were not.

use arbitrary::{Arbitrary, Result, Unstructured};
use rejoin::client::ClientState;
use rejoin::fuzzing::reseal_private;
use rejoin::lifecycle::SessionState;
use rejoin::{CONNECT_TOKEN_BYTES, ConnectToken, Key};

use super::cast::{check_well, config, join, talk};
use super::change::Change;
use crate::laws::{Watch, uphold};
use crate::world::{PRIVATE_KEY, World};

const STEPS_MAX: usize = 32;
const IDENTITIES: usize = 3;
/// Processes of one input at most.
const PROCESSES_MAX: usize = 24;
/// How long a way back takes at most where nobody disturbs it.
const WAY_BACK_MS: u64 = 5_000;
/// Where a saved session's first token lies, behind its head and the token's generation.
const TOKEN_OFFSET: usize = 7 + 1 + 8 + 8 + 1 + 8;

/// What happens next; each to one of the identities.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// Player and session send each other a message, if both are in the game.
    Talk(u8),
    /// The player's network fails, or is back.
    Cut(u8),
    Heal(u8),
    /// The player's process ends, and another goes on with what it saved.
    ComeBack(u8),
    /// Another process tries with what was saved and then changed, beside the first.
    TryChanged {
        identity: u8,
        change: Change,
    },
    /// Somebody who has the server's key changes one byte of a token's private part.
    TryForged {
        identity: u8,
        position: u16,
        mask: u8,
    },
    /// The server starts anew, and everybody begins afresh.
    RestartServer,
    /// Time passes.
    Wait {
        millis: u8,
    },
}

/// An input: what happens, one after the other.
#[derive(Debug)]
pub struct Resume {
    steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Resume {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut steps = Vec::new();
        while !input.is_empty() && steps.len() < STEPS_MAX {
            steps.push(Step::arbitrary(input)?);
        }
        Ok(Self { steps })
    }
}

impl Resume {
    /// Runs the steps. Who comes back with what was saved is back in the same session; whoever tries with anything else harms at most the
    /// identity whose secrets it has.
    ///
    /// # Panics
    ///
    /// If a law is broken, or somebody undisturbed is worse off.
    pub fn run(self) {
        let mut stage = Stage::new();
        for step in self.steps {
            stage.take(step);
            uphold(stage.watch.check(&stage.world));
        }
        stage.recover();
    }
}

/// Who an identity is at present.
#[derive(Clone, Copy, Debug)]
struct Owner {
    /// The process that goes on with its session.
    player: usize,
    /// Somebody else used its secrets: nothing is promised any more.
    is_disturbed: bool,
}

struct Stage {
    world: World,
    watch: Watch,
    owners: [Owner; IDENTITIES],
    said: u32,
}

impl Stage {
    fn new() -> Self {
        let mut config = config();
        config.reconnect_window_ms = Some(3_600_000);
        // Coming back again and again is no contest here.
        config.take_overs_max = 1_000;
        let mut world = World::new(config.clone(), 1);
        let owners = begin(&mut world);
        Self { watch: Watch::new(&config), world, owners, said: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Talk(identity) => self.talk(self.owner(identity).player),
            Step::Cut(identity) => self.world.cut(self.owner(identity).player),
            Step::Heal(identity) => self.world.heal(self.owner(identity).player),
            Step::ComeBack(identity) => self.come_back(identity),
            Step::TryChanged { identity, change } => self.try_changed(identity, change),
            Step::TryForged { identity, position, mask } => self.try_forged(identity, position, mask),
            Step::RestartServer => self.restart(),
            Step::Wait { millis } => self.world.run_for_ms(millis.into()),
        }
    }

    fn owner(&self, identity: u8) -> Owner {
        self.owners[usize::from(identity) % IDENTITIES]
    }

    fn has_room(&self) -> bool {
        self.world.players.len() + IDENTITIES <= PROCESSES_MAX
    }

    fn talk(&mut self, player: usize) {
        let at_server = self.world.state(player);
        if at_server == Some(SessionState::LoggedIn)
            && self.world.players[player].session.state().is_logged_in()
        {
            talk(&mut self.world, &mut self.watch, player, self.said);
            self.said += 1;
        }
    }

    /// What a player's process would leave to another.
    fn saved(&self, player: usize) -> Option<Vec<u8>> {
        let mut saved = Vec::new();
        self.world.players[player].session.save(&mut saved).then_some(saved)
    }

    fn come_back(&mut self, identity: u8) {
        let owner = self.owner(identity);
        let Some(saved) = self.saved(owner.player).filter(|_| self.has_room()) else { return };
        let (client_id, session) = (
            self.world.players[owner.player].client_id,
            self.world.players[owner.player].session.session_id(),
        );
        self.world.cut(owner.player);
        let player = self.world.add_player_from(client_id.0, &saved);
        self.owners[usize::from(identity) % IDENTITIES].player = player;
        self.world.run_for_ms(WAY_BACK_MS);
        if !owner.is_disturbed {
            check_well(&self.world, &self.watch, player);
            assert_eq!(self.world.players[player].session.session_id(), session, "another session");
        }
    }

    fn try_changed(&mut self, identity: u8, change: Change) {
        let owner = self.owner(identity);
        let Some(mut saved) = self.saved(owner.player).filter(|_| self.has_room()) else { return };
        change.apply(&mut saved);
        let client_id = self.world.players[owner.player].client_id;
        if self.world.try_add_player_from(client_id.0, &saved).is_ok() {
            self.disturb(identity);
        }
    }

    fn try_forged(&mut self, identity: u8, position: u16, mask: u8) {
        let owner = self.owner(identity);
        let Some(saved) = self.saved(owner.player).filter(|_| self.has_room()) else { return };
        let Some(bytes) = saved.get(TOKEN_OFFSET..).and_then(<[u8]>::first_chunk::<CONNECT_TOKEN_BYTES>)
        else {
            panic!("a saved session without a token")
        };
        let mut token = *bytes;
        let has_opened = reseal_private(&mut token, &Key::new(PRIVATE_KEY), |plain| {
            // The last 16 bytes are the seal's.
            let count = plain.len() - 16;
            plain[usize::from(position) % count] ^= mask;
        });
        assert!(has_opened, "a resume token is sealed under the server's key");
        let token = ConnectToken::read(&token).expect("the public part is as it was");
        let client_id = self.world.players[owner.player].client_id;
        let _ = self.world.add_player_with(client_id.0, &token, rejoin::client::ClientConfig::default());
        self.disturb(identity);
    }

    fn disturb(&mut self, identity: u8) {
        self.owners[usize::from(identity) % IDENTITIES].is_disturbed = true;
        self.world.settle();
    }

    fn restart(&mut self) {
        if !self.has_room() {
            return;
        }
        uphold(self.watch.check(&self.world));
        (0..self.world.players.len()).for_each(|player| self.world.cut(player));
        let config = self.world.server.config().clone();
        self.world.restart_server(config);
        self.watch.server_restarted();
        self.owners = begin(&mut self.world);
    }

    /// Only the owners go on. Each that was not disturbed is in the game, and everything said has arrived.
    fn recover(mut self) {
        for player in 0..self.world.players.len() {
            if self.owners.iter().any(|owner| owner.player == player) {
                self.world.heal(player);
            } else {
                self.world.cut(player);
            }
        }
        self.world.run_for_ms(WAY_BACK_MS);
        uphold(self.watch.check(&self.world));
        for owner in self.owners {
            let client = &self.world.players[owner.player].session;
            assert!(client.state() != ClientState::Connecting || owner.is_disturbed);
            if !owner.is_disturbed {
                check_well(&self.world, &self.watch, owner.player);
            }
        }
    }
}

/// A process for each identity, with a token of the backend.
fn begin(world: &mut World) -> [Owner; IDENTITIES] {
    [1, 2, 3].map(|client_id| {
        let player = join(world, client_id);
        world.run_until("the login", |world| world.players[player].session.state().is_logged_in());
        world.run_for_ms(200);
        Owner { player, is_disturbed: false }
    })
}
