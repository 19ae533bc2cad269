//! One thread for each core, each with its own seeds.

use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use rejoin_tests::simulator::{Failure, simulate};

use crate::Summary;
use crate::arguments::Arguments;

/// Seeds from one line of progress to the next.
const PROGRESS_EVERY: u64 = 100;

/// Something to tell while seeds are played.
pub(crate) enum Progress<'a> {
    /// A law was broken.
    Failed(&'a Failure),
    /// So many were played, among them all before `next`.
    Played {
        /// How many.
        seeds: u64,
        /// The first that nobody has played to its end.
        next: u64,
    },
}

/// What the threads share.
struct Work {
    summary: Summary,
    /// The next seed that nobody plays yet.
    next: u64,
    /// Seeds under way.
    under_way: Vec<u64>,
}

/// Plays all seeds, but begins no further one after so many failures.
pub(crate) fn play_all(
    arguments: &Arguments,
    failures_max: usize,
    report: impl Fn(&Progress<'_>) + Sync,
) -> Summary {
    let work = Mutex::new(Work { summary: Summary::default(), next: arguments.from, under_way: Vec::new() });
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = begin(&work, arguments, failures_max) {
                    let played = simulate(seed, arguments.settings);
                    let mut work = lock(&work);
                    work.under_way.retain(|other| *other != seed);
                    match &played {
                        Ok(outcome) => work.summary.add(outcome),
                        Err(failure) => {
                            work.summary.add_failure();
                            report(&Progress::Failed(failure));
                        }
                    }
                    let seeds = work.summary.seeds();
                    if seeds.is_multiple_of(PROGRESS_EVERY) {
                        let next = work.under_way.iter().min().copied().unwrap_or(work.next);
                        report(&Progress::Played { seeds, next });
                    }
                }
            });
        }
    });
    work.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).summary
}

fn begin(work: &Mutex<Work>, arguments: &Arguments, failures_max: usize) -> Option<u64> {
    let mut work = lock(work);
    let seed = work.next;
    let is_left = seed - arguments.from < arguments.seeds;
    let goes_on = work.summary.failures() < failures_max as u64;
    (is_left && goes_on).then(|| {
        work.next += 1;
        work.under_way.push(seed);
        seed
    })
}

fn lock(work: &Mutex<Work>) -> std::sync::MutexGuard<'_, Work> {
    // What a panic may have left is whole: nothing panics while it holds the lock.
    work.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
