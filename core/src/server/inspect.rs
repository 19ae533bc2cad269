//! How sessions are looked up and what can be seen of them.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::ledger::SessionRecord;
use crate::lifecycle::SessionState;
use crate::link::LinkStatistics;
use crate::{ArrivalMargin, ClientId, Config, Counters, MovementCounters, SessionId, Timestamp, Violation};

use super::MultiSessionManager;
use super::content::Content;
use super::session::Session;

impl MultiSessionManager {
    /// The session with this handle, if it has not ended.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<SessionView<'_>> {
        self.table.resolve(id).and_then(|index| self.table.get(index)).map(SessionView)
    }

    /// The session of this identity.
    #[must_use]
    pub fn session_of(&self, client_id: ClientId) -> Option<SessionView<'_>> {
        self.directory.client(client_id).and_then(|index| self.table.get(index)).map(SessionView)
    }

    /// The session whose path this address is; from the confirmation of its handshake on, while
    /// [`session_of`](Self::session_of) finds it from the completion on.
    #[must_use]
    pub fn session_at(&self, address: SocketAddr) -> Option<SessionView<'_>> {
        self.directory.place(address).path.and_then(|index| self.table.get(index)).map(SessionView)
    }

    /// All sessions that have not ended, in the order of their slots.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView<'_>> {
        self.table.iter().map(SessionView)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.live()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was refused, and how often.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The settings this manager runs with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// A look at one session.
#[derive(Clone, Copy)]
pub struct SessionView<'a>(pub(super) &'a Session);

impl<'a> SessionView<'a> {
    /// What was refused to it, and its history.
    #[must_use]
    pub fn record(&self) -> SessionRecord<'a> {
        self.0.record_view()
    }
}

impl SessionView<'_> {
    /// Its handle.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// Its identity.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.0.client_id
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> SessionState {
        // Proof: a session gets its first state in the call that makes it, and no view exists meanwhile.
        self.0.state.get().unwrap_or(SessionState::TransportConnected)
    }

    /// Its path: the address its packets go to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.connection.address()
    }

    /// When it began.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.0.since
    }

    /// When the last live packet arrived.
    #[must_use]
    pub fn last_received(&self) -> Timestamp {
        self.0.last_live
    }

    /// How long it may be silent before its path counts as lost.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_micros(self.0.timeout_micros)
    }

    /// The smoothed round-trip time of its path; `None` before the first sample, and where payloads are raw.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.statistics().round_trip_micros.map(Duration::from_micros)
    }

    /// Totals of its packets; all zero where payloads are raw, but for what gave way.
    #[must_use]
    pub fn statistics(&self) -> LinkStatistics {
        match &self.0.content {
            Content::Framed(framed) => framed.link.statistics(),
            Content::Raw(raw) => {
                LinkStatistics { datagrams_dropped: raw.dropped(), ..LinkStatistics::default() }
            }
        }
    }

    /// What became of its move inputs; `None` before the login.
    #[must_use]
    pub fn moves(&self) -> Option<MovementCounters> {
        self.0.movement.as_ref().map(|movement| movement.counters())
    }

    /// The highest move tick accepted from it.
    #[must_use]
    pub fn move_high_water(&self) -> Option<u64> {
        self.0.movement.as_ref().and_then(|movement| movement.high_water())
    }

    /// How early its move inputs arrive; `None` until some have while the server tick was set.
    #[must_use]
    pub fn arrival_margin(&self) -> Option<ArrivalMargin> {
        self.0.movement.as_ref().and_then(|movement| movement.arrival_margin())
    }

    /// The [mean margin](ArrivalMargin::recommended_margin_ticks) its client should aim for, in ticks; `None` as for the margin. The client
    /// is told by itself how far ahead of its estimate of the server's clock that is.
    #[must_use]
    pub fn recommended_margin_ticks(&self) -> Option<u32> {
        self.0.movement.as_ref().and_then(|movement| movement.recommended_margin_ticks())
    }

    /// The state published for it, with its server tick.
    #[must_use]
    pub fn published_state(&self) -> Option<(u64, &[u8])> {
        self.0.movement.as_ref().and_then(|movement| movement.published())
    }

    /// How its peer broke the protocol last; `None` if it never did.
    #[must_use]
    pub fn last_violation(&self) -> Option<Violation> {
        self.0.content.last_violation()
    }

    /// The highest generation of its resume tokens that was used; 0 if it never came back with one.
    #[must_use]
    pub fn resume_generation(&self) -> u64 {
        self.0.tokens.spent()
    }
}

impl fmt::Debug for SessionView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionView")
            .field("id", &self.id())
            .field("client_id", &self.client_id())
            .field("state", &self.state())
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}
