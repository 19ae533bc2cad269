//! What can happen.

use arbitrary::Arbitrary;

/// One thing that happens. Players and sessions are chosen among all there ever were.
#[derive(Arbitrary, Debug)]
pub(super) enum Operation {
    Players(PlayerOperation),
    Application(ApplicationOperation),
    Host(HostOperation),
    Network(NetworkOperation),
    Time(TimeOperation),
}

/// What players do.
#[derive(Arbitrary, Debug)]
pub(super) enum PlayerOperation {
    /// A new process of one of a few identities, with a backend token; one in four does not log in at once.
    Join {
        identity: u8,
    },
    /// A player, or everybody where the choice is even, exchanges messages with its session.
    Talk {
        player: u8,
    },
    /// A new process with what a player's process has saved.
    Resume {
        player: u8,
    },
    Login {
        player: u8,
        len: u16,
    },
    /// On a lane, or as the value of a key.
    Send {
        player: u8,
        lane: u8,
        len: u16,
    },
    SendDatagram {
        player: u8,
        len: u16,
    },
    Move {
        player: u8,
        tick: Tick,
    },
    Leave {
        player: u8,
    },
    /// The process ends without a word.
    Crash {
        player: u8,
    },
}

/// What the server's application does with one session, which may have ended long ago.
#[derive(Arbitrary, Debug)]
pub(super) enum ApplicationOperation {
    Accept {
        session: u8,
    },
    Reject {
        session: u8,
        code: u32,
        len: u16,
    },
    /// On a lane, or as the value of a key.
    Send {
        session: u8,
        lane: u8,
        len: u16,
    },
    Broadcast {
        lane: u8,
        len: u16,
    },
    SendDatagram {
        session: u8,
        len: u16,
    },
    Publish {
        session: u8,
        tick: u64,
        len: u16,
    },
    Disconnect {
        session: u8,
        len: u16,
    },
    Remove {
        session: u8,
    },
    /// A handle that nobody was ever given.
    Invent {
        index: u32,
        generation: u32,
    },
}

/// What the host does with the server.
#[derive(Arbitrary, Debug)]
pub(super) enum HostOperation {
    /// Drain in one way or another, or shut down; mostly neither, for little happens after it.
    Close {
        choice: u8,
    },
    Restart {
        choice: u8,
    },
    SetTick {
        tick: Tick,
    },
    /// The wall clock is off by the cube of so many seconds.
    SetUnixTime {
        root_s: i8,
    },
    SetPublicAddresses {
        count: u8,
        port: u16,
    },
    Ban {
        identity: u8,
        millis: u16,
    },
    LiftBan {
        identity: u8,
    },
    /// Deadlines about peers are held, or not.
    Hold {
        is_on: bool,
    },
}

/// What the network does.
#[derive(Arbitrary, Debug)]
pub(super) enum NetworkOperation {
    Cut {
        player: u8,
    },
    Heal {
        player: u8,
    },
    /// Of which the player's host knows nothing, where the choice is among the upper half.
    Move {
        player: u8,
    },
    /// A player has no network for a while, and perhaps another address afterwards.
    Outage {
        player: u8,
        deciseconds: u8,
        moves: bool,
    },
    /// A player gets the address of another one, whose network is gone.
    TakeAddress {
        player: u8,
        of: u8,
    },
    /// A datagram that was sent before comes again, perhaps from another player and with a changed byte.
    Replay {
        back: u16,
        from: Option<u8>,
        flip: Option<(u16, u8)>,
    },
    Raw {
        from: u8,
        bytes: Vec<u8>,
    },
}

/// How time passes.
#[derive(Arbitrary, Debug)]
pub(super) enum TimeOperation {
    /// A little, or a few seconds.
    Wait {
        millis: u8,
    },
    WaitLong {
        deciseconds: u8,
    },
    /// The host does nothing for a while.
    Stall {
        millis: u16,
    },
    /// The clock goes back for one call.
    Backward {
        millis: u16,
    },
}

/// A tick: close to the last one, or anything.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Tick {
    Next(u8),
    Any(u64),
}
