//! Coming back to a session whose path is lost (PROTOCOL.md, section 10).

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;

use super::ClientSession;
use super::config::ClientConfig;
use super::event::{ClientDisconnectReason, ClientEvent};
use super::handshake::{Handshake, HandshakeFailure};
use super::state::ClientState;
use crate::{Continuity, Timestamp};

/// The search for another way to the server, from the loss of the path to the welcome on the next.
#[derive(Debug)]
pub(super) struct WayBack {
    /// When the server keeps the session no longer.
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
        if self.way_back.is_none() {
            let Some(kept_ms) = framed.kept_ms().filter(|_| self.state.is_logged_in()) else {
                self.end(ClientDisconnectReason::TimedOut, &[]);
                return;
            };
            self.way_back = Some(WayBack::new(&self.config, last_live.plus_millis(kept_ms)));
            self.state = ClientState::Away;
            self.events.push(ClientEvent::PathLost, &[]);
        }
        if self.handshake.is_none() {
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

    /// A sign of life came on the path. If it was lost, nothing has changed after all, and the attempt to replace it ends without
    /// trace.
    pub(super) fn mark_path_alive(&mut self) {
        let Some(path) = &mut self.path else { return };
        path.on_alive(self.now);
        if !path.is_lost {
            return;
        }
        path.is_lost = false;
        if let Some(handshake) = self.handshake.take() {
            self.purse.put_back(handshake.into_held());
        }
        if self.way_back.take().is_some() && self.state == ClientState::Away {
            self.return_with(Continuity::Kept);
        }
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
        if self.handshake.is_some() {
            self.restart_handshake();
        } else if self.way_back.is_some() || (self.state == ClientState::LoggedIn && self.purse.len() > 0) {
            self.lose_path();
        }
        if self.way_back.is_some()
            && let Some(path) = &mut self.path
        {
            path.is_left = true;
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
