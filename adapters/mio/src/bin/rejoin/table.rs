//! A table of live sessions that is redrawn in place on a terminal, and told in single lines elsewhere.

use std::fmt::Write as _;
use std::io::Write;

use rejoin::SessionState;

use crate::terminal::{Size, clip};

/// Sessions in one column of the table at most.
const ROWS_MAX: usize = 16;

/// Lines that are not sessions: the head, the census, the titles, what is not shown, and the one the cursor waits in.
const OTHER_LINES: usize = 5;

/// Characters of one session, and of the two columns that a terminal of the usual width has.
const CELL_CHARS: usize = 39;
const TWO_COLUMNS_CHARS: usize = 2 * CELL_CHARS + 1;

/// One session as the table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) state: SessionState,
    /// The port the player is reached at; it changes when the player comes back from elsewhere.
    pub(crate) port: u16,
    pub(crate) rtt_ms: Option<u64>,
    /// How often the player has come back.
    pub(crate) returns: u32,
}

/// How many sessions are in each state, in the order of a session's life; states without any are left out.
pub(crate) fn census(rows: &[Row]) -> String {
    let mut text = format!("{} sessions", rows.len());
    for state in SessionState::ALL {
        let count = rows.iter().filter(|row| row.state == state).count();
        if count > 0 {
            // Writing to a string does not fail.
            let _ = write!(text, "  {state} {count}");
        }
    }
    text
}

/// The table: a head line, the census, titles, then the sessions in two columns, or one where the terminal is narrow. No line is longer than
/// the terminal is wide, and of the sessions there are as many as fit.
pub(crate) fn render(head: &str, rows: &[Row], size: Size, colours: bool) -> String {
    let columns = if size.columns >= TWO_COLUMNS_CHARS { 2 } else { 1 };
    let height_max = size.lines.saturating_sub(OTHER_LINES).min(ROWS_MAX);
    let shown = &rows[..rows.len().min(height_max * columns)];
    let height = shown.len().div_ceil(columns);
    let mut lines = vec![head.to_owned(), census(rows), vec![titles(); columns].join(" ")];
    for line in 0..height {
        let cells: Vec<_> =
            shown.iter().skip(line).step_by(height.max(1)).map(|row| cell(row, colours)).collect();
        lines.push(cells.join(" "));
    }
    if rows.len() > shown.len() {
        lines.push(format!("and {} more", rows.len() - shown.len()));
    }
    // The cursor waits in the last line of the terminal.
    lines.truncate(size.lines.saturating_sub(1));
    lines.iter().fold(String::new(), |text, line| text + clip(line, size.columns).trim_end() + "\n")
}

/// What the parts of a cell are.
fn titles() -> String {
    format!("{:6} {:18} {:5} {:3}{:>4}", "player", "state", "port", "ms", "back")
}

/// One session: name, state, port, round-trip time in milliseconds, and how often the player has come back.
fn cell(row: &Row, colours: bool) -> String {
    let (begin, end) = if colours { (colour(row.state), "\x1b[0m") } else { ("", "") };
    let rtt = row.rtt_ms.map_or(String::new(), |rtt_ms| match rtt_ms {
        0..=999 => rtt_ms.to_string(),
        _ => ">1s".to_owned(),
    });
    let returns = if row.returns > 0 { row.returns.min(999).to_string() } else { String::new() };
    let state = row.state.to_string();
    format!("{:6} {begin}{state:18}{end} {:<5} {rtt:3}{returns:>4}", short(&row.name), row.port)
}

/// A name in at most 6 characters, and without any that could steer a terminal.
fn short(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(6).collect()
}

fn colour(state: SessionState) -> &'static str {
    match state {
        SessionState::LoggedIn => "\x1b[32m",
        SessionState::ReconnectPending => "\x1b[31m",
        SessionState::Reconnecting => "\x1b[33m",
        _ => "\x1b[36m",
    }
}

/// Where the table is drawn.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Lines on the terminal that the next drawing replaces.
    lines: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { lines: 0 }
    }

    /// Replaces the table on a terminal of this size; where there is none, says the head and the census in one line.
    ///
    /// A reader that went away is no error: the run goes on.
    pub(crate) fn draw(&mut self, head: &str, rows: &[Row], terminal: Option<Size>, out: &mut impl Write) {
        let text = match terminal {
            Some(size) => self.redraw(&render(head, rows, size, true), size),
            None => format!("{head}  {}\n", census(rows)),
        };
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn redraw(&mut self, table: &str, size: Size) -> String {
        // What scrolled out of a terminal that has become smaller cannot be reached.
        let lines = self.lines.min(size.lines.saturating_sub(1));
        let back = if lines > 0 { format!("\x1b[{lines}F") } else { String::new() };
        self.lines = table.lines().count();
        // Each line is cleared to its end, and what is left of a taller table below the last.
        format!("{back}{}\x1b[J", table.replace('\n', "\x1b[K\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Size = Size { columns: 80, lines: 24 };

    fn rows(count: usize) -> Vec<Row> {
        let row = |index: usize| Row {
            name: format!("p-{index:03}"),
            state: [SessionState::LoggedIn, SessionState::ReconnectPending][index % 2],
            port: 50_000,
            rtt_ms: Some(21),
            returns: 1,
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn the_census_counts_the_states_that_occur() {
        assert_eq!(census(&rows(5)), "5 sessions  LoggedIn 3  ReconnectPending 2");
        assert_eq!(census(&[]), "0 sessions");
    }

    #[test]
    fn whatever_the_sessions_are_the_table_fits_the_terminal() {
        let mut wide = rows(500);
        for row in &mut wide {
            row.name = "ÄÖÜ".repeat(20);
            row.state = SessionState::TransportConnected;
            row.rtt_ms = Some(1_000_000);
            row.returns = 1_000_000;
        }
        for (columns, lines) in [(80, 24), (79, 50), (60, 24), (20, 10), (1, 2), (200, 1), (0, 0)] {
            let text = render(&"12.0 s of 20".repeat(9), &wide, Size { columns, lines }, false);
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{line}");
            }
            assert!(text.lines().count() <= lines.saturating_sub(1), "{columns} {lines}");
        }
        assert!(render("head", &wide, USUAL, false).contains("and 468 more"));
        assert!(render("head", &wide, Size { columns: 40, lines: 10 }, false).contains("and 495 more"));
    }

    #[test]
    fn no_part_of_a_session_is_cut_on_a_terminal_of_the_usual_width() {
        let mut longest = rows(2);
        for row in &mut longest {
            row.state = SessionState::TransportConnected;
            row.returns = 999;
        }
        let text = render("head", &longest, Size { columns: TWO_COLUMNS_CHARS, ..USUAL }, false);
        assert_eq!(
            text.lines().nth(3),
            Some("p-000  TransportConnected 50000 21  999 p-001  TransportConnected 50000 21  999")
        );
    }

    #[test]
    fn sessions_stand_in_columns_from_top_to_bottom() {
        let text = render("head", &rows(5), USUAL, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[2..4],
            [
                "player state              port  ms back player state              port  ms back",
                "p-000  LoggedIn           50000 21    1 p-003  ReconnectPending   50000 21    1"
            ]
        );
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let mut hostile = rows(1);
        hostile[0].name = "\x1b[2J\nx".to_owned();
        assert!(render("head", &hostile, USUAL, false).contains("?[2J?x"));
    }

    #[test]
    fn a_terminal_is_redrawn_in_place() {
        let mut screen = Screen::new();
        let mut out = Vec::new();
        screen.draw("one", &rows(2), Some(USUAL), &mut out);
        let first = String::from_utf8(std::mem::take(&mut out)).unwrap();
        assert!(first.starts_with("one\x1b[K\n"), "{first:?}");
        screen.draw("two", &rows(2), Some(USUAL), &mut out);
        let second = String::from_utf8(out).unwrap();
        assert!(second.starts_with("\x1b[4Ftwo\x1b[K\n") && second.ends_with("\x1b[J"), "{second:?}");
    }

    #[test]
    fn a_terminal_that_has_become_smaller_is_redrawn_from_its_first_line() {
        let mut screen = Screen::new();
        screen.draw("one", &rows(32), Some(USUAL), &mut Vec::new());
        let mut out = Vec::new();
        screen.draw("two", &rows(32), Some(Size { lines: 10, ..USUAL }), &mut out);
        assert!(out.starts_with(b"\x1b[9Ftwo"), "{:?}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn elsewhere_each_drawing_is_one_plain_line() {
        let mut screen = Screen::new();
        let mut out = Vec::new();
        screen.draw("one", &rows(2), None, &mut out);
        screen.draw("two", &rows(1), None, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "one  2 sessions  LoggedIn 1  ReconnectPending 1\ntwo  1 sessions  LoggedIn 1\n");
    }
}
