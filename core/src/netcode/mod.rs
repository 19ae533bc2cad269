//! The netcode 1.02 wire format: tokens, packets, and what a receiver must remember to refuse repeats.
//!
//! Bytes in, values out. Nothing here looks up a session, reads a clock or draws a random number; whoever
//! calls decides which key to try, whether a timestamp is acceptable and what to answer.
//! Section names in these docs are those of the netcode standard. All integers on the wire are little-endian.

pub(crate) mod address;
mod aead;
pub(crate) mod challenge;
pub(crate) mod connection;
pub(crate) mod history;
mod key;
mod mint;
pub(crate) mod packet;
pub(crate) mod private_token;
pub(crate) mod replay;
pub(crate) mod request;
mod token;
mod wire;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod vectors;

pub(crate) use aead::Mac;
pub use key::Key;
pub use mint::{MintError, TokenSpec};
pub use token::{ConnectToken, TokenError};

/// What every token and request starts with and every seal is bound to: the protocol's name and version.
const VERSION_INFO: &[u8; 13] = b"NETCODE 1.02\0";

/// Size of a connect token in bytes (netcode standard, section Connect Token).
pub const CONNECT_TOKEN_BYTES: usize = 2048;

/// Size in bytes of the data a token carries for the application (netcode standard, section Connect Token).
pub const USER_DATA_BYTES: usize = 256;

/// Size in bytes of a connect token's private part, its MAC included.
pub(crate) const PRIVATE_TOKEN_BYTES: usize = 1024;

/// Size in bytes of the nonce a connect token's private part is sealed with.
pub(crate) const TOKEN_NONCE_BYTES: usize = 24;

/// Size in bytes of a sealed challenge token, its MAC included.
pub(crate) const CHALLENGE_TOKEN_BYTES: usize = 300;

/// Size in bytes of a connection request, the only packet that is not sealed.
pub(crate) const REQUEST_BYTES: usize = 1078;

/// The largest payload in bytes.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1200;

/// The largest sealed packet in bytes: prefix, eight sequence bytes, a full payload and its MAC.
pub(crate) const PACKET_BYTES_MAX: usize = 1 + 8 + PAYLOAD_BYTES_MAX + aead::MAC_BYTES;

/// The smallest sealed packet in bytes: prefix, one sequence byte, no body and a MAC.
pub(crate) const PACKET_BYTES_MIN: usize = 1 + 1 + aead::MAC_BYTES;

/// The most addresses a token can list; the least is one.
pub(crate) const ADDRESSES_MAX: usize = 32;
