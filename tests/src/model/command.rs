//! What the application and the host ask for.

use std::net::SocketAddr;

use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind, SessionState};
use rejoin::{ClientId, Drain, Prefix, SessionId, Timestamp};

use super::Model;
use crate::laws::{Violation, ensure};

/// A call of the application or the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `accept_login`.
    Accept(SessionId),
    /// `reject_login`, with this code.
    Reject(SessionId, u32),
    /// `disconnect`, with this code.
    Disconnect(SessionId, u32),
    /// `remove`.
    Remove(SessionId),
    /// `ban`, until then.
    Ban(ClientId, Timestamp),
    /// `lift_ban`.
    LiftBan(ClientId),
    /// `ban_prefix`, until then.
    BanPrefix(Prefix, Timestamp),
    /// `lift_prefix_ban`.
    LiftPrefixBan(Prefix),
    /// `set_server_tick`.
    SetTick(u64),
    /// `drain`.
    Drain(Drain),
    /// `shutdown`.
    Shutdown,
    /// `set_hold`.
    Hold(bool),
}

impl Model {
    /// The server is told to do something, and says whether it does.
    pub(super) fn command(&mut self, command: Command, is_done: bool) -> Result<(), Violation> {
        let can_be_done = match command {
            Command::Accept(id) | Command::Reject(id, _) => {
                self.state_of(id) == Some(SessionState::LoginPending)
            }
            Command::Disconnect(id, _) | Command::Remove(id) => self.sessions.contains_key(&id),
            // There may be too many bans.
            Command::Ban(..) | Command::BanPrefix(..) => is_done,
            Command::Drain(drain) => self.leave.can_be(&drain),
            Command::LiftBan(_)
            | Command::LiftPrefixBan(_)
            | Command::SetTick(_)
            | Command::Shutdown
            | Command::Hold(_) => true,
        };
        ensure(is_done == can_be_done, || format!("{command:?} was done: {is_done}, can be: {can_be_done}"))?;
        if is_done {
            self.obey(command);
        }
        Ok(())
    }

    pub(super) fn state_of(&self, id: SessionId) -> Option<SessionState> {
        self.sessions.get(&id).map(|session| session.state)
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Accept(id) => self.logs_in(id, Cause::Accepted),
            Command::Reject(id, code) => self.reject(id, code),
            Command::Disconnect(id, code) => self.end(id, DisconnectReason::Disconnected(code)),
            Command::Remove(id) => self.end(id, DisconnectReason::Removed),
            Command::Ban(client_id, until) => {
                self.bans.insert(client_id, until);
                if let Some(id) = self.clients.get(&client_id).copied() {
                    self.end(id, DisconnectReason::Banned);
                }
            }
            Command::LiftBan(client_id) => {
                self.bans.remove(&client_id);
            }
            Command::BanPrefix(prefix, _) => self.ban_prefix(prefix),
            // Who may ask to come in from where is not the model's to say.
            Command::LiftPrefixBan(_) => {}
            Command::SetTick(tick) => self.server_tick = Some(tick),
            Command::Drain(drain) => self.drain(&drain),
            Command::Shutdown => self.shutdown(),
            Command::Hold(hold) => self.hold(hold),
        }
    }

    /// Who is there leaves, and who is on its way back from there does not arrive.
    fn ban_prefix(&mut self, prefix: Prefix) {
        let is_there = |address: SocketAddr| prefix.contains(address.ip());
        let ids: Vec<_> = self.sessions.keys().copied().collect();
        for id in ids {
            let Some(session) = self.sessions.get(&id) else { continue };
            if is_there(session.path.address) {
                self.end(id, DisconnectReason::Banned);
            } else if session.attempt.as_ref().is_some_and(|attempt| is_there(attempt.path.address)) {
                self.give_up_attempt(id);
            }
        }
    }

    /// A player may try again while it has attempts.
    fn reject(&mut self, id: SessionId, code: u32) {
        self.go(id, SessionState::LoginFailed, LifecycleEventKind::LoginFailed, Cause::Rejected(code));
        let logins = self.sessions.get(&id).map_or(0, |session| session.logins);
        if logins >= self.rules.login_attempts_max {
            self.end(id, DisconnectReason::LoginRefused);
        }
    }
}
