//! As much of the message layer as somebody needs who means to break it, written from `core/PROTOCOL.md`.

/// The magic of a `hello`.
const MAGIC: [u8; 8] = *b"REJOIN\r\n";
const HELLO: u8 = 0x01;
const WELCOME: u8 = 0x02;
const ACK: u8 = 0x03;
const HEARTBEAT: u8 = 0x04;
const HEARTBEAT_RESPONSE: u8 = 0x05;
const LOGIN: u8 = 0x06;
const LOGIN_ACCEPTED: u8 = 0x07;
const LOGIN_REJECTED: u8 = 0x08;
const RESUME_TOKEN: u8 = 0x09;
/// The ranges of an acknowledgement at most.
const RANGES_MAX: usize = 32;
/// The parts of a `resume token` after its generation: when it expires, then the nonce and the private part.
const EXPIRY: std::ops::Range<usize> = 8..16;
const NONCE_AND_PRIVATE: std::ops::Range<usize> = 16..16 + 24 + 1_024;
/// Up to the addresses: two keys, a timeout, and how many there are.
const ADDRESSES_OFFSET: usize = NONCE_AND_PRIVATE.end + 64 + 4;

/// What a resume token brings into a request: the expiry, then the nonce and the private part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResumeToken {
    pub(super) expiry: [u8; 8],
    pub(super) nonce_and_private: Vec<u8>,
}

/// Writes frames, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames(Vec<u8>);

impl Frames {
    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(super) fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
        self
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A byte string.
    pub(super) fn string(self, bytes: &[u8]) -> Self {
        self.varint(bytes.len() as u64).raw(bytes)
    }

    pub(super) fn hello(self, lane_epoch: u64) -> Self {
        self.byte(HELLO).raw(&MAGIC).varint(1).raw(&lane_epoch.to_le_bytes())
    }

    pub(super) fn heartbeat(self, stamp: u64) -> Self {
        self.byte(HEARTBEAT).varint(stamp)
    }

    pub(super) fn login(self, attempt: u64, credential: &[u8]) -> Self {
        self.byte(LOGIN).varint(attempt).string(credential)
    }

    /// An honest acknowledgement of these sequences, which are in descending order.
    pub(super) fn ack(self, received: impl Iterator<Item = u64>) -> Self {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for sequence in received {
            match ranges.last_mut() {
                Some((smallest, _)) if *smallest == sequence + 1 => *smallest = sequence,
                _ => ranges.push((sequence, sequence)),
            }
        }
        let Some(&(mut smallest, largest)) = ranges.first() else { return self };
        let begun = self.byte(ACK).varint(largest).varint(0).varint(ranges.len().min(RANGES_MAX) as u64 - 1);
        ranges.iter().take(RANGES_MAX).skip(1).fold(
            begun.varint(largest - smallest),
            |frames, (first, last)| {
                let gap = smallest - last - 2;
                smallest = *first;
                frames.varint(gap).varint(last - first)
            },
        )
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The resume tokens of a payload of the server's. It puts them before everything of the game's.
pub(super) fn resume_tokens(payload: &[u8]) -> Vec<ResumeToken> {
    let (mut rest, mut tokens) = (payload, Vec::new());
    while let Some(after) = skip_frame(rest, &mut tokens) {
        rest = after;
    }
    tokens
}

/// What is behind the first frame, if that is one of those before the game's.
fn skip_frame<'a>(payload: &'a [u8], tokens: &mut Vec<ResumeToken>) -> Option<&'a [u8]> {
    let (&kind, rest) = payload.split_first()?;
    match kind {
        WELCOME => {
            let (_, rest) = varint(rest)?;
            let flags = *rest.get(8)?;
            let rest = skip_varints(rest.get(8 + 1 + 8..)?, 5)?;
            // The number of lanes lies between them.
            skip_varints(rest.get(1..)?, if flags & 8 == 0 { 3 } else { 4 })
        }
        ACK => {
            let rest = skip_varints(rest, 2)?;
            let (ranges, rest) = varint(rest)?;
            skip_varints(rest, 1 + 2 * ranges)
        }
        HEARTBEAT | LOGIN_ACCEPTED => skip_varints(rest, 1),
        HEARTBEAT_RESPONSE => {
            let rest = skip_varints(rest, 4)?;
            let (&judged, rest) = rest.split_first()?;
            skip_varints(rest, 2 * u64::from(judged))
        }
        LOGIN_REJECTED => {
            let (len, rest) = varint(skip_varints(rest, 3)?)?;
            rest.get(usize::try_from(len).ok()?..)
        }
        RESUME_TOKEN => {
            let (_, rest) = varint(rest)?;
            let token = ResumeToken {
                expiry: rest.get(EXPIRY)?.try_into().ok()?,
                nonce_and_private: rest.get(NONCE_AND_PRIVATE)?.to_vec(),
            };
            tokens.push(token);
            skip_addresses(rest.get(ADDRESSES_OFFSET..)?)
        }
        _ => None,
    }
}

fn skip_addresses(list: &[u8]) -> Option<&[u8]> {
    let (&count, mut rest) = list.split_first()?;
    for _ in 0..count {
        rest = rest.get(if *rest.first()? == 1 { 1 + 4 + 2 } else { 1 + 16 + 2 }..)?;
    }
    Some(rest)
}

fn skip_varints(bytes: &[u8], count: u64) -> Option<&[u8]> {
    (0..count).try_fold(bytes, |rest, _| varint(rest).map(|(_, rest)| rest))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = 1 + bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let (digits, rest) = bytes.split_at(len);
    let value = digits.iter().rev().fold(0, |value: u64, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_tokens_are_found_behind_whatever_a_server_puts_before_them() {
        let mut body = vec![7; ADDRESSES_OFFSET];
        body[EXPIRY].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let welcome = Frames::default().byte(WELCOME).varint(1).raw(&[1; 8]).byte(8).raw(&[2; 8]);
        let welcome = (0..5).fold(welcome, |frames, _| frames.varint(300)).byte(4);
        let welcome = (0..4).fold(welcome, |frames, _| frames.varint(1 << 40));
        let before = welcome.ack([9, 8, 5, 1].into_iter()).heartbeat(1).byte(LOGIN_ACCEPTED).varint(1);
        let address = [1, 127, 0, 0, 1, 0, 80];
        let token = before.byte(RESUME_TOKEN).varint(200).raw(&body).byte(1).raw(&address);
        let payload = token.byte(0x12).into_bytes();

        let found = resume_tokens(&payload);

        let token = ResumeToken { expiry: [1, 2, 3, 4, 5, 6, 7, 8], nonce_and_private: vec![7; 1_048] };
        assert_eq!(found, [token]);
        assert_eq!(resume_tokens(&payload[..payload.len() - 200]), [], "it is cut short");
    }

    #[test]
    fn an_acknowledgement_names_each_sequence_once() {
        let frames = Frames::default().ack([9, 8, 5, 1].into_iter()).into_bytes();
        // The largest, no delay, two further ranges; one below the largest; then 5 and 1.
        assert_eq!(frames, [ACK, 9, 0, 2, 1, 1, 0, 2, 0]);
    }
}
