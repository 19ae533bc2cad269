//! The program `rejoin`: a server, a swarm of clients, a demo of both, and the keys and tokens they need.
#![forbid(unsafe_code)]

mod arena;
mod arena_server;
mod arena_wire;
mod bulk_content;
mod bulk_ledger;
mod chat_allowance;
mod cli;
mod conditioner;
mod demo;
mod failure;
mod key_file;
mod keys_and_tokens;
mod leave;
mod limited_log;
mod output;
mod report;
mod serve;
mod status_board;
mod swarm;
mod table;
mod terminal;
mod text;
mod tick_origin;

use std::process::ExitCode;

use crate::cli::{Command, Refusal};
use crate::failure::Failure;
use crate::limited_log::LimitedLog;

fn main() -> ExitCode {
    start_log();
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(command) => run(command),
        Err(Refusal::Answered(text)) => {
            output::answer(&text);
            Ok(())
        }
        Err(Refusal::Wrong(text)) => Err(Failure::BadInput(text)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn start_log() {
    let log = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).build();
    let level = log.filter();
    // It fails only where there is a log already.
    if log::set_boxed_logger(Box::new(LimitedLog::new(log))).is_ok() {
        log::set_max_level(level);
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Keygen(options) => keys_and_tokens::make_key(&options),
        Command::Token(options) => keys_and_tokens::make_token(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Swarm(options) => swarm::run(&options),
        Command::Demo(options) => demo::run(&options),
    }
}
