//! What can be seen of a session.

use core::net::SocketAddr;
use core::time::Duration;

use crate::link::LinkStatistics;
use crate::{SessionId, Timestamp};

use super::handshake::Handshake;
use super::path::Path;
use super::{ClientCounters, ClientSession, ClientState, Content, ServerClock};

impl ClientSession {
    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> ClientState {
        self.state
    }

    /// The server in use, or the one that is tried first.
    #[must_use]
    pub fn server_address(&self) -> Option<SocketAddr> {
        let path = self.path.as_ref().map(Path::address);
        path.or_else(|| self.handshake.as_ref().map(Handshake::address))
    }

    /// The name by which the server knows the session; it stays the same over every way back. `None` before the welcome.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        Some(SessionId::from_bits(self.content.framed()?.terms()?.session))
    }

    /// The server's ticks a second; `None` before the welcome.
    #[must_use]
    pub fn tick_rate_hz(&self) -> Option<u64> {
        Some(self.content.framed()?.terms()?.tick_rate_hz)
    }

    /// How long the server keeps the session for a player whose path is lost; zero where it does not. `None` before the welcome.
    #[must_use]
    pub fn reconnect_window(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.content.framed()?.terms()?.reconnect_window_ms))
    }

    /// The tick the server's simulation is at, as far as heartbeats tell; like that of [`server_clock`](Self::server_clock), but known
    /// from the welcome on. `None` before it.
    #[must_use]
    pub fn server_tick(&self, now: Timestamp) -> Option<u64> {
        self.content.framed()?.server_tick(now.max(self.now))
    }

    /// Where the server's simulation is, and how wrong that may be at most. `None` before the first heartbeat response.
    ///
    /// It is smooth: it never goes back as `now` goes on, and it makes up for an error by running a sixteenth faster or slower. Only
    /// more than a second behind it leaps ahead, and more than a second ahead it stands still until the server has caught up.
    #[must_use]
    pub fn server_clock(&self, now: Timestamp) -> Option<ServerClock> {
        self.content.framed()?.server_clock(now.max(self.now))
    }

    /// How many packets carry each move input at present, as the loss on the way to the server asks for (P48). `None` where payloads are raw.
    #[must_use]
    pub fn move_redundancy(&self) -> Option<u8> {
        Some(self.content.framed()?.move_redundancy())
    }

    /// How many ticks past `server_clock(now).tick` the next move input should be numbered, so that also those that take longest arrive one
    /// tick before the server comes to theirs (P47). At most the ticks of a second.
    ///
    /// It follows what the server reports with its heartbeats of how earlier inputs arrived: it rises when two reports say so, and falls
    /// when sixteen do, so that a single late input changes nothing. `None` before the first report, and where the server's game sets no
    /// tick; until then half the round trip and two or three ticks are a good guess.
    #[must_use]
    pub fn recommended_lead_ticks(&self) -> Option<u32> {
        self.content.framed()?.recommended_lead_ticks()
    }

    /// The highest move tick the server is known to have accepted: moves are numbered above it (P26).
    #[must_use]
    pub fn move_high_water(&self) -> Option<u64> {
        self.content.framed()?.move_high_water()
    }

    /// The smoothed round-trip time of the path; `None` before the first sample, and where payloads are raw.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.content.framed()?.statistics().round_trip_micros.map(Duration::from_micros)
    }

    /// What was sent, received and lost; all zero where payloads are raw, but for what gave way.
    #[must_use]
    pub fn statistics(&self) -> LinkStatistics {
        match &self.content {
            Content::Raw(raw) => LinkStatistics { datagrams_dropped: raw.dropped(), ..Default::default() },
            Content::Framed(framed) => framed.statistics(),
        }
    }

    /// What arrived and was refused, and how often.
    #[must_use]
    pub const fn counters(&self) -> &ClientCounters {
        &self.counters
    }

    /// How many resume tokens are at hand. One that is tried is among them until something was sealed under it.
    #[must_use]
    pub fn resume_tokens(&self) -> usize {
        let tried = self.handshake.as_ref().map(Handshake::held);
        self.purse.len() + usize::from(tried.is_some_and(|held| held.is_resume() && !held.is_touched()))
    }
}
