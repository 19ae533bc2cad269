//! A client under virtual time, and a server that says what a test tells it to.

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::client::{ClientConfig, ClientEvent, ClientSession, Verdict};
use crate::link::frame::{Frame, FrameWriter, Hello, ResumeToken, Role, Welcome, check_form};
use crate::netcode::packet::{self, Packet, PacketKind};
use crate::netcode::request::RequestPacket;
use crate::netcode::{CHALLENGE_TOKEN_BYTES, PACKET_BYTES_MAX};
use crate::{ClientId, ConnectToken, DATAGRAM_BYTES_MAX, Key, Timestamp, TokenSpec, USER_DATA_BYTES};

pub(super) const PROTOCOL_ID: u64 = 0x52;
pub(super) const UNIX_S: u64 = 1_900_000_000;
pub(super) const TIMEOUT_S: i32 = 5;
pub(super) const HEARTBEAT_MS: u64 = 500;
pub(super) const TIMEOUT_MS: u64 = 4_000;
pub(super) const WINDOW_MS: u64 = 30_000;

pub(super) fn first_server() -> SocketAddr {
    "192.0.2.1:40000".parse().unwrap()
}

pub(super) fn second_server() -> SocketAddr {
    "[2001:db8::1]:40000".parse().unwrap()
}

/// A token with keys of its own that lives as long as one of the server's.
pub(super) fn resume_token(number: u8) -> ConnectToken {
    let mut token = token(number, &[first_server()]);
    token.expire_unix = token.create_unix + 86_400;
    token
}

/// A token with keys of its own.
pub(super) fn token(number: u8, addresses: &[SocketAddr]) -> ConnectToken {
    TokenSpec {
        protocol_id: PROTOCOL_ID,
        create_unix: UNIX_S,
        expire_unix: UNIX_S + 45,
        nonce: [number; 24],
        private_key: &Key::new([1; 32]),
        client_id: ClientId(7),
        timeout_seconds: TIMEOUT_S,
        addresses,
        client_to_server_key: &Key::new([number; 32]),
        server_to_client_key: &Key::new([number | 0x80; 32]),
        user_data: &[0; USER_DATA_BYTES],
    }
    .mint()
    .unwrap()
}

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: Timestamp,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// A sent packet in the clear.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) kind: PacketKind,
    pub(super) sequence: u64,
    pub(super) payload: Vec<u8>,
    /// Of a response: what it echoes.
    pub(super) challenge: Option<(u64, [u8; CHALLENGE_TOKEN_BYTES])>,
}

impl Sent {
    pub(super) fn is_request_of(&self, token: &ConnectToken) -> bool {
        RequestPacket::parse(&self.bytes, PROTOCOL_ID).is_ok_and(|request| *request.nonce == token.nonce)
    }

    /// `None` for a request, and for what was sealed under another token's keys.
    pub(super) fn open(&self, token: &ConnectToken) -> Option<Opened> {
        let mut bytes = self.bytes.clone();
        let header = packet::peek(&bytes).ok()?;
        let packet = packet::open(&mut bytes, &header, PROTOCOL_ID, &token.client_to_server_key)?;
        let (payload, challenge) = match packet {
            Packet::Payload(payload) => (payload.to_vec(), None),
            Packet::Response { token_sequence, token } => (Vec::new(), Some((token_sequence, *token))),
            _ => (Vec::new(), None),
        };
        Some(Opened { kind: header.kind, sequence: header.sequence, payload, challenge })
    }
}

/// How many of these are requests with this token.
pub(super) fn requests_of(sent: &[Sent], token: &ConnectToken) -> usize {
    sent.iter().filter(|sent| sent.is_request_of(token)).count()
}

/// The packets among `sent` that open under the keys of `token`.
pub(super) fn opened(sent: &[Sent], token: &ConnectToken) -> Vec<Opened> {
    sent.iter().filter_map(|sent| sent.open(token)).collect()
}

/// The frames a client sent in a payload.
pub(super) fn frames(payload: &[u8]) -> Vec<Frame<'_>> {
    check_form(payload, Role::Client).unwrap().frames().collect()
}

/// A client, its clock, and the next sequence of the server.
pub(super) struct Bench {
    pub(super) client: ClientSession,
    pub(super) now: Timestamp,
    pub(super) sequence: u64,
    /// The lane epoch of the last hello.
    pub(super) lane_epoch: u64,
}

impl Bench {
    pub(super) fn new(config: ClientConfig, token: &ConnectToken) -> Self {
        let now = Timestamp::from_millis(1_000);
        let client = ClientSession::new(config, [9; 32], now, token, UNIX_S).unwrap();
        Self::with(client, now)
    }

    pub(super) fn with(client: ClientSession, now: Timestamp) -> Self {
        Self { client, now, sequence: 0, lane_epoch: 0 }
    }

    /// A framed client that has been let in by the first server and welcomed, and is logged in where `welcome` says so.
    pub(super) fn welcomed(config: ClientConfig, token: &ConnectToken, welcome: &Welcome) -> Self {
        let mut bench = Self::new(config, token);
        bench.let_in(token);
        bench.welcome(token, welcome);
        bench
    }

    /// A client that is logged in and has resume tokens of these generations, whose keys are numbered alike; with the token it came with.
    pub(super) fn with_resume_tokens(generations: &[u8]) -> (Self, ConnectToken) {
        let backend = token(100, &[first_server()]);
        let mut bench = Self::welcomed(ClientConfig::default(), &backend, &welcome());
        for &generation in generations {
            bench.give_resume_token(&backend, generation.into(), &resume_token(generation));
        }
        bench.events();
        (bench, backend)
    }

    /// What leaves now.
    pub(super) fn drain(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(next) = self.poll_transmit() {
            sent.push(next);
            assert!(sent.len() < 1_000, "output comes to an end");
        }
        sent
    }

    /// What leaves next.
    pub(super) fn poll_transmit(&mut self) -> Option<Sent> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let transmit = self.client.poll_transmit(self.now, &mut buffer)?;
        Some(Sent { at: self.now, to: transmit.to, bytes: buffer[..transmit.len].to_vec() })
    }

    /// Lets time pass as a host would: from deadline to deadline. Returns what was sent, and checks that no deadline spins.
    pub(super) fn run_for_ms(&mut self, millis: u64) -> Vec<Sent> {
        let end = self.now.plus_millis(millis);
        let mut sent = self.drain();
        let mut kept_events = Vec::new();
        loop {
            kept_events.extend(self.events_with_bytes());
            let Some(deadline) = self.client.poll_timeout().filter(|deadline| deadline.at <= end) else {
                break;
            };
            assert_eq!(self.client.poll_timeout(), Some(deadline), "asking changes nothing");
            let sent_before = sent.len();
            self.now = self.now.max(deadline.at);
            self.client.handle_timeout(self.now);
            sent.extend(self.drain());
            let has_event = self.client.poll_timeout().is_some_and(|next| next.at <= self.now);
            let has_moved = self.client.poll_timeout() != Some(deadline) || sent.len() > sent_before;
            assert!(has_moved || has_event, "a fired deadline moves on or gives output: {deadline:?}");
        }
        self.now = end;
        self.client.handle_timeout(self.now);
        sent.extend(self.drain());
        kept_events.extend(self.events_with_bytes());
        for (event, payload) in kept_events {
            self.client.events.push(event, &payload);
        }
        sent
    }

    /// All events that wait, with their bytes.
    pub(super) fn events_with_bytes(&mut self) -> Vec<(ClientEvent, Vec<u8>)> {
        let mut events = Vec::new();
        let mut payload = vec![1, 2, 3];
        while let Some(event) = self.client.poll_event(&mut payload) {
            events.push((event, payload.clone()));
        }
        events
    }

    /// All events that wait.
    pub(super) fn events(&mut self) -> Vec<ClientEvent> {
        self.events_with_bytes().into_iter().map(|(event, _)| event).collect()
    }

    /// Gives the client bytes that come from the first server.
    pub(super) fn give(&mut self, bytes: &[u8]) -> Verdict {
        self.give_from(first_server(), bytes)
    }

    pub(super) fn give_from(&mut self, from: SocketAddr, bytes: &[u8]) -> Verdict {
        self.client.handle_datagram(self.now, from, &mut bytes.to_vec())
    }

    /// Seals a packet of the server.
    pub(super) fn seal(&mut self, token: &ConnectToken, packet: &Packet<'_>) -> Vec<u8> {
        let mut bytes = [0; PACKET_BYTES_MAX];
        let key = &token.server_to_client_key;
        let len = packet::seal(packet, self.sequence, PROTOCOL_ID, key, &mut bytes).unwrap();
        self.sequence += 1;
        bytes[..len].to_vec()
    }

    pub(super) fn challenge(&mut self, token: &ConnectToken) -> Vec<u8> {
        self.seal(token, &Packet::Challenge { token_sequence: 3, token: &mut [5; CHALLENGE_TOKEN_BYTES] })
    }

    pub(super) fn keep_alive(&mut self, token: &ConnectToken) -> Vec<u8> {
        self.seal(token, &Packet::KeepAlive { client_index: 0, max_clients: 1 })
    }

    /// Does the server's side of the handshake.
    pub(super) fn let_in(&mut self, token: &ConnectToken) {
        let challenge = self.challenge(token);
        assert_eq!(self.give(&challenge), Verdict::Accepted);
        self.drain();
        let keep_alive = self.keep_alive(token);
        assert_eq!(self.give(&keep_alive), Verdict::Accepted);
    }

    /// Does the server's side of the handshake and the welcome as far as the client is ready for it.
    pub(super) fn let_in_if_it_may(&mut self, token: &ConnectToken) {
        let challenge = self.challenge(token);
        self.give(&challenge);
        self.drain();
        let keep_alive = self.keep_alive(token);
        self.give(&keep_alive);
        if let Some(lane_epoch) = self.hello(token) {
            let welcome = Welcome { lane_epoch, ..welcome() };
            self.give_frames(token, |writer| writer.write_welcome(&welcome));
        }
    }

    /// The lane epoch of the hello that the client sends now.
    fn hello(&mut self, token: &ConnectToken) -> Option<u64> {
        let sent = self.drain();
        opened(&sent, token).into_iter().filter(|packet| packet.kind == PacketKind::Payload).find_map(
            |packet| match frames(&packet.payload)[..] {
                [Frame::Hello(Hello { lane_epoch, .. }), ..] => Some(lane_epoch),
                _ => None,
            },
        )
    }

    /// Answers the hello that the client must have waiting.
    pub(super) fn welcome(&mut self, token: &ConnectToken, welcome: &Welcome) {
        self.lane_epoch = self.hello(token).expect("a client that was let in says hello");
        let welcome = Welcome { lane_epoch: self.lane_epoch, ..*welcome };
        assert_eq!(self.give_frames(token, |writer| writer.write_welcome(&welcome)), Verdict::Accepted);
    }

    /// Gives the client a payload of the server.
    pub(super) fn give_frames(
        &mut self,
        token: &ConnectToken,
        write: impl FnOnce(&mut FrameWriter<'_>) -> bool,
    ) -> Verdict {
        let mut payload = [0; 1_200];
        let mut writer = FrameWriter::new(&mut payload);
        assert!(write(&mut writer));
        let len = writer.len();
        let bytes = self.seal(token, &Packet::Payload(&payload[..len]));
        self.give(&bytes)
    }

    /// Hands a resume token over inside the session of `token`.
    pub(super) fn give_resume_token(&mut self, token: &ConnectToken, generation: u64, resume: &ConnectToken) {
        assert_eq!(self.offer_resume_token(token, generation, resume), Verdict::Accepted);
    }

    /// The same, whether or not the client takes it.
    pub(super) fn offer_resume_token(
        &mut self,
        token: &ConnectToken,
        generation: u64,
        resume: &ConnectToken,
    ) -> Verdict {
        let mut addresses = Vec::new();
        for address in resume.addresses() {
            let SocketAddr::V4(address) = address else { panic!("the test lists IPv4 only") };
            addresses.push(1);
            addresses.extend_from_slice(&address.ip().octets());
            addresses.extend_from_slice(&address.port().to_le_bytes());
        }
        let frame = ResumeToken {
            generation,
            create_unix: resume.create_unix,
            expire_unix: resume.expire_unix,
            nonce: &resume.nonce,
            private: &resume.private,
            client_to_server_key: resume.client_to_server_key.as_bytes(),
            server_to_client_key: resume.server_to_client_key.as_bytes(),
            timeout_seconds: resume.timeout_seconds,
            address_count: u8::try_from(resume.addresses().len()).unwrap(),
            addresses: &addresses,
        };
        self.give_frames(token, |writer| writer.write_resume_token(&frame))
    }
}

/// A generator of numbers that are the same in each run (splitmix64).
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ mixed >> 27) % bound
    }

    pub(super) fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.below(256).to_le_bytes()[0]).collect()
    }
}

/// The welcome of a session that is logged in.
pub(super) fn welcome() -> Welcome {
    Welcome {
        version: 1,
        lane_epoch: 0,
        lanes_kept: false,
        login_explicit: false,
        logged_in: true,
        session: 77,
        tick_rate_hz: 50,
        server_tick: 600,
        heartbeat_ms: HEARTBEAT_MS,
        timeout_ms: TIMEOUT_MS,
        reconnect_window_ms: WINDOW_MS,
        ordered_lanes: 4,
        message_bytes_max: 262_144,
        lane_window_bytes: 131_072,
        latest_keys: 256,
        move_high_water: None,
    }
}
