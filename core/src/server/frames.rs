//! What the frames of a client mean for its session.

use smallvec::SmallVec;

use crate::counters::DropReason;
use crate::event::Event;
use crate::ledger::{LoginRefusal, MoveRefusal};
use crate::lifecycle::{DisconnectReason, Input, SessionState};
use crate::link::control::Control;
use crate::link::frame::{CheckedPayload, Frame, Moves};
use crate::link::lane::Piece;
use crate::planted::{PlantedBug, is_planted};
use crate::{Timestamp, Violation};

use super::MultiSessionManager;
use super::content::Content;
use super::framed::{Framed, Greeting, rules};
use super::session::Session;
use super::transition::EventDetail;

impl MultiSessionManager {
    /// Takes a framed payload: as a whole or not at all (P5).
    pub(super) fn take_frames(
        &mut self,
        index: u32,
        sequence: u64,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let Some((is_logged_in, framed)) = self.framed(index) else { return Ok(()) };
        let checked = match framed.link.check(payload) {
            Ok(checked) => checked,
            Err(error) => return Err(self.count_violation(index, error.into())),
        };
        match Framed::hello_of(&checked) {
            Ok(_) => {}
            Err(DropReason::BeforeHello) if framed.is_greeted() => framed.link.end_preface(),
            Err(reason) => return Err(reason),
        }
        if checked.has_pieces() && is_logged_in {
            self.make_room_for_pieces(index, &checked)?;
        }
        for frame in checked.frames() {
            if let Err(violation) = self.take_frame(index, &frame) {
                return Err(self.count_violation(index, violation));
            }
        }
        self.note_received(index, sequence, &checked);
        Ok(())
    }

    fn note_received(&mut self, index: u32, sequence: u64, checked: &CheckedPayload<'_>) {
        let now = self.clock.now();
        if let Some((_, framed)) = self.framed(index) {
            framed.link.on_packet_received(now, sequence, checked);
        }
    }

    fn framed(&mut self, index: u32) -> Option<(bool, &mut Framed)> {
        let session = self.table.get_mut(index)?;
        let is_logged_in = session.is_logged_in();
        match &mut session.content {
            Content::Framed(framed) => Some((is_logged_in, framed)),
            Content::Raw(_) => None,
        }
    }

    pub(super) fn take_frame(&mut self, index: u32, frame: &Frame<'_>) -> Result<(), Violation> {
        let now = self.clock.now();
        let heartbeat_ms = self.config.heartbeat_ms;
        let Some((is_logged_in, framed)) = self.framed(index) else { return Ok(()) };
        match *frame {
            Frame::Hello(hello) => match framed.handle_hello(now, &hello, heartbeat_ms, is_logged_in) {
                Greeting::Contradiction => return Err(Violation::LaneEpochChanged),
                Greeting::Opened { lanes_kept } => self.handle_opened(index, lanes_kept),
                Greeting::Repeated => {}
            },
            Frame::Ack(ack) => framed.link.handle_ack(now, &ack, |_| ())?,
            Frame::Heartbeat { stamp } => {
                framed.link.handle_heartbeat(now, stamp);
                self.note_heartbeat(index);
            }
            Frame::HeartbeatResponse(response) => {
                framed.link.handle_heartbeat_response(now, &response);
            }
            Frame::PathResponse { value } => self.handle_path_response(index, value),
            Frame::Login { attempt, credential } => self.handle_login(index, attempt, credential),
            Frame::Goodbye { .. } => self.end(index, DisconnectReason::PeerLeft),
            _ if frame.needs_login() && !is_logged_in => return Err(Violation::DataBeforeLogin),
            Frame::Lane { lane, number, message } => {
                self.take_piece(index, lane, number, Piece::last(message))?;
            }
            Frame::Fragment { lane, number, bytes } => {
                self.take_piece(index, lane, number, Piece::continued(bytes))?;
            }
            Frame::Datagram { message } => self.take_datagram(index, message),
            Frame::Moves(moves) => self.take_moves(index, &moves),
            Frame::Latest { key, version, value } => self.take_latest(index, key, version, value)?,
            Frame::Welcome(_)
            | Frame::LoginAccepted { .. }
            | Frame::LoginRejected(_)
            | Frame::ResumeToken(_)
            | Frame::Draining(_)
            | Frame::PathChallenge { .. }
            | Frame::State(_) => return Err(Violation::WrongRole),
        }
        Ok(())
    }

    /// A key epoch begins: the client may hold less than it was sent in the one before.
    fn handle_opened(&mut self, index: u32, lanes_kept: bool) {
        self.tell_drain(index);
        if lanes_kept {
            self.replenish_tokens(index);
        } else {
            // A client without memory holds none of the tokens that were sent, or only those it saved.
            self.renew_tokens(index);
        }
    }

    /// A peer that breaks the protocol more often than is tolerated loses its session.
    pub(super) fn count_violation(&mut self, index: u32, violation: Violation) -> DropReason {
        self.refuse_of(index, violation);
        let violations_max = self.config.violations_max;
        if let Some((_, framed)) = self.framed(index) {
            framed.violations += u32::from(!is_planted(PlantedBug::ViolationNotCounted));
            framed.last_violation = Some(violation);
            if framed.violations > violations_max {
                self.end(index, DisconnectReason::ProtocolViolation);
            }
        }
        DropReason::Violation
    }

    fn handle_login(&mut self, index: u32, attempt: u64, credential: &[u8]) {
        let attempts_max = self.config.login_attempts_max;
        let Some(session) = self.table.get_mut(index) else { return };
        self.counters.login_requests += 1;
        if session.is_logged_in() {
            // The acceptance was lost (P30).
            let newest = session.login.newest_attempt;
            session.queue_control(Control::LoginAccepted(newest));
            return self.refuse_of(index, LoginRefusal::AlreadyLoggedIn);
        }
        if attempt <= session.login.newest_attempt {
            return self.refuse_of(index, LoginRefusal::Repeated);
        }
        if session.state.get() == Some(SessionState::LoginPending) {
            return self.refuse_of(index, LoginRefusal::Pending);
        }
        session.login.newest_attempt = attempt;
        let attempts_left = attempts_max.saturating_sub(session.login.attempts_made);
        session.login.attempts_made = session.login.attempts_made.saturating_add(1);
        if attempts_left == 0 {
            self.refuse_of(index, LoginRefusal::AttemptsUsedUp);
        }
        let detail = EventDetail { payload: credential, ..EventDetail::default() };
        self.apply_with(index, Input::LoginRequested { attempts_left }, detail);
    }

    fn take_piece(&mut self, index: u32, lane: u8, number: u64, piece: Piece<'_>) -> Result<(), Violation> {
        let Some(session) = self.table.get_mut(index) else { return Ok(()) };
        let Session { id, content: Content::Framed(framed), .. } = session else { return Ok(()) };
        let event = Event::Message { session: *id, lane };
        let outbox = &mut self.outbox;
        let arrival =
            framed.link.handle_lane(lane, number, piece, |message| outbox.push_event(event, message));
        Violation::of_arrival(arrival)
    }

    fn take_datagram(&mut self, index: u32, message: &[u8]) {
        if let Some(session) = self.table.get(index) {
            self.outbox.push_event(Event::Datagram { session: session.id }, message);
        }
    }

    fn take_latest(&mut self, index: u32, key: u16, version: u64, value: &[u8]) -> Result<(), Violation> {
        let Some(session) = self.table.get_mut(index) else { return Ok(()) };
        let Session { id, content: Content::Framed(framed), .. } = session else { return Ok(()) };
        if Violation::of_value(framed.link.handle_latest(key, version))? {
            self.outbox.push_event(Event::Latest { session: *id, key }, value);
        }
        Ok(())
    }

    /// Judges the inputs of a packet in ascending order; whose they are is the session's to say, never the payload's.
    fn take_moves(&mut self, index: u32, moves: &Moves<'_>) {
        let now = self.clock.now();
        let server_tick = self.server_tick.map(|(tick, _)| tick);
        let rules = rules(&self.config);
        let Some(session) = self.table.get_mut(index) else { return };
        let id = session.id;
        let is_shared = is_planted(PlantedBug::TickFilterShared);
        let Some(filter) = (if is_shared { self.table.get_mut(0) } else { Some(session) }) else { return };
        let Some(movement) = &mut filter.movement else { return };
        let newest_first: SmallVec<[(u64, &[u8]); 32]> = moves.inputs().collect();
        let mut refused: SmallVec<[MoveRefusal; 32]> = SmallVec::new();
        for (tick, input) in newest_first.into_iter().rev() {
            self.counters.moves_received += 1;
            match movement.judge(now, tick, server_tick, rules).refusal() {
                None => {
                    self.counters.moves_accepted += 1;
                    self.outbox.push_event(Event::Move { session: id, tick }, input);
                }
                Some(refusal) => refused.push(refusal),
            }
        }
        for refusal in refused {
            self.refuse_move(index, refusal);
        }
    }

    /// The player has just logged in: its lanes open, and it gets the means to come back.
    pub(super) fn welcome_in(&mut self, index: u32) {
        let Some(session) = self.table.get_mut(index) else { return };
        let newest = session.login.newest_attempt;
        if let Content::Framed(framed) = &mut session.content {
            framed.link.allow_data();
            framed.link.queue_control(Control::LoginAccepted(newest));
        }
        self.replenish_tokens(index);
    }

    /// Tells the peer that its login was rejected.
    pub(super) fn tell_rejection(&mut self, index: u32) {
        if let Some(session) = self.table.get_mut(index) {
            let newest = session.login.newest_attempt;
            session.queue_control(Control::LoginRejected(newest));
        }
    }

    /// Sends new resume tokens, whatever was sent before.
    pub(super) fn renew_tokens(&mut self, index: u32) {
        if let Some(session) = self.table.get_mut(index) {
            session.tokens.forget_outstanding();
        }
        self.replenish_tokens(index);
    }

    fn replenish_tokens(&mut self, index: u32) {
        let unix_s = self.clock.unix_s();
        if let Some(session) = self.table.get_mut(index) {
            session.replenish_tokens(unix_s);
        }
    }
}

impl Session {
    /// Queues a control frame, where there are frames.
    pub(super) fn queue_control(&mut self, control: Control) {
        if let Content::Framed(framed) = &mut self.content {
            framed.link.queue_control(control);
        }
    }

    /// Sees to it that a logged-in player can come back twice.
    fn replenish_tokens(&mut self, unix_s: u64) {
        if !self.is_logged_in() {
            return;
        }
        if let Content::Framed(framed) = &mut self.content {
            let link = &mut framed.link;
            self.tokens.replenish(unix_s, |generation| link.queue_control(Control::ResumeToken(generation)));
        }
    }

    /// What time brings to the content.
    pub(super) fn handle_content_timeout(&mut self, now: Timestamp, unix_s: u64) {
        self.replenish_tokens(unix_s);
        if let Content::Framed(framed) = &mut self.content {
            framed.link.handle_timeout(now);
        }
    }
}
