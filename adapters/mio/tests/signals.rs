//! Ctrl-C and SIGTERM, in a process of their own: a signal reaches everybody in it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::io::ErrorKind;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use rejoin::{Event, Key};
use rejoin_mio::{Application, HostConfig, ServerNetworkHost, Sessions, Signals};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::raise;

/// Raises a signal at its first tick.
struct Raiser(i32);

impl Application for Raiser {
    fn handle_event(&mut self, _: &mut Sessions<'_>, _: Event, _: &[u8]) {}

    fn handle_tick(&mut self, _: &mut Sessions<'_>, _: u64) {
        raise(self.0).unwrap();
    }
}

#[test]
fn a_signal_wakes_the_loop_is_taken_once_and_ends_a_host() {
    let mut poll = Poll::new().unwrap();
    let mut signals = Signals::watch().unwrap();
    poll.registry().register(&mut signals, Token(9), Interest::READABLE).unwrap();
    assert!(!signals.take());

    raise(SIGTERM).unwrap();

    let mut events = Events::with_capacity(1);
    while let Err(error) = poll.poll(&mut events, Some(Duration::from_secs(5))) {
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
    assert_eq!(events.iter().map(mio::event::Event::token).collect::<Vec<_>>(), [Token(9)]);
    assert!(signals.take());
    assert!(!signals.take());

    for signal in [SIGINT, SIGTERM] {
        let mut config = HostConfig::new("127.0.0.1:0".parse().unwrap(), 7, Key::new([9; 32]));
        config.drive_ticks = true;
        let mut host = ServerNetworkHost::start(config).unwrap();
        host.run(&mut Raiser(signal)).unwrap();
        assert!(host.is_stop_requested() && host.bound_addresses().is_empty());
    }
}
