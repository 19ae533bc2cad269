//! What a swarm found out: the numbers, as a table and as JSON, and whether all is well.

use std::fmt;

use serde::Serialize;

/// The result of one run. The names of the fields are those of the JSON object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(crate) peers: u64,
    /// Peers whose handshake completed at least once.
    pub(crate) sessions_established: u64,
    pub(crate) logins_succeeded: u64,
    pub(crate) logins_failed: u64,
    /// Peers who had logged in and whose session ended before they left.
    pub(crate) sessions_ended_early: u64,
    /// Outages no longer than the reconnect window.
    pub(crate) outages: u64,
    /// Outages longer than that: nobody promised to survive them.
    pub(crate) outages_beyond_window: u64,
    /// Of `outages`, those after which the peer was heard and answered again.
    pub(crate) resumes_succeeded: u64,
    /// Of `outages`, the others.
    pub(crate) resumes_failed: u64,
    /// Of those that succeeded, in the session from before.
    pub(crate) same_session_after_resume: u64,
    pub(crate) moves_sent: u64,
    /// Moves up to the newest tick that each server state acknowledged, without those that an outage swallowed.
    pub(crate) moves_acknowledged: u64,
    /// Moves that came after the server had simulated their tick, as it says at the end; `None` if it says nothing.
    pub(crate) moves_late: Option<u64>,
    /// Moves that came to the server more than once, as redundant sending brings about; `None` if it says nothing.
    pub(crate) moves_duplicate: Option<u64>,
    pub(crate) states_received: u64,
    /// Chat texts that the peers sent.
    pub(crate) reliable_sent: u64,
    /// Chat lines that have to arrive: each text at each peer.
    pub(crate) reliable_expected: u64,
    /// Chat lines that arrived, each counted once.
    pub(crate) reliable_delivered: u64,
    pub(crate) reliable_lost: u64,
    pub(crate) reliable_duplicated: u64,
    pub(crate) reliable_out_of_order: u64,
    /// Latest-wins values, the players' statuses, that the peers set.
    pub(crate) latest_sent: u64,
    /// Of those, the ones that came to any peer; each peer counts.
    pub(crate) latest_delivered: u64,
    /// Those that came after a newer one, or again.
    pub(crate) latest_backwards: u64,
    /// Last ones that had not come when the run was over: of each player, at each peer.
    pub(crate) latest_missing: u64,
    /// Of the smoothed round trip that each session measures, noted twice a second: the p99 of single round trips is higher.
    pub(crate) rtt_ms_p50: Option<f64>,
    pub(crate) rtt_ms_p99: Option<f64>,
    /// From the end of an outage to the first answer after it.
    pub(crate) resume_ms_p50: Option<f64>,
    pub(crate) resume_ms_p99: Option<f64>,
    /// By how much the peers' estimates of the server's clock were wrong, noted twice a second. Told by the wall clock, so `None` where the
    /// server is not at a loopback address, and may have another.
    pub(crate) clock_error_ms_p99: Option<f64>,
    /// Requests for bulk of which every byte arrived.
    pub(crate) bulk_requests_completed: u64,
    /// Bulk that arrived as it should, all peers together.
    pub(crate) bulk_kib_delivered: u64,
    /// Bulk messages with bytes that had not to come next, and requests that were refused.
    pub(crate) bulk_wrong: u64,
    /// Peers to whom nothing more came of what they had asked for, though the run waited.
    pub(crate) bulk_stalled: u64,
    /// Bulk that arrived at all peers together, in KiB, per second from the first request to the last byte, outages included.
    pub(crate) goodput_kib_s: Option<f64>,
    /// Whether peers were to ask for bulk.
    #[serde(skip)]
    pub(crate) asks_for_bulk: bool,
    /// Somebody ended the run before all had the time to log in.
    #[serde(skip)]
    pub(crate) ended_while_connecting: bool,
    /// Somebody ended the run before it had lasted as long as was asked for.
    #[serde(skip)]
    pub(crate) ended_while_playing: bool,
}

impl Report {
    /// Everything that is not as it should be, a sentence each; empty if all is well.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = self.failed_sessions();
        failures.extend(self.idleness().map(str::to_owned));
        failures.extend(
            self.broken_promises()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}")),
        );
        failures
    }

    /// Peers who did not get in, or not in again.
    fn failed_sessions(&self) -> Vec<String> {
        let mut failures = Vec::new();
        if self.logins_succeeded != self.peers && !self.ended_while_connecting {
            failures.push(format!("{} of {} peers logged in", self.logins_succeeded, self.peers));
        }
        if self.same_session_after_resume != self.outages || self.resumes_failed > 0 {
            failures.push(format!(
                "{} of {} outages ended in the same session",
                self.same_session_after_resume, self.outages
            ));
        }
        failures
    }

    /// What was not done at all, so that nothing is proved. Who nobody let play long enough owes nothing.
    fn idleness(&self) -> impl Iterator<Item = &'static str> {
        let had_time = !self.ended_while_connecting && !self.ended_while_playing && self.logins_succeeded > 0;
        let idle = [
            (self.reliable_sent == 0, "no chat line was sent"),
            (self.latest_delivered == 0, "no status arrived"),
            (self.moves_acknowledged == 0, "no move was acknowledged"),
            (self.asks_for_bulk && self.bulk_kib_delivered == 0, "no bulk arrived"),
        ];
        idle.into_iter().filter(move |(is_idle, _)| had_time && *is_idle).map(|(_, what)| what)
    }

    /// What must never happen: how often it did.
    fn broken_promises(&self) -> impl Iterator<Item = (u64, &'static str)> {
        [
            (self.sessions_ended_early, "sessions ended before their players left"),
            (self.reliable_lost, "chat lines were lost"),
            (self.reliable_duplicated, "chat lines arrived twice"),
            (self.reliable_out_of_order, "chat lines arrived out of order"),
            (self.latest_backwards, "statuses came after newer ones or twice"),
            (self.latest_missing, "last statuses did not arrive"),
            (self.bulk_wrong, "bulk messages were wrong"),
            (self.bulk_stalled, "peers waited for bulk in vain"),
        ]
        .into_iter()
    }

    /// The report as one JSON object in one line.
    pub(crate) fn to_json(&self) -> String {
        // A struct of numbers has nothing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for Report {
    /// A table of the figures, one subject a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} ms"));
        writeln!(
            f,
            "logins       {} of {} peers, sessions that ended early {}",
            self.logins_succeeded, self.peers, self.sessions_ended_early
        )?;
        writeln!(
            f,
            "outages      {}, ended in the same session {}, failed {}",
            self.outages, self.same_session_after_resume, self.resumes_failed
        )?;
        writeln!(f, "way back     p50 {}, p99 {}", ms(self.resume_ms_p50), ms(self.resume_ms_p99))?;
        writeln!(
            f,
            "chat lines   {} sent, {} of {} delivered, lost {}, twice {}, out of order {}",
            self.reliable_sent,
            self.reliable_delivered,
            self.reliable_expected,
            self.reliable_lost,
            self.reliable_duplicated,
            self.reliable_out_of_order
        )?;
        writeln!(
            f,
            "statuses     {} set, {} delivered, backwards {}, last ones missing {}",
            self.latest_sent, self.latest_delivered, self.latest_backwards, self.latest_missing
        )?;
        if self.asks_for_bulk {
            writeln!(
                f,
                "bulk         {} requests met, {} KiB, wrong {}, stalled {}, {:.0} KiB/s to all together",
                self.bulk_requests_completed,
                self.bulk_kib_delivered,
                self.bulk_wrong,
                self.bulk_stalled,
                self.goodput_kib_s.unwrap_or(0.0)
            )?;
        }
        let count = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        writeln!(
            f,
            "moves        {} sent, {} acknowledged, late {}, repeated {}",
            self.moves_sent,
            self.moves_acknowledged,
            count(self.moves_late),
            count(self.moves_duplicate)
        )?;
        writeln!(f, "states       {} received", self.states_received)?;
        writeln!(f, "round trip   smoothed p50 {}, p99 {}", ms(self.rtt_ms_p50), ms(self.rtt_ms_p99))?;
        writeln!(f, "clock        wrong by at most {} in 99 of 100 cases", ms(self.clock_error_ms_p99))
    }
}

/// Durations, kept to find their percentiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    micros: Vec<u64>,
}

impl Samples {
    pub(crate) fn add(&mut self, micros: u64) {
        self.micros.push(micros);
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.micros.append(&mut other.micros);
    }

    /// The smallest sample that at least `percent` of 100 samples do not exceed, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "a duration that is shown in milliseconds")]
    pub(crate) fn percentile_ms(&mut self, percent: usize) -> Option<f64> {
        self.micros.sort_unstable();
        let rank = (self.micros.len() * percent).div_ceil(100).max(1);
        self.micros.get(rank - 1).map(|&micros| micros as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        Report {
            peers: 3,
            logins_succeeded: 3,
            outages: 4,
            resumes_succeeded: 4,
            same_session_after_resume: 4,
            moves_sent: 90,
            moves_acknowledged: 80,
            reliable_sent: 5,
            reliable_expected: 15,
            reliable_delivered: 15,
            latest_sent: 6,
            latest_delivered: 9,
            ..Report::default()
        }
    }

    #[test]
    fn a_run_in_which_all_went_well_has_no_failures() {
        assert_eq!(good().failures(), Vec::<String>::new());
    }

    #[test]
    fn a_run_that_was_ended_early_owes_nobody_a_login() {
        let mut report = Report { peers: 9, ended_while_connecting: true, ..good() };
        assert_eq!(report.failures(), Vec::<String>::new());
        report.reliable_lost = 1;
        assert_eq!(report.failures().len(), 1);
    }

    #[test]
    fn a_run_that_was_ended_early_may_have_done_nothing_but_no_session_may_have_ended() {
        let mut report =
            Report { reliable_sent: 0, moves_acknowledged: 0, ended_while_playing: true, ..good() };
        assert_eq!(report.failures(), Vec::<String>::new());
        report.sessions_ended_early = 1;
        assert_eq!(report.failures().len(), 1);
    }

    #[test]
    fn each_broken_promise_is_a_failure_of_its_own() {
        let broken: [fn(&mut Report); 15] = [
            |report| report.logins_succeeded = 2,
            |report| report.sessions_ended_early = 1,
            |report| report.reliable_sent = 0,
            |report| report.moves_acknowledged = 0,
            |report| report.same_session_after_resume = 3,
            |report| report.resumes_failed = 1,
            |report| report.reliable_lost = 1,
            |report| report.reliable_duplicated = 1,
            |report| report.reliable_out_of_order = 1,
            |report| report.latest_delivered = 0,
            |report| report.latest_backwards = 1,
            |report| report.latest_missing = 1,
            |report| report.asks_for_bulk = true,
            |report| report.bulk_wrong = 1,
            |report| report.bulk_stalled = 1,
        ];
        for spoil in broken {
            let mut report = good();
            spoil(&mut report);
            assert_eq!(report.failures().len(), 1, "{report:?}");
        }
    }

    #[test]
    fn the_json_object_has_the_documented_fields() {
        let object: serde_json::Value = serde_json::from_str(&good().to_json()).unwrap();
        for field in "peers sessions_established logins_succeeded logins_failed sessions_ended_early outages outages_beyond_window resumes_succeeded \
            resumes_failed same_session_after_resume moves_sent moves_acknowledged states_received reliable_sent \
            reliable_expected reliable_delivered reliable_lost reliable_duplicated reliable_out_of_order rtt_ms_p50 rtt_ms_p99 \
            resume_ms_p50 resume_ms_p99 bulk_requests_completed bulk_kib_delivered bulk_wrong bulk_stalled goodput_kib_s \
            clock_error_ms_p99 moves_late moves_duplicate latest_sent latest_delivered latest_backwards latest_missing"
            .split_whitespace()
        {
            assert!(object.get(field).is_some(), "{field}");
        }
        assert_eq!(object["reliable_delivered"], 15);
        assert!(object["rtt_ms_p50"].is_null());
    }

    #[test]
    fn percentiles_are_samples_and_never_between_two() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile_ms(50), None);
        for micros in (1..=100).rev() {
            samples.add(micros * 1_000);
        }
        assert_eq!(samples.percentile_ms(50), Some(50.0));
        assert_eq!(samples.percentile_ms(99), Some(99.0));
        assert_eq!(samples.percentile_ms(100), Some(100.0));
        let mut one = Samples::default();
        one.add(1_500);
        samples.append(&mut one);
        assert_eq!(samples.percentile_ms(1), Some(1.5));
    }
}
