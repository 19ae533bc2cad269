//! What a framed payload says about moves and resume tokens, read by `core/PROTOCOL.md` alone.

use std::ops::Range;

/// The types of frames.
pub(super) mod kind {
    pub(in crate::simulator) const HELLO: u8 = 0x01;
    pub(in crate::simulator) const WELCOME: u8 = 0x02;
    pub(in crate::simulator) const ACK: u8 = 0x03;
    pub(in crate::simulator) const HEARTBEAT: u8 = 0x04;
    pub(in crate::simulator) const HEARTBEAT_RESPONSE: u8 = 0x05;
    pub(in crate::simulator) const LOGIN: u8 = 0x06;
    pub(in crate::simulator) const LOGIN_ACCEPTED: u8 = 0x07;
    pub(in crate::simulator) const LOGIN_REJECTED: u8 = 0x08;
    pub(in crate::simulator) const RESUME_TOKEN: u8 = 0x09;
    pub(in crate::simulator) const GOODBYE: u8 = 0x0a;
    pub(in crate::simulator) const PATH_CHALLENGE: u8 = 0x0b;
    pub(in crate::simulator) const PATH_RESPONSE: u8 = 0x0c;
    pub(in crate::simulator) const DRAINING: u8 = 0x0d;
    pub(in crate::simulator) const LANE: u8 = 0x10;
    pub(in crate::simulator) const DATAGRAM: u8 = 0x11;
    pub(in crate::simulator) const STATE: u8 = 0x12;
    pub(in crate::simulator) const MOVES: u8 = 0x13;
    pub(in crate::simulator) const FRAGMENT: u8 = 0x14;
    pub(in crate::simulator) const LATEST: u8 = 0x15;
}

/// The parts of a `resume token` after its generation: when it expires, then the nonce and the private part.
const EXPIRY: Range<usize> = 8..16;
const NONCE_AND_PRIVATE: Range<usize> = 16..16 + 24 + 1_024;
/// Up to the addresses: two keys, and a timeout.
const ADDRESSES_OFFSET: usize = NONCE_AND_PRIVATE.end + 64 + 4;

/// What a resume token brings into a request: the expiry, then the nonce and the private part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResumeToken {
    pub(super) expiry: [u8; 8],
    pub(super) nonce_and_private: Vec<u8>,
}

/// The ticks of the move inputs in a payload, ascending; `None` if it is no run of frames that a client sends.
pub(super) fn move_ticks(payload: &[u8]) -> Option<Vec<u64>> {
    let (mut cursor, mut ticks) = (Cursor(payload), Vec::new());
    while !cursor.0.is_empty() {
        cursor.frame_of_client(&mut ticks)?;
    }
    ticks.sort_unstable();
    Some(ticks)
}

/// The resume tokens of a payload of the server's, up to the first state in it: the server puts them before everything of the game's.
pub(super) fn resume_tokens(payload: &[u8]) -> Vec<ResumeToken> {
    let (mut cursor, mut tokens) = (Cursor(payload), Vec::new());
    while cursor.frame_of_server(&mut tokens).is_some() {}
    tokens
}

/// The rest of a payload.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn frame_of_client(&mut self, ticks: &mut Vec<u64>) -> Option<()> {
        match self.byte()? {
            // The magic, the version, the lane epoch.
            kind::HELLO => self.skip(8).and_then(|()| self.varints(1)).and_then(|()| self.skip(8)),
            kind::LOGIN => self.varints(1).and_then(|()| self.string()),
            kind::PATH_RESPONSE => self.skip(8),
            kind::MOVES => self.moves(ticks),
            kind => self.frame_of_both(kind),
        }
    }

    fn frame_of_server(&mut self, tokens: &mut Vec<ResumeToken>) -> Option<()> {
        match self.byte()? {
            kind::WELCOME => self.welcome(),
            kind::LOGIN_ACCEPTED => self.varints(1),
            kind::PATH_CHALLENGE => self.skip(8),
            kind::LOGIN_REJECTED => self.varints(3).and_then(|()| self.string()),
            kind::DRAINING => self.draining(),
            kind::RESUME_TOKEN => {
                tokens.push(self.resume_token()?);
                self.addresses()
            }
            kind => self.frame_of_both(kind),
        }
    }

    fn frame_of_both(&mut self, kind: u8) -> Option<()> {
        match kind {
            kind::ACK => {
                self.varints(2)?;
                let further_ranges = self.varint()?;
                self.varints(further_ranges.checked_mul(2)?.checked_add(1)?)
            }
            kind::HEARTBEAT => self.varints(1),
            kind::HEARTBEAT_RESPONSE => {
                self.varints(4)?;
                let is_judged = self.byte()? == 1;
                self.varints(if is_judged { 2 } else { 0 })
            }
            // A code and what goes with it.
            kind::GOODBYE => self.skip(1).and_then(|()| self.string()),
            // The lane, the number, the bytes.
            kind::LANE | kind::FRAGMENT => {
                self.skip(1).and_then(|()| self.varints(1)).and_then(|()| self.string())
            }
            kind::DATAGRAM => self.string(),
            kind::LATEST => self.varints(2).and_then(|()| self.string()),
            _ => None,
        }
    }

    fn welcome(&mut self) -> Option<()> {
        // The version, the lane epoch; behind the flags the session and the figures, among them the number of lanes.
        self.varints(1)?;
        self.skip(8)?;
        let has_high_water = self.byte()? & 8 != 0;
        self.skip(8)?;
        self.varints(5)?;
        self.skip(1)?;
        self.varints(if has_high_water { 4 } else { 3 })
    }

    fn resume_token(&mut self) -> Option<ResumeToken> {
        self.varints(1)?;
        let token = ResumeToken {
            expiry: self.0.get(EXPIRY)?.try_into().ok()?,
            nonce_and_private: self.0.get(NONCE_AND_PRIVATE)?.to_vec(),
        };
        self.skip(ADDRESSES_OFFSET)?;
        Some(token)
    }

    fn draining(&mut self) -> Option<()> {
        // The announcement and its code, the time that is left, and as many addresses as the byte before them says.
        self.varints(2)?;
        let is_timed = self.byte()? == 1;
        self.varints(u64::from(is_timed))?;
        self.addresses()
    }

    fn addresses(&mut self) -> Option<()> {
        let count = self.byte()?;
        (0..count).try_for_each(|_| {
            let is_ipv4 = self.byte()? == 1;
            self.skip(if is_ipv4 { 4 + 2 } else { 16 + 2 })
        })
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
            &[0x0c, 1, 2, 3, 4, 5, 6, 7, 8],
        ];
        assert_eq!(move_ticks(&payload.concat()), Some(vec![122, 127, 128]));
        assert_eq!(move_ticks(payload[0]), Some(vec![]));
    }

    #[test]
    fn what_is_no_run_of_frames_has_no_moves() {
        for payload in [&[0xff][..], &[0x13], &[0x13, 5, 2, 0, 9, 0], &[0x04], &[0x11, 2, 1]] {
            assert_eq!(move_ticks(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn the_resume_tokens_of_a_payload_are_found_behind_whatever_a_server_puts_before_them() {
        let mut token =
            [vec![0x09, 0xc8, 1], vec![7; ADDRESSES_OFFSET], vec![2, 1, 127, 0, 0, 1, 0, 80]].concat();
        token[3..][EXPIRY].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        token.extend([&[2][..], &[0; 18]].concat());
        let figures = [0xac, 2];
        let payload = [
            &[0x02, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8, 2, 2, 2, 2, 2, 2, 2, 2][..],
            &figures.repeat(5),
            &[4],
            &figures.repeat(4),
            &[0x03, 9, 0, 2, 1, 1, 0, 2, 0],
            &[0x04, 1],
            &[0x05, 1, 2, 3, 4, 1, 5, 6],
            &[0x07, 1],
            &[0x0b, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x08, 1, 1, 0, 2, b'n', b'o'],
            &token,
            &[0x12],
        ]
        .concat();

        let found = resume_tokens(&payload);

        let token = ResumeToken { expiry: [1, 2, 3, 4, 5, 6, 7, 8], nonce_and_private: vec![7; 1_048] };
        assert_eq!(found, [token]);
        assert_eq!(resume_tokens(&payload[..payload.len() - 200]), [], "it is cut short");
    }
}
