//! The laws of the ledger: whatever is refused has one cause and one counter, and everything adds up.

use rejoin::client::ClientCounters;
use rejoin::ledger::{Incident, Refusal, SessionRecord, Violation as Breach};
use rejoin::lifecycle::SessionState;
use rejoin::{Counters, DropReason, MultiSessionManager, Timestamp};

use super::{Violation, ensure};

/// Every datagram, move and send has one fate, and so has all else that is finished with a call.
pub fn check_counters(counters: &Counters) -> Result<(), Violation> {
    let Counters { datagrams_received, accepted, answered, .. } = *counters;
    same("datagrams", datagrams_received, accepted + answered + counters.dropped_total())?;
    let breaches = Breach::ALL.into_iter().map(|breach| counters.violations(breach)).sum();
    same("violations", counters.dropped(DropReason::Violation), breaches)?;
    same("moves", counters.moves_received, counters.moves_accepted + counters.moves_refused())?;
    same("sends", counters.sends_requested, counters.sends_queued + counters.sends_refused())?;
    ensure(counters.denied_total() <= answered, || "more was denied than answered".to_owned())
}

/// The same of a client.
pub fn check_client_counters(counters: &ClientCounters) -> Result<(), Violation> {
    let ClientCounters { datagrams_received, accepted, .. } = *counters;
    same("datagrams of a client", datagrams_received, accepted + counters.dropped_total())?;
    let breaches = Breach::ALL.into_iter().map(|breach| counters.violations(breach)).sum();
    let sends = counters.sends_queued + counters.sends_refused_total();
    same("sends of a client", counters.sends_requested, sends)?;
    same("violations of a server", counters.dropped(rejoin::client::DropReason::Violation), breaches)
}

/// As [`check_counters`], with what waits in the sessions; and what sessions were refused is among what the server refused.
pub fn check_ledger(server: &MultiSessionManager) -> Result<(), Violation> {
    let counters = server.counters();
    check_counters(counters)?;
    let pending = server.sessions().filter(|view| view.state() == SessionState::LoginPending).count() as u64;
    let answered = counters.logins_accepted + counters.logins_refused();
    same("logins", counters.login_requests, answered + pending)?;
    let ended = counters.attempts_confirmed + counters.attempts_ended();
    let under_way = counters.attempts_begun.checked_sub(ended);
    ensure(under_way.is_some_and(|attempts| attempts <= server.len() as u64), || {
        format!("{} attempts began and {ended} ended", counters.attempts_begun)
    })?;
    Refusal::all().try_for_each(|refusal| {
        let of_sessions: u64 = server.sessions().map(|view| view.record().refused(refusal)).sum();
        let of_server = counters.refused(refusal);
        ensure(of_sessions <= of_server, || {
            format!("{refusal}: {of_sessions} times by session, {of_server} times in all")
        })
    })
}

/// A history is in order and no longer than it may be; of the transitions in it the last is `newest`.
pub fn check_history(
    record: &SessionRecord<'_>,
    entries_max: u8,
    now: Timestamp,
    newest: Incident,
) -> Result<(), Violation> {
    let entries: Vec<_> = record.history().collect();
    ensure(entries.len() <= entries_max.into(), || format!("a history of {} entries", entries.len()))?;
    let in_order = entries.is_sorted_by_key(|entry| entry.at);
    ensure(in_order && entries.iter().all(|entry| entry.at <= now && entry.times > 0), || {
        format!("a history out of order: {entries:?}")
    })?;
    let is_transition = |incident: &Incident| matches!(incident, Incident::Transition { .. });
    let last = entries.iter().map(|entry| entry.incident).rfind(is_transition);
    ensure(last.is_none_or(|last| last == newest), || format!("{newest:?} was told, noted was {last:?}"))
}

fn same(what: &str, all: u64, parts: u64) -> Result<(), Violation> {
    ensure(all == parts, || format!("{all} {what}, of which {parts} have a fate"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, config};

    #[test]
    fn a_server_that_counts_everything_once_is_fine() {
        let mut world = World::new(config(), 1);
        let player = world.add_logged_in(1);
        world.players[player].session.send(0, b"a message").expect("room");
        world.run_for_ms(500);

        assert_eq!(check_ledger(&world.server), Ok(()));
        assert_eq!(check_client_counters(world.players[player].session.counters()), Ok(()));
    }

    #[test]
    fn a_fate_too_few_or_too_many_is_caught() {
        let mut world = World::new(config(), 1);
        world.add_logged_in(1);
        let mistakes: [fn(&mut Counters) -> &mut u64; 4] = [
            |counters| &mut counters.datagrams_received,
            |counters| &mut counters.accepted,
            |counters| &mut counters.moves_accepted,
            |counters| &mut counters.sends_requested,
        ];

        for mistake in mistakes {
            let mut counters = world.server.counters().clone();
            *mistake(&mut counters) += 1;
            assert!(check_counters(&counters).is_err(), "{counters:?}");
        }
    }

    #[test]
    fn a_history_that_ends_otherwise_than_was_told_is_caught() {
        let mut terms = config();
        terms.session_history_max = 8;
        let mut world = World::new(terms, 1);
        let player = world.add_logged_in(1);
        let id = world.session_id(player);
        let record = world.server.record(id).expect("a record");
        let told: Vec<_> = world.lifecycle_of(id).collect();
        let transition = |place: usize| {
            let event = told[place];
            Incident::Transition { kind: event.kind, to: event.current, cause: event.cause }
        };
        let now = world.now;

        assert_eq!(check_history(&record, 8, now, transition(told.len() - 1)), Ok(()));
        assert!(check_history(&record, 8, now, transition(0)).is_err());
        assert!(check_history(&record, 2, now, transition(told.len() - 1)).is_err());
        assert!(check_history(&record, 8, Timestamp::ZERO, transition(told.len() - 1)).is_err());
    }
}
