//! The laws about `poll_timeout`: it is pure, output is due at once, a deadline that fired does not stay, and no clock goes back.

use rejoin::{Deadline, Timestamp};

use super::{Violation, ensure};

/// Two calls of `poll_timeout` with nothing in between give the same answer.
pub fn check_pure(first: Option<Deadline>, second: Option<Deadline>) -> Result<(), Violation> {
    ensure(first == second, || format!("poll_timeout said {first:?}, and right after {second:?}"))
}

/// The clock went back, which is ignored: `poll_timeout` gives the same answer before and after.
pub fn check_ignored(before: Option<Deadline>, after: Option<Deadline>) -> Result<(), Violation> {
    ensure(before == after, || format!("a clock that went back turned {before:?} into {after:?}"))
}

/// Output was polled at `now`; so `asked`, the answer of `poll_timeout` before that, was not in the future.
pub fn check_due(now: Timestamp, asked: Option<Deadline>) -> Result<(), Violation> {
    let is_due = asked.is_some_and(|deadline| deadline.at <= now);
    ensure(is_due, || format!("there was output at {now}, but poll_timeout had said {asked:?}"))
}

/// The deadline `fired`, and all output was polled; then it does not stay, unless there was output.
///
/// An earlier one may come to light: after a stall a host first reads what waited, and then what is overdue fires. Whoever drives counts the
/// firings of one moment, so that a circle of deadlines is found as well.
pub fn check_progress(fired: Deadline, next: Option<Deadline>, produced: bool) -> Result<(), Violation> {
    let moved_on = next != Some(fired);
    ensure(moved_on || produced, || format!("{fired:?} fired without output, and {next:?} is next"))
}

#[cfg(test)]
mod tests {
    use rejoin::DeadlineCause;

    use super::*;

    fn at(millis: u64) -> Deadline {
        Deadline { at: Timestamp::from_millis(millis), cause: DeadlineCause::Session }
    }

    #[test]
    fn an_answer_that_changes_by_itself_is_caught() {
        assert_eq!(check_pure(Some(at(5)), Some(at(5))), Ok(()));
        assert!(check_pure(Some(at(5)), Some(at(6))).is_err());
    }

    #[test]
    fn a_clock_that_goes_back_and_is_believed_is_caught() {
        assert_eq!(check_ignored(Some(at(5)), Some(at(5))), Ok(()));
        assert!(check_ignored(Some(at(5)), Some(at(1))).is_err());
        assert!(check_ignored(None, Some(at(5))).is_err());
    }

    #[test]
    fn output_that_nobody_was_told_to_fetch_is_caught() {
        let now = Timestamp::from_millis(5);
        assert_eq!(check_due(now, Some(at(5))), Ok(()));
        assert!(check_due(now, Some(at(6))).is_err());
        assert!(check_due(now, None).is_err());
    }

    #[test]
    fn a_deadline_that_fires_again_and_again_is_caught() {
        assert_eq!(check_progress(at(5), Some(at(6)), false), Ok(()));
        assert_eq!(check_progress(at(5), None, false), Ok(()));
        assert_eq!(check_progress(at(5), Some(at(5)), true), Ok(()));
        assert!(check_progress(at(5), Some(at(5)), false).is_err());
    }
}
