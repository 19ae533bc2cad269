//! When a socket is worth reading.

/// Errors in a row after which reading again at once would only spin.
pub(crate) const FAULTS_IN_A_ROW_MAX: u32 = 16;

/// Whether a socket may hold datagrams.
///
/// Readiness is edge-triggered: once told, it holds until the socket was seen empty. Errors do not end it, since there may be a datagram
/// behind each; but a socket that gives nothing else rests.
#[derive(Debug)]
pub(crate) struct Receivable {
    is_readable: bool,
    faults_in_a_row: u32,
    is_resting: bool,
}

impl Receivable {
    /// A socket not looked at yet.
    pub(crate) fn new() -> Self {
        Self { is_readable: true, faults_in_a_row: 0, is_resting: false }
    }

    /// Whether to read now.
    pub(crate) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Whether it waits for [`handle_rested`](Self::handle_rested), because no event may come for what it holds.
    pub(crate) fn is_resting(&self) -> bool {
        self.is_resting
    }

    /// An event says that there is something to read.
    pub(crate) fn handle_ready(&mut self) {
        self.is_readable = true;
        self.is_resting = false;
    }

    /// It has rested for long enough to be tried again.
    pub(crate) fn handle_rested(&mut self) {
        if self.is_resting {
            self.handle_ready();
        }
    }

    /// A datagram came.
    pub(crate) fn handle_datagram(&mut self) {
        self.faults_in_a_row = 0;
    }

    /// It was seen empty.
    pub(crate) fn handle_drained(&mut self) {
        *self = Self { is_readable: false, faults_in_a_row: 0, is_resting: false };
    }

    /// An error came instead of a datagram.
    pub(crate) fn handle_fault(&mut self) {
        self.faults_in_a_row = self.faults_in_a_row.saturating_add(1);
        if self.faults_in_a_row >= FAULTS_IN_A_ROW_MAX {
            self.is_readable = false;
            self.is_resting = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty() -> Receivable {
        let mut socket = Receivable::new();
        for _ in 0..FAULTS_IN_A_ROW_MAX {
            assert!(socket.is_readable());
            socket.handle_fault();
        }
        socket
    }

    #[test]
    fn a_socket_that_gives_only_errors_rests_and_then_gets_one_try_at_a_time() {
        let mut socket = faulty();
        for _ in 0..3 {
            assert!(!socket.is_readable() && socket.is_resting());
            socket.handle_rested();
            assert!(socket.is_readable() && !socket.is_resting());
            socket.handle_fault();
        }
    }

    #[test]
    fn an_event_ends_the_rest() {
        let mut socket = faulty();
        socket.handle_ready();
        assert!(socket.is_readable());
    }

    #[test]
    fn errors_between_datagrams_never_make_it_rest() {
        let mut socket = Receivable::new();
        for _ in 0..FAULTS_IN_A_ROW_MAX {
            socket.handle_fault();
            socket.handle_datagram();
        }
        assert!(socket.is_readable());
    }

    #[test]
    fn an_empty_socket_waits_for_an_event_and_not_for_time() {
        let mut socket = Receivable::new();
        socket.handle_drained();
        socket.handle_rested();
        assert!(!socket.is_readable());
        socket.handle_ready();
        assert!(socket.is_readable());
    }
}
