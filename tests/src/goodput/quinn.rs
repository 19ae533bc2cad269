//! The transfer on a stream of quinn-proto, an implementation of QUIC, with New Reno as its congestion control.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::congestion::NewRenoConfig;
use quinn_proto::rustls::RootCertStore;
use quinn_proto::rustls::pki_types::PrivatePkcs8KeyDer;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint as QuicEndpoint, EndpointConfig,
    Event, ServerConfig, StreamEvent, StreamId, TransportConfig, VarInt,
};
use rejoin::Timestamp;

use super::{MESSAGE_BYTES, QUEUE_BYTES, Transfer, Trial};
use crate::pipe::{Endpoint, Packet, Path, Pipe, for_login};
use crate::world::Chance;

/// The virtual time in which a transfer has to come to an end.
const LIMIT_MS: u64 = 600_000;
/// How long both ends are left alone after the handshake, in milliseconds.
const SETTLING_MS: u64 = 2_000;
/// The size of its packets.
const PACKET_BYTES: u16 = 1_200;
/// More than the transfer, so that nothing but the congestion window holds it back.
const RECEIVE_WINDOW_BYTES: u32 = 64 * 1_048_576;
const SERVER_NAME: &str = "server.test";

/// The transfer on a unidirectional stream that the server opens.
#[must_use]
pub fn transfer_with_quinn(trial: &Trial) -> Transfer {
    let mut chance = Chance::new(trial.seed);
    let zero = zero();
    let (server, client) = configs();
    let near = Node::new(zero, chance.bytes(), Some(server));
    let mut far = Node::new(zero, chance.bytes(), None);
    far.connect(client);
    let pipe = || Pipe::new(for_login(trial.pipe), 0);
    let mut path = Path::new(near, far, pipe(), pipe());
    path.run_until("the handshake", 10_000, |path| path.near.is_connected && path.far.is_connected);
    path.run_for_ms(SETTLING_MS);
    path.forth.change(trial.pipe, chance.number());
    path.back.change(trial.pipe, chance.number());

    let started_at = path.now;
    let bytes = trial.bytes();
    path.near.open(usize::try_from(bytes).expect("what memory can hold"));
    path.run_until("the transfer", LIMIT_MS, |path| path.far.bytes_received >= bytes);

    let micros = path.far.received_at.micros_since(started_at);
    Transfer { bytes: path.far.bytes_received, micros, packets: path.forth.counters() }
}

/// Some moment, from which virtual time is counted.
#[expect(
    clippy::disallowed_methods,
    reason = "quinn-proto names moments by `Instant`; only their distances matter"
)]
fn zero() -> Instant {
    Instant::now()
}

fn configs() -> (ServerConfig, ClientConfig) {
    let transport = Arc::new(transport());
    let issued = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let certificate = issued.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let mut server = ServerConfig::with_single_cert(vec![certificate], key.into()).expect("a matching key");
    server.transport_config(transport.clone());
    let mut client = ClientConfig::with_root_certificates(Arc::new(roots)).expect("a root");
    client.transport_config(transport);
    (server, client)
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .initial_mtu(PACKET_BYTES)
        .min_mtu(PACKET_BYTES)
        .mtu_discovery_config(None)
        .enable_segmentation_offload(false)
        .congestion_controller_factory(Arc::new(NewRenoConfig::default()))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .send_window(QUEUE_BYTES.into());
    transport
}

/// One end of the connection, and its application.
struct Node {
    zero: Instant,
    endpoint: QuicEndpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    is_connected: bool,
    /// What the endpoint says by itself.
    replies: VecDeque<Vec<u8>>,
    /// The stream and how many bytes are still to be written to it.
    outgoing: Option<(StreamId, usize)>,
    incoming: Option<StreamId>,
    bytes_received: u64,
    received_at: Timestamp,
}

impl Node {
    fn new(zero: Instant, seed: [u8; 32], server: Option<ServerConfig>) -> Self {
        let mut config = EndpointConfig::default();
        config.rng_seed(Some(seed));
        Self {
            zero,
            endpoint: QuicEndpoint::new(Arc::new(config), server.map(Arc::new), false, None),
            connection: None,
            is_connected: false,
            replies: VecDeque::new(),
            outgoing: None,
            incoming: None,
            bytes_received: 0,
            received_at: Timestamp::ZERO,
        }
    }

    fn connect(&mut self, config: ClientConfig) {
        let connected = self.endpoint.connect(self.zero, config, peer(), SERVER_NAME);
        self.connection = Some(connected.expect("a connection"));
    }

    fn open(&mut self, bytes: usize) {
        let (_, connection) = self.connection.as_mut().expect("a connection");
        let stream = connection.streams().open(Dir::Uni).expect("a stream");
        self.outgoing = Some((stream, bytes));
    }

    fn instant(&self, now: Timestamp) -> Instant {
        self.zero + Duration::from_micros(now.as_micros())
    }

    fn handle_events(&mut self) {
        let Some((handle, connection)) = &mut self.connection else { return };
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(answer) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(answer);
            }
        }
        while let Some(event) = connection.poll() {
            match event {
                Event::Connected => self.is_connected = true,
                Event::ConnectionLost { reason } => panic!("the connection ended: {reason}"),
                Event::Stream(StreamEvent::Opened { dir }) => {
                    self.incoming = connection.streams().accept(dir);
                }
                _ => {}
            }
        }
    }

    fn read(&mut self, now: Timestamp) {
        let (Some(stream), Some((_, connection))) = (self.incoming, &mut self.connection) else { return };
        let mut stream = connection.recv_stream(stream);
        let mut chunks = stream.read(true).expect("an open stream");
        while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
            self.bytes_received += chunk.bytes.len() as u64;
            self.received_at = now;
        }
        // The next packet tells the sender, whenever it leaves.
        let _ = chunks.finalize();
    }

    fn write(&mut self) {
        let (Some((stream, left)), Some((_, connection))) = (&mut self.outgoing, &mut self.connection) else {
            return;
        };
        while *left > 0 {
            let len = (*left).min(MESSAGE_BYTES);
            let Ok(written) = connection.send_stream(*stream).write(&[0x5a; MESSAGE_BYTES][..len]) else {
                return;
            };
            *left -= written;
        }
    }
}

impl Endpoint for Node {
    fn next_task(&self) -> Option<Timestamp> {
        None
    }

    fn run_application(&mut self, now: Timestamp) {
        self.handle_events();
        self.read(now);
        self.write();
    }

    fn handle_packet(&mut self, now: Timestamp, packet: Packet) {
        let now = self.instant(now);
        let mut reply = Vec::new();
        let data = packet.bytes.as_slice().into();
        match self.endpoint.handle(now, peer(), None, None, data, &mut reply) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                let (_, connection) = self.connection.as_mut().expect("an accepted connection");
                connection.handle_event(event);
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut reply, None);
                self.connection = accepted.ok();
            }
            Some(DatagramEvent::Response(_)) => self.replies.push_back(reply),
            None => {}
        }
    }

    fn poll_timeout(&mut self) -> Option<Timestamp> {
        let (_, connection) = self.connection.as_mut()?;
        // Rounded up: a deadline that has come has passed.
        let nanos = connection.poll_timeout()?.saturating_duration_since(self.zero).as_nanos();
        u64::try_from(nanos.div_ceil(1_000)).ok().map(Timestamp::from_micros)
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        let now = self.instant(now);
        if let Some((_, connection)) = &mut self.connection {
            connection.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(reply);
        }
        let now = self.instant(now);
        let (_, connection) = self.connection.as_mut()?;
        let mut bytes = Vec::with_capacity(PACKET_BYTES.into());
        connection.poll_transmit(now, 1, &mut bytes).map(|_| bytes)
    }
}

/// Both ends call the other one this.
fn peer() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], 4_433))
}
