//! A server that lets everybody in and sends every message back.
//!
//! `cargo run --example echo_server`, and in another terminal `cargo run --example echo_client`.

use std::error::Error;

use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{Event, LifecycleEvent};
use rejoin_mio::{HostConfig, ServerNetworkHost, Sessions, development_key};

fn main() -> Result<(), Box<dyn Error>> {
    let config = HostConfig::new("127.0.0.1:40000".parse()?, 7, development_key());
    let mut host = ServerNetworkHost::start(config)?;
    println!("listening on {:?}; Ctrl-C ends it", host.bound_addresses());

    host.run(&mut |sessions: &mut Sessions<'_>, event: Event, payload: &[u8]| match event {
        Event::Lifecycle(LifecycleEvent { kind: LifecycleEventKind::LoginStarted, session, .. }) => {
            println!("{} wants to log in", String::from_utf8_lossy(payload));
            if let Err(error) = sessions.accept_login(session) {
                println!("session {session}: {error}");
            }
        }
        Event::Message { session, lane } => {
            if let Err(error) = sessions.send(session, lane, payload) {
                println!("session {session}: {error}");
            }
        }
        other => println!("{other:?}"),
    })?;
    Ok(())
}
