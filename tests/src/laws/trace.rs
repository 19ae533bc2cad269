//! The law of determinism: the same seed and the same inputs leave the same trace.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};

use crate::world::World;

/// A number that stands for everything a world showed: each event on each end and, where its wire records, each datagram.
#[must_use]
pub fn trace_hash(world: &World) -> u64 {
    let mut trace = Trace(DefaultHasher::new());
    trace.note(format_args!("{:?}", world.server_events));
    for player in &world.players {
        trace.note(format_args!("{:?}", player.events));
    }
    for datagram in world.wire.record.iter().flatten() {
        trace.note(format_args!("{} {}", datagram.from, datagram.to));
        trace.0.write(&datagram.bytes);
    }
    trace.0.finish()
}

struct Trace(DefaultHasher);

impl Trace {
    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        // Proof: writing to this never fails.
        self.write_fmt(what).expect("a hash takes everything");
        self.0.write_u8(0xff);
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::config;

    fn hash_of_a_run(seed: u64) -> u64 {
        let mut world = World::new(config(), seed);
        world.wire.record = Some(Vec::new());
        world.add_logged_in(1);
        trace_hash(&world)
    }

    #[test]
    fn the_same_run_has_the_same_hash_and_another_seed_another() {
        assert_eq!(hash_of_a_run(1), hash_of_a_run(1));
        assert_ne!(hash_of_a_run(1), hash_of_a_run(2));
    }
}
