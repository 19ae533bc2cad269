//! One form for each address.
//!
//! A dual-stack socket shows an IPv4 peer as `::ffff:a.b.c.d`. Sessions are found by address, and tokens list IPv4 addresses as IPv4, so
//! the mapped form exists only between the socket and the kernel.

use std::net::{SocketAddr, SocketAddrV6};

/// Addresses that somebody wrote, as the core sees them.
pub(crate) fn normalised(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    addresses.iter().copied().map(from_kernel).collect()
}

/// The address as the core sees it: IPv4 wherever the peer is an IPv4 one, and without an IPv6 flow label, which names no peer.
///
/// The scope of a link-local IPv6 address stays, because an answer could not leave without it.
pub(crate) fn from_kernel(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(v6) = address else { return address };
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => SocketAddr::from((v4, v6.port())),
        None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
    }
}

/// The address as an IPv6 socket wants it: an IPv4 one in its mapped form.
pub(crate) fn for_ipv6_socket(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
        SocketAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_an_ipv4_address_and_back() {
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:4000".parse().unwrap();
        let plain: SocketAddr = "192.0.2.7:4000".parse().unwrap();
        assert_eq!(from_kernel(mapped), plain);
        assert_eq!(for_ipv6_socket(plain), mapped);
    }

    #[test]
    fn a_flow_label_does_not_make_another_peer() {
        let ip = "fe80::1".parse().unwrap();
        let labelled = SocketAddr::V6(SocketAddrV6::new(ip, 4000, 77, 3));
        assert_eq!(from_kernel(labelled), SocketAddr::V6(SocketAddrV6::new(ip, 4000, 0, 3)));
    }

    #[test]
    fn an_ipv6_address_stays_as_it_is() {
        let address: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
        assert_eq!(from_kernel(address), address);
        assert_eq!(for_ipv6_socket(address), address);
    }
}
