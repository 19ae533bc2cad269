//! Everything a host, its players and the network can do, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rejoin_tests::fuzzing::Operations;

fuzz_target!(|input: Operations| input.run());
