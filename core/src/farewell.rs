//! The last packets of a connection, by which either end tells the other that it is over.

use alloc::boxed::Box;

use crate::Transmit;
use crate::link::frame::{FrameWriter, Hello};
use crate::netcode::connection::Connection;
use crate::netcode::packet::Packet;

/// How many disconnect packets are sent; each of them suffices (netcode standard: a number of redundant packets).
const DISCONNECT_PACKETS: u8 = 10;

/// The codes of goodbye frames (P8).
pub(crate) mod goodbye_code {
    pub(crate) const LEFT: u8 = 0;
    pub(crate) const HOST: u8 = 1;
    pub(crate) const SHUTDOWN: u8 = 2;
    pub(crate) const LOGIN_REFUSED: u8 = 3;
    pub(crate) const LOGIN_TIMEOUT: u8 = 4;
    pub(crate) const SUPERSEDED: u8 = 5;
    pub(crate) const PROTOCOL_VIOLATION: u8 = 6;
    pub(crate) const CONTESTED: u8 = 7;
    pub(crate) const RECONNECT_EXPIRED: u8 = 8;
    pub(crate) const DRAINED: u8 = 9;
}

/// Packets that are sealed one by one as they leave. The connection is used for nothing else any more.
#[derive(Debug)]
pub(crate) struct Farewell {
    connection: Connection,
    /// Opens the key epoch if that has not happened, so that the goodbye is heard (P20, P22).
    hello: Option<Hello>,
    /// Goes ahead of the disconnect packets where payloads are framed (P38).
    goodbye: Option<Goodbye>,
    disconnects_left: u8,
}

/// What a goodbye frame says.
#[derive(Clone, Debug)]
pub(crate) struct Goodbye {
    /// Why (P8).
    pub(crate) code: u8,
    /// The host's own bytes, at most 255.
    pub(crate) detail: Box<[u8]>,
}

impl Farewell {
    /// Says goodbye over `connection`.
    pub(crate) const fn new(connection: Connection, goodbye: Option<Goodbye>) -> Self {
        Self { connection, hello: None, goodbye, disconnects_left: DISCONNECT_PACKETS }
    }

    /// Says `hello` with the goodbye: the peer may not have taken these keys into use yet.
    pub(crate) const fn with_hello(mut self, hello: Hello) -> Self {
        self.hello = Some(hello);
        self
    }

    /// The next packet and where it goes; `None` when all is said.
    pub(crate) fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        let len = if let Some(goodbye) = self.goodbye.take() {
            let hello = self.hello;
            self.connection.seal_payload(buffer, |_, room| {
                let mut writer = FrameWriter::new(room);
                if let Some(hello) = &hello {
                    writer.write_hello(hello);
                }
                writer.write_goodbye(goodbye.code, &goodbye.detail);
                writer.len()
            })
        } else {
            self.disconnects_left = self.disconnects_left.checked_sub(1)?;
            self.connection.seal(&Packet::Disconnect, buffer)
        };
        Some(Transmit { to: self.connection.address(), len })
    }

    /// The memory it takes beyond its own place.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.goodbye.as_ref().map_or(0, |goodbye| goodbye.detail.len())
    }

    /// Whether all is said.
    pub(crate) const fn is_over(&self) -> bool {
        self.goodbye.is_none() && self.disconnects_left == 0
    }
}
