//! The message layer of one session: its link, and where it stands in opening a key epoch (PROTOCOL.md, section 5).

use core::net::SocketAddr;

use crate::counters::DropReason;
use crate::event::Continuity;
use crate::lifecycle::LoginPolicy;
use crate::link::Link;
use crate::link::control::Control;
use crate::link::frame::{
    CheckedPayload, Frame, FrameWriter, HeartbeatResponse, Hello, LoginRejected, RESUME_TOKEN_BYTES_MAX,
    ResumeToken, Role, State, Welcome,
};
use crate::link::source::{FrameSource, Written};
use crate::movement::{Movement, MovementRules};
use crate::netcode::ConnectToken;
use crate::netcode::address::{ADDRESS_LIST_BYTES_MAX, encoded_len};
use crate::{ClientId, Config, SessionId, Timestamp, Violation};

use super::clock::Clock;
use super::drain::Leave;
use super::session::Login;
use super::way_back::{ResumeContent, ResumeLedger, ResumeMint};

/// The frames of one session.
#[derive(Debug)]
pub(super) struct Framed {
    pub(super) link: Link,
    /// The lane epoch of the newest hello; `None` before the first.
    pub(super) lane_epoch: Option<u64>,
    /// Whether the hello of this key epoch has arrived.
    is_greeted: bool,
    /// Whether the lanes start afresh with the next hello, whatever it says.
    restarts: bool,
    /// What welcome says in this key epoch.
    lanes_kept: bool,
    /// How often the peer broke the protocol, over all key epochs, and how it did so last.
    pub(super) violations: u32,
    pub(super) last_violation: Option<Violation>,
}

/// What a hello meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It opened the key epoch, with the lanes as they were or fresh ones.
    Opened { lanes_kept: bool },
    /// It came again.
    Repeated,
    /// It contradicts the one before it.
    Contradiction,
}

impl Framed {
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        Self {
            link: Link::new(Role::Server, &config.link_limits(), now),
            lane_epoch: None,
            is_greeted: false,
            restarts: false,
            lanes_kept: false,
            violations: 0,
            last_violation: None,
        }
    }

    /// The hello a payload begins with, if it may open a key epoch.
    pub(super) fn hello_of(payload: &CheckedPayload<'_>) -> Result<Hello, DropReason> {
        match payload.frames().next() {
            Some(Frame::Hello(hello)) if hello.is_acceptable() => Ok(hello),
            Some(Frame::Hello(_)) => Err(DropReason::BadHello),
            _ => Err(DropReason::BeforeHello),
        }
    }

    pub(super) const fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    pub(super) fn connection_replaced(&mut self, now: Timestamp, continuity: Continuity) {
        self.link.connection_replaced(now);
        self.is_greeted = false;
        self.restarts = continuity == Continuity::Restarted;
    }

    /// Takes a hello (P21, P23, P24). `is_logged_in` says whether the lanes may be used at once.
    pub(super) fn handle_hello(
        &mut self,
        now: Timestamp,
        hello: &Hello,
        heartbeat_ms: u32,
        is_logged_in: bool,
    ) -> Greeting {
        if self.is_greeted && self.lane_epoch != Some(hello.lane_epoch) {
            return Greeting::Contradiction;
        }
        self.link.begin_preface(now);
        if self.is_greeted {
            return Greeting::Repeated;
        }
        let is_first = self.lane_epoch.is_none();
        self.lanes_kept = !self.restarts && self.lane_epoch == Some(hello.lane_epoch);
        self.link.open_lanes(is_first || self.lanes_kept);
        self.link.start_heartbeat(now, heartbeat_ms.into());
        if is_logged_in {
            self.link.allow_data();
        }
        self.lane_epoch = Some(hello.lane_epoch);
        self.is_greeted = true;
        self.restarts = false;
        Greeting::Opened { lanes_kept: self.lanes_kept }
    }
}

/// Everything that the server's own frames are written from.
pub(super) struct ServerFrames<'a> {
    pub(super) id: SessionId,
    pub(super) client_id: ClientId,
    pub(super) address: SocketAddr,
    pub(super) timeout_micros: u64,
    pub(super) is_logged_in: bool,
    pub(super) lane_epoch: u64,
    pub(super) lanes_kept: bool,
    pub(super) login: &'a Login,
    pub(super) movement: Option<&'a mut Movement>,
    pub(super) tokens: &'a ResumeLedger,
    pub(super) config: &'a Config,
    pub(super) mint: &'a ResumeMint,
    pub(super) clock: &'a Clock,
    pub(super) server_tick: Option<(u64, Timestamp)>,
    pub(super) leave: &'a Leave,
}

impl Framed {
    /// The parts that [`ServerFrames`] is made of, beside the link that uses it.
    pub(super) fn split(&mut self) -> (&mut Link, u64, bool) {
        (&mut self.link, self.lane_epoch.unwrap_or(0), self.lanes_kept)
    }
}

impl ServerFrames<'_> {
    fn resume_token(&self, generation: u64) -> Option<ConnectToken> {
        let create_unix = self.tokens.create_unix(generation)?;
        let same_family = |address: &&SocketAddr| address.is_ipv4() == self.address.is_ipv4();
        let other_family = |address: &&SocketAddr| address.is_ipv4() != self.address.is_ipv4();
        let public = &self.config.public_addresses;
        let mut addresses: alloc::vec::Vec<SocketAddr> =
            public.iter().filter(same_family).chain(public.iter().filter(other_family)).copied().collect();
        // P7: the last addresses are left out rather than pass the size of the frame.
        let mut room = RESUME_TOKEN_BYTES_MAX - RESUME_TOKEN_FIXED_BYTES_MAX;
        addresses.retain(|address| match room.checked_sub(encoded_len(address)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        });
        let timeout_seconds = i32::try_from(self.timeout_micros.div_ceil(1_000_000)).unwrap_or(i32::MAX);
        self.mint.mint(&ResumeContent {
            session: self.id,
            client_id: self.client_id,
            generation,
            create_unix,
            timeout_seconds,
            addresses: &addresses,
        })
    }

    fn reference(&self) -> u64 {
        let server_tick = self.server_tick.map(|(tick, _)| tick);
        match &self.movement {
            Some(movement) => movement.reference(self.clock.now(), server_tick, rules(self.config)),
            None => server_tick.unwrap_or(0),
        }
    }
}

/// What a resume token frame needs beside its addresses, with the longest generation.
const RESUME_TOKEN_FIXED_BYTES_MAX: usize = 1 + 10 + 8 + 8 + 24 + 1_024 + 32 + 32 + 4 + 1;

/// How move inputs are judged.
pub(super) fn rules(config: &Config) -> MovementRules {
    MovementRules { tick_hz: config.tick_hz, ticks_ahead_max: config.move_ticks_ahead_max }
}

impl FrameSource for ServerFrames<'_> {
    fn write_preface(&mut self, writer: &mut FrameWriter<'_>) -> bool {
        writer.write_welcome(&Welcome {
            version: crate::link::frame::PROTOCOL_VERSION,
            lane_epoch: self.lane_epoch,
            lanes_kept: self.lanes_kept,
            login_explicit: self.config.login == LoginPolicy::Explicit,
            logged_in: self.is_logged_in,
            session: self.id.to_bits(),
            tick_rate_hz: self.config.tick_hz.into(),
            server_tick: self.reference(),
            heartbeat_ms: self.config.heartbeat_ms.into(),
            timeout_ms: self.timeout_micros / 1_000,
            reconnect_window_ms: self.config.reconnect_window_ms.unwrap_or(0).into(),
            ordered_lanes: self.config.ordered_lanes,
            message_bytes_max: self.config.message_bytes_max,
            lane_window_bytes: self.config.lane_window_bytes,
            latest_keys: self.config.latest_keys,
            move_high_water: self.movement.as_deref().and_then(Movement::high_water),
        })
    }

    fn write_control(&mut self, control: Control, writer: &mut FrameWriter<'_>) -> Written {
        let fits = match control {
            Control::Login(_) => return Written::Nothing,
            Control::LoginAccepted(attempt) => writer.write_login_accepted(attempt),
            Control::LoginRejected(attempt) => {
                let Some(rejection) = &self.login.rejection else { return Written::Nothing };
                writer.write_login_rejected(&LoginRejected {
                    attempt,
                    attempts_left: rejection.attempts_left.into(),
                    code: rejection.code.into(),
                    text: &rejection.text,
                })
            }
            // What is told is what holds when it leaves: of several announcements the newest.
            Control::Draining(_) => match self.leave.notice(self.clock.now()) {
                Some(notice) => writer.write_draining(&notice),
                None => return Written::Nothing,
            },
            Control::ResumeToken(generation) => {
                // Making a token costs more than writing one: not for a packet that cannot hold it.
                if writer.remaining() < RESUME_TOKEN_BYTES_MAX {
                    return Written::NoRoom;
                }
                let Some(token) = self.resume_token(generation) else { return Written::Nothing };
                let mut addresses = [0; ADDRESS_LIST_BYTES_MAX];
                writer.write_resume_token(&ResumeToken {
                    generation,
                    create_unix: token.create_unix,
                    expire_unix: token.expire_unix,
                    nonce: &token.nonce,
                    private: &token.private,
                    client_to_server_key: token.client_to_server_key.as_bytes(),
                    server_to_client_key: token.server_to_client_key.as_bytes(),
                    timeout_seconds: token.timeout_seconds,
                    address_count: u8::try_from(token.addresses.len()).unwrap_or(u8::MAX),
                    addresses: token.addresses.encode(&mut addresses),
                })
            }
        };
        if fits { Written::Done(()) } else { Written::NoRoom }
    }

    fn write_moves(&mut self, _: &mut FrameWriter<'_>) -> Written {
        // Only clients move.
        Written::Nothing
    }

    fn write_state(&mut self, writer: &mut FrameWriter<'_>) -> Written<u64> {
        let Some((server_tick, state)) = self.movement.as_deref().and_then(Movement::published) else {
            return Written::Nothing;
        };
        let acknowledged_tick = self.movement.as_deref().and_then(Movement::high_water);
        if writer.write_state(&State { server_tick, acknowledged_tick, bytes: state }) {
            Written::Done(server_tick)
        } else {
            Written::NoRoom
        }
    }

    fn write_heartbeat_response(
        &mut self,
        stamp: u64,
        delay_micros: u64,
        writer: &mut FrameWriter<'_>,
    ) -> bool {
        let (server_tick, tick_phase_micros) = match self.server_tick {
            Some((tick, since)) => (tick, self.clock.now().micros_since(since)),
            None => (self.reference(), 0),
        };
        let move_arrival = self.movement.as_deref().and_then(Movement::worst_arrival);
        let response =
            HeartbeatResponse { stamp, delay_micros, server_tick, tick_phase_micros, move_arrival };
        let is_written = writer.write_heartbeat_response(&response);
        if let Some(movement) = self.movement.as_deref_mut().filter(|_| is_written) {
            movement.on_arrival_reported();
        }
        is_written
    }
}
