//! A table of live sessions that is redrawn in place on a terminal, and told in single lines elsewhere.

use std::fmt::Write as _;
use std::io::Write;

use rejoin::SessionState;

/// Sessions that are shown one by one; together with the head they fit a terminal of 24 lines.
const ROWS_MAX: usize = 16;
const COLUMNS: usize = 2;

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

/// The table: a head line, then the sessions in two columns, at most 79 characters wide.
pub(crate) fn render(head: &str, rows: &[Row], colours: bool) -> String {
    let shown = &rows[..rows.len().min(ROWS_MAX * COLUMNS)];
    let mut text = format!("{head}\n{}\n\n", census(rows));
    let height = shown.len().div_ceil(COLUMNS);
    for line in 0..height {
        for row in shown.iter().skip(line).step_by(height.max(1)) {
            write_cell(row, colours, &mut text);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    if rows.len() > shown.len() {
        let _ = writeln!(text, "and {} more", rows.len() - shown.len());
    }
    text
}

/// One session in 40 characters.
fn write_cell(row: &Row, colours: bool, text: &mut String) {
    let (begin, end) = if colours { (colour(row.state), "\x1b[0m") } else { ("", "") };
    let rtt = row.rtt_ms.map_or(String::new(), |rtt_ms| format!("{}ms", rtt_ms.min(9_999)));
    let returns = if row.returns > 0 { format!("x{}", row.returns.min(99)) } else { String::new() };
    let state = state_name(row.state);
    let _ =
        write!(text, "{:8} {begin}{state:12}{end} :{:<5} {rtt:>6} {returns:<3} ", short(&row.name), row.port);
}

/// A name in at most 8 characters, and without any that could steer a terminal.
fn short(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(8).collect()
}

/// A state in at most 12 characters.
fn state_name(state: SessionState) -> &'static str {
    match state {
        SessionState::TransportConnected => "connected",
        SessionState::LoginPending => "logging in",
        SessionState::LoggedIn => "logged in",
        SessionState::LoginFailed => "login failed",
        SessionState::TimedOut => "timed out",
        SessionState::ReconnectPending => "away",
        SessionState::Reconnecting => "coming back",
        SessionState::Disconnected => "gone",
    }
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
    is_terminal: bool,
    /// Lines on the terminal that the next drawing replaces.
    lines: usize,
}

impl Screen {
    pub(crate) fn new(is_terminal: bool) -> Self {
        Self { is_terminal, lines: 0 }
    }

    /// Replaces the table on a terminal; elsewhere says the head and the census in one line.
    ///
    /// A reader that went away is no error: the run goes on.
    pub(crate) fn draw(&mut self, head: &str, rows: &[Row], out: &mut impl Write) {
        let text = if self.is_terminal {
            let table = render(head, rows, true);
            let back = if self.lines > 0 { format!("\x1b[{}F", self.lines) } else { String::new() };
            self.lines = table.lines().count();
            // Each line is cleared to its end, and what is left of a taller table below the last.
            format!("{back}{}\x1b[J", table.replace('\n', "\x1b[K\n"))
        } else {
            format!("{head}  {}\n", census(rows))
        };
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn every_line_fits_79_characters_and_the_whole_23_lines() {
        let mut wide = rows(500);
        for row in &mut wide {
            row.name = "ÄÖÜ".repeat(20);
            row.state = SessionState::LoginFailed;
            row.rtt_ms = Some(1_000_000);
            row.returns = 1_000;
        }
        let text = render("12.0 s of 20", &wide, false);
        for line in text.lines() {
            assert!(line.chars().count() <= 79, "{line}");
        }
        assert!(text.lines().count() <= 23);
        assert!(text.contains("and 468 more"));
    }

    #[test]
    fn sessions_stand_in_columns_from_top_to_bottom() {
        let text = render("head", &rows(5), false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[3],
            "p-000    logged in    :50000   21ms x1  p-003    away         :50000   21ms x1"
        );
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let mut hostile = rows(1);
        hostile[0].name = "\x1b[2J\nx".to_owned();
        assert!(render("head", &hostile, false).contains("?[2J?x"));
    }

    #[test]
    fn a_terminal_is_redrawn_in_place() {
        let mut screen = Screen::new(true);
        let mut out = Vec::new();
        screen.draw("one", &rows(2), &mut out);
        let first = String::from_utf8(std::mem::take(&mut out)).unwrap();
        assert!(first.starts_with("one\x1b[K\n"), "{first:?}");
        screen.draw("two", &rows(2), &mut out);
        let second = String::from_utf8(out).unwrap();
        assert!(second.starts_with("\x1b[4Ftwo\x1b[K\n") && second.ends_with("\x1b[J"), "{second:?}");
    }

    #[test]
    fn elsewhere_each_drawing_is_one_plain_line() {
        let mut screen = Screen::new(false);
        let mut out = Vec::new();
        screen.draw("one", &rows(2), &mut out);
        screen.draw("two", &rows(1), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "one  2 sessions  LoggedIn 1  ReconnectPending 1\ntwo  1 sessions  LoggedIn 1\n");
    }
}
