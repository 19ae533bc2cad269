//! Anybody may send anything from any address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rejoin_tests::fuzzing::Datagrams;

fuzz_target!(|input: Datagrams| input.run());
