//! The implementation of the standard's author, ported to Rust (`netcode-official` 1.0).
//!
//! How it departs from the standard, or fills what the standard leaves open:
//!
//! - Packets go out at 10 Hz when nothing else does, keep-alives included; 10 disconnect packets say goodbye, also when
//!   a party is dropped.
//! - A server's challenges and denials are numbered from 2^63, so as not to share nonces with the client's own packets,
//!   which begin at 0. They carry 8 sequence bytes.
//! - A connected client that is told to disconnect tries the token's next server address before it gives up.
//! - A client or server keeps at most 256 undelivered payloads for a connection and drops the rest.
//! - Payloads that arrive in the same poll as the disconnect packet after them are lost.
//! - A server has at most 256 client slots, remembers 2,048 tokens and holds 1,024 pending addresses.
//! - A server listens on all interfaces, whatever its public address.

mod client;
mod server;

pub use self::{client::OfficialClient, server::OfficialServer};

use super::SendError;

/// The caller's mistake behind a refused payload.
fn send_error(error: &netcode_official::Error) -> SendError {
    match error {
        netcode_official::Error::InvalidPayloadSize(bytes) => SendError::PayloadBytes(*bytes),
        _ => SendError::Socket,
    }
}
