//! The command `swarm`: many clients with bad networks, and what they found out.

mod bulk;
mod chat;
mod fleet;
mod inquiry;
mod outage;
mod peer;
mod pilot;
mod status;
mod summary;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use rejoin_mio::{Signals, development_key};

pub(crate) use self::fleet::{OutagePlan, Plan, Progress, run as fly};
use crate::cli;
use crate::conditioner::LinkConditions;
use crate::failure::Failure;
use crate::output;
use crate::report::Report;

/// The networks are as bad in each run of the same options, so that a run can be looked at again.
pub(crate) const SEED: u64 = 0x005e_ed0f_5a11;

/// How often the progress is told where it is not redrawn in place.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Runs `rejoin swarm`.
pub(crate) fn run(options: &cli::Swarm) -> Result<(), Failure> {
    let mut signals = Signals::watch()
        .map_err(|error| Failure::unsuccessful(format!("the system gives no signals: {error}")))?;
    let mut line = ProgressLine::new(Duration::from_secs_f64(options.seconds));
    let plan = plan(options)?;
    let report = fly(&plan, &mut |progress| {
        line.show(progress);
        !signals.take()
    })?;
    line.clear();
    let text = if options.json { format!("{}\n", report.to_json()) } else { report.to_string() };
    output::answer(&text);
    if report.sessions_established == 0 && !report.ended_while_connecting {
        return Err(Failure::bad_input(format!(
            "nobody was let in at {}: a server on the development key must run there, as `rejoin serve` does",
            plan.server
        )));
    }
    verdict(&report)
}

/// What the report means for the exit code.
pub(crate) fn verdict(report: &Report) -> Result<(), Failure> {
    let failures = report.failures();
    if failures.is_empty() { Ok(()) } else { Err(Failure::unsuccessful(failures.join("; "))) }
}

fn plan(options: &cli::Swarm) -> Result<Plan, Failure> {
    let outages = options.outage_every_s.zip(options.outage_for_s).map(|(every_s, for_s)| OutagePlan {
        every: Duration::from_secs_f64(every_s),
        lasting: Duration::from_secs_f64(for_s),
        moves_address: options.move_address,
    });
    Ok(Plan {
        tag: format!("{:04x}", u16::from_le_bytes(fleet::draw()?)),
        server: options.server,
        protocol_id: cli::PROTOCOL_ID,
        private_key: development_key(),
        peers: options.peers,
        playing: Duration::from_secs_f64(options.seconds),
        move_hz: options.hz,
        bulk_bytes: u64::from(options.bulk_kib) * 1_024,
        conditions: LinkConditions {
            loss: options.loss,
            duplicate: options.duplicate,
            delay_ms: options.delay_ms,
            jitter_ms: options.jitter_ms,
        },
        outages,
        seed: SEED,
    })
}

/// One line on stderr that says how far the run is: redrawn in place on a terminal, once a second elsewhere.
struct ProgressLine {
    playing: Duration,
    is_terminal: bool,
    next_at: Duration,
}

impl ProgressLine {
    fn new(playing: Duration) -> Self {
        Self { playing, is_terminal: io::stderr().is_terminal(), next_at: Duration::ZERO }
    }

    fn show(&mut self, progress: &Progress) {
        if !self.is_terminal {
            if progress.elapsed < self.next_at {
                return;
            }
            self.next_at = progress.elapsed + LINE_EVERY;
        }
        let text = format!(
            "{:.0} s (to play {:.0} s): {} of {} logged in, {} away, {} of {} ways back, {} chat lines",
            progress.elapsed.as_secs_f64(),
            self.playing.as_secs_f64(),
            progress.logged_in,
            progress.peers,
            progress.away,
            progress.resumes,
            progress.outages,
            progress.delivered
        );
        let line = if self.is_terminal { format!("\r\x1b[K{text}") } else { format!("{text}\n") };
        output::remark(&line);
    }

    fn clear(&self) {
        if self.is_terminal {
            output::remark("\r\x1b[K");
        }
    }
}
