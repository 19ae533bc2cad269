//! The message layer inside netcode payload packets, as PROTOCOL.md specifies it; both ends use it.

mod byte_ring;
mod datagrams;
mod frame;
mod lane;
mod received;
mod rtt;
mod sent;
mod varint;
