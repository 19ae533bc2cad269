//! What a session makes of a narrow path, in virtual time.

#[path = "pipe/closed.rs"]
mod closed;
#[cfg(feature = "quinn")]
#[path = "pipe/goodput.rs"]
mod goodput;
#[path = "pipe/input.rs"]
mod input;
