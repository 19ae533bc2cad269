//! Everything that is checked and opened before a host exists.

use std::net::SocketAddr;

use rejoin::{Config, KeyHistory, MultiSessionManager, Timestamp};

use super::ServerNetworkHost;
use crate::address::normalised;
use crate::development_key::{forbidden_address, is_development_key};
use crate::event_loop::EventLoop;
use crate::host_config::{HostConfig, StartError};
use crate::socket_set::SocketSet;
use crate::ticks::Ticks;

pub(super) fn start(config: HostConfig) -> Result<ServerNetworkHost, StartError> {
    check_addresses(&config)?;
    config.drain_on_signal.map_or(Ok(()), |drain| drain.validate()).map_err(StartError::Drain)?;
    let bind_addresses = normalised(&config.bind_addresses);
    let event_loop = EventLoop::new(config.receive_budget, |registry| {
        SocketSet::bind(&bind_addresses, registry.try_clone()?).map_err(StartError::Bind)
    })?;
    event_loop.sockets().request_buffer_bytes(config.socket_buffer_bytes);
    let public_addresses = if config.public_addresses.is_empty() {
        event_loop.sockets().local_addresses().collect()
    } else {
        normalised(&config.public_addresses)
    };
    let now = event_loop.clock().now();
    let ticks = config.drive_ticks.then(|| Ticks::new(now, config.sessions.tick_hz));
    let settings = session_settings(config.sessions, public_addresses);
    let unix_time_s = event_loop.clock().unix_time_s();
    let mut manager =
        MultiSessionManager::new(settings, draw_seed()?, now, unix_time_s).map_err(StartError::Config)?;
    if ticks.is_some() {
        // Whoever asks before the first tick has to learn how much of the way to it is over.
        manager.set_server_tick(now, 0);
    }
    Ok(ServerNetworkHost {
        event_loop,
        manager,
        ticks,
        unix_time_due_at: Timestamp::ZERO,
        payload: Vec::new(),
        drain_on_signal: config.drain_on_signal,
        stop_requested: false,
        is_stopped: false,
    })
}

fn session_settings(mut settings: Config, public_addresses: Vec<SocketAddr>) -> Config {
    settings.public_addresses = public_addresses;
    if is_development_key(&settings.private_key) {
        // It guards nothing, so there is nothing that a token of an earlier start could open.
        settings.key_history = KeyHistory::Fresh;
    }
    settings
}

fn draw_seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(StartError::Random)?;
    Ok(seed)
}

/// What is wrong with the addresses before any is bound.
fn check_addresses(config: &HostConfig) -> Result<(), StartError> {
    let bind = &config.bind_addresses;
    if bind.is_empty() {
        return Err(StartError::NoBindAddress);
    }
    if let Some(address) = listed_twice(&normalised(bind)) {
        return Err(StartError::BindAddressListedTwice(address));
    }
    if let Some(address) = forbidden_address(&config.sessions.private_key, bind) {
        return Err(StartError::DevelopmentKeyBeyondLoopback(address));
    }
    let is_wildcard = |address: &&SocketAddr| address.ip().to_canonical().is_unspecified();
    match bind.iter().find(is_wildcard) {
        Some(&address) if config.public_addresses.is_empty() => {
            Err(StartError::WildcardWithoutPublicAddress(address))
        }
        _ => Ok(()),
    }
}

/// The first address that is in the list again; port 0 is another port each time.
fn listed_twice(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let is_repeated = |(place, address): (usize, &SocketAddr)| {
        let is_again = address.port() != 0 && addresses.iter().take(place).any(|earlier| earlier == address);
        is_again.then_some(*address)
    };
    addresses.iter().enumerate().find_map(is_repeated)
}
