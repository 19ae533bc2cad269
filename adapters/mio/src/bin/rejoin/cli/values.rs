//! How the values of options are written.

use std::net::SocketAddr;

/// An IP address with a port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "it must be IP:PORT, such as 127.0.0.1:40000 or [::1]:40000".to_owned())
}

/// An address that a client can send to.
pub(super) fn server_address(text: &str) -> Result<SocketAddr, String> {
    let address = address(text)?;
    if address.port() == 0 || address.ip().is_unspecified() {
        return Err("no client can send there: name a real address and port".to_owned());
    }
    Ok(address)
}

/// An unsigned 64-bit number, decimal or with 0x in hexadecimal.
pub(super) fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with('+') => None,
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| "it must be a number of at most 64 bits, decimal or 0x hex".to_owned())
}

/// A share from 0 to 1.
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    in_range(text, 0.0, 1.0).ok_or_else(|| "it must be 0 to 1, such as 0.05 for five in a hundred".to_owned())
}

/// A span of seconds that a run can last.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    in_range(text, 0.1, 86_400.0).ok_or_else(|| "it must be 0.1 to 86400 seconds".to_owned())
}

fn in_range(text: &str, min: f64, max: f64) -> Option<f64> {
    text.parse().ok().filter(|value| (min..=max).contains(value))
}
