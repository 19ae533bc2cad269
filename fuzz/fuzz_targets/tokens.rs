//! Tokens, public and private, and the packets around them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| rejoin::fuzzing::tokens(input));
