//! A running server host and client hosts over loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "hosted/outage.rs"]
mod outage;
#[path = "hosted/rough.rs"]
mod rough;
#[path = "hosted/specification.rs"]
mod specification;
