//! Coming back to a session whose path is lost (PROTOCOL.md, section 10).

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;

use super::ClientSession;
use super::config::ClientConfig;
use super::event::{ClientDisconnectReason, ClientEvent};
use super::handshake::{Handshake, HandshakeFailure};
use super::state::ClientState;
use crate::{Continuity, Timestamp};

/// Timers are no more precise than that.
const RESPONSE_PAUSE_MICROS_MIN: u64 = 1_000;

/// The search for another way to the server: from the moment the path looks dead, or is lost, to the welcome on the next.
#[derive(Debug)]
pub(super) struct WayBack {
    /// When the server keeps the session no longer; never while the path is not lost.
    pub(super) give_up_at: Timestamp,
    /// When the tokens are tried again, once each of them was tried in vain.
    pub(super) retry_at: Option<Timestamp>,
    pause_ms: u64,
}

impl WayBack {
    pub(super) fn new(config: &ClientConfig, give_up_at: Timestamp) -> Self {
        Self { give_up_at, retry_at: None, pause_ms: config.retry_min_ms.into() }
    }

    /// Sets the next round after a pause that doubles, of which up to half is left off at random so that many clients of one server
    /// do not come at once.
    fn schedule(&mut self, now: Timestamp, config: &ClientConfig, rng: &mut ChaCha20Rng) {
        let pause_micros = self.pause_ms * 1_000;
        let jitter_micros = rng.next_u64() % (pause_micros / 2);
        self.retry_at = Some(now.plus_micros(pause_micros - jitter_micros));
        self.pause_ms = (self.pause_ms * 2).min(config.retry_max_ms.into());
    }

    pub(super) fn poll_timeout(&self) -> Timestamp {
        self.retry_at.unwrap_or(Timestamp::NEVER).min(self.give_up_at)
    }
}

impl ClientSession {
    /// The path looks dead: beside it another one is looked for, of which nobody is told. Nothing on the path changes meanwhile.
    pub(super) fn look_for_way_back(&mut self) {
        if self.way_back.is_some() || self.purse.len() == 0 {
            return;
        }
        self.way_back = Some(WayBack::new(&self.config, Timestamp::NEVER));
        self.purse.begin_round();
        self.try_next_token();
    }

    /// Whether another path is looked for while the one in use may be alive.
    pub(super) fn is_looking_beside(&self) -> bool {
        self.way_back.is_some() && self.path.as_ref().is_some_and(|path| !path.is_lost)
    }

    /// While the path merely looks dead a question goes ahead of each request, so that its answer comes before the challenge: says whether
    /// it is to leave now.
    pub(super) fn ask_ahead_of_request(&mut self) -> bool {
        let now = self.now;
        let is_due = self.is_looking_beside()
            && self.handshake.as_mut().is_some_and(|handshake| handshake.take_question_due(now));
        if let Some(framed) = self.content.framed_mut().filter(|_| is_due) {
            framed.link.request_heartbeat(now);
        }
        is_due
    }

    /// How long a response waits for an answer of the path beside, which makes it needless: that was asked together with the request, so it
    /// comes as soon as the challenge did, give or take what round trips differ by.
    pub(super) fn response_pause_micros(&self) -> u64 {
        let framed = self.content.framed().filter(|_| self.is_looking_beside());
        framed.map_or(0, |framed| framed.link.round_trip_variance_micros().max(RESPONSE_PAUSE_MICROS_MIN))
    }

    /// The path is dead: a session that can be resumed looks for another one, any other is over.
    pub(super) fn lose_path(&mut self) {
        let Some(path) = &mut self.path else { return };
        path.is_lost = true;
        let last_live = path.last_live;
        let Some(framed) = self.content.framed_mut() else {
            self.end(ClientDisconnectReason::TimedOut, &[]);
            return;
        };
        framed.hold_back(self.now);
        if self.way_back.is_none() || self.state == ClientState::LoggedIn {
            let Some(kept_ms) = framed.kept_ms().filter(|_| self.state.is_logged_in()) else {
                self.end(ClientDisconnectReason::TimedOut, &[]);
                return;
            };
            let give_up_at = last_live.plus_millis(kept_ms);
            let way_back = self.way_back.get_or_insert_with(|| WayBack::new(&self.config, give_up_at));
            way_back.give_up_at = give_up_at;
            self.state = ClientState::Away;
            self.events.push(ClientEvent::PathLost, &[]);
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.respond_now(self.now);
        } else {
            self.purse.begin_round();
            self.try_next_token();
        }
    }

    /// Starts the handshake with the next token of this round, or waits for the next round. Where there is neither a token nor an
    /// old path that may revive, nothing is left to wait for.
    pub(super) fn try_next_token(&mut self) {
        let Some(way_back) = &mut self.way_back else { return };
        self.purse.expire(self.now);
        if let Some(held) = self.purse.take_next() {
            way_back.retry_at = None;
            self.handshake = Some(Handshake::new(held, self.now));
        } else {
            self.await_next_round();
        }
    }

    /// Begins with the lowest token again, after a pause.
    fn await_next_round(&mut self) {
        let Some(way_back) = &mut self.way_back else { return };
        self.purse.begin_round();
        if self.purse.has_next() {
            way_back.schedule(self.now, &self.config, &mut self.rng);
        } else if self.path.is_none() {
            self.end(ClientDisconnectReason::SessionGone, &[]);
        }
    }

    /// A sign of life came on the path. If it was lost or looked dead, nothing has changed after all, and the attempt to replace it ends without
    /// trace; but not once the attempt has responded, for then the server may be about to go over to it (P62).
    pub(super) fn mark_path_alive(&mut self) {
        let Some(path) = &mut self.path else { return };
        path.on_alive(self.now);
        path.is_lost = false;
        if self.way_back.is_some() && self.handshake.as_ref().is_some_and(Handshake::has_responded) {
            return;
        }
        if let Some(handshake) = self.handshake.take() {
            self.purse.put_back(handshake.into_held());
        }
        if self.way_back.take().is_some() && self.state == ClientState::Away {
            self.return_with(Continuity::Kept);
        }
    }

    /// The same, but the lanes begin afresh, which a client is told that thought itself there all the time.
    pub(super) fn return_afresh(&mut self) {
        if self.state != ClientState::Away {
            self.events.push(ClientEvent::PathLost, &[]);
        }
        self.return_with(Continuity::Restarted);
    }

    /// The way to the server is open again.
    pub(super) fn return_with(&mut self, continuity: Continuity) {
        self.state = ClientState::LoggedIn;
        self.events.push(ClientEvent::Reconnected { continuity }, &[]);
    }

    /// A handshake ended without a connection.
    pub(super) fn handle_failure(&mut self, failure: HandshakeFailure) {
        let Some(handshake) = self.handshake.take() else { return };
        let held = handshake.into_held();
        if !held.is_resume() {
            self.end(
                match failure {
                    HandshakeFailure::Denied => ClientDisconnectReason::Denied,
                    HandshakeFailure::TimedOut => ClientDisconnectReason::TimedOut,
                    HandshakeFailure::TokenExpired => ClientDisconnectReason::TokenExpired,
                },
                &[],
            );
            return;
        }
        match failure {
            HandshakeFailure::Denied => self.end(ClientDisconnectReason::SessionGone, &[]),
            HandshakeFailure::TimedOut => {
                let was_answered = held.is_touched();
                self.purse.put_back(held);
                if was_answered {
                    self.try_next_token();
                } else {
                    // Nobody heard of this token: to come back with a later one would waste it (P61).
                    self.await_next_round();
                }
            }
            HandshakeFailure::TokenExpired => {
                self.purse.void_one(held.generation);
                self.try_next_token();
            }
        }
    }

    /// The host has another socket or address: whatever was under way from the old one is begun again from the new one.
    pub(super) fn leave_network(&mut self) {
        let may_return =
            self.way_back.is_some() || (self.state == ClientState::LoggedIn && self.purse.len() > 0);
        let is_under_way = self.handshake.is_some();
        if may_return && (!is_under_way || self.state == ClientState::LoggedIn) {
            self.lose_path();
        }
        if is_under_way {
            self.restart_handshake();
        } else {
            self.begin_at_once();
        }
        if self.way_back.is_some()
            && let Some(path) = &mut self.path
        {
            path.is_left = true;
        }
    }

    /// The next attempt waits for nothing: neither for the end of a pause nor for what left in an attempt before.
    fn begin_at_once(&mut self) {
        let is_pausing = self.way_back.as_ref().is_some_and(|way_back| way_back.retry_at.is_some());
        if is_pausing && self.handshake.is_none() {
            self.try_next_token();
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.restart(self.now);
        }
    }

    /// Another address needs another handshake: with the next token where the server may have completed this one, otherwise with the
    /// same, which the next would make void (P62).
    fn restart_handshake(&mut self) {
        if self.way_back.is_some()
            && self.purse.has_next()
            && let Some(handshake) = self.handshake.take_if(|handshake| handshake.held().is_touched())
        {
            self.purse.put_back(handshake.into_held());
            self.try_next_token();
        } else if let Some(handshake) = &mut self.handshake {
            handshake.restart(self.now);
        }
    }
}
