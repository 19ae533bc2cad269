//! The command line: every option with its unit and default.

mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, value_parser};

use self::values::{address, fraction, number, seconds, server_address};

/// The protocol id that all commands use unless told otherwise: "REJOIN", then a version.
pub(crate) const PROTOCOL_ID: u64 = 0x5245_4A4F_494E_0001;

/// Where a server listens, and where clients look for it, unless told otherwise.
const DEFAULT_ADDRESS: &str = "127.0.0.1:40000";

/// UDP game sessions that outlive their connections: a server, a swarm of clients, and a demo of both.
#[derive(Debug, Parser)]
#[command(name = "rejoin", version, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an authoritative arena: players log in with a name, move, chat, and come back.
    Serve(Serve),
    /// Make a private key: 64 hex digits.
    Keygen(Keygen),
    /// Make a connect token: 2,048 bytes that let one client in.
    Token(Token),
    /// Run many real clients with bad networks against a server, and check what they get.
    Swarm(Swarm),
    /// Watch a server and a swarm over loopback in this terminal.
    Demo(Demo),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on, IP:PORT; may be repeated. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", value_parser = address, default_value = DEFAULT_ADDRESS)]
    pub(crate) bind: Vec<SocketAddr>,
    /// Address by which clients reach this server, IP:PORT; may be repeated [default: the bound addresses].
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) public: Vec<SocketAddr>,
    /// Private key, a file of 64 hex digits [default: the development key, on loopback only].
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Number of the game and its version, decimal or 0x hex; tokens must carry the same.
    #[arg(long, value_name = "N", value_parser = number, default_value = "0x52454A4F494E0001")]
    pub(crate) protocol_id: u64,
    /// Sessions at most, 1 to 16777216.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=16_777_216), default_value_t = 1_024)]
    pub(crate) max_sessions: u32,
    /// Milliseconds between heartbeats, 10 to 60000.
    #[arg(long, value_name = "MS", value_parser = value_parser!(u32).range(10..=60_000), default_value_t = 500)]
    pub(crate) heartbeat_ms: u32,
    /// Milliseconds of silence after which a path counts as lost, 100 to 3600000 and above --heartbeat-ms.
    #[arg(long, value_name = "MS", value_parser = value_parser!(u32).range(100..=3_600_000), default_value_t = 2_500)]
    pub(crate) timeout_ms: u32,
    /// Milliseconds that a session waits for a player who lost the path; 0 ends it at once. At most 86400000.
    #[arg(long, value_name = "MS", value_parser = value_parser!(u32).range(..=86_400_000), default_value_t = 30_000)]
    pub(crate) reconnect_window_ms: u32,
    /// Milliseconds that a peer has to log in, 1 to 3600000.
    #[arg(long, value_name = "MS", value_parser = value_parser!(u32).range(1..=3_600_000), default_value_t = 10_000)]
    pub(crate) login_timeout_ms: u32,
    /// Ticks of the arena per second, 1 to 1000.
    #[arg(long, value_name = "HZ", value_parser = value_parser!(u32).range(1..=1_000), default_value_t = 60)]
    pub(crate) tick_hz: u32,
    /// KiB a second that are sent to one player at most, 8 to 4194303, headers included; bulk gives way first [default: as many as the
    /// path carries].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(8..=4_194_303), conflicts_with = "raw")]
    pub(crate) bandwidth_kib_s: Option<u32>,
    /// Seconds that players may stay after Ctrl-C or SIGTERM, 0 to 86400; they are told, and nobody else is let in. A second signal ends the
    /// server at once, and 0 makes the first one do so.
    #[arg(long, value_name = "S", value_parser = value_parser!(u32).range(..=86_400), default_value_t = 20)]
    pub(crate) drain_seconds: u32,
    /// Send every payload back as it came, to foreign netcode clients; no arena and no login.
    #[arg(long)]
    pub(crate) raw: bool,
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
    #[arg(long, value_name = "ADDR", value_parser = server_address, required = true, num_args = 1..)]
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

#[derive(Debug, Args)]
pub(crate) struct Swarm {
    /// Address of the server, IP:PORT; it must run on the development key.
    #[arg(long, value_name = "ADDR", value_parser = server_address, default_value = DEFAULT_ADDRESS)]
    pub(crate) server: SocketAddr,
    /// Clients, 1 to 10000, each with a socket of its own.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000), default_value_t = 24)]
    pub(crate) peers: u32,
    /// Seconds to play, 0.1 to 86400, from the moment everybody is logged in.
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "20")]
    pub(crate) seconds: f64,
    /// Move inputs per second and client, 1 to 1000.
    #[arg(long, value_name = "HZ", value_parser = value_parser!(u32).range(1..=1_000), default_value_t = 60)]
    pub(crate) hz: u32,
    /// KiB of bulk that each client asks the server for, up to 65536, on a lane of its own; again as soon as it has them, for as long as
    /// the run lasts. 0 asks for none.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(..=65_536), default_value_t = 0)]
    pub(crate) bulk_kib: u32,
    /// Share of datagrams that get lost, each way, 0 to 1.
    #[arg(long, value_name = "P", value_parser = fraction, default_value = "0")]
    pub(crate) loss: f64,
    /// Share of datagrams that arrive twice, each way, 0 to 1.
    #[arg(long, value_name = "P", value_parser = fraction, default_value = "0")]
    pub(crate) duplicate: f64,
    /// Milliseconds that each datagram is under way, each way, up to 60000.
    #[arg(long, value_name = "MS", value_parser = value_parser!(u32).range(..=60_000), default_value_t = 0)]
    pub(crate) delay_ms: u32,
    /// Milliseconds that a datagram may take longer, drawn for each, up to 60000.
    #[arg(long, value_name = "MS", value_parser = value_parser!(u32).range(..=60_000), default_value_t = 0)]
    pub(crate) jitter_ms: u32,
    /// Seconds from one outage of a client to its next, above --outage-for-s; not all clients at once
    /// [default: no outages].
    #[arg(long, value_name = "S", value_parser = seconds, requires = "outage_for_s")]
    pub(crate) outage_every_s: Option<f64>,
    /// Seconds for which nothing passes, either way, at each outage; at most --seconds [default: no outages].
    #[arg(long, value_name = "S", value_parser = seconds, requires = "outage_every_s")]
    pub(crate) outage_for_s: Option<f64>,
    /// Come back from each outage by another port, as after a change of network.
    #[arg(long, requires = "outage_every_s")]
    pub(crate) move_address: bool,
    /// Print the result as one JSON object on standard output, and nothing else there; its `rtt_ms_*` are percentiles of the
    /// smoothed round trip of each session, noted twice a second.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Clients, 1 to 10000.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000), default_value_t = 24)]
    pub(crate) peers: u32,
    /// Seconds to play, 0.1 to 86400.
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "20")]
    pub(crate) seconds: f64,
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
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Refusal::Wrong(
            "a command is missing: serve, keygen, token, swarm or demo; `rejoin --help` explains them"
                .to_owned(),
        ),
        _ => Refusal::Wrong(one_line(&error.to_string())),
    })?;
    command.command.check_relations().map_err(Refusal::Wrong)?;
    Ok(command.command)
}

impl Command {
    /// What no option can check by itself.
    fn check_relations(&self) -> Result<(), String> {
        match self {
            Self::Serve(serve) if serve.timeout_ms <= serve.heartbeat_ms => Err(format!(
                "--timeout-ms {} must be above --heartbeat-ms {}: else every pause counts as silence",
                serve.timeout_ms, serve.heartbeat_ms
            )),
            Self::Token(token) if token.server.len() > 32 => {
                Err(format!("a token lists at most 32 servers, not {}", token.server.len()))
            }
            Self::Swarm(Swarm { outage_every_s: Some(every), outage_for_s: Some(lasting), .. })
                if every <= lasting =>
            {
                Err(format!("--outage-every-s {every} must be above --outage-for-s {lasting}"))
            }
            Self::Swarm(Swarm { seconds, outage_for_s: Some(lasting), .. }) if lasting > seconds => {
                Err(format!(
                    "--outage-for-s {lasting} must not be above --seconds {seconds}: no outage would fit"
                ))
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
        .fold(String::new(), |text, line| match line {
            _ if text.is_empty() => line.to_owned(),
            _ if line.starts_with("tip:") => format!("{text}; {line}"),
            _ => format!("{text} {line}"),
        });
    format!("{what}; `rejoin --help` and `rejoin COMMAND --help` list what there is")
}

#[cfg(test)]
mod tests;
