//! Payloads that break the message layer's rules, or strain them.

use super::frames::Frames;
use super::seat::Seat;
use crate::simulator::attack::Attack;
use crate::simulator::payload::kind;
use crate::world::Chance;

/// A hello at the wrong time, frames that only a server sends, and two of no type.
const WRONG_KINDS: [u8; 8] = [
    kind::HELLO,
    kind::WELCOME,
    kind::LOGIN_ACCEPTED,
    kind::LOGIN_REJECTED,
    kind::RESUME_TOKEN,
    kind::STATE,
    0x16,
    0xff,
];
/// As much as a piece of a message may hold.
const PIECE: [u8; 1_150] = [0x77; 1_150];
/// The keys that a session has by default.
const KEYS: u64 = 256;

/// The payload of an attack that needs nothing but a payload.
pub(super) fn payload(attack: Attack, seat: &mut Seat, chance: &mut Chance) -> Vec<u8> {
    let frames = Frames::default();
    let far = chance.number() >> chance.below(64);
    let frames = match attack {
        Attack::AckNeverSent => {
            let largest = seat.newest_received() + 1_000 + (far >> 1);
            frames.byte(kind::ACK).varint(largest).varint(0).varint(0).varint(0)
        }
        Attack::AckRanges => {
            // Many ranges, each of which leads far, or below zero, or repeats nothing for ever.
            let count = if chance.percent(50) { far } else { 31 };
            let begun = frames.byte(kind::ACK).varint(u64::MAX).varint(far).varint(count).varint(far);
            (0..31)
                .fold(begun, |frames, _| frames.varint(chance.below(3)).varint(u64::MAX >> chance.below(64)))
        }
        Attack::LyingFragment => {
            let len = [1_150, 1_151, 70_000, u64::MAX][usize::try_from(chance.below(4)).unwrap_or(0)];
            frames.byte(kind::FRAGMENT).byte(0).varint(0).varint(len).raw(b"not so much")
        }
        Attack::EndlessMessage => {
            frames.byte(kind::FRAGMENT).byte(1).varint(next(&mut seat.counts[0])).string(&PIECE)
        }
        Attack::GapHeldOpen => {
            let number = 1 + next(&mut seat.counts[1]);
            frames.byte(kind::LANE).byte(2).varint(number).string(&PIECE[..piece_bytes(chance)])
        }
        Attack::KeysWithoutEnd => {
            let key =
                if chance.percent(95) { next(&mut seat.counts[2]) % KEYS } else { chance.below(70_000) };
            frames.byte(kind::LATEST).varint(key).varint(far.max(1)).string(&PIECE[..piece_bytes(chance)])
        }
        Attack::FillEveryBound => fill(frames, seat, chance),
        Attack::WildMoves => {
            let tick = if chance.percent(30) { u64::MAX } else { far };
            let begun = frames.byte(kind::MOVES).varint(tick).varint(3).string(b"run");
            begun
                .varint(1 + chance.below(100))
                .string(b"walk")
                .varint(chance.number() >> chance.below(64))
                .string(b"")
        }
        Attack::CutFrames => {
            let good = frames.heartbeat(far).byte(kind::LANE).byte(3).varint(0).string(b"a message");
            let good = good
                .byte(kind::MOVES)
                .varint(5)
                .varint(1)
                .string(b"go")
                .byte(kind::DATAGRAM)
                .string(b"bye")
                .into_bytes();
            let len = 1 + next(&mut seat.counts[3]) % good.len() as u64;
            frames_of(&good[..usize::try_from(len).unwrap_or(1)])
        }
        Attack::NoHello => frames.heartbeat(far),
        Attack::WrongHello => frames.hello_of(2 + (far >> 1), seat.lane_epoch).login(1, b"right"),
        // What is left: frames at the wrong time, or of the wrong end.
        _ => {
            let kind = WRONG_KINDS[usize::try_from(chance.below(8)).unwrap_or(0)];
            let login = frames.login(chance.below(300), b"again");
            if kind == kind::HELLO {
                login.hello(far.max(1))
            } else {
                login.byte(kind).raw(&chance.bytes::<24>())
            }
        }
    };
    frames.into_bytes()
}

/// On each lane pieces that wait for many before them, or one more piece of a message without an end; and values of the last keys.
fn fill(frames: Frames, seat: &mut Seat, chance: &mut Chance) -> Frames {
    let number = next(&mut seat.counts[4]);
    let ahead = 5 + chance.below(200);
    let frames = (0..4_u8).fold(frames, |frames, lane| {
        if chance.percent(70) {
            frames.byte(kind::LANE).byte(lane).varint(number % 50 + ahead).string(&PIECE[..8])
        } else {
            frames.byte(kind::FRAGMENT).byte(lane).varint(number / 4).string(&PIECE[..8])
        }
    });
    let frames =
        frames.byte(kind::LATEST).varint(KEYS - 1 - number % KEYS).varint(number + 1).string(b"kept");
    frames
        .byte(kind::FRAGMENT)
        .byte(u8::try_from(number % 4).unwrap_or(0))
        .varint(number / 4)
        .string(&PIECE[..900])
}

fn frames_of(bytes: &[u8]) -> Frames {
    Frames::default().raw(bytes)
}

fn next(count: &mut u64) -> u64 {
    *count += 1;
    *count - 1
}

fn piece_bytes(chance: &mut Chance) -> usize {
    usize::try_from(chance.between(1..=PIECE.len() as u64)).unwrap_or(1)
}
