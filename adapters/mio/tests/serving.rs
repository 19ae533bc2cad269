//! `rejoin serve`, `swarm` and `demo`, as processes that talk over loopback.
#![cfg(feature = "program")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rejoin::client::{ClientConfig, ClientDisconnectReason, ClientEvent, ClientState};
use rejoin::{ClientId, Timestamp};
use rejoin_mio::{ClientNetworkHost, Clock, Session, TokenRequest, development_key};

const PROTOCOL_ID: u64 = 0x5245_4A4F_494E_0001;
const STEP: Option<Duration> = Some(Duration::from_millis(20));
/// The reliable lane that the arena's chat goes by.
const CHAT_LANE: u8 = 1;
/// Far beyond what any test takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn rejoin(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
    command.args(arguments).env("RUST_LOG", "warn").stdin(Stdio::null());
    command
}

/// A server process on a free port; killed at the end of its test.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        Self::start_with(options, "warn", Stdio::null())
    }

    /// One that logs what `level` says to `stderr`.
    fn start_with(options: &[&str], level: &str, stderr: Stdio) -> Self {
        let mut process = rejoin(&[&["serve", "--bind", "127.0.0.1:0"], options].concat())
            .env("RUST_LOG", level)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { process, address }
    }

    /// Asks for its end as a supervisor does, and gives its exit code.
    fn terminate(self) -> Option<i32> {
        send_signal(&self.process, "-TERM");
        self.wait()
    }

    /// Gives its exit code when it has ended.
    fn wait(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

fn send_signal(process: &Child, signal: &str) {
    // Every shell has its own `kill`; not every machine has the program.
    let line = format!("kill {signal} {}", process.id());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A player, with everything that happened to it and the bytes that came with it.
struct Player {
    host: ClientNetworkHost,
    events: Vec<(ClientEvent, Vec<u8>)>,
}

impl Player {
    fn connect(server: &Server, client_id: u64, config: ClientConfig) -> Self {
        let request = TokenRequest {
            protocol_id: PROTOCOL_ID,
            private_key: &development_key(),
            client_id: ClientId(client_id),
            addresses: &[server.address],
            lifetime_s: 45,
            timeout_s: 5,
        };
        let token = request.mint(Clock::start().unix_time_s()).unwrap();
        Self { host: ClientNetworkHost::connect(config, &token).unwrap(), events: Vec::new() }
    }

    fn log_in(server: &Server, client_id: u64, name: &str) -> Self {
        let mut player = Self::connect(server, client_id, ClientConfig::default());
        player.host.commands().login(name.as_bytes()).unwrap();
        player
    }

    /// Goes on until this has arrived.
    fn wait_for_line(&mut self, line: &[u8]) {
        let clock = Clock::start();
        while !self.events.iter().any(|(_, bytes)| bytes == line) {
            assert!(clock.now().since(Timestamp::ZERO) < PATIENCE, "{:?}", self.events.last());
            self.poll();
        }
    }

    fn poll(&mut self) {
        let events = &mut self.events;
        let mut note = |_: &mut Session<'_>, event: ClientEvent, bytes: &[u8]| {
            events.push((event, bytes.to_vec()));
        };
        self.host.poll(STEP, &mut note).unwrap();
    }

    /// Goes on until something like this has happened.
    fn wait_for(&mut self, wanted: impl Fn(&ClientEvent) -> bool) -> (ClientEvent, Vec<u8>) {
        let clock = Clock::start();
        loop {
            if let Some(found) = self.events.iter().find(|(event, _)| wanted(event)) {
                return found.clone();
            }
            assert!(clock.now().since(Timestamp::ZERO) < PATIENCE, "{:?}", self.events);
            self.poll();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn assert_bad_input(output: &Output, parts: &[&str]) {
    let text = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in parts {
        assert!(text.contains(part), "{text} lacks {part}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let output = rejoin(&["serve", "--bind", &address]).output().unwrap();
    assert_bad_input(&output, &[&address, "in use by another program"]);
}

#[test]
fn the_development_key_does_not_serve_the_world() {
    let output = rejoin(&["serve", "--bind", "0.0.0.0:0", "--public", "127.0.0.1:9"]).output().unwrap();
    assert_bad_input(&output, &["0.0.0.0:0", "loopback only", "--key-file"]);
}

#[test]
fn a_terminated_server_tells_its_players_and_ends_well() {
    let server = Server::start(&["--drain-seconds", "0"]);
    let mut player = Player::log_in(&server, 1, "Ada");
    player.wait_for(|event| *event == ClientEvent::LoggedIn);

    assert_eq!(server.terminate(), Some(0));

    let reason = ClientDisconnectReason::Shutdown;
    player.wait_for(|event| *event == ClientEvent::Disconnected { reason });
}

const fn is_drain(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::ServerDraining { deadline: Some(_), code: 0, other_address: None })
}

#[test]
fn a_terminated_server_drains_lets_players_come_back_and_ends_when_they_have_left() {
    let server = Server::start(&[]);
    let mut player = Player::log_in(&server, 1, "Ada");
    player.wait_for(|event| *event == ClientEvent::LoggedIn);
    // What is said in the arena comes after the tokens to come back with.
    player.host.commands().send(CHAT_LANE, b"hello").unwrap();
    player.wait_for_line(b"\x03Adahello");

    send_signal(&server.process, "-TERM");
    player.wait_for(is_drain);
    player.host.rebind().unwrap();
    player.wait_for(|event| matches!(event, ClientEvent::Reconnected { .. }));
    let mut newcomer = Player::log_in(&server, 2, "Bob");
    let reason = ClientDisconnectReason::Denied;
    newcomer.wait_for(|event| *event == ClientEvent::Disconnected { reason });
    player.host.commands().send(CHAT_LANE, b"still here").unwrap();
    player.wait_for_line(b"\x03Adastill here");
    drop(player);

    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_second_signal_ends_a_draining_server_at_once() {
    let server = Server::start(&["--drain-seconds", "86400"]);
    let mut player = Player::log_in(&server, 1, "Ada");
    player.wait_for(|event| *event == ClientEvent::LoggedIn);

    send_signal(&server.process, "-TERM");
    player.wait_for(is_drain);
    assert_eq!(server.terminate(), Some(0));

    let reason = ClientDisconnectReason::Shutdown;
    player.wait_for(|event| *event == ClientEvent::Disconnected { reason });
}

#[test]
fn a_draining_server_ends_whoever_stays_too_long() {
    let server = Server::start(&["--drain-seconds", "1"]);
    let mut player = Player::log_in(&server, 1, "Ada");
    player.wait_for(|event| *event == ClientEvent::LoggedIn);

    send_signal(&server.process, "-INT");

    let reason = ClientDisconnectReason::Drained;
    player.wait_for(|event| *event == ClientEvent::Disconnected { reason });
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_name_that_somebody_has_is_rejected_in_words_and_another_is_accepted() {
    let server = Server::start(&[]);
    let mut first = Player::log_in(&server, 1, "Ada");
    first.wait_for(|event| *event == ClientEvent::LoggedIn);
    let mut second = Player::log_in(&server, 2, "Ada");

    let (_, words) = second.wait_for(|event| matches!(event, ClientEvent::LoginRejected { code: 3, .. }));
    assert_eq!(text(&words), "somebody in the arena has that name");
    second.host.commands().login(b"Bob").unwrap();

    second.wait_for(|event| *event == ClientEvent::LoggedIn);
}

#[test]
fn a_chat_line_reaches_everybody_and_states_come() {
    let server = Server::start(&[]);
    let mut players = [Player::log_in(&server, 1, "Ada"), Player::log_in(&server, 2, "Bob")];
    for player in &mut players {
        player.wait_for(|event| *event == ClientEvent::LoggedIn);
    }

    players[0].host.commands().send(CHAT_LANE, b"hello").unwrap();

    for player in &mut players {
        let (_, line) = player.wait_for(|event| matches!(event, ClientEvent::Message { lane: CHAT_LANE }));
        assert_eq!(line, b"\x03Adahello");
        player.wait_for(|event| matches!(event, ClientEvent::State { .. }));
    }
}

#[test]
fn a_name_and_talk_that_do_not_show_what_they_are_are_refused_and_the_player_is_told() {
    let (control_lane, direction_code) = (0, 5);
    let server = Server::start(&[]);
    let mut player = Player::log_in(&server, 1, "Ada\u{202e}nimda");
    let (_, words) = player.wait_for(|event| matches!(event, ClientEvent::LoginRejected { code: 5, .. }));
    assert_eq!(text(&words), "that is no name: it has a mark that turns the direction of writing");
    player.host.commands().login(b"Ada").unwrap();
    player.wait_for(|event| *event == ClientEvent::LoggedIn);

    player.host.commands().send(CHAT_LANE, "left \u{2067}right".as_bytes()).unwrap();
    player.host.commands().send(CHAT_LANE, b" and again ").unwrap();

    player.wait_for_line(b"\x03Adaand again");
    let refusal = [&[3], &u64::to_le_bytes(direction_code)[..]].concat();
    player.wait_for_line(&refusal);
    let is_refusal = |event: &ClientEvent| *event == ClientEvent::Message { lane: control_lane };
    assert_eq!(player.events.iter().filter(|(event, _)| is_refusal(event)).count(), 1);
}

#[test]
fn a_status_reaches_everybody_and_newcomers_get_the_newest_only() {
    let server = Server::start(&[]);
    let mut players = [Player::log_in(&server, 1, "Ada"), Player::log_in(&server, 2, "Bob")];
    for player in &mut players {
        player.wait_for(|event| *event == ClientEvent::LoggedIn);
    }
    for status in ["ready", "away"] {
        players[0].host.commands().send_latest(0, status.as_bytes()).unwrap();
        for player in &mut players {
            player.wait_for_line(format!("\x03Ada{status}").as_bytes());
        }
    }

    let mut newcomer = Player::log_in(&server, 3, "Eve");

    let (_, line) = newcomer.wait_for(|event| matches!(event, ClientEvent::Latest { .. }));
    assert_eq!(line, b"\x03Adaaway");
}

#[test]
fn a_player_who_floods_the_chat_is_put_out_and_one_who_listens_late_is_not() {
    let server = Server::start(&["--timeout-ms", "800", "--heartbeat-ms", "200"]);
    let mut late = Player::log_in(&server, 1, "Ada");
    late.wait_for(|event| *event == ClientEvent::LoggedIn);
    let mut flooder = Player::log_in(&server, 2, "Bob");
    flooder.wait_for(|event| *event == ClientEvent::LoggedIn);

    let clock = Clock::start();
    while flooder.host.session().state() != ClientState::Disconnected {
        assert!(clock.now().since(Timestamp::ZERO) < PATIENCE);
        while flooder.host.commands().send(CHAT_LANE, &[b'x'; 200]).is_ok() {}
        flooder.poll();
    }

    let (_, words) = flooder.wait_for(|event| matches!(event, ClientEvent::Disconnected { .. }));
    assert_eq!(text(&words), "too much chat");
    late.host.commands().send(CHAT_LANE, b"still here").unwrap();
    late.wait_for(|event| matches!(event, ClientEvent::Message { .. }));
    late.host.commands().send(CHAT_LANE, b"and well").unwrap();
    late.wait_for_line(b"\x03Adaand well");
}

#[test]
fn bulk_beyond_the_bound_is_refused_and_bulk_within_it_comes_whole() {
    let (control_lane, bulk_lane) = (0, 2);
    let request = |bytes: u64| [&[1], &7_u64.to_le_bytes()[..], &bytes.to_le_bytes()].concat();
    let server = Server::start(&[]);
    let mut player = Player::log_in(&server, 1, "Ada");
    player.wait_for(|event| *event == ClientEvent::LoggedIn);

    player.host.commands().send(control_lane, &request(u64::MAX)).unwrap();
    player.wait_for_line(&[1]);

    player.host.commands().send(control_lane, &request(20_000)).unwrap();
    let is_bulk = |event: &ClientEvent| *event == ClientEvent::Message { lane: bulk_lane };
    let clock = Clock::start();
    let mut lens = Vec::new();
    while lens.iter().sum::<usize>() < 20_000 {
        assert!(clock.now().since(Timestamp::ZERO) < PATIENCE, "{lens:?}");
        player.poll();
        let bulk = player.events.iter().filter(|(event, _)| is_bulk(event));
        lens = bulk.map(|(_, bytes)| bytes.len()).collect();
    }
    assert_eq!(lens, [8_192, 8_192, 20_000 - 2 * 8_192]);
}

#[test]
fn a_raw_server_sends_payloads_back() {
    let server = Server::start(&["--raw"]);
    let mut player = Player::connect(&server, 1, ClientConfig::raw());
    player.wait_for(|event| matches!(event, ClientEvent::Connected { login_explicit: false }));
    assert_eq!(player.host.session().state(), ClientState::Connected);

    player.host.commands().send_datagram(&[7; 1_200]).unwrap();

    let (_, echo) = player.wait_for(|event| *event == ClientEvent::Datagram);
    assert_eq!(echo, [7; 1_200]);
}

#[test]
fn a_swarm_with_bad_networks_ends_well_and_says_so_in_one_json_object() {
    let server = Server::start(&["--timeout-ms", "800", "--heartbeat-ms", "200"]);
    let address = server.address.to_string();
    let line = "--peers 6 --seconds 5 --loss 0.05 --duplicate 0.02 --delay-ms 10 --jitter-ms 5 \
        --outage-every-s 2.5 --outage-for-s 1.5 --move-address --bulk-kib 16 --json --server";
    let mut arguments: Vec<_> = ["swarm"].into_iter().chain(line.split_whitespace()).collect();
    arguments.push(&address);

    let output = rejoin(&arguments).output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["logins_succeeded"], 6);
    assert_eq!(report["sessions_ended_early"], 0);
    assert!(report["outages"].as_u64().unwrap() >= 6, "{report}");
    assert_eq!(report["same_session_after_resume"], report["outages"]);
    assert_eq!(report["reliable_delivered"], report["reliable_expected"]);
    assert!(report["reliable_delivered"].as_u64().unwrap() > 100, "{report}");
    assert!(report["moves_acknowledged"].as_u64().unwrap() > 100, "{report}");
    assert!(report["latest_delivered"].as_u64().unwrap() >= 36, "{report}");
    assert!(report["bulk_requests_completed"].as_u64().unwrap() >= 6, "{report}");
    assert!(report["goodput_kib_s"].as_f64().unwrap() > 0.0, "{report}");
    for figure in ["clock_error_ms_p99", "moves_late", "moves_duplicate"] {
        assert!(report[figure].is_number(), "{figure}: {report}");
    }
}

#[test]
fn a_swarm_that_is_interrupted_while_it_connects_ends_well_although_nobody_reads_its_progress() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut swarm = rejoin(&["swarm", "--peers", "3", "--json", "--server", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(swarm.stderr.take().unwrap());
    progress.read_line(&mut String::new()).unwrap();
    drop(progress);

    send_signal(&swarm, "-INT");

    let output = swarm.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["peers"], &report["logins_succeeded"]), (&3.into(), &0.into()));
}

#[test]
fn a_swarm_whose_server_puts_it_out_fails_and_says_how_many_sessions_ended() {
    let server = Server::start(&["--drain-seconds", "0"]);
    let address = server.address.to_string();
    let mut swarm = rejoin(&["swarm", "--peers", "3", "--seconds", "4", "--json", "--server", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(swarm.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("3 of 3 logged in") {
        line.clear();
        assert_ne!(progress.read_line(&mut line).unwrap(), 0, "the swarm ended too soon");
    }

    server.terminate();

    let output = swarm.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["logins_succeeded"], &report["sessions_ended_early"]), (&3.into(), &3.into()));
}

#[test]
fn a_demo_without_a_terminal_tells_its_story_in_plain_lines() {
    let clock = Clock::start();
    let output = rejoin(&["demo", "--peers", "5", "--seconds", "7"]).output().unwrap();
    let story = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{story}{}", text(&output.stderr));
    assert!(!story.contains('\x1b'), "{story:?}");
    assert!(story.contains("LoggedIn 5") && story.contains("ended in the same session"), "{story}");
    assert!(clock.now().since(Timestamp::ZERO) < PATIENCE);
}

#[test]
fn a_server_under_junk_logs_little_and_says_at_the_end_what_it_refused() {
    let mut server = Server::start_with(&[], "trace", Stdio::piped());
    let stderr = server.process.stderr.take().unwrap();
    let reader = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap());
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..20_000_u32 {
        let junk = [&number.to_le_bytes()[..], b"what a peer wrote"].concat();
        socket.send_to(&junk, server.address).unwrap();
    }

    // Whoever comes behind them is answered when all have been read.
    let mut player = Player::log_in(&server, 1, "anna");
    player.wait_for(|event| matches!(event, ClientEvent::LoggedIn));
    drop(player);
    assert_eq!(server.terminate(), Some(0));

    let text = reader.join().unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("rejoin: refused: ") && last.contains(" dropped Malformed"), "{text}");
    assert!(text.lines().count() <= 60, "{text}");
    assert!(!text.contains("a peer wrote"), "{text}");
}
