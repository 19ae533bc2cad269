//! The types of packets, as the standard numbers them.

/// A connection request.
pub const REQUEST: u8 = 0;
/// The server has no place, or does not want this client.
pub const DENIED: u8 = 1;
/// A challenge, which shows who owns an address.
pub const CHALLENGE: u8 = 2;
/// The answer to a challenge.
pub const RESPONSE: u8 = 3;
/// A keep-alive; the first one says that the client is connected.
pub const KEEP_ALIVE: u8 = 4;
/// A payload.
pub const PAYLOAD: u8 = 5;
/// The end of a connection.
pub const DISCONNECT: u8 = 6;

/// The type that the first byte of a datagram names, whatever follows.
#[must_use]
pub fn kind_of(datagram: &[u8]) -> Option<u8> {
    datagram.first().map(|prefix| prefix & 0xf)
}
