//! The session of a client host, as the game inside it sees it.

use std::net::SocketAddr;
use std::time::Duration;

use rejoin::client::{
    ClientCounters, ClientLoginError, ClientSendError, ClientSession, ClientState, ServerClock,
};
use rejoin::{LinkStatistics, SessionId, Timestamp};

/// Commands and views for the time of one call into the [`ClientApplication`](crate::ClientApplication).
///
/// It has everything that a [`ClientSession`] has but the input and output, which are the host's.
#[derive(Debug)]
pub struct Session<'a> {
    inner: &'a mut ClientSession,
    now: Timestamp,
}

impl<'a> Session<'a> {
    pub(crate) fn new(inner: &'a mut ClientSession, now: Timestamp) -> Self {
        Self { inner, now }
    }

    /// The time of this wake, since the host started.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Logs in with at most 1,024 bytes that mean something to the server's application; it may be called before there is a connection.
    pub fn login(&mut self, credential: &[u8]) -> Result<(), ClientLoginError> {
        self.inner.login(credential)
    }

    /// Sends a message on a lane: once, whole, and in the order of the lane, over every way back.
    pub fn send(&mut self, lane: u8, message: &[u8]) -> Result<(), ClientSendError> {
        self.inner.send(lane, message)
    }

    /// Sends an unreliable message of 1 to 1,150 bytes, or a payload of 1 to 1,200 where payloads are raw.
    pub fn send_datagram(&mut self, message: &[u8]) -> Result<(), ClientSendError> {
        self.inner.send_datagram(message)
    }

    /// Gives a key a new value of 0 to 1,150 bytes. Of each key only the newest counts, and it arrives in the end.
    pub fn send_latest(&mut self, key: u16, value: &[u8]) -> Result<(), ClientSendError> {
        self.inner.send_latest(key, value)
    }

    /// Sends the move input of a tick; ticks ascend, and lie above [`move_high_water`](Self::move_high_water).
    pub fn send_move(&mut self, tick: u64, input: &[u8]) -> Result<(), ClientSendError> {
        self.inner.send_move(tick, input)
    }

    /// Leaves: the server is told, and the session ends.
    pub fn disconnect(&mut self) {
        self.inner.disconnect(self.now);
    }

    /// Writes into `out` what another process needs to resume the session; says whether there is a way to.
    pub fn save(&self, out: &mut Vec<u8>) -> bool {
        self.inner.save(out)
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> ClientState {
        self.inner.state()
    }

    /// The handle by which the server knows the session; it stays the same over every way back. `None` before the welcome.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.inner.session_id()
    }

    /// The server in use, or the one that is tried first.
    #[must_use]
    pub fn server_address(&self) -> Option<SocketAddr> {
        self.inner.server_address()
    }

    /// The server's ticks a second; `None` before the welcome.
    #[must_use]
    pub fn tick_rate_hz(&self) -> Option<u64> {
        self.inner.tick_rate_hz()
    }

    /// How long the server keeps the session for a player whose path is lost. `None` before the welcome.
    #[must_use]
    pub fn reconnect_window(&self) -> Option<Duration> {
        self.inner.reconnect_window()
    }

    /// The tick the server's simulation is at, as far as heartbeats tell. `None` before the welcome.
    #[must_use]
    pub fn server_tick(&self) -> Option<u64> {
        self.inner.server_tick(self.now)
    }

    /// Where the server's simulation stands now, with a bound on the error: what prediction needs. `None` before the first heartbeat
    /// was answered.
    #[must_use]
    pub fn server_clock(&self) -> Option<ServerClock> {
        self.inner.server_clock(self.now)
    }

    /// How many ticks past the tick of [`server_clock`](Self::server_clock) the next move input should be numbered to be in time. `None`
    /// before the server has reported on earlier inputs.
    #[must_use]
    pub fn recommended_lead_ticks(&self) -> Option<u32> {
        self.inner.recommended_lead_ticks()
    }

    /// How many packets carry each move input at present. `None` where payloads are raw.
    #[must_use]
    pub fn move_redundancy(&self) -> Option<u8> {
        self.inner.move_redundancy()
    }

    /// The highest move tick the server is known to have accepted.
    #[must_use]
    pub fn move_high_water(&self) -> Option<u64> {
        self.inner.move_high_water()
    }

    /// The smoothed round-trip time of the path; `None` before the first sample, and where payloads are raw.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.inner.rtt()
    }

    /// What was sent, received and lost.
    #[must_use]
    pub fn statistics(&self) -> LinkStatistics {
        self.inner.statistics()
    }

    /// What arrived and was refused, and how often.
    #[must_use]
    pub fn counters(&self) -> &ClientCounters {
        self.inner.counters()
    }

    /// How many resume tokens are at hand.
    #[must_use]
    pub fn resume_tokens(&self) -> usize {
        self.inner.resume_tokens()
    }
}
