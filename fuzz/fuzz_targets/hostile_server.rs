//! A client may be told anything by its server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rejoin_tests::fuzzing::HostileServer;

fuzz_target!(|input: HostileServer| input.run());
