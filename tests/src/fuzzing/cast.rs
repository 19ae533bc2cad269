//! Who takes part: players of a small world, and what honest ones do.

use rejoin::client::{ClientConfig, ClientState};
use rejoin::lifecycle::SessionState;
use rejoin::{ClientId, Config, ConnectToken, UNORDERED_LANE};

use crate::laws::{Watch, uphold};
use crate::world::{self, World};

/// Keys for latest-wins values that a session has.
const LATEST_KEYS: u16 = 4;

/// Few heartbeats and short times: an input is to take little time of its own.
pub(super) fn config() -> Config {
    let mut config = world::config();
    config.heartbeat_ms = 400;
    config.timeout_min_ms = 1_250;
    config.timeout_max_ms = 1_250;
    config.heartbeat_events = false;
    // Few enough that most keys of a fuzzer are beyond them.
    config.latest_keys = LATEST_KEYS;
    config
}

/// Who is told of a message or a value is told of a lane or a key that its session has, whoever sent it.
pub(super) fn check_lane(lane: u8) {
    assert!(lane < world::config().ordered_lanes || lane == UNORDERED_LANE, "told of lane {lane}");
}

/// The same for a latest-wins value.
pub(super) fn check_key(key: u16) {
    assert!(key < LATEST_KEYS, "told of key {key}");
}

/// A new player with a token of the backend, whose login is on its way.
pub(super) fn join(world: &mut World, client_id: u64) -> usize {
    let token = world.mint(ClientId(client_id));
    join_with(world, client_id, &token)
}

/// A new player with this token, whose login is on its way.
pub(super) fn join_with(world: &mut World, client_id: u64, token: &ConnectToken) -> usize {
    let mut config = ClientConfig::default();
    config.retry_max_ms = 500;
    let player = world.add_player_with(client_id, token, config);
    world.players[player].session.login(b"a credential").expect("a login");
    player
}

/// A player and its session send each other a message, different from every other.
pub(super) fn talk(world: &mut World, watch: &mut Watch, player: usize, number: u32) {
    let mut message = Watch::sender_tag(player).to_vec();
    message.extend(number.to_le_bytes());
    let session = world.session_id(player);
    world.players[player].session.send(0, &message).expect("room in the client's queue");
    watch.player_sent(player, 0, &message);
    world.server.send(world.now, session, 0, &message).expect("room in the server's queue");
    watch.server_sent(session, 0, &message);
    world.settle();
}

/// Both ends of a player's session are in the game, and everything sent has arrived.
pub(super) fn check_well(world: &World, watch: &Watch, player: usize) {
    assert_eq!(world.state(player), Some(SessionState::LoggedIn), "player {player} at the server");
    assert_eq!(world.players[player].session.state(), ClientState::LoggedIn, "player {player}");
    uphold(watch.check_complete(player, world.session_id(player)));
}
