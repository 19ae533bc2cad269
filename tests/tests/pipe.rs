//! What a session makes of a narrow path, in virtual time.

#[cfg(feature = "quinn")]
#[path = "pipe/goodput.rs"]
mod goodput;
