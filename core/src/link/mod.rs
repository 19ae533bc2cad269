//! What both ends know about the packets of a connection: which arrived, which are in flight, how long they take.

mod received;
mod rtt;
mod sent;
