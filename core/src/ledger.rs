//! Everything that can be refused, why, and how often: each cause of each operation has one name and one counter.
//!
//! | what is refused | the causes | told to | beside it |
//! |---|---|---|---|
//! | a datagram | [`DropReason`] | the host, as [`Verdict::Dropped`](crate::Verdict::Dropped) | |
//! | what a payload says | [`Violation`] | nobody; the last one with the end of the session | each is a drop as [`DropReason::Violation`] |
//! | a handshake | [`DropReason`] where it is not answered, [`DenyReason`] where it is | its sender, as *denied* | |
//! | a way back | the same: [`ResumeSpent`](DropReason::ResumeSpent), [`ResumeForged`](DropReason::ResumeForged); [`SessionEnded`](DenyReason::SessionEnded), [`OtherStart`](DenyReason::OtherStart), [`Banned`](DenyReason::Banned) | its sender, as *denied* | [`TokenReuse`](crate::Event::TokenReuse) |
//! | a completed handshake that would replace a connection | [`AttemptEnd`] | nobody: it ends without trace | |
//! | a login request | [`LoginRefusal`] | the peer, if the application rejects it | |
//! | a move input | [`MoveRefusal`] | nobody | [`MovementCounters`](crate::MovementCounters) |
//! | a send of the application | [`SendRefusal`] | the caller, as [`SendError`](crate::SendError) | |
//! | an input of the lifecycle | [`IgnoredInput`] | nobody | |
//! | an event that may be lost | [`DroppedEvent`] | nobody | |
//!
//! [`Refusal`] is any of them. [`Counters`](crate::Counters) count them for the whole server, a [`SessionRecord`] for one session those
//! that its own peer or its own application brought about, and on request it keeps a [history](SessionRecord::history) of the last ones
//! and of the transitions between them.
//!
//! What only claims to come from a peer never counts for its session: a packet from its address that does not open, or that came before,
//! can be anybody's. What adds up, in every run and after every call:
//!
//! * datagrams received = accepted + answered + dropped;
//! * violations = drops as [`DropReason::Violation`];
//! * login requests = accepted + refused + those that wait for an answer now;
//! * move inputs received = accepted + refused;
//! * sends requested = queued + refused;
//! * attempts begun = confirmed + ended + those that wait for their confirmation now.

mod causes;
mod history;
mod record;
mod refusal;

pub use causes::{AttemptEnd, DroppedEvent, IgnoredInput, LoginRefusal, MoveRefusal, SendRefusal};
pub use history::{HistoryEntry, Incident};
pub use record::SessionRecord;
pub use refusal::Refusal;

pub use crate::counters::{DenyReason, DropReason};
pub use crate::violation::Violation;

pub(crate) use record::Record;
