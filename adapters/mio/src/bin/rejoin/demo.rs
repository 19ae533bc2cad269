//! The command `demo`: a server, a swarm with bad networks, and a picture of the sessions between them.
//!
//! The server runs here and the swarm in a thread of its own; between them there is nothing but UDP over loopback.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{Event, SessionId, SessionView, Timestamp};
use rejoin_mio::{Application, HostConfig, ServerNetworkHost, Sessions, development_key};

use crate::arena_server::ArenaServer;
use crate::cli;
use crate::conditioner::LinkConditions;
use crate::failure::Failure;
use crate::output;
use crate::report::Report;
use crate::swarm::{OutagePlan, Plan, Progress, SEED, fly, verdict};
use crate::table::{Row, Screen};
use crate::terminal;

const TICK_HZ: u32 = 60;
const HEARTBEAT_MS: u32 = 300;
/// Short enough that an outage is seen as one on the server.
const TIMEOUT_MS: u32 = 1_500;
const RECONNECT_WINDOW_MS: u32 = 30_000;

/// The network of every player, each way.
const CONDITIONS: LinkConditions =
    LinkConditions { loss: 0.05, duplicate: 0.01, delay_ms: 20, jitter_ms: 10 };

/// The longest outage; a short demo has shorter ones.
const OUTAGE_MAX: Duration = Duration::from_secs(4);

/// From one picture to the next, on a terminal and elsewhere.
const REDRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Runs `rejoin demo`. Ctrl-C ends it early, and well.
pub(crate) fn run(options: &cli::Demo) -> Result<(), Failure> {
    let mut host = start_server(options)?;
    host.watch_signals().map_err(Failure::unsuccessful)?;
    let server = host.bound_addresses()[0];
    let plan = plan(options, server);
    let progress = Arc::new(Mutex::new(Progress::default()));
    let swarm = start_swarm(plan.clone(), Arc::clone(&progress));

    let mut stage = Stage::new(options.seconds);
    while !swarm.is_finished() && !host.is_stop_requested() {
        let until_picture = stage.next_at.since(host.now());
        host.poll(Some(until_picture), &mut stage)
            .map_err(|error| Failure::unsuccessful(format!("the system's event queue failed: {error}")))?;
        if host.now() >= stage.next_at {
            stage.draw(&host, *progress.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
    let was_interrupted = host.is_stop_requested();
    host.stop(&mut stage);
    if was_interrupted {
        return Ok(());
    }
    let report = swarm
        .join()
        .map_err(|_| Failure::unsuccessful("the swarm panicked, which is a defect of this program"))??;
    output::answer(&summary(&plan, &stage, &report));
    verdict(&report)
}

fn start_server(options: &cli::Demo) -> Result<ServerNetworkHost, Failure> {
    let mut config = HostConfig::new(([127, 0, 0, 1], 0).into(), cli::PROTOCOL_ID, development_key());
    config.drive_ticks = true;
    let sessions = &mut config.sessions;
    sessions.sessions_max = sessions.sessions_max.max(options.peers);
    sessions.heartbeat_ms = HEARTBEAT_MS;
    sessions.timeout_min_ms = TIMEOUT_MS;
    sessions.timeout_max_ms = TIMEOUT_MS;
    sessions.reconnect_window_ms = Some(RECONNECT_WINDOW_MS);
    sessions.tick_hz = TICK_HZ;
    ServerNetworkHost::start(config).map_err(Failure::unsuccessful)
}

fn plan(options: &cli::Demo, server: SocketAddr) -> Plan {
    let playing = Duration::from_secs_f64(options.seconds);
    let lasting = OUTAGE_MAX.min(playing / 4);
    Plan {
        tag: "p".to_owned(),
        server,
        protocol_id: cli::PROTOCOL_ID,
        private_key: development_key(),
        peers: options.peers,
        playing,
        move_hz: TICK_HZ,
        bulk_bytes: 0,
        conditions: CONDITIONS,
        outages: Some(OutagePlan { every: lasting * 2, lasting, moves_address: true }),
        seed: SEED,
    }
}

fn start_swarm(plan: Plan, progress: Arc<Mutex<Progress>>) -> thread::JoinHandle<Result<Report, Failure>> {
    thread::spawn(move || {
        fly(&plan, &mut |now| {
            *progress.lock().unwrap_or_else(PoisonError::into_inner) = *now;
            true
        })
    })
}

/// The arena with an audience: it counts what happens, and is drawn.
struct Stage {
    arena: ArenaServer,
    screen: Screen,
    is_terminal: bool,
    draw_every: Duration,
    next_at: Timestamp,
    playing_s: f64,
    /// How often each player who is in has come back.
    returns: BTreeMap<SessionId, u32>,
    times_away: u64,
    times_back: u64,
}

impl Stage {
    fn new(playing_s: f64) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            arena: ArenaServer::new(TICK_HZ),
            screen: Screen::new(),
            is_terminal,
            draw_every: if is_terminal { REDRAW_EVERY } else { LINE_EVERY },
            next_at: Timestamp::ZERO,
            playing_s,
            returns: BTreeMap::new(),
            times_away: 0,
            times_back: 0,
        }
    }

    fn draw(&mut self, host: &ServerNetworkHost, progress: Progress) {
        self.next_at = host.now() + self.draw_every;
        let head = format!(
            "{:4.1} s of about {:.0}   {} outages, {} ways back, {} chat lines",
            progress.elapsed.as_secs_f64(),
            self.playing_s,
            progress.outages,
            progress.resumes,
            progress.delivered
        );
        let mut rows: Vec<_> = host.sessions().sessions().map(|view| self.row(view)).collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        let size = self.is_terminal.then(terminal::size);
        self.screen.draw(&head, &rows, size, &mut io::stdout());
    }

    fn row(&self, view: SessionView<'_>) -> Row {
        let id = view.id();
        Row {
            name: self.arena.name(id).unwrap_or("?").to_owned(),
            state: view.state(),
            port: view.address().port(),
            rtt_ms: view.rtt().map(|rtt| u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX)),
            returns: self.returns.get(&id).copied().unwrap_or(0),
        }
    }
}

impl Application for Stage {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        if let Event::Lifecycle(lifecycle) = event {
            match lifecycle.kind {
                LifecycleEventKind::ReconnectScheduled => self.times_away += 1,
                LifecycleEventKind::Reconnected => {
                    self.times_back += 1;
                    *self.returns.entry(lifecycle.session).or_default() += 1;
                }
                LifecycleEventKind::Disconnected => {
                    self.returns.remove(&lifecycle.session);
                }
                _ => {}
            }
        }
        self.arena.handle_event(sessions, event, payload);
    }

    fn handle_tick(&mut self, sessions: &mut Sessions<'_>, tick: u64) {
        self.arena.handle_tick(sessions, tick);
    }
}

/// What happened, in a few sentences with figures.
fn summary(plan: &Plan, stage: &Stage, report: &Report) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0} ms"));
    let lasting_s = plan.outages.map_or(0.0, |outages| outages.lasting.as_secs_f64());
    format!(
        "\n{} players drove around for {:.0} s over networks that lost {:.0} in 100\n\
         datagrams, each way, and went away altogether for {lasting_s:.1} s, {} times.\n\
         After each outage a player was at another port. The server noticed {}\n\
         absences and saw {} returns; {} of {} outages ended in the same session,\n\
         half of them within {} of the network's return, 99 in 100 within {}.\n\
         {} of {} chat lines arrived: lost {}, twice {}, out of order {}.\n",
        report.peers,
        plan.playing.as_secs_f64(),
        plan.conditions.loss * 100.0,
        report.outages,
        stage.times_away,
        stage.times_back,
        report.same_session_after_resume,
        report.outages,
        ms(report.resume_ms_p50),
        ms(report.resume_ms_p99),
        report.reliable_delivered,
        report.reliable_expected,
        report.reliable_lost,
        report.reliable_duplicated,
        report.reliable_out_of_order,
    )
}
