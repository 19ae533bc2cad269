//! IP addresses that begin alike.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// All IP addresses that share their first bits, such as `203.0.113.0/24` or `2001:db8::/48`.
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:203.0.113.7`) counts as the IPv4 address it is.
///
/// Prefixes are ordered by family, then by length, then by address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    family: Family,
    length: u8,
    /// From the highest bit down, in two halves, which are aligned better; those behind `length` are zero.
    bits: [u64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Family {
    V4,
    V6,
}

/// Bits in front of an IPv4 address that is written as an IPv6 one.
const MAPPED_BITS: u8 = 96;

impl Prefix {
    /// The addresses that share their first `length` bits with `ip`; `None` if it has fewer bits than that, 32 or 128.
    #[must_use]
    pub fn new(ip: IpAddr, length: u8) -> Option<Self> {
        let is_mapped = ip.is_ipv6() && ip.to_canonical().is_ipv4() && length >= MAPPED_BITS;
        let (ip, length) = if is_mapped { (ip.to_canonical(), length - MAPPED_BITS) } else { (ip, length) };
        let one = Self::of_one_as_is(ip);
        (length <= one.length).then(|| one.shortened(length))
    }

    /// Whether `ip` is one of its addresses.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        Self::of_one(ip).shortened(self.length) == *self
    }

    /// How many bits its addresses share.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// The prefix that has only this address.
    pub(crate) fn of_one(ip: IpAddr) -> Self {
        Self::of_one_as_is(ip.to_canonical())
    }

    fn of_one_as_is(ip: IpAddr) -> Self {
        let (family, length, bits) = match ip {
            IpAddr::V4(ip) => (Family::V4, 32, u128::from(ip.to_bits()) << MAPPED_BITS),
            IpAddr::V6(ip) => (Family::V6, 128, ip.to_bits()),
        };
        Self { family, length, bits: halves(bits) }
    }

    fn bits(&self) -> u128 {
        let [high, low] = self.bits;
        u128::from(high) << 64 | u128::from(low)
    }

    /// Whether it has addresses of the same family.
    pub(crate) fn is_of_family(&self, other: &Self) -> bool {
        self.family == other.family
    }

    /// The prefix of this length that it lies in; itself if it is no longer than that.
    pub(crate) fn shortened(self, length: u8) -> Self {
        let length = self.length.min(length);
        Self { length, bits: halves(self.bits() & mask(length)), ..self }
    }

    /// The prefix of this length that addresses of its family are often handed out in: whoever has one of them may have all. For IPv4
    /// a /24, the smallest that is routed by itself; for IPv6 a /48, the largest that one site gets.
    pub(crate) fn of_site(self) -> Self {
        self.shortened(match self.family {
            Family::V4 => 24,
            Family::V6 => 48,
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each is one half")]
const fn halves(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

/// A mask of so many high bits; all of them where 128 or more are asked for.
const fn mask(length: u8) -> u128 {
    match u128::MAX.checked_shr(length as u32) {
        Some(behind) => !behind,
        None => u128::MAX,
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::V4 => {
                // Proof: those are the first 32 of 128 bits.
                let ip = u32::try_from(self.bits() >> MAPPED_BITS).expect("32 bits");
                write!(f, "{}/{}", Ipv4Addr::from_bits(ip), self.length)
            }
            Family::V6 => write!(f, "{}/{}", Ipv6Addr::from_bits(self.bits()), self.length),
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no prefix: an IP address, a slash and a number of bits, or an address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixError;

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a prefix such as 203.0.113.0/24 or 2001:db8::/48")
    }
}

impl core::error::Error for PrefixError {}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let Some((ip, length)) = text.split_once('/') else {
            return text.parse().map(Self::of_one).map_err(|_| PrefixError);
        };
        let (ip, length) = (ip.parse().map_err(|_| PrefixError)?, length.parse().map_err(|_| PrefixError)?);
        Self::new(ip, length).ok_or(PrefixError)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn it_has_the_addresses_that_begin_with_its_bits_and_no_others() {
        for (text, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.0/25", "203.0.113.127", "203.0.113.128"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.6"),
            ("2001:db8:1::/48", "2001:db8:1:ffff::1", "2001:db8:2::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "203.0.113.7"),
        ] {
            assert!(prefix(text).contains(ip(inside)), "{text} has {inside}");
            assert!(!prefix(text).contains(ip(outside)), "{text} has not {outside}");
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_dress_is_the_address_it_is() {
        assert_eq!(prefix("::ffff:203.0.113.0/120"), prefix("203.0.113.0/24"));
        assert!(prefix("203.0.113.0/24").contains(ip("::ffff:203.0.113.9")));
        assert!(!prefix("::/0").contains(ip("::ffff:203.0.113.9")));
    }

    #[test]
    fn what_is_behind_its_bits_makes_no_difference() {
        assert_eq!(prefix("203.0.113.77/24"), prefix("203.0.113.0/24"));
        assert_eq!(prefix("203.0.113.77/24").to_string(), "203.0.113.0/24");
        assert_eq!(prefix("2001:db8:1:2::7/48").to_string(), "2001:db8:1::/48");
        assert_eq!(prefix("2001:db8::7").to_string(), "2001:db8::7/128");
    }

    #[test]
    fn a_length_beyond_the_address_and_other_texts_are_refused() {
        assert_eq!(Prefix::new(ip("203.0.113.0"), 33), None);
        assert_eq!(Prefix::new(ip("2001:db8::"), 129), None);
        for text in ["", "203.0.113.0/", "203.0.113/24", "203.0.113.0/33", "::/129", "/8", "::/-1"] {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError), "{text}");
        }
    }

    #[test]
    fn a_site_is_a_24_of_ipv4_and_a_48_of_ipv6() {
        assert_eq!(Prefix::of_one(ip("203.0.113.7")).of_site(), prefix("203.0.113.0/24"));
        assert_eq!(Prefix::of_one(ip("2001:db8:1:2::7")).of_site(), prefix("2001:db8:1::/48"));
    }
}
