//! What the network and time do to whoever runs on a machine.

use super::machine::Machine;
use super::plan::Sleep;
use super::stage::Stage;
use super::step::Datagram;
use crate::laws::Violation;

/// The host of an end: it reads, and is called when it asked to be, unless its machine sleeps.
pub(super) trait Host {
    /// What it runs on.
    fn machine(&mut self) -> &mut Machine;

    /// Hands a datagram to its end.
    fn read(&mut self, datagram: Datagram, stage: &mut Stage);

    /// Polls everything and fires what is due, as the laws of the drive API ask.
    fn drive(&mut self, stage: &mut Stage) -> Result<(), Violation>;

    /// A datagram arrives at its machine.
    fn hear(&mut self, datagram: Datagram, stage: &mut Stage) -> Result<(), Violation> {
        if let Some(datagram) = self.machine().hear(datagram) {
            self.read(datagram, stage);
            self.drive(stage)?;
        }
        Ok(())
    }

    /// Its timer fires.
    fn fire(&mut self, stage: &mut Stage) -> Result<(), Violation> {
        let is_due = self.machine().disarm(stage.now) && !self.machine().is_asleep();
        if is_due { self.drive(stage) } else { Ok(()) }
    }

    /// Its machine sleeps.
    fn fall_asleep(&mut self, sleep: Sleep, stage: &mut Stage) {
        self.machine().fall_asleep(stage.now, sleep, &mut stage.schedule);
    }
}
