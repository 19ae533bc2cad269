//! Frames: read, within their bounds, and written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| rejoin::fuzzing::frames(input));
