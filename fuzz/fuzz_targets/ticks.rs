//! The tick filter, against a model that remembers everything.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| rejoin::fuzzing::ticks(input));
