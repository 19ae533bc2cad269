//! The inputs that fuzzing chose and found, replayed without a fuzzer.

use std::fs;
use std::path::Path;

use rejoin_tests::fuzzing::{Datagrams, HostileServer, Insider, Operations, Resume, read};

/// The contents of every file of a target's corpus, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(directory).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the corpus of {target} is thin");
    files.into_iter().map(|file| fs::read(file).expect("readable bytes")).collect()
}

#[test]
fn datagrams_from_anybody_harm_nobody() {
    for bytes in corpus("datagrams") {
        read::<Datagrams>(&bytes).expect("an input").run();
    }
}

#[test]
fn the_laws_hold_whatever_the_operations_are() {
    for bytes in corpus("operations") {
        read::<Operations>(&bytes).expect("an input").run();
    }
}

#[test]
fn an_insider_harms_nobody_else() {
    for bytes in corpus("insider") {
        read::<Insider>(&bytes).expect("an input").run();
    }
}

#[test]
fn a_client_stays_sane_whatever_its_server_says() {
    for bytes in corpus("hostile_server") {
        read::<HostileServer>(&bytes).expect("an input").run();
    }
}

#[test]
fn ways_back_lead_back_and_nowhere_else() {
    for bytes in corpus("resume") {
        read::<Resume>(&bytes).expect("an input").run();
    }
}
