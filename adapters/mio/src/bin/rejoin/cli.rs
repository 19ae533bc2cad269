//! The command line: every option with its unit and default.

mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, value_parser};

use self::values::{address, number};

/// The protocol id that all commands use unless told otherwise: "REJOIN", then a version.
pub(crate) const PROTOCOL_ID: u64 = 0x5245_4A4F_494E_0001;

/// UDP game sessions that outlive their connections: the keys and tokens they need.
#[derive(Debug, Parser)]
#[command(name = "rejoin", version, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a private key: 64 hex digits.
    Keygen(Keygen),
    /// Make a connect token: 2,048 bytes that let one client in.
    Token(Token),
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// File to write, with mode 0600; must not exist [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) key: KeySource,
    /// Identity of the client, decimal or 0x hex.
    #[arg(long, value_name = "N", value_parser = number)]
    pub(crate) client_id: u64,
    /// Public address of the server, IP:PORT; 1 to 32 of them, in the order a client tries them.
    #[arg(long, value_name = "ADDR", value_parser = address, required = true, num_args = 1..)]
    pub(crate) server: Vec<SocketAddr>,
    /// Seconds for which the token opens a session, 1 to 86400; a server accepts 45 unless configured otherwise.
    #[arg(long, value_name = "S", value_parser = value_parser!(u32).range(1..=86_400), default_value_t = 45)]
    pub(crate) expire_s: u32,
    /// Seconds of silence after which the client and server give the path up, 1 to 3600.
    #[arg(long, value_name = "S", value_parser = value_parser!(i32).range(1..=3_600), default_value_t = 15)]
    pub(crate) timeout_s: i32,
    /// File to write, with mode 0600 [default: standard output, unless that is a terminal].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Where the private key of a token comes from: exactly one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeySource {
    /// Private key of the server, a file of 64 hex digits.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Use the development key, the one a server has that was started without a key file.
    #[arg(long)]
    pub(crate) dev_key: bool,
}

/// Why there is no command to run.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The person asked for help or the version: this text is the answer.
    Answered(String),
    /// One line that says what is wrong.
    Wrong(String),
}

/// Reads the command line; the first argument is the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Refusal> {
    let command = CommandLine::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refusal::Answered(error.to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Refusal::Wrong("a command is missing: keygen or token; `rejoin --help` explains them".to_owned())
        }
        _ => Refusal::Wrong(one_line(&error.to_string())),
    })?;
    command.command.check_relations().map_err(Refusal::Wrong)?;
    Ok(command.command)
}

impl Command {
    /// What no option can check by itself.
    fn check_relations(&self) -> Result<(), String> {
        match self {
            Self::Token(token) if token.server.len() > 32 => {
                Err(format!("a token lists at most 32 servers, not {}", token.server.len()))
            }
            _ => Ok(()),
        }
    }
}

/// The parser's message without its usage block: what is wrong, in one line.
fn one_line(message: &str) -> String {
    let body = message.strip_prefix("error: ").unwrap_or(message);
    let what = body
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    format!("{what}; `rejoin --help` and `rejoin COMMAND --help` list what there is")
}

#[cfg(test)]
mod tests;
