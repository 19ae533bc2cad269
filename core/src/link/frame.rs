//! What a framed payload is made of (PROTOCOL.md, section 3): the frames, and the check of a whole payload.

mod read;
mod write;

#[cfg(test)]
pub(crate) mod tests;

use core::net::SocketAddr;

use read::FrameReader;
pub(crate) use write::FrameWriter;

use super::received::AckUrgency;

/// The most bytes of a payload (P6).
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1_200;
/// The most bytes of a datagram.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_150;
/// The most bytes of a lane's message that one frame carries (P54).
pub(crate) const PIECE_BYTES_MAX: usize = 1_150;
/// The most bytes of a latest-wins value (P71).
pub(crate) const VALUE_BYTES_MAX: usize = 1_150;
/// The most bytes of a login's credential.
pub(crate) const CREDENTIAL_BYTES_MAX: usize = 1_024;
/// The most bytes of a rejection's text and of a goodbye's detail.
pub(crate) const TEXT_BYTES_MAX: usize = 255;
/// The bytes of a path challenge, and of its response.
pub(crate) const PATH_CHALLENGE_BYTES: usize = 1 + 8;
/// The most bytes of a resume token frame (P7).
pub(crate) const RESUME_TOKEN_BYTES_MAX: usize = 1_175;
/// The most ranges after the first that an ack names (P10).
pub(crate) const FURTHER_RANGES_MAX: usize = 31;
/// The most inputs of a moves frame.
pub(crate) const MOVES_MAX: usize = 32;
/// The most server addresses of a connect token (netcode standard, section Connect Token).
pub(crate) const ADDRESSES_MAX: u8 = 32;

/// The first eight bytes of every hello.
pub(crate) const HELLO_MAGIC: [u8; 8] = *b"REJOIN\r\n";
/// The version of the message layer that this library speaks.
pub(crate) const PROTOCOL_VERSION: u64 = 1;

/// The lane whose messages arrive once each but in no order, as soon as they can (P56). Every session has it.
pub const UNORDERED_LANE: u8 = 16;
/// The most ordered lanes that a session has in each direction (P50).
pub(crate) const LANES_MAX: u8 = 16;

/// Which end of a session a sender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The end that connects, and that comes back.
    Client,
    /// The end that keeps the session.
    Server,
}

/// Why a payload is refused as a whole (P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// No frame has this type byte.
    UnknownType(u8),
    /// The payload ends inside a frame.
    Truncated,
    /// A varint is not in its shortest form or does not fit 64 bits (P1).
    MalformedVarint,
    /// A field holds a value that its frame does not allow.
    OutOfRange,
    /// The sender's role may not send this frame.
    WrongRole,
    /// A second frame of a type that a payload holds once at most (P9).
    Repeated,
}

/// The first frame of a client in a key epoch (P20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// [`HELLO_MAGIC`], unless the sender speaks something else.
    pub(crate) magic: [u8; 8],
    /// The version of the message layer.
    pub(crate) version: u64,
    /// Drawn by the client process for the session; never zero.
    pub(crate) lane_epoch: u64,
}

impl Hello {
    /// The hello of this version.
    pub(crate) const fn new(lane_epoch: u64) -> Self {
        Self { magic: HELLO_MAGIC, version: PROTOCOL_VERSION, lane_epoch }
    }

    /// Whether it may open a key epoch (P23).
    pub(crate) fn is_acceptable(&self) -> bool {
        self.magic == HELLO_MAGIC && self.version == PROTOCOL_VERSION && self.lane_epoch != 0
    }
}

/// The server's answer to a hello (P21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    /// The version of the message layer.
    pub(crate) version: u64,
    /// The lane epoch of the hello that it answers.
    pub(crate) lane_epoch: u64,
    /// Message numbers go on where they were (P24).
    pub(crate) lanes_kept: bool,
    /// The session asks for a login frame (P30).
    pub(crate) login_explicit: bool,
    /// The session is logged in already.
    pub(crate) logged_in: bool,
    /// Names the session.
    pub(crate) session: u64,
    /// Ticks in a second.
    pub(crate) tick_rate_hz: u64,
    /// Where the server's simulation stands (P44).
    pub(crate) server_tick: u64,
    /// The interval of heartbeats (P35).
    pub(crate) heartbeat_ms: u64,
    /// After how long a silent client counts as gone (P37).
    pub(crate) timeout_ms: u64,
    /// For how long a session is kept after that (P37).
    pub(crate) reconnect_window_ms: u64,
    /// How many reliable lanes the session has in each direction, 1 to [`LANES_MAX`] (P50).
    pub(crate) ordered_lanes: u8,
    /// The most bytes of a message on them, at least 1 (P54).
    pub(crate) message_bytes_max: u32,
    /// The window of each of them in bytes, 16,384 to 1,048,576 (P51).
    pub(crate) lane_window_bytes: u32,
    /// How many keys for latest-wins values the session has in each direction (P70).
    pub(crate) latest_keys: u16,
    /// The highest move tick accepted from this session (P26).
    pub(crate) move_high_water: Option<u64>,
}

/// Which packets its sender has received (P10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack<'a> {
    /// The highest sequence received.
    pub(crate) largest: u64,
    /// From the receipt of `largest` to the sending of the ack (P11).
    pub(crate) delay_micros: u64,
    /// How many sequences below `largest` belong to the first range.
    first_range: u64,
    /// The further ranges as they came, checked.
    further: &'a [u8],
}

/// The answer to a heartbeat (P36).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeartbeatResponse {
    /// The heartbeat's stamp.
    pub(crate) stamp: u64,
    /// From the heartbeat's receipt to this answer.
    pub(crate) delay_micros: u64,
    /// The tick the server's simulation stood at.
    pub(crate) server_tick: u64,
    /// For how long it had stood there.
    pub(crate) tick_phase_micros: u64,
    /// The worst arrival of a move input since the response before; `None` if there was none, and of a client.
    pub(crate) move_arrival: Option<MoveArrival>,
}

/// How an accepted move input met the server's simulation (P47).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MoveArrival {
    /// The input's tick.
    pub(crate) tick: u64,
    /// The server's tick when it arrived.
    pub(crate) server_tick: u64,
}

impl MoveArrival {
    /// How much earlier than the server came to its tick it was there, in ticks.
    pub(crate) fn ticks_early(self) -> i128 {
        i128::from(self.tick) - i128::from(self.server_tick)
    }
}

/// A rejected login (P30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoginRejected<'a> {
    /// The attempt that it answers.
    pub(crate) attempt: u64,
    /// How many more the client may make.
    pub(crate) attempts_left: u64,
    /// The application's code for the cause.
    pub(crate) code: u64,
    /// The application's words for the cause, at most [`TEXT_BYTES_MAX`] bytes.
    pub(crate) text: &'a str,
}

/// A connect token for coming back (P60), without what both ends know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResumeToken<'a> {
    /// Its number in the session, from 1.
    pub(crate) generation: u64,
    /// When it was made, in unix seconds.
    pub(crate) create_unix: u64,
    /// When it ends, in unix seconds.
    pub(crate) expire_unix: u64,
    /// The nonce of the private part.
    pub(crate) nonce: &'a [u8; 24],
    /// The sealed private part.
    pub(crate) private: &'a [u8; 1024],
    /// The key the client seals with.
    pub(crate) client_to_server_key: &'a [u8; 32],
    /// The key the client opens with.
    pub(crate) server_to_client_key: &'a [u8; 32],
    /// The token's timeout; negative means none.
    pub(crate) timeout_seconds: i32,
    /// How many addresses follow, 1 to [`ADDRESSES_MAX`].
    pub(crate) address_count: u8,
    /// The addresses in the form they have in a connect token, checked.
    pub(crate) addresses: &'a [u8],
}

impl core::fmt::Debug for ResumeToken<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Its keys stay out of every log.
        f.debug_struct("ResumeToken").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// The server takes its leave (P80).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draining {
    /// Counts what the server announced, from 1; higher ones replace lower ones.
    pub(crate) announcement: u64,
    /// The host's code for the cause.
    pub(crate) code: u32,
    /// For how long players may stay; `None` if that is not limited.
    pub(crate) remaining_ms: Option<u64>,
    /// Where they may go instead.
    pub(crate) other_address: Option<SocketAddr>,
}

/// The newest state of the game for this client (P45).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State<'a> {
    /// The tick it shows.
    pub(crate) server_tick: u64,
    /// The highest move tick the server had accepted.
    pub(crate) acknowledged_tick: Option<u64>,
    /// The application's bytes.
    pub(crate) bytes: &'a [u8],
}

/// Move inputs, the newest first (P46).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moves<'a> {
    newest_tick: u64,
    /// The inputs as they came, checked.
    inputs: &'a [u8],
}

/// One frame; what it refers to stays in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// 0x01
    Hello(Hello),
    /// 0x02
    Welcome(Welcome),
    /// 0x03
    Ack(Ack<'a>),
    /// 0x04
    Heartbeat {
        /// Comes back in the response as it is.
        stamp: u64,
    },
    /// 0x05
    HeartbeatResponse(HeartbeatResponse),
    /// 0x06
    Login {
        /// Counts from 1.
        attempt: u64,
        /// The application's proof of who this is, at most [`CREDENTIAL_BYTES_MAX`] bytes.
        credential: &'a [u8],
    },
    /// 0x07
    LoginAccepted {
        /// The attempt that it answers; 0 where the token is the login.
        attempt: u64,
    },
    /// 0x08
    LoginRejected(LoginRejected<'a>),
    /// 0x09
    ResumeToken(ResumeToken<'a>),
    /// 0x0A
    Goodbye {
        /// Why (P8).
        code: u8,
        /// The host's own bytes, at most [`TEXT_BYTES_MAX`].
        detail: &'a [u8],
    },
    /// 0x0B
    PathChallenge {
        /// Comes back in the response as it is (P40).
        value: u64,
    },
    /// 0x0C
    PathResponse {
        /// The challenge's value (P41).
        value: u64,
    },
    /// 0x0D
    Draining(Draining),
    /// 0x10
    Lane {
        /// The lane, below [`LANES_MAX`], or [`UNORDERED_LANE`].
        lane: u8,
        /// The piece's number on its lane in its direction.
        number: u64,
        /// 1 to [`PIECE_BYTES_MAX`] bytes: a message, or the last piece of one.
        message: &'a [u8],
    },
    /// 0x14
    Fragment {
        /// The lane, below [`LANES_MAX`].
        lane: u8,
        /// The piece's number on its lane in its direction.
        number: u64,
        /// 1 to [`PIECE_BYTES_MAX`] bytes of a message that goes on.
        bytes: &'a [u8],
    },
    /// 0x11
    Datagram {
        /// The application's 1 to [`MESSAGE_BYTES_MAX`] bytes.
        message: &'a [u8],
    },
    /// 0x12
    State(State<'a>),
    /// 0x13
    Moves(Moves<'a>),
    /// 0x15
    Latest {
        /// Below the 65,535 that a session has at most.
        key: u16,
        /// Which of the key's values it is, from 1.
        version: u64,
        /// The application's bytes, at most [`VALUE_BYTES_MAX`].
        value: &'a [u8],
    },
}

impl Frame<'_> {
    /// Whether `sender` may send it (P5).
    const fn may_come_from(&self, sender: Role) -> bool {
        match self {
            Self::Hello(_) | Self::Login { .. } | Self::PathResponse { .. } | Self::Moves(_) => {
                matches!(sender, Role::Client)
            }
            Self::Welcome(_)
            | Self::LoginAccepted { .. }
            | Self::LoginRejected(_)
            | Self::ResumeToken(_)
            | Self::PathChallenge { .. }
            | Self::Draining(_)
            | Self::State(_) => matches!(sender, Role::Server),
            Self::Ack(_)
            | Self::Heartbeat { .. }
            | Self::HeartbeatResponse(_)
            | Self::Goodbye { .. }
            | Self::Lane { .. }
            | Self::Fragment { .. }
            | Self::Datagram { .. }
            | Self::Latest { .. } => true,
        }
    }

    /// Whether it belongs to a player who is logged in (P27).
    pub(crate) const fn needs_login(&self) -> bool {
        match self {
            Self::Lane { .. }
            | Self::Fragment { .. }
            | Self::Datagram { .. }
            | Self::State(_)
            | Self::Moves(_)
            | Self::Latest { .. } => true,
            Self::Hello(_)
            | Self::Welcome(_)
            | Self::Ack(_)
            | Self::Heartbeat { .. }
            | Self::HeartbeatResponse(_)
            | Self::Login { .. }
            | Self::LoginAccepted { .. }
            | Self::LoginRejected(_)
            | Self::ResumeToken(_)
            | Self::Goodbye { .. }
            | Self::PathChallenge { .. }
            | Self::PathResponse { .. }
            | Self::Draining(_) => false,
        }
    }

    /// How soon it wants to be acknowledged (P12).
    const fn ack_urgency(&self) -> AckUrgency {
        match self {
            Self::Ack(_) | Self::Goodbye { .. } | Self::PathChallenge { .. } | Self::PathResponse { .. } => {
                AckUrgency::None
            }
            Self::Heartbeat { .. }
            | Self::HeartbeatResponse(_)
            | Self::Datagram { .. }
            | Self::State(_)
            | Self::Moves(_)
            | Self::Latest { .. } => AckUrgency::Lazy,
            Self::Hello(_)
            | Self::Welcome(_)
            | Self::Login { .. }
            | Self::LoginAccepted { .. }
            | Self::LoginRejected(_)
            | Self::ResumeToken(_)
            | Self::Draining(_)
            | Self::Lane { .. }
            | Self::Fragment { .. } => AckUrgency::Urgent,
        }
    }
}

/// A payload whose frames are all well-formed and may come from their sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedPayload<'a> {
    payload: &'a [u8],
    ack_urgency: AckUrgency,
    has_pieces: bool,
}

impl<'a> CheckedPayload<'a> {
    /// Its frames, in order; at least one.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Frame<'a>> + use<'a> {
        // The check has read all of them, so that none is lost here.
        FrameReader::new(self.payload).map_while(Result::ok)
    }

    /// How soon the packet is to be acknowledged.
    pub(crate) const fn ack_urgency(&self) -> AckUrgency {
        self.ack_urgency
    }

    /// Whether it holds pieces of messages.
    pub(crate) const fn has_pieces(&self) -> bool {
        self.has_pieces
    }

    /// How many bytes it has.
    pub(crate) const fn len(&self) -> usize {
        self.payload.len()
    }
}

/// Checks all frames of a payload before any of them is acted on (P5).
pub(crate) fn check_form(payload: &[u8], sender: Role) -> Result<CheckedPayload<'_>, FrameError> {
    if payload.is_empty() {
        return Err(FrameError::Truncated);
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(FrameError::OutOfRange);
    }
    let mut ack_urgency = AckUrgency::None;
    let mut has_pieces = false;
    let mut seen = OnceSeen::default();
    for frame in FrameReader::new(payload) {
        let frame = frame?;
        if !frame.may_come_from(sender) {
            return Err(FrameError::WrongRole);
        }
        if !seen.admits(&frame) {
            return Err(FrameError::Repeated);
        }
        ack_urgency = ack_urgency.max(frame.ack_urgency());
        has_pieces |= matches!(frame, Frame::Lane { .. } | Frame::Fragment { .. });
    }
    Ok(CheckedPayload { payload, ack_urgency, has_pieces })
}

/// Which of the frames that a payload holds once at most were there (P9).
///
/// What they ask for costs the same whatever they hold, so that hundreds of them in one packet would cost its receiver more than
/// the packet its sender.
#[derive(Debug, Default)]
struct OnceSeen(u8);

impl OnceSeen {
    /// Whether this frame may be there; notes that it is.
    const fn admits(&mut self, frame: &Frame<'_>) -> bool {
        let bit = match frame {
            Frame::Hello(_) => 1,
            Frame::Welcome(_) => 2,
            Frame::Ack(_) => 4,
            Frame::Heartbeat { .. } => 8,
            Frame::HeartbeatResponse(_) => 16,
            _ => 0,
        };
        let is_first = self.0 & bit == 0;
        self.0 |= bit;
        is_first
    }
}

/// The type bytes.
mod kind {
    pub(super) const HELLO: u8 = 0x01;
    pub(super) const WELCOME: u8 = 0x02;
    pub(super) const ACK: u8 = 0x03;
    pub(super) const HEARTBEAT: u8 = 0x04;
    pub(super) const HEARTBEAT_RESPONSE: u8 = 0x05;
    pub(super) const LOGIN: u8 = 0x06;
    pub(super) const LOGIN_ACCEPTED: u8 = 0x07;
    pub(super) const LOGIN_REJECTED: u8 = 0x08;
    pub(super) const RESUME_TOKEN: u8 = 0x09;
    pub(super) const GOODBYE: u8 = 0x0A;
    pub(super) const PATH_CHALLENGE: u8 = 0x0B;
    pub(super) const PATH_RESPONSE: u8 = 0x0C;
    pub(super) const DRAINING: u8 = 0x0D;
    pub(super) const LANE: u8 = 0x10;
    pub(super) const DATAGRAM: u8 = 0x11;
    pub(super) const STATE: u8 = 0x12;
    pub(super) const MOVES: u8 = 0x13;
    pub(super) const FRAGMENT: u8 = 0x14;
    pub(super) const LATEST: u8 = 0x15;
}

/// The bits of a welcome's flags.
mod flag {
    pub(super) const LANES_KEPT: u8 = 1;
    pub(super) const LOGIN_EXPLICIT: u8 = 2;
    pub(super) const LOGGED_IN: u8 = 4;
    pub(super) const MOVE_HIGH_WATER: u8 = 8;
    pub(super) const ALL: u8 = LANES_KEPT | LOGIN_EXPLICIT | LOGGED_IN | MOVE_HIGH_WATER;
}
