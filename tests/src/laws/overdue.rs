//! The law about deadlines: nobody stays longer than the settings allow.

use std::time::Duration;

use rejoin::lifecycle::SessionState;
use rejoin::{MultiSessionManager, SessionId, SessionView, Timestamp};

use super::{Holds, Lifecycles, Violation, ensure};

/// The grain of the timers, rounded up.
const GRAIN_MS: u64 = 2;

/// All that was due by `now` has fired; then no session is past a deadline of its state. Stalls may have shifted it, by as much as the
/// settings allow, and holds have, by as much as they lasted.
pub fn check_nobody_overdue(
    server: &MultiSessionManager,
    lifecycles: &Lifecycles,
    holds: &Holds,
    now: Timestamp,
) -> Result<(), Violation> {
    server.sessions().filter(|_| !holds.is_on()).try_for_each(|view| {
        let end = deadline_of(server, lifecycles, holds, view);
        check_deadline(view.id(), view.state(), end, now)
    })
}

fn check_deadline(
    id: SessionId,
    state: SessionState,
    end: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Violation> {
    let in_time = end.is_none_or(|end| now <= end.plus_millis(GRAIN_MS));
    ensure(in_time, || format!("at {now} session {id} is still in {state}, which was to end at {end:?}"))
}

/// When the session leaves its state at the latest if nothing happens; `None` if that cannot be told.
fn deadline_of(
    server: &MultiSessionManager,
    lifecycles: &Lifecycles,
    holds: &Holds,
    view: SessionView<'_>,
) -> Option<Timestamp> {
    let config = server.config();
    let (start, time) = match view.state() {
        SessionState::LoggedIn => (view.last_received(), view.timeout()),
        state if state.is_away() => {
            let window_ms = config.reconnect_window_ms.unwrap_or(0);
            (lifecycles.away_since(view.id())?, Duration::from_millis(window_ms.into()))
        }
        _ => (view.since(), Duration::from_millis(config.login_timeout_ms.into())),
    };
    let end = (start + time).plus_micros(holds.micros_after(start));
    Some(end.plus_millis(config.stall_credit_max_ms.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_past_its_deadline_is_caught() {
        let id = SessionId { index: 0, generation: 0 };
        let at = Timestamp::from_millis;
        let check = |end, now| check_deadline(id, SessionState::LoggedIn, end, now);
        assert_eq!(check(Some(at(100)), at(100)), Ok(()));
        assert_eq!(check(None, at(100)), Ok(()));
        assert!(check(Some(at(100)), at(110)).is_err());
    }
}
