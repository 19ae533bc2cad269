//! A game with a fixed step: every player has a number that move inputs add to, and is shown it at each tick.

use std::collections::BTreeMap;
use std::error::Error;

use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{Event, SessionId};
use rejoin_mio::{Application, HostConfig, ServerNetworkHost, Sessions, development_key};

#[derive(Default)]
struct Game {
    numbers: BTreeMap<SessionId, u64>,
}

impl Application for Game {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        match event {
            Event::Lifecycle(lifecycle) => match lifecycle.kind {
                LifecycleEventKind::LoginStarted => {
                    if sessions.accept_login(lifecycle.session).is_ok() {
                        self.numbers.insert(lifecycle.session, 0);
                    }
                }
                LifecycleEventKind::Disconnected => {
                    self.numbers.remove(&lifecycle.session);
                }
                _ => println!("session {}: {:?}", lifecycle.session, lifecycle.kind),
            },
            // Each tick of a player comes once, in order, and never from somebody else.
            Event::Move { session, .. } => {
                if let (Some(number), [step]) = (self.numbers.get_mut(&session), payload) {
                    *number += u64::from(*step);
                }
            }
            _ => {}
        }
    }

    fn handle_tick(&mut self, sessions: &mut Sessions<'_>, tick: u64) {
        for (session, number) in &self.numbers {
            if let Err(error) = sessions.publish_state(*session, tick, &number.to_le_bytes()) {
                println!("session {session}: {error}");
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = HostConfig::new("127.0.0.1:40000".parse()?, 7, development_key());
    config.drive_ticks = true;
    config.sessions.tick_hz = 30;
    let mut host = ServerNetworkHost::start(config)?;
    println!("listening on {:?}; Ctrl-C ends it", host.bound_addresses());
    host.run(&mut Game::default())?;
    Ok(())
}
