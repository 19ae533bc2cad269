//! The command `serve`.

use std::io;
use std::net::SocketAddr;

use rejoin::ledger::{MoveRefusal, Refusal};
use rejoin::{Config, Counters, Drain, Event, Key};
use rejoin_mio::{
    Application, HostConfig, ServerNetworkHost, Sessions, StartError, development_key, is_development_key,
};

use crate::arena_server::ArenaServer;
use crate::arena_wire::STATUS_KEYS;
use crate::cli;
use crate::failure::Failure;
use crate::key_file;
use crate::leave::Leave;
use crate::output;

/// Runs `rejoin serve` until Ctrl-C or SIGTERM, and then until everybody has left or has to.
pub(crate) fn run(options: &cli::Serve) -> Result<(), Failure> {
    let mut host = start(options)?;
    if is_development_key(&host.sessions().config().private_key) {
        output::remark(
            "rejoin: warning: this server runs on the development key, which everybody knows: loopback only\n",
        );
    }
    // Whoever reads where the server is may ask for its end at once.
    host.watch_signals()
        .map_err(|error| Failure::unsuccessful(format!("the system gives no signals: {error}")))?;
    announce(&host.bound_addresses());
    tell_bounds(host.sessions().config());
    let ended = if options.raw {
        play(&mut host, &mut Journal(Echo))
    } else {
        play(&mut host, &mut Journal(ArenaServer::new(options.tick_hz)))
    };
    tell_refusals(host.sessions().counters());
    ended.map_err(|error| Failure::unsuccessful(format!("the system's event queue failed: {error}")))
}

/// Lets the host run to its end, and tells who is left while it drains.
fn play(host: &mut ServerNetworkHost, application: &mut impl Application) -> io::Result<()> {
    let mut leave = Leave::default();
    while !host.is_stop_requested() {
        host.poll(None, application)?;
        leave.watch(host);
    }
    host.stop(application);
    Ok(())
}

/// Starts a host as the options say.
fn start(options: &cli::Serve) -> Result<ServerNetworkHost, Failure> {
    let key = options.key_file.as_deref().map_or_else(|| Ok(development_key()), key_file::read)?;
    ServerNetworkHost::start(host_config(options, key)?).map_err(|error| {
        Failure::bad_input(match &error {
            StartError::DevelopmentKeyBeyondLoopback(_) => {
                format!("{error}; `rejoin keygen -o FILE` makes one for --key-file")
            }
            StartError::WildcardWithoutPublicAddress(_) => format!("{error} with --public"),
            StartError::Bind(_) => format!("{error}; choose another address with --bind"),
            _ => error.to_string(),
        })
    })
}

fn host_config(options: &cli::Serve, key: Key) -> Result<HostConfig, Failure> {
    let first = options.bind.first().ok_or_else(|| Failure::bad_input("--bind needs an address"))?;
    let mut config = HostConfig::new(*first, options.protocol_id, key);
    config.bind_addresses.clone_from(&options.bind);
    config.public_addresses.clone_from(&options.public);
    config.drive_ticks = !options.raw;
    let within_ms = u64::from(options.drain_seconds) * 1_000;
    config.drain_on_signal =
        (within_ms > 0).then(|| Drain { within_ms: Some(within_ms), ..Drain::default() });
    let sessions = &mut config.sessions;
    sessions.sessions_max = options.max_sessions;
    sessions.token_history_max = sessions.token_history_max.max(options.max_sessions);
    sessions.heartbeat_ms = options.heartbeat_ms;
    sessions.timeout_min_ms = options.timeout_ms;
    sessions.timeout_max_ms = options.timeout_ms;
    sessions.reconnect_window_ms = (options.reconnect_window_ms > 0).then_some(options.reconnect_window_ms);
    sessions.login_timeout_ms = options.login_timeout_ms;
    sessions.tick_hz = options.tick_hz;
    sessions.bandwidth_max_bytes_per_s = options.bandwidth_kib_s.map(|kib_s| kib_s.saturating_mul(1_024));
    sessions.latest_keys = STATUS_KEYS;
    if options.raw {
        config.sessions = config.sessions.raw();
    }
    Ok(config)
}

/// Tells where the server is, for a person or a script that asked for port 0.
fn announce(addresses: &[SocketAddr]) {
    for address in addresses {
        output::answer(&format!("listening on {address}\n"));
    }
}

/// Says how much memory the network can make this process use.
fn tell_bounds(config: &Config) {
    let report = config.memory_report();
    output::remark(&format!(
        "rejoin: at most {} KiB of memory in all, and {} KiB for a session\n{report}\n",
        report.total_bytes().div_ceil(1_024),
        config.session_bytes_max().div_ceil(1_024),
    ));
}

/// Says what was refused, in one line, if anything was. Duplicates of move inputs are sent by intent.
fn tell_refusals(counters: &Counters) {
    let refusals: Vec<_> = counters
        .refusals()
        .filter(|(refusal, _)| *refusal != Refusal::Move(MoveRefusal::Duplicate))
        .map(|(refusal, times)| format!("{times} {refusal}"))
        .collect();
    if !refusals.is_empty() {
        output::remark(&format!("rejoin: refused: {}\n", refusals.join(", ")));
    }
}

/// Sends every payload back to where it came from.
struct Echo;

impl Application for Echo {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        if let Event::Datagram { session } = event
            && let Err(error) = sessions.send_datagram(session, payload)
        {
            log::debug!("session {session}: {error}");
        }
    }
}

/// Writes the lives of the sessions to the log on their way to an application.
struct Journal<A>(A);

impl<A: Application> Application for Journal<A> {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        match event {
            Event::Lifecycle(lifecycle) => log::info!(
                "session {} of client {}: {:?}, now {} ({:?})",
                lifecycle.session,
                lifecycle.client_id,
                lifecycle.kind,
                lifecycle.current,
                lifecycle.cause
            ),
            Event::Stalled { late_ms } => {
                log::warn!("this process was {late_ms} ms late; deadlines were shifted");
            }
            Event::Drained { ended, .. } => log::info!("nobody is left; {ended} sessions had to be ended"),
            Event::TokenReuse { session, generation } => {
                log::warn!("session {session}: resume token {generation} was presented again");
            }
            _ => {}
        }
        self.0.handle_event(sessions, event, payload);
    }

    fn handle_tick(&mut self, sessions: &mut Sessions<'_>, tick: u64) {
        self.0.handle_tick(sessions, tick);
    }
}
