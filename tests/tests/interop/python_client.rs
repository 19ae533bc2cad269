//! A client that was written from `core/PROTOCOL.md` alone, in Python, against our server.

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind};
use rejoin::{Continuity, Drain, Event, LifecycleEvent, SessionId, Violation};
use rejoin_mio::{Application, ServerNetworkHost, Sessions};
use rejoin_tests::foreign::CONNECT_TOKEN_BYTES;
use rejoin_tests::hosted::{PATIENCE, config, mint};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign-clients/python/play.py");
const CLIENT_ID: u64 = 7;
/// The share of packets that the client loses, each way.
const LOSS: &str = "0.1";
/// The server sleeps so long at most before it looks whether the client has ended.
const ROUND: Duration = Duration::from_millis(5);

#[test]
fn a_client_written_from_the_specification_alone_plays_and_comes_back_over_a_lossy_path() {
    if !is_python_here() {
        eprintln!("skipped: there is no python3 of version 3.9 or later here");
        return;
    }
    let mut host = start();
    let mut game = Echo::default();

    let client = play(&mut host, &mut game);

    assert!(client.success(), "the client says why on standard output: {client}");
    let kinds: Vec<_> = game.lives.iter().map(|life| life.kind).collect();
    let count = |kind| kinds.iter().filter(|other| **other == kind).count();
    assert_eq!(count(LifecycleEventKind::TransportConnected), 1, "one session all the time: {kinds:?}");
    assert_eq!(count(LifecycleEventKind::LoginFailed), 1, "{kinds:?}");
    let is_resume = |life: &&LifecycleEvent| matches!(life.cause, Cause::Resumed | Cause::TakenOver);
    let continuities: Vec<_> = game.lives.iter().filter(is_resume).map(|life| life.continuity).collect();
    assert_eq!(continuities, [Some(Continuity::Kept); 2], "{kinds:?}");
    assert_eq!(game.lives.last().map(|life| life.cause), Some(Cause::Ended(DisconnectReason::PeerLeft)));
    for violation in Violation::ALL {
        assert_eq!(host.sessions().counters().violations(violation), 0, "{violation:?}");
    }
}

/// The client needs nothing beside the standard library.
fn is_python_here() -> bool {
    let check = "import sys; sys.exit(sys.version_info < (3, 9))";
    Command::new("python3").args(["-c", check]).status().is_ok_and(|status| status.success())
}

fn start() -> ServerNetworkHost {
    let mut config = config();
    config.drive_ticks = true;
    config.sessions.heartbeat_ms = 100;
    ServerNetworkHost::start(config).unwrap()
}

/// Lets the client play to its end.
fn play(host: &mut ServerNetworkHost, game: &mut Echo) -> ExitStatus {
    let mut token = [0; CONNECT_TOKEN_BYTES];
    mint(host.bound_addresses()[0], CLIENT_ID).write(&mut token);
    // Without leaving compiled files beside the sources.
    let mut command = Command::new("python3");
    command.args(["-B", CLIENT, LOSS]).stdin(Stdio::piped());
    let mut client = Running(command.spawn().unwrap());
    client.0.stdin.take().unwrap().write_all(&token).unwrap();
    let start = host.now();
    loop {
        host.poll(Some(ROUND), game).unwrap();
        if let Some(status) = client.0.try_wait().unwrap() {
            host.poll(Some(Duration::ZERO), game).unwrap();
            return status;
        }
        assert!(host.now().since(start) < 2 * PATIENCE, "the client does not come to an end: {game:?}");
    }
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends everything back as it came, and shows each player its last input at every tick.
#[derive(Debug, Default)]
struct Echo {
    lives: Vec<LifecycleEvent>,
    shown: Option<(SessionId, Vec<u8>)>,
}

impl Application for Echo {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        match event {
            Event::Lifecycle(life) => {
                self.lives.push(life);
                match life.kind {
                    LifecycleEventKind::LoginStarted => answer_login(sessions, life.session, payload),
                    LifecycleEventKind::LoginSucceeded => take_leave(sessions),
                    _ => {}
                }
            }
            // Who has left in the same wake cannot be answered.
            Event::Message { session, lane } => {
                let _ = sessions.send(session, lane, payload);
            }
            Event::Datagram { session } => {
                let _ = sessions.send_datagram(session, payload);
            }
            Event::Latest { session, key } => {
                let _ = sessions.send_latest(session, key, payload);
            }
            Event::Move { session, .. } => self.shown = Some((session, payload.to_vec())),
            _ => {}
        }
    }

    fn handle_tick(&mut self, sessions: &mut Sessions<'_>, tick: u64) {
        if let Some((session, input)) = &self.shown {
            let _ = sessions.publish_state(*session, tick, input);
        }
    }
}

fn answer_login(sessions: &mut Sessions<'_>, id: SessionId, name: &[u8]) {
    let answered = if name.is_empty() {
        sessions.reject_login(id, 7, "a name, please")
    } else {
        sessions.accept_login(id)
    };
    answered.unwrap();
}

/// Its one player is told to go, and has time enough.
fn take_leave(sessions: &mut Sessions<'_>) {
    let other_address = Some(([127, 0, 0, 1], 9).into());
    sessions.drain(Drain { within_ms: Some(600_000), code: 7, other_address }).unwrap();
}
