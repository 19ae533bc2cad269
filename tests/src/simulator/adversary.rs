//! Somebody with bad intentions: the seam at which sniffers, spoofers and misbehaving peers take part.

use std::fmt::Debug;

use rejoin::Timestamp;

use super::step::Datagram;

/// Sees what passes on the network, and puts onto it what it likes.
///
/// It has its own stream of chance, given when it is made, so that the same seed gives the same run.
pub(super) trait Adversary: Debug {
    /// A datagram left a machine.
    fn overhear(&mut self, _now: Timestamp, _datagram: &Datagram) {}

    /// A datagram arrived at an address of its own, one that no player has.
    fn receive(&mut self, _now: Timestamp, _datagram: &Datagram) {}

    /// Its turn: what it puts into `out` is sent now, from whatever address it names. Says when its next turn is; without an answer it
    /// has none.
    fn take_turn(&mut self, now: Timestamp, out: &mut Vec<Datagram>) -> Option<Timestamp>;
}
