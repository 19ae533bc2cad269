//! The server's application.

use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{Event, LifecycleEvent, SessionId, SessionState};
use rejoin_mio::{Application, Sessions};

/// What the application does with logins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logins {
    /// Every login is accepted at once.
    #[default]
    Accepted,
    /// Logins wait for the test.
    Pending,
}

/// Writes down what it is told.
#[derive(Debug, Default)]
pub struct Recorder {
    /// What it was told, in order.
    pub events: Vec<(Event, Vec<u8>)>,
    /// What it does with logins.
    pub logins: Logins,
}

impl Application for Recorder {
    fn handle_event(&mut self, sessions: &mut Sessions<'_>, event: Event, payload: &[u8]) {
        self.events.push((event, payload.to_vec()));
        if let Event::Lifecycle(LifecycleEvent { kind: LifecycleEventKind::LoginStarted, session, .. }) =
            event
            && self.logins == Logins::Accepted
            && sessions.session(session).is_some_and(|view| view.state() == SessionState::LoginPending)
        {
            sessions.accept_login(session).expect("a pending login");
        }
    }
}

impl Recorder {
    /// The lifecycle events of a session, in order.
    pub fn lifecycle_of(&self, id: SessionId) -> impl Iterator<Item = LifecycleEvent> + '_ {
        self.events.iter().filter_map(move |(event, _)| match event {
            Event::Lifecycle(event) if event.session == id => Some(*event),
            _ => None,
        })
    }

    /// The reliable messages a session sent, in order.
    #[must_use]
    pub fn messages_from(&self, id: SessionId) -> Vec<Vec<u8>> {
        self.bytes_of(|event| matches!(event, Event::Message { session, .. } if *session == id))
    }

    /// The unreliable messages or raw payloads a session sent, in order.
    #[must_use]
    pub fn datagrams_from(&self, id: SessionId) -> Vec<Vec<u8>> {
        self.bytes_of(|event| matches!(event, Event::Datagram { session } if *session == id))
    }

    /// The ticks of the move inputs accepted from a session, in order.
    #[must_use]
    pub fn moves_from(&self, id: SessionId) -> Vec<u64> {
        self.events
            .iter()
            .filter_map(|(event, _)| match event {
                Event::Move { session, tick } if *session == id => Some(*tick),
                _ => None,
            })
            .collect()
    }

    fn bytes_of(&self, is_wanted: impl Fn(&Event) -> bool) -> Vec<Vec<u8>> {
        let wanted = self.events.iter().filter(|(event, _)| is_wanted(event));
        wanted.map(|(_, bytes)| bytes.clone()).collect()
    }
}
