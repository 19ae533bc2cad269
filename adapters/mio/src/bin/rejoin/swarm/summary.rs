//! From what each client found out to the report on all of them.

use rejoin::Timestamp;

use super::bulk::DownloadTally;
use super::peer::{Login, Part, Peer};
use crate::report::{Report, Samples};

/// The report on these clients at the end of a run, of `peers` that were to play.
pub(super) fn report(now: Timestamp, peers_planned: u32, peers: &mut [Peer]) -> Report {
    let spoken = spoken(peers);
    let mut report = Report { peers: peers_planned.into(), reliable_sent: spoken, ..Report::default() };
    let [mut rtt, mut resume, mut clock_error] = <[Samples; 3]>::default();
    let mut bulk = DownloadTally::default();
    let set: Vec<_> = peers.iter().map(|peer| peer.part().map_or(0, |part| part.herald.spoken())).collect();
    report.latest_sent = statuses_set(peers);
    for peer in peers {
        add_peer(&mut report, peer, spoken);
        report.latest_missing += peer.watcher.missing(&set);
        if let Some(part) = peer.part() {
            add_part(&mut report, now, part);
            bulk.add(part.download.tally());
        }
        rtt.append(&mut peer.tally.rtt);
        resume.append(&mut peer.tally.resume);
        clock_error.append(&mut peer.tally.clock_error);
    }
    report.logins_failed = report.peers - report.logins_succeeded;
    (report.rtt_ms_p50, report.rtt_ms_p99) = (rtt.percentile_ms(50), rtt.percentile_ms(99));
    (report.resume_ms_p50, report.resume_ms_p99) = (resume.percentile_ms(50), resume.percentile_ms(99));
    report.clock_error_ms_p99 = clock_error.percentile_ms(99);
    report.bulk_requests_completed = bulk.completed;
    report.bulk_kib_delivered = bulk.bytes / 1_024;
    report.bulk_wrong = bulk.wrong;
    report.goodput_kib_s = bulk.kib_per_s();
    report
}

/// Texts that the clients' lanes took, all together.
pub(super) fn spoken(peers: &[Peer]) -> u64 {
    peers.iter().filter_map(Peer::part).map(|part| u64::from(part.speaker.spoken())).sum()
}

/// Statuses that the clients' sessions took, all together.
pub(super) fn statuses_set(peers: &[Peer]) -> u64 {
    peers.iter().filter_map(Peer::part).map(|part| u64::from(part.herald.spoken())).sum()
}

fn add_peer(report: &mut Report, peer: &Peer, spoken: u64) {
    let (tally, listener) = (&peer.tally, &peer.listener);
    report.sessions_established += u64::from(tally.is_established);
    report.logins_succeeded += u64::from(tally.login == Login::Accepted);
    report.sessions_ended_early += u64::from(tally.has_ended_early);
    report.outages += tally.outages;
    report.outages_beyond_window += tally.outages_beyond_window;
    report.resumes_succeeded += tally.resumes;
    report.resumes_failed += tally.outages.saturating_sub(tally.resumes);
    report.same_session_after_resume += tally.same_session;
    report.states_received += tally.states;
    report.reliable_expected += spoken;
    report.reliable_delivered += listener.delivered;
    report.reliable_lost += spoken.saturating_sub(listener.delivered);
    report.reliable_duplicated += listener.duplicated;
    report.reliable_out_of_order += listener.out_of_order;
    report.latest_delivered += peer.watcher.delivered;
    report.latest_backwards += peer.watcher.backwards;
}

fn add_part(report: &mut Report, now: Timestamp, part: &Part) {
    report.moves_sent += part.pilot.sent;
    report.moves_acknowledged += part.pilot.acknowledged;
    report.bulk_stalled += u64::from(part.download.is_stalled(now));
    if let Some(figures) = part.inquiry.newest() {
        *report.moves_late.get_or_insert(0) += figures.moves_late;
        *report.moves_duplicate.get_or_insert(0) += figures.moves_duplicate;
    }
}
