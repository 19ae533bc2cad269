//! The inputs that fuzzing chose and found, replayed without a fuzzer.

use std::fs;
use std::path::Path;
use std::vec::Vec;

use super::{frames, lanes, ticks, tokens};

/// Runs every file of a target's corpus, in the order of their names.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the corpus of {target} is thin");
    for file in files {
        run(&fs::read(file).unwrap());
    }
}

#[test]
fn frames_that_are_read_are_written_the_same() {
    replay("frames", frames);
}

#[test]
fn lanes_deliver_exactly_once_and_judge_as_the_model() {
    replay("lanes", lanes);
}

#[test]
fn ticks_are_judged_as_the_model_says() {
    replay("ticks", ticks);
}

#[test]
fn tokens_are_what_they_were_and_open_only_unchanged() {
    replay("tokens", tokens);
}
