//! What a link asks of its owner while it writes a packet.

use super::control::Control;
use super::frame::FrameWriter;

/// What became of a frame that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written<T = ()> {
    /// It is in the packet.
    Done(T),
    /// It did not fit; it is asked for again.
    NoRoom,
    /// There is nothing to say any more; it is not asked for again.
    Nothing,
}

/// Writes the frames whose content is not the link's: it belongs to the session, at either end.
pub(crate) trait FrameSource {
    /// Writes hello or welcome; asked for first in every packet while it repeats. Must fit an empty packet.
    fn write_preface(&mut self, writer: &mut FrameWriter<'_>) -> bool;

    /// Writes the frame that `control` names. Must fit an empty packet.
    fn write_control(&mut self, control: Control, writer: &mut FrameWriter<'_>) -> Written;

    /// Writes the newest move inputs.
    fn write_moves(&mut self, writer: &mut FrameWriter<'_>) -> Written;

    /// Writes the newest state; says its server tick.
    fn write_state(&mut self, writer: &mut FrameWriter<'_>) -> Written<u64>;

    /// Writes the response to the heartbeat of this stamp, which came so long ago; says whether it fits. Must fit an empty packet.
    fn write_heartbeat_response(
        &mut self,
        stamp: u64,
        delay_micros: u64,
        writer: &mut FrameWriter<'_>,
    ) -> bool;
}
