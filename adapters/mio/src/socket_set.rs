//! Several sockets that act as one.
//!
//! An answer leaves by the socket that last received from its address, so that a client hears from the address it spoke to. For an address
//! not heard from yet, and where only one socket is of its family, it is the first socket of that family.

use std::collections::HashMap;
use std::net::SocketAddr;

use mio::{Interest, Registry, Token};

use crate::receivable::Receivable;
use crate::socket::{BindError, Received, Sent, Socket, SocketCounters, SocketFault, is_ipv6_wildcard};

/// Addresses whose socket is remembered at most. A full table is emptied: each peer's next datagram enters it again.
const ROUTES_MAX: usize = 65_536;

/// The sockets of one host, registered with one [`mio::Poll`] under the tokens 0, 1, 2, ….
#[derive(Debug)]
pub(crate) struct SocketSet {
    members: Vec<Member>,
    registry: Registry,
    /// Where the next receive begins, so that no socket waits for another to run dry.
    turn: usize,
    /// Which socket last received from an address; only of families that have several.
    routes: HashMap<SocketAddr, usize>,
    /// Datagrams for a family that no socket has.
    unroutable: u64,
    /// What went through sockets that are closed.
    closed: SocketCounters,
    /// Whether the log was told that a socket cannot be watched: once is enough.
    is_unwatched_told: bool,
}

#[derive(Debug)]
struct Member {
    socket: Socket,
    receivable: Receivable,
    /// A datagram waits until this socket has room.
    blocked: bool,
}

/// What one attempt to receive by any of the sockets came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A datagram, and the number of the socket that received it.
    Datagram { bytes: usize, from: SocketAddr, socket: usize },
    /// Nothing waits at any socket.
    Drained,
    /// An error that was counted.
    Fault,
}

/// What one attempt to send came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// The datagram is gone: to the kernel, or lost to an error that was counted, or to no socket of its family.
    Gone,
    /// Its socket has no room; an event will tell when it has.
    Blocked,
}

impl SocketSet {
    /// Binds every address and registers the sockets; on an error those already open are closed again.
    ///
    /// `[::]` receives IPv4 too, unless an IPv4 address is in the list as well.
    pub(crate) fn bind(addresses: &[SocketAddr], registry: Registry) -> Result<Self, BindError> {
        let lists_ipv4 = addresses.iter().any(SocketAddr::is_ipv4);
        let mut members = Vec::with_capacity(addresses.len());
        for (number, &address) in addresses.iter().enumerate() {
            let mut socket = if is_ipv6_wildcard(address) && lists_ipv4 {
                Socket::bind_one_family(address)?
            } else {
                Socket::bind(address)?
            };
            registry
                .register(&mut socket, Token(number), Interest::READABLE)
                .map_err(|source| BindError::new(address, source))?;
            members.push(Member { socket, receivable: Receivable::new(), blocked: false });
        }
        Ok(Self {
            members,
            registry,
            turn: 0,
            routes: HashMap::new(),
            unroutable: 0,
            closed: SocketCounters::default(),
            is_unwatched_told: false,
        })
    }

    /// The addresses they are bound to, with the real ports, in the order they were asked for.
    pub(crate) fn local_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.members.iter().map(|member| member.socket.local_address())
    }

    /// Asks the kernel for this much room at each socket, each way.
    pub(crate) fn request_buffer_bytes(&self, bytes: usize) {
        for member in &self.members {
            member.socket.request_buffer_bytes(bytes);
        }
    }

    /// Closes every socket and takes the place of those of another set; what went through stays counted.
    pub(crate) fn replace(&mut self, other: Self) {
        self.close();
        self.members = other.members;
        self.routes.clear();
    }

    /// Closes every socket.
    pub(crate) fn close(&mut self) {
        for member in self.members.drain(..) {
            self.closed.add(member.socket.counters());
        }
    }

    /// Notes what an event says about one of the sockets.
    pub(crate) fn handle_event(&mut self, event: &mio::event::Event) {
        let Some(member) = self.members.get_mut(event.token().0) else { return };
        if event.is_readable() || event.is_error() {
            member.receivable.handle_ready();
        }
        if member.blocked && event.is_writable() {
            member.blocked = false;
            self.set_interest(event.token().0, Interest::READABLE);
        }
    }

    /// Whether datagrams may wait without another event telling so.
    pub(crate) fn is_readable(&self) -> bool {
        self.members.iter().any(|member| member.receivable.is_readable())
    }

    /// Whether a socket that gave nothing but errors has to be tried again without an event.
    pub(crate) fn is_resting(&self) -> bool {
        self.members.iter().any(|member| member.receivable.is_resting())
    }

    /// Lets the sockets that gave nothing but errors be tried again.
    pub(crate) fn handle_rested(&mut self) {
        for member in &mut self.members {
            member.receivable.handle_rested();
        }
    }

    /// Takes one waiting datagram, from the sockets in turn.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Arrival {
        let count = self.members.len();
        for step in 0..count {
            let number = (self.turn + step) % count;
            let member = &mut self.members[number];
            if !member.receivable.is_readable() {
                continue;
            }
            match member.socket.receive(buffer) {
                Received::Datagram { bytes, from } => {
                    self.turn = number + 1;
                    member.receivable.handle_datagram();
                    return Arrival::Datagram { bytes, from, socket: number };
                }
                Received::Fault(_) => {
                    self.turn = number + 1;
                    member.receivable.handle_fault();
                    return Arrival::Fault;
                }
                Received::Drained => member.receivable.handle_drained(),
            }
        }
        Arrival::Drained
    }

    /// Remembers that answers to this address leave by the socket that received from it.
    ///
    /// Call it for datagrams that proved something: a table anybody can fill would be no help.
    pub(crate) fn learn_route(&mut self, from: SocketAddr, socket: usize) {
        if self.reaching(from).nth(1).is_none() {
            return;
        }
        if self.routes.len() >= ROUTES_MAX && !self.routes.contains_key(&from) {
            self.routes.clear();
        }
        self.routes.insert(from, socket);
    }

    /// Sends one datagram by the right socket.
    pub(crate) fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> Departure {
        let remembered = self.routes.get(&to).copied();
        let Some(number) = remembered.or_else(|| self.reaching(to).next()) else {
            self.unroutable += 1;
            return Departure::Gone;
        };
        match self.members[number].socket.send(to, datagram) {
            Sent::Whole | Sent::Fault(_) => Departure::Gone,
            Sent::Blocked => {
                self.members[number].blocked = true;
                self.set_interest(number, Interest::READABLE | Interest::WRITABLE);
                Departure::Blocked
            }
        }
    }

    /// What went through all sockets together; a datagram without a socket of its family counts as unreachable.
    pub(crate) fn counters(&self) -> SocketCounters {
        let mut total = self.closed;
        for member in &self.members {
            total.add(member.socket.counters());
        }
        total.send_faults[SocketFault::Unreachable as usize] += self.unroutable;
        total
    }

    /// The numbers of the sockets by which an address can be reached.
    fn reaching(&self, to: SocketAddr) -> impl Iterator<Item = usize> {
        self.members.iter().enumerate().filter(move |(_, member)| member.socket.reaches(to)).map(|(n, _)| n)
    }

    fn set_interest(&mut self, number: usize, interest: Interest) {
        let socket = &mut self.members[number].socket;
        if let Err(error) = self.registry.reregister(socket, Token(number), interest)
            && !std::mem::replace(&mut self.is_unwatched_told, true)
        {
            log::warn!("{}: cannot watch the socket: {error}", socket.local_address());
        }
    }
}

#[cfg(test)]
impl SocketSet {
    /// One socket from which nothing comes but errors.
    pub(crate) fn failing(registry: Registry) -> Result<Self, BindError> {
        let mut set = Self::bind(&[([127, 0, 0, 1], 0).into()], registry)?;
        for member in &mut set.members {
            member.socket = Socket::failing();
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests;
