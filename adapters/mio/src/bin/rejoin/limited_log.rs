//! The program's log, in which no line of its code can be repeated without end, whatever peers do.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use log::{Log, Metadata, Record};
use rejoin::LogBudget;
use rejoin_mio::Clock;

/// Of each line of code: so many times at once, and then one in each interval.
const LINES: LogBudget = LogBudget::new(100, 1_000);

/// A place in the code that writes to the log.
type Place = (Option<&'static str>, Option<u32>);

/// Another log, with a budget before it for each place that writes; there are as many as the code has.
pub(crate) struct LimitedLog<L> {
    inner: L,
    clock: Clock,
    budgets: Mutex<HashMap<Place, LogBudget>>,
}

impl<L: Log> LimitedLog<L> {
    pub(crate) fn new(inner: L) -> Self {
        Self { inner, clock: Clock::start(), budgets: Mutex::default() }
    }
}

impl<L: Log> Log for LimitedLog<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.inner.enabled(record.metadata()) {
            return;
        }
        let place = (record.file_static(), record.line());
        // A budget is whole between any two statements, whoever panicked.
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = budgets.entry(place).or_insert(LINES).take(self.clock.now());
        drop(budgets);
        let Some(left_out) = left_out else { return };
        let text = record.args();
        self.inner.log(
            &Record::builder()
                .metadata(record.metadata().clone())
                .module_path_static(record.module_path_static())
                .file_static(record.file_static())
                .line(record.line())
                .args(format_args!("{text}{left_out}"))
                .build(),
        );
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Sheet(Mutex<Vec<String>>);

    impl Log for &Sheet {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.level() <= log::Level::Info
        }

        fn log(&self, record: &Record<'_>) {
            self.0.lock().unwrap().push(record.args().to_string());
        }

        fn flush(&self) {}
    }

    fn write(log: &LimitedLog<&Sheet>, line: u32, level: log::Level) {
        let mut record = Record::builder();
        record.level(level).file_static(Some("a.rs")).line(Some(line));
        log.log(&record.args(format_args!("line {line}")).build());
    }

    #[test]
    fn each_place_has_a_burst_of_its_own_and_no_more_at_once() {
        let sheet = Sheet::default();
        let log = LimitedLog::new(&sheet);

        for _ in 0..1_000 {
            write(&log, 1, log::Level::Info);
            write(&log, 2, log::Level::Debug);
        }
        write(&log, 3, log::Level::Info);

        let lines = sheet.0.lock().unwrap();
        let last = lines.len() - 1;
        assert_eq!((&lines[0][..], &lines[last][..]), ("line 1", "line 3"));
        // However slow the machine is, a thousand calls take no minute.
        assert!((100..160).contains(&last), "{last}");
    }
}
