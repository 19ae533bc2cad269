//! Framed payloads: the message layer at the client's end.

mod receive;

use core::ops::RangeInclusive;

use super::clock::{ServerClock, TickClock};
use super::config::ClientConfig;
use super::error::{ClientLoginError, ClientSendError};
use super::lead::MoveLead;
use super::login::Login;
use super::moves::OutgoingMoves;
use super::path::Path;
use super::saved::SavedTerms;
use crate::Timestamp;
use crate::link::control::Control;
use crate::link::frame::{FrameWriter, HeartbeatResponse, Hello, Role, UNORDERED_LANE, Welcome};
use crate::link::lane::LaneSendError;
use crate::link::latest::LatestSendError;
use crate::link::source::{FrameSource, Written};
use crate::link::{Link, LinkStatistics};

/// A path counts as dead after so many heartbeats without a sign of life, unless the configuration says otherwise.
const DEAD_HEARTBEATS: u64 = 3;
/// And after this long, if that is longer.
const DEAD_MS: u64 = 2_000;
/// The server is asked so many times in a heartbeat interval whether it is there, at most.
const QUESTIONS_PER_HEARTBEAT: u64 = 4;
/// And ten times a second at most: a short interval makes no path look dead sooner than the jitter of a bad one.
const ANSWER_WAIT_MICROS_MIN: u64 = 100_000;
/// No path dies faster, whatever figures a server names.
const DEAD_MS_MIN: u64 = 100;

/// The message layer of one session, over all its key epochs.
#[derive(Debug)]
pub(super) struct Framed {
    pub(super) link: Link,
    /// Tells this session from an earlier one of the same player (P20).
    lane_epoch: u64,
    /// The lanes that the application sends on.
    ordered_lanes: u8,
    /// The most bytes of a message that it takes.
    message_bytes_max: u32,
    /// The largest window of a lane that it has memory for.
    lane_window_bytes: u32,
    /// The most keys for latest-wins values that it takes.
    latest_keys: u16,
    /// Whether the welcome of this key epoch has come.
    is_open: bool,
    is_logged_in: bool,
    /// The newest welcome.
    terms: Option<Welcome>,
    /// What another process knew, until the first welcome.
    restored_terms: Option<SavedTerms>,
    login: Login,
    moves: OutgoingMoves,
    newest_state_tick: Option<u64>,
    /// The newest announcement that the server drains; 0 before the first.
    newest_announcement: u64,
    clock: Option<TickClock>,
    lead: MoveLead,
    /// While the path is lost: when the next packet may try it.
    next_probe: Timestamp,
}

impl Framed {
    pub(super) fn new(config: &ClientConfig, lane_epoch: u64, now: Timestamp) -> Self {
        let limits = config.link_limits();
        Self {
            link: Link::new(Role::Client, &limits, now),
            lane_epoch,
            ordered_lanes: config.ordered_lanes,
            message_bytes_max: config.message_bytes_max,
            lane_window_bytes: config.lane_window_bytes,
            latest_keys: config.latest_keys,
            is_open: false,
            is_logged_in: false,
            terms: None,
            restored_terms: None,
            login: Login::default(),
            moves: OutgoingMoves::new(config),
            newest_state_tick: None,
            newest_announcement: 0,
            clock: None,
            lead: MoveLead::default(),
            next_probe: now,
        }
    }

    /// A handshake gave new keys: hello goes out until it is answered (P20). Under them some may have left before, the
    /// first and the last with these sequences.
    pub(super) fn connection_opened(&mut self, now: Timestamp, hellos: Option<RangeInclusive<u64>>) {
        self.is_open = false;
        self.link.connection_replaced(now);
        if let Some(sequences) = hellos {
            self.link.note_sent_elsewhere(sequences);
        }
        self.link.begin_preface(now);
    }

    /// Whether the welcome of this key epoch has come.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// What opens a key epoch.
    pub(super) const fn hello(&self) -> Hello {
        Hello::new(self.lane_epoch)
    }

    /// The newest welcome.
    pub(super) const fn terms(&self) -> Option<&Welcome> {
        self.terms.as_ref()
    }

    /// Notes a login attempt; it is sent as soon as there is a connection.
    pub(super) fn login(&mut self, credential: &[u8]) -> Result<(), ClientLoginError> {
        if self.is_logged_in {
            return Err(ClientLoginError::AlreadyLoggedIn);
        }
        let attempt = self.login.begin(credential)?;
        self.link.queue_control(attempt);
        Ok(())
    }

    /// Queues a reliable message.
    pub(super) fn send(&mut self, lane: u8, message: &[u8]) -> Result<(), ClientSendError> {
        if lane >= self.ordered_lanes && lane != UNORDERED_LANE {
            return Err(ClientSendError::NoSuchLane);
        }
        self.link.queue_message(lane, message).map(|_| ()).map_err(|error| match error {
            LaneSendError::NoSuchLane => ClientSendError::NoSuchLane,
            LaneSendError::Size => ClientSendError::Size,
            LaneSendError::Full { bytes_to_acknowledge } => ClientSendError::Full { bytes_to_acknowledge },
        })
    }

    /// Queues an unreliable message.
    pub(super) fn send_datagram(&mut self, message: &[u8]) -> Result<(), ClientSendError> {
        self.link.queue_datagram(message).map_err(|_| ClientSendError::Size)
    }

    /// Gives a key a new latest-wins value.
    pub(super) fn send_latest(&mut self, key: u16, value: &[u8]) -> Result<(), ClientSendError> {
        self.link.set_latest(key, value).map_err(|error| match error {
            LatestSendError::NoSuchKey => ClientSendError::NoSuchKey,
            LatestSendError::Size => ClientSendError::Size,
            LatestSendError::Full { bytes_to_acknowledge } => ClientSendError::Full { bytes_to_acknowledge },
        })
    }

    /// Takes a move input.
    pub(super) fn send_move(
        &mut self,
        now: Timestamp,
        tick: u64,
        input: &[u8],
    ) -> Result<(), ClientSendError> {
        self.moves.push(tick, input)?;
        self.moves.observe(&self.link.statistics());
        if let Some(clock) = self.server_clock(now) {
            self.lead.on_move_sent(tick, clock.tick);
        }
        self.link.mark_moves_pending();
        Ok(())
    }

    /// The highest move tick the server is known to have accepted.
    pub(super) const fn move_high_water(&self) -> Option<u64> {
        self.moves.acknowledged()
    }

    /// Where the server's simulation stands at `now`.
    pub(super) fn server_tick(&self, now: Timestamp) -> Option<u64> {
        self.clock.as_ref().map(|clock| clock.tick_at(now))
    }

    /// The same with its error.
    pub(super) fn server_clock(&self, now: Timestamp) -> Option<ServerClock> {
        self.clock.as_ref()?.clock_at(now)
    }

    /// How many packets carry each move.
    pub(super) fn move_redundancy(&self) -> u8 {
        self.moves.redundancy()
    }

    /// How far ahead of the server's tick moves should be numbered.
    pub(super) fn recommended_lead_ticks(&self) -> Option<u32> {
        self.lead.recommended_ticks()
    }

    pub(super) fn statistics(&self) -> LinkStatistics {
        self.link.statistics()
    }

    /// After how long without a sign of life the path is dead; `None` while the server has named no figures.
    pub(super) fn path_dead_ms(&self, config: &ClientConfig) -> Option<u64> {
        let terms = self.terms?;
        if !self.is_logged_in {
            return Some(terms.timeout_ms.max(DEAD_MS_MIN));
        }
        let heartbeats_ms = terms.heartbeat_ms.saturating_mul(DEAD_HEARTBEATS);
        let usual_ms = DEAD_MS.min(terms.timeout_ms / 2).max(heartbeats_ms).max(DEAD_MS_MIN);
        Some(config.path_dead_ms.map_or(usual_ms, u64::from))
    }

    /// After how long a question counts as unanswered: a probe timeout, but no sooner than P35 or netcode ask again.
    pub(super) fn answer_wait_micros(&self) -> u64 {
        let heartbeat_ms = self.terms.map_or(DEAD_MS, |terms| terms.heartbeat_ms);
        let pace_micros = heartbeat_ms.saturating_mul(1_000) / QUESTIONS_PER_HEARTBEAT;
        self.link.probe_timeout_micros().max(pace_micros).max(ANSWER_WAIT_MICROS_MIN)
    }

    /// For how long after its last sign of life the server keeps a session at most (P37).
    pub(super) fn kept_ms(&self) -> Option<u64> {
        self.terms.map(|terms| terms.timeout_ms.saturating_add(terms.reconnect_window_ms))
    }

    /// What another process needs to know to resume the session.
    pub(super) fn saved_terms(&self) -> Option<SavedTerms> {
        let Some(Welcome { timeout_ms, reconnect_window_ms, .. }) = self.terms else {
            return self.restored_terms;
        };
        Some(SavedTerms { timeout_ms, reconnect_window_ms })
    }

    /// Takes over what another process knew.
    pub(super) const fn restore_terms(&mut self, terms: SavedTerms) {
        self.restored_terms = Some(terms);
    }

    /// The path is lost: from now on it is only tried once a heartbeat.
    pub(super) fn hold_back(&mut self, now: Timestamp) {
        self.next_probe = now;
    }

    /// When the next packet is due; `now` if one waits.
    pub(super) fn poll_timeout(&self, now: Timestamp, path: &Path) -> Timestamp {
        let due = if self.link.has_output(now) {
            now
        } else {
            self.link.poll_timeout().unwrap_or(Timestamp::NEVER)
        };
        if path.is_lost { due.max(self.next_probe) } else { due }
    }

    /// Seals the next packet; 0 if none is due.
    pub(super) fn poll_packet(&mut self, now: Timestamp, path: &mut Path, buffer: &mut [u8]) -> usize {
        if path.is_lost && now < self.next_probe {
            return 0;
        }
        let hello = self.hello();
        let Self { link, login, moves, .. } = self;
        let mut source = Source { hello, login, moves };
        let heartbeats_before = link.heartbeats_sent();
        let len = path.connection.seal_payload(buffer, |sequence, room| {
            room.first_chunk_mut().map_or(0, |room| link.poll_packet(now, sequence, room, &mut source))
        });
        if len > 0 {
            path.last_sent = now;
        }
        if self.link.heartbeats_sent() != heartbeats_before {
            path.watch.on_asked(now);
        }
        if path.is_lost {
            let heartbeat_ms = self.terms.map_or(DEAD_MS, |terms| terms.heartbeat_ms);
            self.next_probe = now.plus_millis(heartbeat_ms.max(PROBE_MS_MIN));
        }
        len
    }
}

/// A lost path is tried ten times a second at most.
const PROBE_MS_MIN: u64 = 100;

/// What the link asks of the session while it writes a packet.
struct Source<'a> {
    hello: Hello,
    login: &'a Login,
    moves: &'a OutgoingMoves,
}

impl FrameSource for Source<'_> {
    fn write_preface(&mut self, writer: &mut FrameWriter<'_>) -> bool {
        writer.write_hello(&self.hello)
    }

    fn write_control(&mut self, control: Control, writer: &mut FrameWriter<'_>) -> Written {
        self.login.write(control, writer)
    }

    fn write_moves(&mut self, writer: &mut FrameWriter<'_>) -> Written {
        self.moves.write(writer)
    }

    fn write_state(&mut self, _writer: &mut FrameWriter<'_>) -> Written<u64> {
        Written::Nothing
    }

    fn write_heartbeat_response(
        &mut self,
        stamp: u64,
        delay_micros: u64,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        // P36: a client has no simulation that others follow.
        writer.write_heartbeat_response(&HeartbeatResponse {
            stamp,
            delay_micros,
            server_tick: 0,
            tick_phase_micros: 0,
            move_arrival: None,
        })
    }
}
