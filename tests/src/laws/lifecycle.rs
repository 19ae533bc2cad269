//! The laws about lifecycle events: they follow the published function, and a session's last one is its only `Disconnected`.

use std::collections::{BTreeMap, BTreeSet};

use rejoin::lifecycle::{Cause, Edge, Input, LifecyclePolicy, SessionState, step};
use rejoin::{ClientId, LifecycleEvent, SessionId, Timestamp};

use super::{Violation, ensure};

/// What the events said about each session so far.
#[derive(Clone, Debug)]
pub struct Lifecycles {
    policy: LifecyclePolicy,
    sessions: BTreeMap<SessionId, Life>,
    /// Those in a state that is only passed through.
    restless: BTreeSet<SessionId>,
}

#[derive(Clone, Debug)]
struct Life {
    client_id: ClientId,
    state: SessionState,
    /// Since when the player is away.
    away_since: Option<Timestamp>,
    /// Whether the session may stay in this state.
    rests: bool,
    /// The second edges of steps that pass through this state.
    followers: Vec<Edge>,
}

impl Lifecycles {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new(policy: LifecyclePolicy) -> Self {
        Self { policy, sessions: BTreeMap::new(), restless: BTreeSet::new() }
    }

    /// The application was told of a transition.
    pub fn observe(&mut self, event: &LifecycleEvent) -> Result<(), Violation> {
        let before = self.sessions.get(&event.session);
        let state = before.map(|life| life.state);
        ensure(event.previous == state, || format!("the session was in {state:?}, but: {event:?}"))?;
        if let Some(life) = before {
            ensure(life.client_id == event.client_id, || format!("another identity: {event:?}"))?;
        } else {
            self.check_slot(event.session)?;
        }
        let edge = Edge { to: event.current, event: event.kind, cause: event.cause };
        let mut rests = before.is_some_and(|life| life.followers.contains(&edge));
        let mut followers = Vec::new();
        if before.is_none_or(|life| life.rests) {
            for input in inputs_of(event.cause) {
                let mut edges = step(state, input, self.policy).edges();
                if edges.next() == Some(edge) {
                    let follower = edges.next();
                    rests |= follower.is_none();
                    followers.extend(follower);
                }
            }
        }
        ensure(rests || !followers.is_empty(), || format!("no step of the lifecycle: {event:?}"))?;
        let away_before = before.and_then(|life| life.away_since);
        let away_since = event.current.is_away().then(|| away_before.unwrap_or(event.at));
        let life = Life { client_id: event.client_id, state: event.current, away_since, rests, followers };
        self.sessions.insert(event.session, life);
        if rests {
            self.restless.remove(&event.session);
        } else {
            self.restless.insert(event.session);
        }
        Ok(())
    }

    /// The application was told of something else about a session.
    pub fn observe_other(&self, session: SessionId) -> Result<(), Violation> {
        let is_live = self.state_of(session).is_some();
        ensure(is_live, || format!("session {session}: an event before the first or after the last"))
    }

    /// All events were polled: no session is in a state that is only passed through.
    pub fn check_at_rest(&self) -> Result<(), Violation> {
        let restless = self.restless.first().map(|session| (session, self.sessions.get(session)));
        ensure(restless.is_none(), || format!("an event is missing: {restless:?}"))
    }

    /// The state of a session that has begun and not ended.
    #[must_use]
    pub fn state_of(&self, session: SessionId) -> Option<SessionState> {
        let state = self.sessions.get(&session).map(|life| life.state);
        state.filter(|state| *state != SessionState::Disconnected)
    }

    /// The identity of a session, also of one that has ended.
    #[must_use]
    pub fn client_of(&self, session: SessionId) -> Option<ClientId> {
        self.sessions.get(&session).map(|life| life.client_id)
    }

    /// Since when the player of a session is away without interruption.
    #[must_use]
    pub fn away_since(&self, session: SessionId) -> Option<Timestamp> {
        self.sessions.get(&session)?.away_since
    }

    /// The sessions that have begun and not ended, by slot.
    pub fn live(&self) -> impl Iterator<Item = (SessionId, SessionState)> + '_ {
        self.sessions
            .iter()
            .map(|(id, life)| (*id, life.state))
            .filter(|(_, state)| *state != SessionState::Disconnected)
    }

    /// A slot is given again only after its last session ended, and with another generation.
    fn check_slot(&self, session: SessionId) -> Result<(), Violation> {
        let slot = SessionId { generation: 0, ..session }..=SessionId { generation: u32::MAX, ..session };
        let fits = self.sessions.range(slot).all(|(former, life)| {
            former.generation < session.generation && life.state == SessionState::Disconnected
        });
        ensure(fits, || format!("session {session} got a slot that was not free"))
    }
}

/// The inputs that an event with this cause can come from.
fn inputs_of(cause: Cause) -> Vec<Input> {
    let attempts = [0, 1];
    let mut inputs = vec![
        Input::HandshakeCompleted,
        Input::Confirmed,
        Input::LoginAccepted,
        Input::LoginDeadline,
        Input::LivenessDeadline,
        Input::LivePacket,
        Input::PathTaken,
        Input::ResumeCompleted,
        Input::ResumeConfirmed,
        Input::AttemptEnded,
        Input::ReconnectDeadline,
        Input::BackendConfirmed,
    ];
    inputs.extend(attempts.map(|attempts_left| Input::LoginRequested { attempts_left }));
    match cause {
        Cause::Rejected(code) => {
            inputs.extend(attempts.map(|attempts_left| Input::LoginRejected { code, attempts_left }));
        }
        Cause::Ended(reason) => inputs.push(Input::Ended(reason)),
        _ => {}
    }
    inputs
}

#[cfg(test)]
mod tests {
    use rejoin::lifecycle::{DisconnectReason, LifecycleEventKind as Kind};

    use super::*;

    const ID: SessionId = SessionId { index: 3, generation: 1 };

    fn event(
        kind: Kind,
        previous: Option<SessionState>,
        current: SessionState,
        cause: Cause,
    ) -> LifecycleEvent {
        LifecycleEvent {
            session: ID,
            client_id: ClientId(1),
            kind,
            previous,
            current,
            at: Timestamp::ZERO,
            cause,
            continuity: None,
            violation: None,
        }
    }

    fn connected() -> LifecycleEvent {
        event(Kind::TransportConnected, None, SessionState::TransportConnected, Cause::Handshake)
    }

    fn login_started() -> LifecycleEvent {
        let previous = Some(SessionState::TransportConnected);
        event(Kind::LoginStarted, previous, SessionState::LoginPending, Cause::LoginRequest)
    }

    fn timed_out() -> LifecycleEvent {
        let previous = Some(SessionState::LoginPending);
        event(Kind::TimedOut, previous, SessionState::TimedOut, Cause::Silence)
    }

    fn disconnected(previous: SessionState, reason: DisconnectReason) -> LifecycleEvent {
        let cause = Cause::Ended(reason);
        event(Kind::Disconnected, Some(previous), SessionState::Disconnected, cause)
    }

    fn lifecycles_after(events: &[LifecycleEvent]) -> Lifecycles {
        let policy = LifecyclePolicy { reconnect: true, ..LifecyclePolicy::default() };
        let mut lifecycles = Lifecycles::new(policy);
        for event in events {
            lifecycles.observe(event).expect("a legal event");
        }
        lifecycles
    }

    #[test]
    fn a_legal_life_is_fine_from_beginning_to_end() {
        let end = disconnected(SessionState::TimedOut, DisconnectReason::TimedOut);
        let lifecycles = lifecycles_after(&[connected(), login_started(), timed_out(), end]);
        assert_eq!(lifecycles.check_at_rest(), Ok(()));
        assert_eq!(lifecycles.live().count(), 0);
    }

    #[test]
    fn an_event_that_no_input_explains_is_caught() {
        let mut lifecycles = lifecycles_after(&[connected()]);
        let previous = Some(SessionState::TransportConnected);
        let leap = event(Kind::LoginSucceeded, previous, SessionState::LoggedIn, Cause::Accepted);
        assert!(lifecycles.observe(&leap).is_err());
    }

    #[test]
    fn an_event_that_contradicts_the_one_before_is_caught() {
        let mut lifecycles = lifecycles_after(&[connected(), login_started()]);
        assert!(lifecycles.observe(&login_started()).is_err());
    }

    #[test]
    fn resting_in_a_state_that_is_only_passed_through_is_caught() {
        let mut lifecycles = lifecycles_after(&[connected(), login_started(), timed_out()]);
        assert!(lifecycles.check_at_rest().is_err());
        let wrong_end = disconnected(SessionState::TimedOut, DisconnectReason::Removed);
        assert!(lifecycles.observe(&wrong_end).is_err());
    }

    #[test]
    fn whatever_follows_the_end_is_caught() {
        let end = disconnected(SessionState::TransportConnected, DisconnectReason::Removed);
        let mut lifecycles = lifecycles_after(&[connected(), end]);
        assert!(lifecycles.observe(&end).is_err(), "a second end");
        assert!(lifecycles.observe(&connected()).is_err(), "a second beginning");
        assert!(lifecycles.observe_other(ID).is_err(), "a message");
    }

    #[test]
    fn a_slot_given_away_while_it_is_taken_is_caught() {
        let mut lifecycles = lifecycles_after(&[connected()]);
        let intruder = SessionId { generation: 2, ..ID };
        assert!(lifecycles.observe(&LifecycleEvent { session: intruder, ..connected() }).is_err());
    }
}
