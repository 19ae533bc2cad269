//! What a game implements to be hosted.

use rejoin::Event;

use crate::sessions::Sessions;

/// The game's side of a [`ServerNetworkHost`](crate::ServerNetworkHost).
///
/// Both calls get [`Sessions`], through which the game answers logins, sends, publishes and disconnects. What it asks for leaves in the same
/// wake. A closure that takes what [`handle_event`](Self::handle_event) takes is an application without ticks.
pub trait Application {
    /// Something happened. `payload` holds the bytes that belong to the event, and is empty where none do.
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]);

    /// A step of the simulation is due. Called only where [`HostConfig::drive_ticks`](crate::HostConfig::drive_ticks) is set, after the
    /// events of the same wake; the core judges move inputs against this tick already.
    fn handle_tick(&mut self, sessions: &mut Sessions<'_>, tick: u64) {
        let _ = (sessions, tick);
    }
}

impl<F: FnMut(&mut Sessions<'_>, Event, &[u8])> Application for F {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        self(sessions, event, payload);
    }
}
