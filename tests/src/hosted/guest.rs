//! A foreign client.

use std::time::Duration;

use crate::foreign::{ForeignClient, Status};

/// A foreign client, and whether it has its turns.
#[derive(Debug)]
pub struct Guest {
    /// The client.
    pub client: Box<dyn ForeignClient>,
    /// Whether it runs. One that does not is silent, and its clock stands still.
    pub is_running: bool,
}

impl Guest {
    pub(super) fn new(client: Box<dyn ForeignClient>) -> Self {
        Self { client, is_running: true }
    }

    /// How its connection stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.client.status()
    }

    pub(super) fn poll(&mut self, elapsed: Duration) {
        if self.is_running {
            self.client.poll(elapsed);
        }
    }
}
