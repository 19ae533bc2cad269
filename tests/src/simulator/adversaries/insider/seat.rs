//! One connection of the insider's: a correct handshake, a correct login, and just enough to stay.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;

use rejoin::{ClientId, Timestamp};

use super::frames::Frames;
use crate::netcode::kind::{KEEP_ALIVE, PAYLOAD, RESPONSE};
use crate::netcode::{KeyBytes, header, open_packet, open_request, seal_packet};
use crate::simulator::payload::{ResumeToken, resume_tokens};
use crate::simulator::step::Datagram;
use crate::world::{PRIVATE_KEY, PROTOCOL_ID, server_address};

/// How often it says the same again until the server goes on.
const RETRY_MS: u64 = 150;
/// How often it acknowledges and shows that it is there.
const UPKEEP_MS: u64 = 150;
/// After a silence of so long the server has thrown it out, or was never there.
const SILENCE_MS: u64 = 6_000;
/// The newest payloads that it acknowledges.
const RECEIVED_MAX: usize = 64;

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Requesting,
    /// With what the challenge said.
    Responding(Vec<u8>),
    Greeting,
    In,
    Over,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) identity: ClientId,
    pub(super) address: SocketAddr,
    pub(super) lane_epoch: u64,
    pub(super) request: Rc<[u8]>,
    /// Of the resume tokens it got, those that it has not used.
    pub(super) tokens: Vec<ResumeToken>,
    /// Before that it says nothing under its keys.
    pub(super) speaks_at: Timestamp,
    /// Whether it has said something else before its hello.
    pub(super) has_stammered: bool,
    /// How often each attack of one kind was made, for those that go on from one to the next.
    pub(super) counts: [u64; 5],
    to_server: KeyBytes,
    to_client: KeyBytes,
    next_sequence: u64,
    standing: Standing,
    received: BTreeSet<u64>,
    heard_at: Timestamp,
    said_at: Option<Timestamp>,
}

impl Seat {
    /// A connection that begins with a request.
    pub(super) fn new(
        now: Timestamp,
        identity: ClientId,
        address: SocketAddr,
        lane_epoch: u64,
        request: Vec<u8>,
    ) -> Option<Self> {
        // Its token also tells it the keys in the clear; this needs no other way to read.
        let token = open_request(PROTOCOL_ID, &PRIVATE_KEY, &request)?;
        Some(Self {
            identity,
            address,
            lane_epoch,
            request: request.into(),
            tokens: Vec::new(),
            speaks_at: now,
            has_stammered: false,
            counts: [0; 5],
            to_server: token.client_to_server,
            to_client: token.server_to_client,
            next_sequence: 0,
            standing: Standing::Requesting,
            received: BTreeSet::new(),
            heard_at: now,
            said_at: None,
        })
    }

    pub(super) fn is_in(&self) -> bool {
        self.standing == Standing::In
    }

    /// It may say something under its keys, and has not.
    pub(super) fn is_about_to_speak(&self, now: Timestamp) -> bool {
        self.standing == Standing::Greeting && self.speaks_at <= now
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.standing == Standing::Over || now >= self.heard_at.plus_millis(SILENCE_MS)
    }

    /// The newest payload it got.
    pub(super) fn newest_received(&self) -> u64 {
        self.received.last().copied().unwrap_or(0)
    }

    /// A packet arrives; it may be one of another connection at this address.
    pub(super) fn hear(&mut self, now: Timestamp, datagram: &[u8]) {
        let Some((kind, sequence, _)) = header(datagram) else { return };
        let Some(body) = open_packet(PROTOCOL_ID, &self.to_client, datagram) else { return };
        self.heard_at = now;
        match (kind, &self.standing) {
            (1 | 6, _) => self.standing = Standing::Over,
            (2, Standing::Requesting) => self.advance(Standing::Responding(body)),
            (KEEP_ALIVE, Standing::Responding(_)) => self.advance(Standing::Greeting),
            (PAYLOAD, _) => {
                self.received.insert(sequence);
                if self.received.len() > RECEIVED_MAX {
                    self.received.pop_first();
                }
                self.tokens.extend(resume_tokens(&body));
                if self.standing == Standing::Greeting {
                    self.advance(Standing::In);
                }
            }
            _ => {}
        }
    }

    fn advance(&mut self, standing: Standing) {
        self.standing = standing;
        self.said_at = None;
    }

    /// What it has to say to get in, and to stay.
    pub(super) fn keep_up(&mut self, now: Timestamp) -> Option<Datagram> {
        let every_ms = if self.is_in() { UPKEEP_MS } else { RETRY_MS };
        if self.said_at.is_some_and(|at| now < at.plus_millis(every_ms)) {
            return None;
        }
        self.said_at = Some(now);
        let bytes = match &self.standing {
            Standing::Requesting => Rc::clone(&self.request),
            Standing::Responding(challenge) => {
                let body = challenge.clone();
                self.seal(RESPONSE, &body)
            }
            Standing::Greeting if now < self.speaks_at => return None,
            Standing::Greeting => {
                let payload = Frames::default().hello(self.lane_epoch).login(1, b"right").into_bytes();
                self.seal(PAYLOAD, &payload)
            }
            Standing::In => {
                let received = self.received.iter().rev().copied();
                let payload = Frames::default().ack(received).heartbeat(now.as_micros()).into_bytes();
                self.seal(PAYLOAD, &payload)
            }
            Standing::Over => return None,
        };
        Some(self.addressed(bytes))
    }

    /// A packet under its keys; no two have one sequence.
    pub(super) fn seal(&mut self, kind: u8, body: &[u8]) -> Rc<[u8]> {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        seal_packet(PROTOCOL_ID, &self.to_server, kind, sequence, body).into()
    }

    pub(super) fn addressed(&self, bytes: Rc<[u8]>) -> Datagram {
        Datagram { from: self.address, to: server_address(), bytes }
    }
}
