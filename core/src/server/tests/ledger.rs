//! The ledger of refusals: each cause there is, reached by the smallest scenario, moves its own counter by one and no other.
//!
//! The scenarios are chosen by a `match` without a wildcard: a cause that is added compiles only with a scenario of its own.

mod denials;
mod drops;
mod mistakes;
mod records;
mod refusals;
mod violations;

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::{Counters, Verdict};

use super::harness::Harness;

/// A server, and the datagram that is refused next with where it comes from.
type Scene = (Harness, SocketAddr, Vec<u8>);

/// Plays a scene to its end, in which exactly `expected` is counted beside the datagram.
fn play(
    (mut server, from, datagram): Scene,
    expected_verdict: Verdict,
    expected: impl FnOnce(&mut Counters),
) {
    let mut counters = server.manager.counters().clone();
    counters.datagrams_received += 1;
    expected(&mut counters);

    assert_eq!(server.read(from, &datagram), expected_verdict);

    assert_eq!(server.manager.counters(), &counters, "{expected_verdict:?}");
    server.settle();
    server.close();
}
