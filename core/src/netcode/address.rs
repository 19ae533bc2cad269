//! The server addresses a token lists (netcode standard, section Connect Token).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::Deref;

use smallvec::SmallVec;

use super::ADDRESSES_MAX;
use super::token::TokenError;
use super::wire::{Reader, Writer};

const TYPE_IPV4: u8 = 1;
const TYPE_IPV6: u8 = 2;

/// Size in bytes of the longest address: one of IPv6, with type and port.
pub(crate) const ADDRESS_BYTES_MAX: usize = 1 + 16 + 2;
/// Size in bytes of the longest list: its count, then 32 of those.
pub(crate) const ADDRESS_LIST_BYTES_MAX: usize = 4 + ADDRESSES_MAX * ADDRESS_BYTES_MAX;

/// Between 1 and 32 addresses, in the order a client tries them.
///
/// The wire has no flow label and no scope, so an IPv6 address is read with both zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddresses(SmallVec<[SocketAddr; 4]>);

impl ServerAddresses {
    /// `None` unless there are between 1 and 32.
    pub(crate) fn new(addresses: &[SocketAddr]) -> Option<Self> {
        (1..=ADDRESSES_MAX).contains(&addresses.len()).then(|| Self(SmallVec::from_slice(addresses)))
    }

    /// Reads a count and as many addresses.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, TokenError> {
        let count = reader.u32().ok_or(TokenError::Size)?;
        if !usize::try_from(count).is_ok_and(|count| (1..=ADDRESSES_MAX).contains(&count)) {
            return Err(TokenError::AddressCount(count));
        }
        (0..count).map(|_| read_address(reader)).collect::<Result<_, _>>().map(Self)
    }

    /// The addresses as a token holds them, without their count, in the front of `out`.
    pub(crate) fn encode<'a>(&self, out: &'a mut [u8; ADDRESS_LIST_BYTES_MAX]) -> &'a [u8] {
        self.write(&mut Writer::zeroed(out));
        let len = self.0.iter().map(encoded_len).sum::<usize>();
        &out[4..4 + len]
    }

    /// Writes the count and the addresses: at most [`ADDRESS_LIST_BYTES_MAX`] bytes.
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        let count = u32::try_from(self.0.len()).expect("a list holds at most 32 addresses");
        writer.bytes(&count.to_le_bytes());
        for &address in &self.0 {
            write_address(writer, address);
        }
    }
}

impl Deref for ServerAddresses {
    type Target = [SocketAddr];

    fn deref(&self) -> &[SocketAddr] {
        &self.0
    }
}

/// One address in the form it has in a token, in the front of `out`.
pub(crate) fn encode(address: SocketAddr, out: &mut [u8; ADDRESS_BYTES_MAX]) -> &[u8] {
    write_address(&mut Writer::zeroed(out), address);
    &out[..encoded_len(&address)]
}

/// Reads one address in the form it has in a token; `None` if it is malformed.
pub(crate) fn decode(bytes: &[u8]) -> Option<SocketAddr> {
    read_address(&mut Reader::new(bytes)).ok()
}

/// How many bytes an address takes in a token.
pub(crate) fn encoded_len(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 1 + 4 + 2 } else { 1 + 16 + 2 }
}

fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, TokenError> {
    let ip = match reader.u8().ok_or(TokenError::Size)? {
        TYPE_IPV4 => reader.array().map(|&octets: &[u8; 4]| IpAddr::V4(Ipv4Addr::from(octets))),
        TYPE_IPV6 => read_ipv6(reader).map(IpAddr::V6),
        other => return Err(TokenError::AddressType(other)),
    };
    let ip = ip.ok_or(TokenError::Size)?;
    let port = reader.u16().ok_or(TokenError::Size)?;
    Ok(SocketAddr::new(ip, port))
}

/// Eight groups, each little-endian: not the network order that IPv6 itself uses.
fn read_ipv6(reader: &mut Reader<'_>) -> Option<Ipv6Addr> {
    let mut groups = [0; 8];
    for group in &mut groups {
        *group = reader.u16()?;
    }
    Some(Ipv6Addr::from(groups))
}

fn write_address(writer: &mut Writer<'_>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            writer.bytes(&[TYPE_IPV4]);
            writer.bytes(&ip.octets());
        }
        IpAddr::V6(ip) => {
            writer.bytes(&[TYPE_IPV6]);
            for group in ip.segments() {
                writer.bytes(&group.to_le_bytes());
            }
        }
    }
    writer.bytes(&address.port().to_le_bytes());
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn list(text: &[&str]) -> ServerAddresses {
        let addresses: Vec<SocketAddr> = text.iter().map(|address| address.parse().unwrap()).collect();
        ServerAddresses::new(&addresses).unwrap()
    }

    fn written(addresses: &ServerAddresses) -> [u8; ADDRESS_LIST_BYTES_MAX] {
        let mut bytes = [0; ADDRESS_LIST_BYTES_MAX];
        addresses.write(&mut Writer::zeroed(&mut bytes));
        bytes
    }

    #[test]
    fn ipv4_octets_go_in_order_and_ipv6_groups_little_endian() {
        let bytes = written(&list(&["1.2.3.4:258", "[102:304::]:772"]));

        assert_eq!(bytes[..4], [2, 0, 0, 0]);
        assert_eq!(bytes[4..11], [1, 1, 2, 3, 4, 2, 1]);
        assert_eq!(bytes[11..16], [2, 2, 1, 4, 3]);
        assert_eq!(bytes[28..30], [4, 3]);
    }

    #[test]
    fn the_encoded_addresses_are_the_written_ones_without_their_count() {
        let addresses = list(&["1.2.3.4:258", "[102:304::]:772"]);

        let mut out = [0xff; ADDRESS_LIST_BYTES_MAX];

        assert_eq!(addresses.encode(&mut out), &written(&addresses)[4..4 + 7 + 19]);
    }

    #[test]
    fn a_list_of_any_legal_length_reads_back() {
        let address: SocketAddr = "[2001:db8::7]:65535".parse().unwrap();
        for count in 1..=ADDRESSES_MAX {
            let addresses = ServerAddresses::new(&vec![address; count]).unwrap();

            assert_eq!(ServerAddresses::read(&mut Reader::new(&written(&addresses))), Ok(addresses));
        }
    }

    #[test]
    fn no_addresses_and_more_than_32_are_no_list() {
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();

        assert_eq!(ServerAddresses::new(&[]), None);
        assert_eq!(ServerAddresses::new(&[address; ADDRESSES_MAX + 1]), None);
        for count in [0, 33, u32::MAX] {
            let read = ServerAddresses::read(&mut Reader::new(&count.to_le_bytes()));
            assert_eq!(read, Err(TokenError::AddressCount(count)));
        }
    }

    #[test]
    fn an_unknown_address_type_is_refused() {
        for kind in (0..=u8::MAX).filter(|kind| ![TYPE_IPV4, TYPE_IPV6].contains(kind)) {
            let read = ServerAddresses::read(&mut Reader::new(&[1, 0, 0, 0, kind, 1, 2, 3, 4, 5, 6]));
            assert_eq!(read, Err(TokenError::AddressType(kind)));
        }
    }

    #[test]
    fn a_list_cut_short_is_refused_at_every_byte() {
        let bytes = written(&list(&["1.2.3.4:5", "[::1]:6"]));
        let whole = 4 + 7 + 19;

        assert!(ServerAddresses::read(&mut Reader::new(&bytes[..whole])).is_ok());
        for cut in 0..whole {
            let read = ServerAddresses::read(&mut Reader::new(&bytes[..cut]));
            assert_eq!(read, Err(TokenError::Size), "cut at {cut}");
        }
    }
}
