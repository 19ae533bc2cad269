//! Plays many seeds of the simulator, on all cores, and says what came of them.

mod arguments;
mod output;
mod summary;
mod workers;

use std::env;
use std::process::ExitCode;

use rejoin_tests::simulator::{Plan, trace};

use arguments::Arguments;
use output::say;
use summary::Summary;
use workers::{Progress, play_all};

/// Failures after which no further seed begins.
const FAILURES_MAX: usize = 5;

fn main() -> ExitCode {
    let arguments = match Arguments::read(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    if arguments.seeds == 1 {
        say(format_args!("{}", Plan::new(arguments.from, arguments.settings)));
    }
    if arguments.trace {
        return narrate(&arguments);
    }
    // A panic is reported with its seed, once.
    std::panic::set_hook(Box::new(|_| {}));
    let summary = play_all(&arguments, FAILURES_MAX, report);
    say(format_args!("{summary}"));
    if summary.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Plays the first seed alone, with a line for everything that happens.
fn narrate(arguments: &Arguments) -> ExitCode {
    let narrate = Box::new(say);
    match trace(arguments.from, arguments.settings, narrate) {
        Ok(outcome) => {
            say(format_args!("{outcome:#?}"));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(format_args!("{failure}"));
            ExitCode::FAILURE
        }
    }
}

fn report(progress: &Progress<'_>) {
    match progress {
        Progress::Failed(failure) => say(format_args!("{failure}")),
        Progress::Played { seeds, next } => {
            say(format_args!("{seeds} seeds played; to go on: --from {next}"));
        }
    }
}
