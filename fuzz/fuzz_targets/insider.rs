//! A player who has its keys may seal anything with them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rejoin_tests::fuzzing::Insider;

fuzz_target!(|input: Insider| input.run());
