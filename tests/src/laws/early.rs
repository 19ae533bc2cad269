//! The law about patience: a player that is away has its whole reconnect window.

use rejoin::lifecycle::{Cause, DisconnectReason};
use rejoin::{LifecycleEvent, Timestamp};

use super::{Violation, ensure};

/// The grain of the timers, rounded up.
const GRAIN_MS: u64 = 2;

/// A session whose player is away since `away_since` changes its state; then not for want of a return, if that is early.
pub fn check_not_early(
    event: &LifecycleEvent,
    away_since: Option<Timestamp>,
    window_ms: u32,
) -> Result<(), Violation> {
    let Some(since) = away_since.filter(|_| event.cause == Cause::Ended(DisconnectReason::ReconnectExpired))
    else {
        return Ok(());
    };
    let in_time = event.at.plus_millis(GRAIN_MS) >= since.plus_millis(window_ms.into());
    ensure(in_time, || {
        let LifecycleEvent { session, at, .. } = event;
        format!("session {session}, away since {since}, was given up at {at}: its window is {window_ms} ms")
    })
}

#[cfg(test)]
mod tests {
    use rejoin::Event;

    use super::*;
    use crate::world::{World, config};

    #[test]
    fn a_window_that_ends_before_its_time_is_caught() {
        let mut world = World::new(config(), 1);
        let player = world.add_logged_in(1);
        world.cut(player);
        world.run_for_ms(30_000);
        let last = world.server_events.iter().rev().find_map(|(event, _)| match event {
            Event::Lifecycle(event) => Some(*event),
            _ => None,
        });
        let last = last.expect("an end");
        let since = Some(Timestamp::from_millis(last.at.as_micros() / 1_000 - 20_000));

        assert_eq!(check_not_early(&last, since, 20_000), Ok(()));
        assert!(check_not_early(&last, since, 20_010).is_err());
        assert_eq!(check_not_early(&last, None, 20_010), Ok(()));
    }
}
