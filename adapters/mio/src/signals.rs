//! Ctrl-C and SIGTERM, as an event of the loop.

use std::fmt;
use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};

/// The wish of a person or a supervisor that the process ends: Ctrl-C (SIGINT) and SIGTERM.
///
/// Register it with a [`mio::Poll`] for [`Interest::READABLE`] and ask [`take`](Self::take) when its token comes up. From the moment
/// it is made the process no longer dies of these signals, so whoever makes it has to act on them.
pub struct Signals {
    inner: signal_hook_mio::v1_0::Signals,
}

impl Signals {
    /// Watches both signals from now on. Fails where the operating system grants no pipe or no handler.
    pub fn watch() -> io::Result<Self> {
        Ok(Self { inner: signal_hook_mio::v1_0::Signals::new([SIGINT, SIGTERM])? })
    }

    /// Whether a signal arrived since the last call.
    pub fn take(&mut self) -> bool {
        self.inner.pending().count() > 0
    }
}

impl Source for Signals {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.inner.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.inner.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.inner.deregister(registry)
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}
