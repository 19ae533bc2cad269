//! What a framed payload of a client says about moves, read by `core/PROTOCOL.md` alone.

/// The ticks of the move inputs in a payload, ascending; `None` if it is no run of frames that a client sends.
pub(super) fn move_ticks(payload: &[u8]) -> Option<Vec<u64>> {
    let (mut cursor, mut ticks) = (Cursor(payload), Vec::new());
    while !cursor.0.is_empty() {
        cursor.frame(&mut ticks)?;
    }
    ticks.sort_unstable();
    Some(ticks)
}

/// The rest of a payload.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn frame(&mut self, ticks: &mut Vec<u64>) -> Option<()> {
        match self.byte()? {
            // Hello: the magic, the version, the lane epoch.
            0x01 => self.skip(8).and_then(|()| self.varints(1)).and_then(|()| self.skip(8)),
            0x03 => self.ack(),
            0x04 => self.varints(1),
            0x05 => self.heartbeat_response(),
            0x06 => self.varints(1).and_then(|()| self.string()),
            // Goodbye: a code and what goes with it.
            0x0a => self.skip(1).and_then(|()| self.string()),
            // A piece of a lane: the lane, the number, the bytes.
            0x10 | 0x14 => self.skip(1).and_then(|()| self.varints(1)).and_then(|()| self.string()),
            0x11 => self.string(),
            0x13 => self.moves(ticks),
            0x15 => self.varints(2).and_then(|()| self.string()),
            _ => None,
        }
    }

    fn ack(&mut self) -> Option<()> {
        self.varints(2)?;
        let further_ranges = self.varint()?;
        self.varints(1 + 2 * further_ranges)
    }

    fn heartbeat_response(&mut self) -> Option<()> {
        self.varints(4)?;
        let is_judged = self.byte()? == 1;
        self.varints(if is_judged { 2 } else { 0 })
    }

    fn moves(&mut self, ticks: &mut Vec<u64>) -> Option<()> {
        let (mut tick, count) = (self.varint()?, self.varint()?);
        for number in 0..count {
            if number > 0 {
                tick = tick.checked_sub(self.varint()?)?;
            }
            ticks.push(tick);
            self.string()?;
        }
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let bytes = usize::try_from(self.varint()?).ok()?;
        self.skip(bytes)
    }

    fn varints(&mut self, count: u64) -> Option<()> {
        (0..count).try_for_each(|_| self.varint().map(drop))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moves_of_a_payload_are_found_behind_every_other_frame_and_before_more() {
        let payload = [
            &[0x01, 0x52, 0x45, 0x4a, 0x4f, 0x49, 0x4e, 0x0d, 0x0a, 1, 7, 7, 7, 7, 7, 7, 7, 7][..],
            &[0x03, 9, 0x80, 1, 1, 0, 2, 0],
            &[0x04, 0x80, 0x80, 1],
            &[0x05, 1, 2, 0, 0, 0],
            &[0x05, 1, 2, 3, 4, 1, 5, 6],
            &[0x06, 1, 2, 0xff, 0xff],
            &[0x13, 0x80, 1, 3, 1, 0xaa, 1, 0, 5, 2, 0xbb, 0xbb],
            &[0x10, 0, 3, 1, 0xcc],
            &[0x14, 1, 3, 1, 0xcc],
            &[0x11, 1, 0xdd],
            &[0x15, 1, 1, 0],
            &[0x0a, 0, 0],
        ];
        assert_eq!(move_ticks(&payload.concat()), Some(vec![122, 127, 128]));
        assert_eq!(move_ticks(payload[0]), Some(vec![]));
    }

    #[test]
    fn what_is_no_run_of_frames_has_no_moves() {
        for payload in [&[0xff][..], &[0x13], &[0x13, 5, 2, 0, 9, 0], &[0x04], &[0x11, 2, 1], &[0x04; 1]] {
            assert_eq!(move_ticks(payload), None, "{payload:?}");
        }
    }
}
