//! Both ends of a session behind one face, and the calls that drive them by the laws of [`drive`].

use std::net::SocketAddr;

use rejoin::client::{ClientEvent, ClientSession};
use rejoin::{DATAGRAM_BYTES_MAX, Deadline, Event, MultiSessionManager, Timestamp, Transmit};

use super::{Violation, drive};

/// What has the drive API: a server, or a client.
pub trait Driven {
    /// What it tells its application.
    type Event;

    /// As of the server and the client.
    fn poll_timeout(&self) -> Option<Deadline>;
    /// As of the server and the client.
    fn handle_timeout(&mut self, now: Timestamp);
    /// As of the server and the client.
    fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<Self::Event>;
    /// As of the server and the client.
    fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<Transmit>;
}

/// Where the output of something driven goes.
pub trait Outlet<Event> {
    /// It tells its application something.
    fn event(&mut self, event: Event, payload: &[u8]);
    /// It sends a datagram.
    fn datagram(&mut self, to: SocketAddr, bytes: &[u8]);
    /// It is about to let fire what is due.
    fn fires(&mut self) {}
}

/// Polls all output; says whether there was any.
pub fn drain<D: Driven>(
    driven: &mut D,
    now: Timestamp,
    outlet: &mut impl Outlet<D::Event>,
) -> Result<bool, Violation> {
    let asked = driven.poll_timeout();
    drive::check_pure(asked, driven.poll_timeout())?;
    let mut produced = false;
    let mut payload = Vec::new();
    while let Some(event) = driven.poll_event(&mut payload) {
        outlet.event(event, &payload);
        produced = true;
    }
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    while let Some(transmit) = driven.poll_transmit(now, &mut buffer) {
        outlet.datagram(transmit.to, &buffer[..transmit.len]);
        produced = true;
    }
    if produced {
        drive::check_due(now, asked)?;
    }
    Ok(produced)
}

/// Fires the deadline that is due, if there is one, and polls what comes of it; says whether there was one. If not, the clock goes back for
/// once.
pub fn fire<D: Driven>(
    driven: &mut D,
    now: Timestamp,
    outlet: &mut impl Outlet<D::Event>,
) -> Result<bool, Violation> {
    let due = driven.poll_timeout().filter(|deadline| deadline.at <= now);
    let Some(fired) = due else {
        rewind(driven, now)?;
        return Ok(false);
    };
    outlet.fires();
    driven.handle_timeout(now);
    let produced = drain(driven, now, outlet)?;
    drive::check_progress(fired, driven.poll_timeout(), produced)?;
    Ok(true)
}

/// Nothing is due; then a clock that goes back, all the way, changes nothing.
fn rewind(driven: &mut impl Driven, now: Timestamp) -> Result<(), Violation> {
    // The call itself may tidy up, for example what has expired by a wall clock that was set.
    driven.handle_timeout(now);
    let asked = driven.poll_timeout();
    driven.handle_timeout(Timestamp::ZERO);
    drive::check_ignored(asked, driven.poll_timeout())
}

impl Driven for MultiSessionManager {
    type Event = Event;

    fn poll_timeout(&self) -> Option<Deadline> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.handle_timeout(now);
    }

    fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<Event> {
        self.poll_event(payload)
    }

    fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<Transmit> {
        self.poll_transmit(now, buffer)
    }
}

impl Driven for ClientSession {
    type Event = ClientEvent;

    fn poll_timeout(&self) -> Option<Deadline> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.handle_timeout(now);
    }

    fn poll_event(&mut self, payload: &mut Vec<u8>) -> Option<ClientEvent> {
        self.poll_event(payload)
    }

    fn poll_transmit(&mut self, now: Timestamp, buffer: &mut [u8]) -> Option<Transmit> {
        self.poll_transmit(now, buffer)
    }
}
