//! A player who says five things to the server of `echo_server`, from two ports, and hears each of them once.

use std::error::Error;
use std::time::Duration;

use rejoin::ClientId;
use rejoin::client::{ClientConfig, ClientEvent, ClientState};
use rejoin_mio::{ClientNetworkHost, Clock, Session, TokenRequest, development_key};

fn main() -> Result<(), Box<dyn Error>> {
    // A real game gets its token from a backend; whoever has the server's key can make one.
    let request = TokenRequest {
        protocol_id: 7,
        private_key: &development_key(),
        client_id: ClientId(u64::from(std::process::id())),
        addresses: &["127.0.0.1:40000".parse()?],
        lifetime_s: 45,
        timeout_s: 5,
    };
    let token = request.mint(Clock::start().unix_time_s())?;
    let mut host = ClientNetworkHost::connect(ClientConfig::default(), &token)?;
    host.commands().login(b"Ada")?;

    let mut heard = 0;
    let mut said = 0;
    while heard < 5 && host.session().state() != ClientState::Disconnected {
        host.poll(
            Some(Duration::from_millis(100)),
            &mut |_: &mut Session<'_>, event: ClientEvent, bytes: &[u8]| match event {
                ClientEvent::Message { .. } => {
                    println!("heard {}", String::from_utf8_lossy(bytes));
                    heard += 1;
                }
                ClientEvent::State { .. } => {}
                other => println!("{other:?}"),
            },
        )?;
        if host.session().state() == ClientState::LoggedIn && said < 5 {
            said += 1;
            host.commands().send(0, format!("number {said}").as_bytes())?;
            if said == 3 {
                println!("moving to another port");
                host.rebind()?;
            }
        }
    }
    Ok(())
}
