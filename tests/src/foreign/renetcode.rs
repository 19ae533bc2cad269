//! The netcode layer of the renet game networking library (`renetcode` 2.0).
//!
//! The crate has neither clock nor socket; the wrappers give it a socket and filter nothing but the sender's address,
//! which the crate expects of its user. How it departs from the standard, or fills what the standard leaves open:
//!
//! - Packets go out at 4 Hz when nothing else does, keep-alives included, and a single disconnect packet says goodbye.
//! - Sequence number 0 is written with no sequence bytes at all, which the standard forbids. That concerns a server's
//!   first challenge and its first packet to each client. Readers that follow the standard drop both: with them, the
//!   handshake costs a second request and one more keep-alive interval.
//! - Any number of sequence bytes is accepted, zero included. More than 8, or a packet too short for its sequence
//!   bytes, makes it panic, before anything is authenticated. So does a sequence number close to 2^64 in a build with
//!   overflow checks. Feed it no garbage.
//! - A server numbers challenges and denials from 0, like the packets to each client and under the same keys: nonces
//!   repeat.
//! - A server's challenge tokens are numbered from 1, where the standard says 0.
//! - A server never sends a keep-alive before a payload to an unconfirmed client, and payloads put off the next
//!   keep-alive. A client connects only by keep-alive: one that misses the first stays unconnected for as long as the
//!   server sends it a payload every 250 ms.
//! - A pending client keeps the keys of the first token seen from its address, and stays pending until that token
//!   expires. A second token from the same address cannot connect before then.
//! - A server that times a client out sends it a disconnect packet.
//! - A denied client gives up at once, without trying the token's other server addresses.
//! - Tokens hold the groups of an IPv6 address in network byte order, where the standard says little-endian. A client
//!   goes to the wrong address with a standard token, and a server does not find its own in one.
//! - Payloads are 0 to 1,300 bytes, in packets of up to 1,400.
//! - A server has at most 1,024 client slots, remembers 2,048 tokens and holds 4,096 pending clients.
//! - Reading a token, it checks neither that there are server addresses (and panics later when there are none), nor
//!   that the token was created before it expires.

mod client;
mod server;

pub use self::{client::RenetcodeClient, server::RenetcodeServer};

use super::SendError;

/// The size of the receive buffer, in bytes: the crate's own limit on packets.
const DATAGRAM_BYTES_MAX: usize = ::renetcode::NETCODE_MAX_PACKET_BYTES;

/// The caller's mistake behind a refused payload of `payload_bytes`.
fn send_error(error: &::renetcode::NetcodeError, payload_bytes: usize) -> SendError {
    match error {
        ::renetcode::NetcodeError::PayloadAboveLimit => SendError::PayloadBytes(payload_bytes),
        _ => SendError::NotConnected,
    }
}
