//! Foreign implementations of netcode 1.02 against the hosts, over loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "interop/our_client.rs"]
mod our_client;
#[path = "interop/our_server.rs"]
mod our_server;
#[path = "interop/python_client.rs"]
mod python_client;

/// The smallest payload, a typical one, and the largest that every implementation takes with any sequence number, in bytes.
const PAYLOAD_BYTES: [usize; 3] = [1, 32, 1_175];

/// A payload that differs from others of its size by `seed`.
fn payload(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|place| place.to_le_bytes()[0] ^ seed).collect()
}

/// Makes a test out of each generic function, for each implementation named.
macro_rules! with_each {
    ($implementations:tt; $($test:ident)*) => {
        $(with_each! { @test $test $implementations })*
    };
    (@test $test:ident [$($name:ident: $implementation:ty),* $(,)?]) => {
        mod $test {
            use super::*;

            $(
                #[test]
                fn $name() {
                    super::$test::<$implementation>();
                }
            )*
        }
    };
}
use with_each;
