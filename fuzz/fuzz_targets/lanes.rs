//! Reliable lanes, by operations: exactly once and in order, and strange pieces judged as the model says.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| rejoin::fuzzing::lanes(input));
