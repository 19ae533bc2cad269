//! The inputs that fuzzing chose and found, replayed without a fuzzer.

use std::fs;
use std::path::Path;

use rejoin_tests::fuzzing::{Datagrams, Operations, read};

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
