//! What is due when.

use super::event::ClientDisconnectReason;
use super::framed::Framed;
use super::path::Path;
use super::state::ClientState;
use super::watch::Finding;
use super::{ClientSession, Content};
use crate::Timestamp;

/// Lateness of the host above which the silence of the server is not held against it.
const STALL_MICROS: u64 = 250_000;

impl ClientSession {
    /// Takes the time in: a clock that goes back is ignored, and a host that was away is given credit.
    pub(super) fn enter(&mut self, now: Timestamp) {
        // Whoever was here that lately is not late, whatever was due.
        if now.micros_since(self.now) > STALL_MICROS {
            self.credit_lateness(now);
        }
        self.now = self.now.max(now);
    }

    fn credit_lateness(&mut self, now: Timestamp) {
        // From what was known before, so that no lateness counts twice.
        let late_micros = now.micros_since(self.next_wake().max(self.now));
        if late_micros <= STALL_MICROS {
            return;
        }
        let credit_max_micros = self.path_dead_ms().unwrap_or(0).saturating_mul(1_000);
        if let Some(path) = &mut self.path {
            path.credit(late_micros, credit_max_micros);
        }
    }

    /// Fires what is due.
    pub(super) fn fire(&mut self) {
        let now = self.now;
        if let Some(framed) = self.content.framed_mut() {
            framed.link.handle_timeout(now);
        }
        if self.way_back.as_ref().is_some_and(|way_back| now >= way_back.give_up_at) {
            self.end(ClientDisconnectReason::ReconnectExpired, &[]);
            return;
        }
        let has_other_token = self.way_back.is_some() && self.purse.has_next();
        let failure =
            self.handshake.as_mut().and_then(|handshake| handshake.handle_timeout(now, has_other_token));
        if let Some(failure) = failure {
            self.handle_failure(failure);
        }
        if self.path_deadline() <= now {
            self.lose_path();
        }
        self.watch_path();
        self.retry();
    }

    /// When time alone changes something; output that waits is not part of it.
    pub(super) fn next_wake(&self) -> Timestamp {
        let handshake = self.handshake.as_ref().map(super::handshake::Handshake::poll_timeout);
        let way_back = self.way_back.as_ref().map(super::way_back::WayBack::poll_timeout);
        let content = self.path.as_ref().map(|path| match &self.content {
            Content::Raw(raw) => raw.keep_alive_due(path),
            Content::Framed(framed) => framed.poll_timeout(self.now, path),
        });
        let deadlines = [handshake, way_back, content, Some(self.path_deadline()), self.watch_deadline()];
        deadlines.into_iter().flatten().min().unwrap_or(Timestamp::NEVER)
    }

    /// After how long without a sign of life the path in use is dead; `None` means never.
    fn path_dead_ms(&self) -> Option<u64> {
        let token_timeout_ms = self.path.as_ref()?.token_timeout_ms;
        match &self.content {
            Content::Raw(_) => token_timeout_ms,
            Content::Framed(framed) => framed.path_dead_ms(&self.config).or(token_timeout_ms),
        }
    }

    fn path_deadline(&self) -> Timestamp {
        let living = self.path.as_ref().filter(|path| !path.is_lost);
        let deadline = |path: &Path| self.path_dead_ms().map(|millis| path.last_live.plus_millis(millis));
        living.and_then(deadline).unwrap_or(Timestamp::NEVER)
    }

    /// When the watch over the path has something to say.
    fn watch_deadline(&self) -> Option<Timestamp> {
        let path = self.watched_path()?;
        let wait_micros = self.content.framed()?.answer_wait_micros();
        Some(path.watch.poll_timeout(path.last_live, wait_micros))
    }

    /// Asks whether the server is there, and looks for another way once it seems not to be.
    fn watch_path(&mut self) {
        if self.watched_path().is_none() {
            return;
        }
        let (Some(path), Some(framed)) = (&mut self.path, self.content.framed_mut()) else { return };
        let finding = path.watch.handle_timeout(self.now, path.last_live, framed.answer_wait_micros());
        if finding != Finding::Nothing {
            framed.link.request_heartbeat(self.now);
        }
        if finding == Finding::LooksDead {
            self.look_for_way_back();
        }
    }

    /// Looks for another way as if the path looked dead, unless it is known to be dead, or not to lead anywhere yet.
    pub(super) fn doubt_path(&mut self) {
        if self.watched_path().is_some() {
            self.look_for_way_back();
        }
    }

    /// The path, if it is of use to know early that it looks dead: the session can be resumed, and counts the path as alive.
    fn watched_path(&self) -> Option<&Path> {
        let is_open = self.content.framed().is_some_and(Framed::is_open);
        let may_return = self.purse.len() > 0 || self.way_back.is_some();
        let is_watched = self.state == ClientState::LoggedIn && is_open && may_return;
        self.path.as_ref().filter(|path| is_watched && !path.is_lost)
    }

    /// Begins the next round through the tokens when its pause is over.
    fn retry(&mut self) {
        let Some(way_back) = &mut self.way_back else { return };
        if self.handshake.is_none() && way_back.retry_at.is_some_and(|at| at <= self.now) {
            way_back.retry_at = None;
            self.try_next_token();
        }
    }
}
