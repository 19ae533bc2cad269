//! What is said of a server that takes its leave: who is left, and for how long.

use rejoin::{DrainState, Timestamp};
use rejoin_mio::ServerNetworkHost;

use crate::output;

/// What was said of it so far.
#[derive(Debug, Default)]
pub(crate) struct Leave {
    /// How many were left then.
    told_left: Option<usize>,
}

impl Leave {
    /// Says how many are left, if that is news.
    pub(crate) fn watch(&mut self, host: &ServerNetworkHost) {
        let DrainState::Draining { deadline, .. } = host.sessions().drain_state() else { return };
        let left = host.sessions().len();
        if self.told_left.replace(left) != Some(left) {
            output::remark(&line(left, deadline, host.now()));
        }
    }
}

fn line(left: usize, deadline: Option<Timestamp>, now: Timestamp) -> String {
    let players = if left == 1 { "player is" } else { "players are" };
    let remaining = deadline.map(|deadline| deadline.since(now).as_secs_f64().ceil());
    let remaining = remaining.map(|seconds| format!(" for {seconds} s at most")).unwrap_or_default();
    format!("rejoin: draining: {left} {players} left{remaining}; interrupt again to end at once\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_is_left_and_for_how_long() {
        let now = Timestamp::from_millis(1_000);
        let said = line(2, Some(Timestamp::from_millis(20_200)), now);
        assert_eq!(
            said,
            "rejoin: draining: 2 players are left for 20 s at most; interrupt again to end at once\n"
        );
        assert_eq!(
            line(1, None, now),
            "rejoin: draining: 1 player is left; interrupt again to end at once\n"
        );
    }
}
