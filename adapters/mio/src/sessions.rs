//! The sessions of a host, as the game inside it sees them.

use std::net::SocketAddr;

use rejoin::ledger::SessionRecord;
use rejoin::{
    BanError, Broadcast, ClientId, Config, ConfigError, Counters, Drain, DrainError, DrainState, LoginError,
    MultiSessionManager, Prefix, SendError, SessionId, SessionView, Timestamp, UnknownSession,
};

use crate::address::normalised;

/// Commands and views for the time of one call into the [`Application`](crate::Application).
///
/// It has everything that a [`MultiSessionManager`] has but the input and output, which are the host's. Commands do not need the time:
/// it is the time of the wake, [`now`](Self::now).
#[derive(Debug)]
pub struct Sessions<'a> {
    manager: &'a mut MultiSessionManager,
    now: Timestamp,
    stop_requested: &'a mut bool,
}

impl<'a> Sessions<'a> {
    pub(crate) fn new(
        manager: &'a mut MultiSessionManager,
        now: Timestamp,
        stop_requested: &'a mut bool,
    ) -> Self {
        Self { manager, now, stop_requested }
    }

    /// The time of this wake, since the host started.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets the player of a pending login in.
    pub fn accept_login(&mut self, id: SessionId) -> Result<(), LoginError> {
        self.manager.accept_login(self.now, id)
    }

    /// Turns a pending login down; the peer learns `code` and `text`, of which 255 bytes travel.
    pub fn reject_login(&mut self, id: SessionId, code: u32, text: &str) -> Result<(), LoginError> {
        self.manager.reject_login(self.now, id, code, text)
    }

    /// Queues a reliable message on a lane: it arrives once, whole, and in the order of its lane, also if the player
    /// is away for a while.
    pub fn send(&mut self, id: SessionId, lane: u8, message: &[u8]) -> Result<(), SendError> {
        self.manager.send(self.now, id, lane, message)
    }

    /// Queues a reliable message to every player who is logged in, also those who are away.
    pub fn broadcast(&mut self, lane: u8, message: &[u8]) -> Broadcast {
        self.manager.broadcast(self.now, lane, message)
    }

    /// As [`broadcast`](Self::broadcast), to everybody but one.
    pub fn broadcast_except(&mut self, except: SessionId, lane: u8, message: &[u8]) -> Broadcast {
        self.manager.broadcast_except(self.now, except, lane, message)
    }

    /// Queues an unreliable message to every player who is logged in.
    pub fn broadcast_datagram(&mut self, message: &[u8]) -> Broadcast {
        self.manager.broadcast_datagram(self.now, message)
    }

    /// As [`broadcast_datagram`](Self::broadcast_datagram), to everybody but one.
    pub fn broadcast_datagram_except(&mut self, except: SessionId, message: &[u8]) -> Broadcast {
        self.manager.broadcast_datagram_except(self.now, except, message)
    }

    /// Queues an unreliable message of 1 to 1,150 bytes, or a payload of 1 to 1,200 where payloads are raw.
    pub fn send_datagram(&mut self, id: SessionId, message: &[u8]) -> Result<(), SendError> {
        self.manager.send_datagram(self.now, id, message)
    }

    /// Gives a key of one player a new value of 0 to 1,150 bytes. Of each key only the newest counts, and it arrives in the end, also if the
    /// player is away for a while.
    pub fn send_latest(&mut self, id: SessionId, key: u16, value: &[u8]) -> Result<(), SendError> {
        self.manager.send_latest(self.now, id, key, value)
    }

    /// Publishes the state around one player; only the latest counts.
    pub fn publish_state(&mut self, id: SessionId, server_tick: u64, state: &[u8]) -> Result<(), SendError> {
        self.manager.publish_state(self.now, id, server_tick, state)
    }

    /// Ends a session and tells its peer, with the game's own code and up to 255 bytes.
    pub fn disconnect(&mut self, id: SessionId, code: u32, detail: &[u8]) -> Result<(), UnknownSession> {
        self.manager.disconnect(self.now, id, code, detail)
    }

    /// Ends a session without telling its peer.
    pub fn remove(&mut self, id: SessionId) -> Result<(), UnknownSession> {
        self.manager.remove(self.now, id)
    }

    /// Takes leave: new identities are denied from now on, players who are in are told, and may come back until the deadline.
    /// [`run`](crate::ServerNetworkHost::run) ends when nobody is left.
    pub fn drain(&mut self, drain: Drain) -> Result<(), DrainError> {
        self.manager.drain(self.now, drain)
    }

    /// How far the server is in taking its leave.
    #[must_use]
    pub fn drain_state(&self) -> DrainState {
        self.manager.drain_state()
    }

    /// Ends an identity's session and denies its tokens until `until`.
    pub fn ban(&mut self, client_id: ClientId, until: Timestamp) -> Result<(), BanError> {
        self.manager.ban(self.now, client_id, until)
    }

    /// Ends a ban early, if there is one.
    pub fn lift_ban(&mut self, client_id: ClientId) {
        self.manager.lift_ban(client_id);
    }

    /// Ends the sessions of a prefix and answers nobody who comes from there until `until`.
    pub fn ban_prefix(&mut self, prefix: Prefix, until: Timestamp) -> Result<(), BanError> {
        self.manager.ban_prefix(self.now, prefix, until)
    }

    /// Ends the ban of exactly this prefix early, if there is one.
    pub fn lift_prefix_ban(&mut self, prefix: Prefix) {
        self.manager.lift_prefix_ban(prefix);
    }

    /// Stops all deadlines about peers, or lets them go on: for a debugger on either end.
    pub fn set_hold(&mut self, hold: bool) {
        self.manager.set_hold(self.now, hold);
    }

    /// Tells where the simulation stands, for a game that runs ticks of its own instead of the host's: once at each new tick. Ticks should
    /// ascend.
    pub fn set_server_tick(&mut self, tick: u64) {
        self.manager.set_server_tick(self.now, tick);
    }

    /// Replaces the addresses by which clients reach this server.
    pub fn set_public_addresses(&mut self, addresses: &[SocketAddr]) -> Result<(), ConfigError> {
        self.manager.set_public_addresses(&normalised(addresses))
    }

    /// Asks the host to end: [`run`](crate::ServerNetworkHost::run) tells every peer and returns.
    pub fn request_stop(&mut self) {
        *self.stop_requested = true;
    }

    /// The session with this handle, if it has not ended.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<SessionView<'_>> {
        self.manager.session(id)
    }

    /// The session of this identity.
    #[must_use]
    pub fn session_of(&self, client_id: ClientId) -> Option<SessionView<'_>> {
        self.manager.session_of(client_id)
    }

    /// The session whose path this address is.
    #[must_use]
    pub fn session_at(&self, address: SocketAddr) -> Option<SessionView<'_>> {
        self.manager.session_at(address)
    }

    /// What was refused to a session, and its history: also of the one whose `Disconnected` is being handled.
    #[must_use]
    pub fn record(&self, id: SessionId) -> Option<SessionRecord<'_>> {
        self.manager.record(id)
    }

    /// All sessions that have not ended.
    pub fn iter(&self) -> impl Iterator<Item = SessionView<'_>> {
        self.manager.sessions()
    }

    /// The memory that all sessions take, with everything beside them, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.manager.memory_bytes()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.manager.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.manager.is_empty()
    }

    /// The settings the sessions run with.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.manager.config()
    }

    /// What was refused, and how often.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.manager.counters()
    }
}
