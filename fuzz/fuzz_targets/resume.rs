//! Saved sessions and resume tokens, as they were made and as they were not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rejoin_tests::fuzzing::Resume;

fuzz_target!(|input: Resume| input.run());
