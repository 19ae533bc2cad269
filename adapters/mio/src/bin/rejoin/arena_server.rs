//! The arena on the network: logins, controls, chat, statuses and requests in; states, chat and status lines, and bulk out.

use std::collections::BTreeMap;

use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{Event, LifecycleEvent, SendError, SessionId};
use rejoin_mio::{Application, Clock, Sessions};

use crate::arena::Arena;
use crate::arena_wire::{
    Answer, BULK_LANE, CHAT_LANE, CONTROL_LANE, Controls, Figures, OWN_STATUS_KEY, Request, line_bytes,
    read_chat_text, read_status, write_line,
};
use crate::bulk_ledger::BulkLedger;
use crate::chat_allowance::ChatAllowance;
use crate::status_board::StatusBoard;
use crate::text::TextError;
use crate::tick_origin::TickOrigin;

/// The longest state in bytes: what one packet carries.
const STATE_BYTES_MAX: usize = 1_150;

/// Rounds of statuses per second: however often a player changes its own, it costs everybody no more than this.
const STATUS_ROUNDS_HZ: u32 = 10;

/// The code and words for a player whose chat queue is full: a line that is missed would break the promise of the lane.
const TOO_FAR_BEHIND: (u32, &[u8]) = (1, b"too far behind with the chat");

/// The code and words for a player whose talk would fill the queues of all others.
const TOO_MUCH_CHAT: (u32, &[u8]) = (2, b"too much chat");

/// The server's side of the game.
#[derive(Debug)]
pub(crate) struct ArenaServer {
    arena: Arena,
    /// What those who have spoken may still say.
    allowances: BTreeMap<SessionId, ChatAllowance>,
    bulk: BulkLedger,
    statuses: StatusBoard,
    ticks_per_status_round: u64,
    clock: Clock,
    tick_origin: TickOrigin,
    /// Room for one state and one chat line, kept between calls.
    state: Vec<u8>,
    line: Vec<u8>,
}

impl ArenaServer {
    /// An arena that moves `tick_hz` times a second.
    pub(crate) fn new(tick_hz: u32) -> Self {
        Self {
            arena: Arena::new(tick_hz),
            allowances: BTreeMap::new(),
            bulk: BulkLedger::default(),
            statuses: StatusBoard::default(),
            ticks_per_status_round: (tick_hz / STATUS_ROUNDS_HZ).max(1).into(),
            clock: Clock::start(),
            tick_origin: TickOrigin::new(tick_hz),
            state: Vec::new(),
            line: Vec::new(),
        }
    }

    /// The name a session plays under.
    pub(crate) fn name(&self, id: SessionId) -> Option<&str> {
        self.arena.name(id)
    }

    fn handle_lifecycle(&mut self, sessions: &mut Sessions<'_>, event: LifecycleEvent, payload: &[u8]) {
        let id = event.session;
        match event.kind {
            LifecycleEventKind::LoginStarted => self.answer_login(sessions, id, payload),
            LifecycleEventKind::TimedOut => self.arena.release_controls(id),
            LifecycleEventKind::Disconnected => {
                self.arena.leave(id);
                self.allowances.remove(&id);
                self.bulk.forget(id);
                self.statuses.clear(id);
            }
            _ => {}
        }
    }

    fn answer_login(&mut self, sessions: &mut Sessions<'_>, id: SessionId, name: &[u8]) {
        let answered = match self.arena.join(id, name) {
            Ok(()) => sessions.accept_login(id),
            Err(refusal) => sessions.reject_login(id, refusal.code(), &refusal.to_string()),
        };
        if let Err(error) = answered {
            // The session ended in the same wake; its `Disconnected` comes next and frees the name.
            log::debug!("session {id}: {error}");
            return;
        }
        for (key, line) in self.statuses.missed() {
            send_status(sessions, id, key, line);
        }
    }

    fn answer_request(&mut self, sessions: &mut Sessions<'_>, id: SessionId, request: Request) {
        let answer = match request {
            Request::Bulk(request) => match self.bulk.owe(id, request) {
                Ok(()) => return,
                Err(refusal) => {
                    log::info!("session {id} asks for bulk in vain: {refusal:?}");
                    Answer::BulkRefused
                }
            },
            Request::Figures => Answer::Figures(self.figures(sessions, id)),
        };
        // Who leaves answers unacknowledged and goes on asking gets none.
        if let Err(error) = sessions.send(id, CONTROL_LANE, &answer.to_bytes()) {
            log::debug!("session {id}: {error}");
        }
    }

    fn figures(&self, sessions: &Sessions<'_>, id: SessionId) -> Figures {
        let moves = sessions.session(id).and_then(|session| session.moves()).unwrap_or_default();
        let since_tick_zero = self.tick_origin.micros_since(self.clock.now());
        Figures {
            tick_zero_unix_micros: since_tick_zero
                .map(|micros| self.clock.unix_time_micros().saturating_sub(micros)),
            moves_late: moves.late,
            moves_duplicate: moves.duplicate,
        }
    }

    fn spread_chat(&mut self, sessions: &mut Sessions<'_>, id: SessionId, text: &[u8]) {
        let Some(name) = self.arena.name(id) else { return };
        let now = sessions.now();
        let allowance = self.allowances.entry(id).or_insert_with(|| ChatAllowance::new(now));
        // Also what is refused costs, for it is answered.
        if !allowance.take(now, line_bytes(name, text)) {
            let (code, words) = TOO_MUCH_CHAT;
            // What it said before it was disconnected may still arrive here.
            if sessions.disconnect(id, code, words).is_ok() {
                log::info!("session {id} says too much and is disconnected");
            }
            return;
        }
        match read_chat_text(text) {
            Ok(text) => write_line(name, text, &mut self.line),
            Err(error) => return refuse_text(sessions, id, error),
        }
        for (behind, error) in sessions.broadcast(CHAT_LANE, &self.line).refused {
            log::info!("session {behind} misses a chat line and is disconnected: {error}");
            if matches!(error, SendError::Full { .. }) {
                let (code, words) = TOO_FAR_BEHIND;
                // It was found a moment ago.
                let _ = sessions.disconnect(behind, code, words);
            }
        }
    }
}

/// Tells a player that what it said is not passed on. Who leaves such answers unacknowledged gets no more of them.
fn refuse_text(sessions: &mut Sessions<'_>, id: SessionId, error: TextError) {
    let answer = Answer::TextRefused(error.code().into());
    if let Err(error) = sessions.send(id, CONTROL_LANE, &answer.to_bytes()) {
        log::debug!("session {id}: {error}");
    }
}

/// Shows one player a status line. All keys together, each with the longest line, fit what one session may have waiting.
fn send_status(sessions: &mut Sessions<'_>, to: SessionId, key: u16, line: &[u8]) {
    if let Err(error) = sessions.send_latest(to, key, line) {
        log::debug!("session {to}: {error}");
    }
}

impl Application for ArenaServer {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        match event {
            Event::Lifecycle(lifecycle) => self.handle_lifecycle(sessions, lifecycle, payload),
            Event::Message { session, lane: CONTROL_LANE } => {
                if let Some(request) = Request::read(payload) {
                    self.answer_request(sessions, session, request);
                }
            }
            Event::Message { session, lane: CHAT_LANE } => self.spread_chat(sessions, session, payload),
            Event::Latest { session, key: OWN_STATUS_KEY } => {
                if let Some(name) = self.arena.name(session) {
                    match read_status(payload) {
                        Ok(text) => self.statuses.set(session, name, text),
                        Err(error) => refuse_text(sessions, session, error),
                    }
                }
            }
            Event::Move { session, .. } => {
                if let Some(controls) = Controls::read(payload) {
                    self.arena.steer(session, controls);
                }
            }
            _ => {}
        }
    }

    fn handle_tick(&mut self, sessions: &mut Sessions<'_>, tick: u64) {
        self.tick_origin.handle_tick(self.clock.now(), tick);
        self.arena.step();
        let players: Vec<_> = self.arena.players().collect();
        for id in players {
            self.arena.write_surroundings(id, STATE_BYTES_MAX, &mut self.state);
            if let Err(error) = sessions.publish_state(id, tick, &self.state) {
                log::debug!("session {id}: {error}");
            }
        }
        if tick.is_multiple_of(self.ticks_per_status_round) {
            for (key, line) in self.statuses.take_changes() {
                for id in self.arena.players() {
                    send_status(sessions, id, key, line);
                }
            }
        }
        self.bulk.pay(|id, message| sessions.send(id, BULK_LANE, message));
    }
}
