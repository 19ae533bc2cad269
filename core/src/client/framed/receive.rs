//! What the frames of the server do.

use super::Framed;
use crate::Violation;
use crate::client::ClientSession;
use crate::client::clock::TickClock;
use crate::client::event::{ClientDisconnectReason, ClientEvent};
use crate::client::resume::HeldToken;
use crate::client::state::ClientState;
use crate::client::verdict::{DropReason, Refusal};
use crate::event::Continuity;
use crate::link::frame::{
    CheckedPayload, Draining, Frame, HeartbeatResponse, LoginRejected, PROTOCOL_VERSION, ResumeToken, State,
    Welcome,
};
use crate::link::lane::Piece;
use crate::netcode::{ConnectToken, Key};

impl ClientSession {
    /// Takes a framed payload that opened under the keys of the path.
    pub(in crate::client) fn receive_frames(&mut self, sequence: u64, payload: &[u8]) -> Result<(), Refusal> {
        let Some(framed) = self.content.framed_mut() else { return Ok(()) };
        let payload = framed.link.check(payload).map_err(Violation::from)?;
        if !framed.is_open {
            // P22: what comes before the welcome comes again.
            let welcome = match payload.frames().next() {
                Some(Frame::Welcome(welcome)) => welcome,
                Some(Frame::Goodbye { .. }) => return Ok(self.receive_checked(&payload)?),
                _ => return Err(DropReason::BeforeWelcome.into()),
            };
            if !framed.accepts(&welcome) {
                return Err(DropReason::BadWelcome.into());
            }
            self.open(&welcome);
        }
        self.receive_checked(&payload)?;
        if let Some(framed) = self.content.framed_mut() {
            framed.link.on_packet_received(self.now, sequence, &payload);
        }
        Ok(())
    }

    fn receive_checked(&mut self, payload: &CheckedPayload<'_>) -> Result<(), Violation> {
        for frame in payload.frames() {
            self.handle_frame(&frame)?;
            if self.state == ClientState::Disconnected {
                break;
            }
        }
        Ok(())
    }

    fn handle_frame(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let now = self.now;
        if frame.needs_login() {
            // P27: the packet that said so was lost or overtaken.
            self.handle_logged_in();
        }
        let Some(framed) = self.content.framed_mut() else { return Ok(()) };
        match *frame {
            Frame::Ack(ack) => framed.link.handle_ack(now, &ack, |_| {})?,
            Frame::Heartbeat { stamp } => framed.link.handle_heartbeat(now, stamp),
            Frame::PathChallenge { value } => framed.link.handle_path_challenge(value),
            Frame::HeartbeatResponse(response) => self.handle_heartbeat_response(&response),
            Frame::LoginAccepted { .. } => self.handle_logged_in(),
            Frame::LoginRejected(rejected) => self.handle_login_rejected(&rejected),
            Frame::ResumeToken(token) => self.handle_resume_token(&token),
            Frame::Draining(draining) => self.handle_draining(&draining),
            Frame::Goodbye { code, detail } => {
                self.end(ClientDisconnectReason::from_goodbye(code), detail);
            }
            Frame::Lane { lane, number, message } => self.handle_piece(lane, number, Piece::last(message))?,
            Frame::Fragment { lane, number, bytes } => {
                self.handle_piece(lane, number, Piece::continued(bytes))?;
            }
            Frame::Datagram { message } => self.events.push(ClientEvent::Datagram, message),
            Frame::State(state) => self.handle_state(&state),
            Frame::Latest { key, version, value } => self.handle_latest(key, version, value)?,
            // A repeated welcome says nothing new; the others never pass the check of a server's payload.
            Frame::Welcome(_)
            | Frame::Hello(_)
            | Frame::Login { .. }
            | Frame::PathResponse { .. }
            | Frame::Moves(_) => {}
        }
        Ok(())
    }

    /// The first welcome of a key epoch.
    fn open(&mut self, welcome: &Welcome) {
        let now = self.now;
        let Some(framed) = self.content.framed_mut() else { return };
        let is_first = framed.terms.is_none();
        framed.open(welcome, is_first, now);
        // Also ends the way back, which led here: what is told about it depends on the lanes.
        self.way_back = None;
        self.mark_path_alive();
        if is_first {
            self.state = ClientState::Connected;
            self.events.push(ClientEvent::Connected { login_explicit: welcome.login_explicit }, &[]);
        } else if !welcome.lanes_kept {
            self.return_afresh();
        } else if self.state == ClientState::Away {
            self.return_with(Continuity::Kept);
        }
        if welcome.logged_in {
            self.handle_logged_in();
        }
    }

    fn handle_logged_in(&mut self) {
        let Some(framed) = self.content.framed_mut() else { return };
        framed.link.allow_data();
        if framed.is_logged_in {
            return;
        }
        framed.is_logged_in = true;
        framed.login.finish();
        self.state = ClientState::LoggedIn;
        self.events.push(ClientEvent::LoggedIn, &[]);
    }

    fn handle_login_rejected(&mut self, rejected: &LoginRejected<'_>) {
        let Some(framed) = self.content.framed_mut() else { return };
        if framed.is_logged_in || !framed.login.is_pending(rejected.attempt) {
            return;
        }
        framed.login.finish();
        let LoginRejected { code, attempts_left, text, .. } = *rejected;
        self.events.push(ClientEvent::LoginRejected { code, attempts_left }, text.as_bytes());
    }

    fn handle_resume_token(&mut self, frame: &ResumeToken<'_>) {
        let seconds = frame.expire_unix.saturating_sub(frame.create_unix);
        let expires_at = self.now.plus_millis(seconds.saturating_mul(1_000));
        if self.purse.wants(frame.generation)
            && let Some(token) = connect_token(frame, self.protocol_id)
        {
            // Nobody but this process has the keys, so its sequence may begin at 0 (P63).
            self.purse.insert(HeldToken::new(frame.generation, token, 0, expires_at));
        }
    }

    /// Tells of each announcement once: it is repeated after each way back (P81).
    fn handle_draining(&mut self, draining: &Draining) {
        let Some(framed) = self.content.framed_mut() else { return };
        if draining.announcement <= framed.newest_announcement {
            return;
        }
        framed.newest_announcement = draining.announcement;
        let deadline = draining.remaining_ms.map(|millis| self.now.plus_millis(millis));
        let Draining { code, other_address, .. } = *draining;
        self.events.push(ClientEvent::ServerDraining { deadline, code, other_address }, &[]);
    }

    fn handle_piece(&mut self, lane: u8, number: u64, piece: Piece<'_>) -> Result<(), Violation> {
        let Self { content, events, .. } = self;
        let Some(framed) = content.framed_mut() else { return Ok(()) };
        let arrival = framed.link.handle_lane(lane, number, piece, |message| {
            events.push(ClientEvent::Message { lane }, message);
        });
        Violation::of_arrival(arrival)
    }

    fn handle_latest(&mut self, key: u16, version: u64, value: &[u8]) -> Result<(), Violation> {
        let Some(framed) = self.content.framed_mut() else { return Ok(()) };
        if Violation::of_value(framed.link.handle_latest(key, version))? {
            self.events.push(ClientEvent::Latest { key }, value);
        }
        Ok(())
    }

    fn handle_state(&mut self, state: &State<'_>) {
        let Some(framed) = self.content.framed_mut() else { return };
        if let Some(tick) = state.acknowledged_tick {
            framed.moves.on_acknowledged(tick);
        }
        if framed.newest_state_tick >= Some(state.server_tick) {
            return;
        }
        framed.newest_state_tick = Some(state.server_tick);
        let event =
            ClientEvent::State { server_tick: state.server_tick, acknowledged: state.acknowledged_tick };
        self.events.push(event, state.bytes);
    }

    fn handle_heartbeat_response(&mut self, response: &HeartbeatResponse) {
        let now = self.now;
        let Some(framed) = self.content.framed_mut() else { return };
        let Some(on_the_way_micros) = framed.link.handle_heartbeat_response(now, response) else { return };
        if let Some(clock) = &mut framed.clock {
            clock.handle_response(now, response, on_the_way_micros);
        }
        if let (Some(arrival), Some(terms)) = (response.move_arrival, framed.terms) {
            framed.lead.handle_arrival(arrival, terms.tick_rate_hz);
        }
    }
}

impl Framed {
    /// Whether the welcome answers this client's hello, in its version, with lanes enough, no message too long, no window too
    /// large and not too many keys (P23, P50, P51, P54, P70).
    const fn accepts(&self, welcome: &Welcome) -> bool {
        welcome.version == PROTOCOL_VERSION
            && welcome.lane_epoch == self.lane_epoch
            && welcome.ordered_lanes >= self.ordered_lanes
            && welcome.message_bytes_max <= self.message_bytes_max
            && welcome.lane_window_bytes <= self.lane_window_bytes
            && welcome.latest_keys <= self.latest_keys
    }

    fn open(&mut self, welcome: &Welcome, is_first: bool, now: crate::Timestamp) {
        self.is_open = true;
        self.terms = Some(*welcome);
        self.link.end_preface();
        self.link.set_lane_terms(welcome);
        // P24: the first welcome of a session discards nothing.
        self.link.open_lanes(is_first || welcome.lanes_kept);
        self.link.start_heartbeat(now, welcome.heartbeat_ms);
        if let Some(tick) = welcome.move_high_water {
            self.moves.on_acknowledged(tick);
        }
        self.clock
            .get_or_insert_with(|| TickClock::new(now, welcome.server_tick, welcome.tick_rate_hz))
            .handle_welcome(now, welcome.server_tick, welcome.tick_rate_hz);
    }
}

/// The token that the frame stands for; `None` if it is none.
fn connect_token(frame: &ResumeToken<'_>, protocol_id: u64) -> Option<ConnectToken> {
    ConnectToken::from_parts(
        protocol_id,
        frame.create_unix..frame.expire_unix,
        *frame.nonce,
        frame.private,
        frame.timeout_seconds,
        (frame.address_count, frame.addresses),
        [Key::new(*frame.client_to_server_key), Key::new(*frame.server_to_client_key)],
    )
}
