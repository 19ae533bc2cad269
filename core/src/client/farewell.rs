//! Telling the server that this client leaves.

use crate::link::frame::FrameWriter;
use crate::netcode::connection::Connection;
use crate::netcode::packet::Packet;

/// How many disconnect packets are sent; each of them suffices (netcode standard, section Connected).
const DISCONNECT_PACKETS: u8 = 10;
/// The goodbye code of a peer that leaves of its own accord (P8).
const LEFT: u8 = 0;

/// The last packets of a connection.
#[derive(Debug)]
pub(super) struct Farewell {
    connection: Connection,
    says_goodbye: bool,
    disconnects_left: u8,
}

impl Farewell {
    /// A goodbye frame goes ahead of the disconnect packets where payloads are framed (P38).
    pub(super) const fn new(connection: Connection, says_goodbye: bool) -> Self {
        Self { connection, says_goodbye, disconnects_left: DISCONNECT_PACKETS }
    }

    /// The next packet and where it goes; `None` when all is said.
    pub(super) fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<crate::Transmit> {
        let len = if self.says_goodbye {
            self.says_goodbye = false;
            self.connection.seal_payload(buffer, |_, room| {
                let mut writer = FrameWriter::new(room);
                writer.write_goodbye(LEFT, &[]);
                writer.len()
            })
        } else {
            self.disconnects_left = self.disconnects_left.checked_sub(1)?;
            self.connection.seal(&Packet::Disconnect, buffer)
        };
        Some(crate::Transmit { to: self.connection.address(), len })
    }

    pub(super) const fn is_over(&self) -> bool {
        !self.says_goodbye && self.disconnects_left == 0
    }
}
