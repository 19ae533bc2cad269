//! How far ahead of the server's clock move inputs should be numbered, as the server's reports say (P47).

use alloc::collections::VecDeque;

use crate::link::frame::MoveArrival;

/// So many of the newest reports count.
const REPORTS_MAX: usize = 16;
/// With so many reports the one that asks for most is left out: it may be one hiccup of the network.
const REPORTS_TO_DOUBT: usize = 3;
/// Inputs that no report has passed yet; enough for half a second at the highest tick rate and a slow path.
const SENT_MAX: usize = 1_024;

/// What it takes to be in time, learnt from the inputs that the server says were the latest.
///
/// It makes no difference by how much those inputs were ahead: only the time between the sending and the arrival counts,
/// told by the server's clock at both ends. So it settles at once, whatever the application sends meanwhile.
#[derive(Debug, Default)]
pub(super) struct MoveLead {
    /// Inputs that may be reported, oldest first.
    sent: VecDeque<SentMove>,
    /// The lead that each report asks for, in ticks, the newest first.
    needs: [Option<u32>; REPORTS_MAX],
}

#[derive(Clone, Copy, Debug)]
struct SentMove {
    tick: u64,
    /// The server's tick when it was sent, by the client's estimate.
    server_tick: u64,
}

impl MoveLead {
    /// Notes an input for `tick`, above all before it, that is sent while the server is thought to be at `server_tick`.
    pub(super) fn on_move_sent(&mut self, tick: u64, server_tick: u64) {
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(SentMove { tick, server_tick });
    }

    /// Takes the report of an arrival; one of an input that was not sent, or that an earlier report passed, tells nothing.
    pub(super) fn handle_arrival(&mut self, arrival: MoveArrival, tick_rate_hz: u64) {
        let Ok(place) = self.sent.binary_search_by_key(&arrival.tick, |sent| sent.tick) else { return };
        let Some(sent) = self.sent.drain(..=place).next_back() else { return };
        let ticks = i128::from(arrival.server_tick) - i128::from(sent.server_tick) + 1;
        let need = ticks.clamp(0, tick_rate_hz.into());
        self.needs.rotate_right(1);
        self.needs[0] = Some(u32::try_from(need).unwrap_or(u32::MAX));
    }

    /// The lead to send with, in ticks; `None` before the first report.
    pub(super) fn recommended_ticks(&self) -> Option<u32> {
        let mut needs = self.needs;
        needs.sort_unstable_by(|one, other| other.cmp(one));
        let reports = needs.iter().flatten().count();
        needs[usize::from(reports >= REPORTS_TO_DOUBT)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_RATE_HZ: u64 = 60;

    /// Sends the input of `tick` while the server is thought to be at `tick - 4`, and has it arrive `took` ticks later.
    fn report(lead: &mut MoveLead, tick: u64, took: u64) {
        lead.on_move_sent(tick, tick - 4);
        lead.handle_arrival(MoveArrival { tick, server_tick: tick - 4 + took }, TICK_RATE_HZ);
    }

    fn reported(took: &[u64]) -> MoveLead {
        let mut lead = MoveLead::default();
        for (tick, took) in (100..).zip(took) {
            report(&mut lead, tick, *took);
        }
        lead
    }

    #[test]
    fn p47_an_input_is_to_arrive_one_tick_early() {
        assert_eq!(MoveLead::default().recommended_ticks(), None);
        assert_eq!(reported(&[0]).recommended_ticks(), Some(1));
        assert_eq!(reported(&[5]).recommended_ticks(), Some(6));
        assert_eq!(reported(&[5, 3]).recommended_ticks(), Some(6));
    }

    #[test]
    fn p47_one_report_changes_nothing_and_two_raise_the_lead_until_sixteen_others_have_come() {
        let mut lead = reported(&[3; 16]);
        report(&mut lead, 200, 20);
        assert_eq!(lead.recommended_ticks(), Some(4));
        report(&mut lead, 201, 18);
        assert_eq!(lead.recommended_ticks(), Some(19));
        for tick in 202..216 {
            report(&mut lead, tick, 3);
            assert_eq!(lead.recommended_ticks(), Some(19));
        }
        report(&mut lead, 216, 3);
        assert_eq!(lead.recommended_ticks(), Some(4));
    }

    #[test]
    fn p47_the_lead_is_between_nothing_and_a_second() {
        assert_eq!(reported(&[4_000]).recommended_ticks(), Some(60));
        let mut lead = MoveLead::default();
        lead.on_move_sent(u64::MAX, u64::MAX);
        lead.handle_arrival(MoveArrival { tick: u64::MAX, server_tick: 0 }, u64::MAX);
        assert_eq!(lead.recommended_ticks(), Some(0));
        lead.on_move_sent(u64::MAX, 0);
        lead.handle_arrival(MoveArrival { tick: u64::MAX, server_tick: u64::MAX }, u64::MAX);
        assert_eq!(lead.recommended_ticks(), Some(u32::MAX));
    }

    #[test]
    fn p47_reports_of_inputs_that_were_not_sent_or_were_passed_tell_nothing() {
        let mut lead = MoveLead::default();
        for tick in [10, 11, 13] {
            lead.on_move_sent(tick, 7);
        }
        for tick in [9, 12, 14, u64::MAX] {
            lead.handle_arrival(MoveArrival { tick, server_tick: 50 }, TICK_RATE_HZ);
        }
        assert_eq!(lead.recommended_ticks(), None);
        lead.handle_arrival(MoveArrival { tick: 11, server_tick: 9 }, TICK_RATE_HZ);
        lead.handle_arrival(MoveArrival { tick: 10, server_tick: 50 }, TICK_RATE_HZ);
        assert_eq!(lead.recommended_ticks(), Some(3));
    }

    #[test]
    fn a_server_that_reports_nothing_costs_no_more_memory_than_1024_inputs() {
        let mut lead = MoveLead::default();
        for tick in 0..5_000 {
            lead.on_move_sent(tick, tick);
        }
        assert_eq!(lead.sent.len(), SENT_MAX);
    }
}
