//! A scripted netcode client: it sends what a test tells it to and nothing else, and remembers what it heard.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::RangeInclusive;

use crate::link::frame::{Draining, Frame, FrameWriter, Hello, PAYLOAD_BYTES_MAX, Role, Welcome, check_form};
use crate::netcode::packet::{self, Packet};
use crate::netcode::{CHALLENGE_TOKEN_BYTES, PACKET_BYTES_MAX};

use super::ticket::{PROTOCOL_ID, Ticket};

/// A sealed challenge with its number, as the server gave it.
pub(super) type Challenge = (u64, Box<[u8; CHALLENGE_TOKEN_BYTES]>);

/// One client. Its methods that make a datagram use up a sequence each; what they return may be sent, kept back or repeated.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) ticket: Ticket,
    /// The sequence of the next packet.
    pub(super) sequence: u64,
    pub(super) lane_epoch: u64,
    pub(super) challenge: Option<Challenge>,
    pub(super) denials: usize,
    /// Client index and slots of each keep-alive.
    pub(super) keep_alives: Vec<(u32, u32)>,
    pub(super) disconnects: usize,
    /// Datagrams that do not open under the keys in use.
    pub(super) unopened: usize,
    /// Sequence and content of every payload, in the order of arrival.
    payloads: Vec<(u64, Vec<u8>)>,
    /// Where among them the key epoch begins.
    epoch_start: usize,
}

impl Peer {
    pub(super) fn new(ticket: Ticket, address: SocketAddr) -> Self {
        Self {
            address,
            ticket,
            sequence: 0,
            lane_epoch: 77,
            challenge: None,
            denials: 0,
            keep_alives: Vec::new(),
            disconnects: 0,
            unopened: 0,
            payloads: Vec::new(),
            epoch_start: 0,
        }
    }

    /// Goes on with another token from another address, under new keys.
    pub(super) fn change_path(&mut self, ticket: Ticket, address: SocketAddr) {
        *self = Self {
            lane_epoch: self.lane_epoch,
            epoch_start: self.payloads.len(),
            payloads: core::mem::take(&mut self.payloads),
            ..Self::new(ticket, address)
        };
    }

    /// Goes on with the lowest resume token it holds and has not used.
    pub(super) fn begin_resume(&mut self, address: SocketAddr) {
        let next = self.unspent_tickets().into_iter().next().expect("an unspent token");
        self.change_path(next, address);
    }

    pub(super) fn request(&self) -> Vec<u8> {
        self.ticket.request()
    }

    /// Answers the challenge it was given last.
    pub(super) fn response(&mut self) -> Vec<u8> {
        let challenge = self.challenge.clone().expect("a challenge");
        self.response_to(challenge)
    }

    pub(super) fn response_to(&mut self, (token_sequence, mut token): Challenge) -> Vec<u8> {
        self.seal(&Packet::Response { token_sequence, token: &mut token })
    }

    pub(super) fn keep_alive(&mut self) -> Vec<u8> {
        self.seal(&Packet::KeepAlive { client_index: 0, max_clients: 0 })
    }

    pub(super) fn disconnect(&mut self) -> Vec<u8> {
        self.seal(&Packet::Disconnect)
    }

    pub(super) fn payload(&mut self, payload: &[u8]) -> Vec<u8> {
        self.seal(&Packet::Payload(payload))
    }

    /// A payload of the frames that `write` writes.
    pub(super) fn frames(&mut self, write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<u8> {
        let mut payload = [0; PAYLOAD_BYTES_MAX];
        let mut writer = FrameWriter::new(&mut payload);
        write(&mut writer);
        let len = writer.len();
        self.payload(&payload[..len])
    }

    pub(super) fn hello(&mut self) -> Vec<u8> {
        let hello = Hello::new(self.lane_epoch);
        self.frames(|writer| assert!(writer.write_hello(&hello)))
    }

    pub(super) fn login(&mut self, attempt: u64, credential: &[u8]) -> Vec<u8> {
        self.frames(|writer| assert!(writer.write_login(attempt, credential)))
    }

    /// A heartbeat, with an acknowledgement of everything.
    pub(super) fn heartbeat(&mut self) -> Vec<u8> {
        self.frames_with_ack(|writer| assert!(writer.write_heartbeat(1)))
    }

    /// The same with the longest stamp: a packet that pays for a path challenge, wherever the server's sequences begin.
    pub(super) fn long_heartbeat(&mut self) -> Vec<u8> {
        self.frames_with_ack(|writer| assert!(writer.write_heartbeat(u64::MAX)))
    }

    /// Frames behind an acknowledgement of everything.
    pub(super) fn frames_with_ack(&mut self, write: impl FnOnce(&mut FrameWriter<'_>)) -> Vec<u8> {
        let ranges = self.received_ranges();
        self.frames(|writer| {
            writer.write_ack(0, ranges.into_iter());
            write(writer);
        })
    }

    pub(super) fn path_response(&mut self, value: u64) -> Vec<u8> {
        self.frames(|writer| assert!(writer.write_path_response(value)))
    }

    pub(super) fn message(&mut self, number: u64, message: &[u8]) -> Vec<u8> {
        self.frames(|writer| assert!(writer.write_lane(0, number, (message, &[]))))
    }

    /// Move inputs, the newest first.
    pub(super) fn moves(&mut self, ticks: &[u64]) -> Vec<u8> {
        self.frames(|writer| {
            let inputs = ticks.iter().map(|&tick| (tick, &b"input"[..]));
            assert_eq!(writer.write_moves(inputs), ticks.len());
        })
    }

    fn seal(&mut self, packet: &Packet<'_>) -> Vec<u8> {
        let mut datagram = [0; PACKET_BYTES_MAX];
        let key = &self.ticket.client_to_server;
        let len = packet::seal(packet, self.sequence, PROTOCOL_ID, key, &mut datagram).unwrap();
        self.sequence += 1;
        datagram[..len].to_vec()
    }

    /// Takes what the server sent.
    pub(super) fn hear(&mut self, mut datagram: Vec<u8>) {
        let header = packet::peek(&datagram).expect("a well-formed packet");
        match packet::open(&mut datagram, &header, PROTOCOL_ID, &self.ticket.server_to_client) {
            Some(Packet::Denied) => self.denials += 1,
            Some(Packet::Challenge { token_sequence, token }) => {
                self.challenge = Some((token_sequence, Box::new(*token)));
            }
            Some(Packet::KeepAlive { client_index, max_clients }) => {
                self.keep_alives.push((client_index, max_clients));
            }
            Some(Packet::Payload(payload)) => self.payloads.push((header.sequence, payload.to_vec())),
            Some(Packet::Disconnect) => self.disconnects += 1,
            Some(Packet::Response { .. }) => panic!("a server answers no challenge"),
            None => self.unopened += 1,
        }
    }

    /// The payloads as they came, for raw servers.
    pub(super) fn payloads(&self) -> Vec<&[u8]> {
        self.payloads.iter().map(|(_, payload)| payload.as_slice()).collect()
    }

    /// The sequences of this key epoch's payloads, highest first.
    fn received_ranges(&self) -> Vec<RangeInclusive<u64>> {
        let mut sequences: Vec<u64> =
            self.payloads[self.epoch_start..].iter().map(|(sequence, _)| *sequence).collect();
        sequences.sort_unstable();
        sequences.dedup();
        let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
        for sequence in sequences {
            match ranges.last_mut() {
                Some(last) if last.end() + 1 == sequence => *last = *last.start()..=sequence,
                _ => ranges.push(sequence..=sequence),
            }
        }
        ranges.reverse();
        ranges
    }

    /// Everything that `pick` takes from the frames it heard, in order.
    pub(super) fn heard<'a, T>(&'a self, pick: impl FnMut(Frame<'a>) -> Option<T>) -> Vec<T> {
        let checked = |(_, payload): &'a (u64, Vec<u8>)| check_form(payload, Role::Server).unwrap().frames();
        self.payloads.iter().flat_map(checked).filter_map(pick).collect()
    }

    /// The newest welcome.
    pub(super) fn welcome(&self) -> Option<Welcome> {
        self.heard(|frame| if let Frame::Welcome(welcome) = frame { Some(welcome) } else { None }).pop()
    }

    /// The attempts that were accepted.
    pub(super) fn acceptances(&self) -> Vec<u64> {
        self.heard(|frame| if let Frame::LoginAccepted { attempt } = frame { Some(attempt) } else { None })
    }

    /// Attempt, attempts left, code and text of each rejection.
    pub(super) fn rejections(&self) -> Vec<(u64, u64, u64, String)> {
        self.heard(|frame| match frame {
            Frame::LoginRejected(rejected) => {
                Some((rejected.attempt, rejected.attempts_left, rejected.code, rejected.text.to_string()))
            }
            _ => None,
        })
    }

    /// What it was told of the server's leave, as often as it was.
    pub(super) fn drainings(&self) -> Vec<Draining> {
        self.heard(|frame| if let Frame::Draining(draining) = frame { Some(draining) } else { None })
    }

    /// The resume tokens it holds, by generation.
    pub(super) fn tickets(&self) -> Vec<Ticket> {
        let tickets: BTreeMap<u64, Ticket> = self
            .heard(
                |frame| if let Frame::ResumeToken(token) = frame { Some(Ticket::from(&token)) } else { None },
            )
            .into_iter()
            .map(|ticket| (ticket.generation, ticket))
            .collect();
        tickets.into_values().collect()
    }

    /// Those above the one in use.
    pub(super) fn unspent_tickets(&self) -> Vec<Ticket> {
        self.tickets().into_iter().filter(|ticket| ticket.generation > self.ticket.generation).collect()
    }

    /// The reliable messages it can deliver, by number and each once.
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        let by_number: BTreeMap<u64, &[u8]> = self
            .heard(|frame| {
                if let Frame::Lane { lane: 0, number, message } = frame {
                    Some((number, message))
                } else {
                    None
                }
            })
            .into_iter()
            .collect();
        (0..).map_while(|number| by_number.get(&number).map(|message| message.to_vec())).collect()
    }

    /// The bytes of a lane as far as they came without a gap, pieces and messages one after the other.
    pub(super) fn lane_bytes(&self, lane: u8) -> Vec<u8> {
        let by_number: BTreeMap<u64, &[u8]> = self
            .heard(|frame| match frame {
                Frame::Lane { lane: of, number, message } if of == lane => Some((number, message)),
                Frame::Fragment { lane: of, number, bytes } if of == lane => Some((number, bytes)),
                _ => None,
            })
            .into_iter()
            .collect();
        (0..).map_while(|number| by_number.get(&number).copied()).flatten().copied().collect()
    }

    /// The unreliable messages, as they came.
    pub(super) fn datagrams(&self) -> Vec<&[u8]> {
        self.heard(|frame| if let Frame::Datagram { message } = frame { Some(message) } else { None })
    }

    /// Server tick, acknowledged tick and content of each state.
    pub(super) fn states(&self) -> Vec<(u64, Option<u64>, Vec<u8>)> {
        self.heard(|frame| match frame {
            Frame::State(state) => Some((state.server_tick, state.acknowledged_tick, state.bytes.to_vec())),
            _ => None,
        })
    }

    /// The values of path challenges, as they came.
    pub(super) fn path_challenges(&self) -> Vec<u64> {
        self.heard(|frame| if let Frame::PathChallenge { value } = frame { Some(value) } else { None })
    }

    /// Code and detail of each goodbye.
    pub(super) fn goodbyes(&self) -> Vec<(u8, Vec<u8>)> {
        self.heard(|frame| match frame {
            Frame::Goodbye { code, detail } => Some((code, detail.to_vec())),
            _ => None,
        })
    }
}
