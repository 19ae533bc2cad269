//! The bodies of the fuzz targets: from the bytes of an input to a world that holds to its laws, or a panic.
//!
//! They live here, where every build checks them; the targets themselves, in `fuzz/`, only pass an input on. The fuzzer reads its bytes as an
//! input with `Arbitrary`, and so does [`read`] with those of a file.

mod cast;
mod change;
mod datagrams;
mod forger;
mod hostile_server;
mod insider;
mod operations;
mod resume;

use arbitrary::{Arbitrary, Unstructured};

pub use datagrams::Datagrams;
pub use hostile_server::HostileServer;
pub use insider::Insider;
pub use operations::Operations;
pub use resume::Resume;

/// The input that these bytes are to the fuzzer, if they are one.
#[must_use]
pub fn read<'a, Input: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<Input> {
    Input::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}
