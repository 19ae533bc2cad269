//! What the application tells its session to do.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Timestamp;
use crate::farewell::{Farewell, Goodbye, goodbye_code};
use crate::netcode::connection::Connection;

use super::framed::Framed;
use super::handshake::Handshake;
use super::{
    ClientDisconnectReason, ClientLoginError, ClientSendError, ClientSession, ClientState, Content, saved,
};

impl ClientSession {
    /// Logs in with at most 1,024 bytes that mean something to the server's application.
    ///
    /// May be called at once: the attempt is sent as soon as there is a connection. After [`ClientEvent::LoginRejected`](super::ClientEvent::LoginRejected) with
    /// attempts left it may be called again.
    pub fn login(&mut self, credential: &[u8]) -> Result<(), ClientLoginError> {
        if self.state == ClientState::Disconnected {
            return Err(ClientLoginError::Disconnected);
        }
        self.content.framed_mut().ok_or(ClientLoginError::FramedOnly)?.login(credential)
    }

    /// Sends a message on a lane, as long as both ends' `message_bytes_max` allow: exactly once, whole, and in the order of its lane, over every way back. No lane waits for another. On
    /// [`UNORDERED_LANE`](crate::UNORDERED_LANE) messages of up to 1,150 bytes arrive once each, without any order.
    /// While the session is away messages wait, within the bound of the lane.
    pub fn send(&mut self, lane: u8, message: &[u8]) -> Result<(), ClientSendError> {
        let sent = self.logged_in().and_then(|framed| framed.send(lane, message));
        self.counters.count_send(sent)
    }

    /// Sends an unreliable message of 1 to 1,150 bytes; where payloads are raw, a payload of 1 to 1,200 bytes.
    ///
    /// When the queue is full the oldest message gives way.
    pub fn send_datagram(&mut self, message: &[u8]) -> Result<(), ClientSendError> {
        let is_connected = self.state == ClientState::Connected;
        let sent = match &mut self.content {
            Content::Raw(raw) if is_connected => raw.queue(message),
            Content::Raw(_) => Err(ClientSendError::NotConnected),
            Content::Framed(_) => self.logged_in().and_then(|framed| framed.send_datagram(message)),
        };
        self.counters.count_send(sent)
    }

    /// Gives a key a new value of 0 to 1,150 bytes. Of each key only the newest value counts: it replaces the one before, is sent again after
    /// loss while it is the newest, and arrives in the end; the server gets each value at most once, and never an older one after a newer
    /// one. While the session is away the newest value of each key waits. When the lanes begin afresh
    /// ([`Continuity::Restarted`](crate::Continuity::Restarted)) values that have not arrived are gone.
    pub fn send_latest(&mut self, key: u16, value: &[u8]) -> Result<(), ClientSendError> {
        let sent = self.logged_in().and_then(|framed| framed.send_latest(key, value));
        self.counters.count_send(sent)
    }

    /// Sends the move input of a tick, of at most 1,150 bytes; the following packets repeat it as the redundancy says (P46).
    ///
    /// Ticks must ascend, and lie above [`move_high_water`](Self::move_high_water). To be in time the input belongs
    /// [`recommended_lead_ticks`](Self::recommended_lead_ticks) past the server's tick. It counts as sent at the newest `now` of any call.
    pub fn send_move(&mut self, tick: u64, input: &[u8]) -> Result<(), ClientSendError> {
        let now = self.now;
        let sent = self.logged_in().and_then(|framed| framed.send_move(now, tick, input));
        self.counters.count_send(sent)
    }

    /// Leaves: the server is told, by every way that may lead to it, and the session ends with [`ClientDisconnectReason::Left`].
    pub fn disconnect(&mut self, now: Timestamp) {
        self.enter(now);
        if self.state == ClientState::Disconnected {
            return;
        }
        let is_open = self.content.framed().is_some_and(Framed::is_open);
        let path = self.path.take().map(|path| self.farewell(path.connection, is_open));
        // The server may have let the client in already.
        let responding = self.handshake.take_if(|handshake| handshake.is_responding());
        let attempt = responding.map(|handshake| self.farewell(handshake.into_held().connection, false));
        self.farewells.extend([path, attempt].into_iter().flatten());
        self.end(ClientDisconnectReason::Left, &[]);
    }

    /// The last words under the keys of a connection, of which the welcome has come or not.
    ///
    /// On a way back without a welcome the session hears them only with a hello: a disconnect alone would end the attempt.
    fn farewell(&self, connection: Connection, is_open: bool) -> Farewell {
        let goodbye = || Goodbye { code: goodbye_code::LEFT, detail: Box::default() };
        match self.content.framed() {
            Some(_) if is_open => Farewell::new(connection, Some(goodbye())),
            Some(framed) if self.way_back.is_some() => {
                Farewell::new(connection, Some(goodbye())).with_hello(framed.hello())
            }
            _ => Farewell::new(connection, None),
        }
    }

    /// The host has another socket, address or network: what is sent from now on comes from somewhere else.
    ///
    /// A session that can be resumed comes back with the next token at once instead of waiting for its path to fall silent (P62); a
    /// handshake begins again. Any other session goes on as it is, and lives if the server follows.
    pub fn network_changed(&mut self, now: Timestamp) {
        self.enter(now);
        self.leave_network();
    }

    /// The host has a hint that its network may be another one now, or none: for instance, the system finds no way to the server.
    ///
    /// A session that can be resumed looks for another way to the server at once, beside the path that it has. If the path is alive after
    /// all, that has cost nothing (P62). Otherwise this does nothing, so that it may be called with each hint: however many come, no more
    /// than ten requests a second leave.
    pub fn network_may_have_changed(&mut self, now: Timestamp) {
        self.enter(now);
        self.doubt_path();
    }

    /// Writes into `out` what another process needs to [`resume`](Self::resume) the session: the tokens under which nothing was
    /// sealed (P63). Says whether there are any; otherwise `out` is empty.
    ///
    /// The bytes are a secret: who has them can take the session over. Keep them where only this player's programs read, wipe
    /// `out` after use, and save again from time to time, for tokens are renewed.
    pub fn save(&self, out: &mut Vec<u8>) -> bool {
        out.clear();
        let tokens = self.purse.exportable(self.handshake.as_ref().map(Handshake::held));
        let terms = self.content.framed().and_then(Framed::saved_terms);
        let Some(terms) = terms.filter(|_| tokens.clone().next().is_some()) else { return false };
        saved::write(terms, tokens, out);
        true
    }

    fn logged_in(&mut self) -> Result<&mut Framed, ClientSendError> {
        let is_logged_in = self.state.is_logged_in();
        let framed = self.content.framed_mut().ok_or(ClientSendError::FramedOnly)?;
        if is_logged_in { Ok(framed) } else { Err(ClientSendError::NotLoggedIn) }
    }
}
