//! QUIC for the swarm: `quinn` behind libp2p's `Transport`, with the greeting as part of the upgrade.
//!
//! libp2p has a QUIC transport of its own. It needs `ring` beside aws-lc-rs, wraps keys in certificates that
//! only libp2p reads, and gives no way to say why a connection is closed
//! ([ADR 0010](../../../../docs/adr/0010-the-engine-is-a-crate-with-a-transport-of-its-own.md)).
//!
//! - [`tls`]: who is at the other end.
//! - [`listener`]: one socket, and who knocks at it.
//! - [`muxer`]: a connection and its streams.
//! - [`ledger`]: what a peer has shown, for who asks later.
//! - [`code`]: why a connection is closed.
//! - [`address`]: addresses, as libp2p writes them.

pub(crate) mod address;
pub(crate) mod code;
pub(crate) mod ledger;
mod listener;
mod muxer;
pub(crate) mod tls;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::SelectAll};
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    },
};
use macula_quic::{TurnLater, farewell::Congestion};
use quinn::{
    ClientConfig, Connecting, Endpoint, EndpointConfig, MtuDiscoveryConfig, ServerConfig,
    TransportConfig,
};

use self::{ledger::Ledger, listener::Listener};
use crate::{
    admission::{Admission, Denied},
    key::NodeKey,
    settings::Settings,
};

/// How long TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Bytes that a peer may send on all streams of a connection, and on one, before somebody reads them:
/// 40 MB a second at 100 ms, and at most half a gigabyte for 128 peers that all want to do harm.
const CONNECTION_WINDOW: u32 = 4 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
/// What a round trip is taken for until one is measured. The first packet to a node that begins to listen a moment later
/// is sent again after three of them; on a path that is slower it may be sent once in vain.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// The longest UDP payload that is tried: what fits into a jumbo frame of 9,000 bytes, or into a packet of the
/// loopback interface. On another path its probes are lost, which nothing waits for.
const MAX_DATAGRAM: u16 = 8_952;
/// What may wait in a socket, as far as the system lets it: half of a connection's window.
const SOCKET_BUFFER: usize = 2 << 20;
/// The name in TLS, which nobody looks at: a peer is known by its key.
const SERVER_NAME: &str = "node.macula";

type Output = (PeerId, StreamMuxerBox);
type Upgrade = BoxFuture<'static, io::Result<Output>>;
type Event = TransportEvent<Upgrade, io::Error>;

/// The transport of one engine.
pub(crate) struct Quic {
    client: ClientConfig,
    server: ServerConfig,
    listeners: SelectAll<Listener>,
    /// For a family of addresses that nothing listens on.
    dialers: Vec<Endpoint>,
    admitting: Admitting,
}

/// What turns a connection into one that the swarm may have.
#[derive(Clone)]
struct Admitting {
    admission: Arc<Admission>,
    ledger: Ledger,
}

impl Quic {
    pub(crate) fn new(
        key: &NodeKey,
        settings: &Settings,
        admission: Arc<Admission>,
        ledger: Ledger,
    ) -> Result<Self, rustls::Error> {
        let (client, server) = tls::configurations(key)?;
        let transport = Arc::new(transport_config(settings));
        let mut client = ClientConfig::new(client);
        client.transport_config(transport.clone());
        let mut server = ServerConfig::with_crypto(server);
        server.transport_config(transport);
        // A peer's address is part of what the swarm knows of its connection.
        server.migration(false);
        Ok(Self {
            client,
            server,
            listeners: SelectAll::new(),
            dialers: Vec::new(),
            admitting: Admitting { admission, ledger },
        })
    }

    /// The socket to dial from: one that is listened on, so that the peer sees the address it may call back.
    fn endpoint(&mut self, to: SocketAddr) -> io::Result<Endpoint> {
        let fits = |endpoint: &&Endpoint| {
            let local = endpoint.local_addr().ok();
            local.is_some_and(|local| {
                local.is_ipv4() == to.is_ipv4()
                    && (local.ip().is_unspecified()
                        || local.ip().is_loopback() == to.ip().is_loopback())
            })
        };
        let listening = self.listeners.iter().map(Listener::endpoint);
        if let Some(endpoint) = listening.chain(&self.dialers).find(fits) {
            return Ok(endpoint.clone());
        }
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let endpoint = bind(SocketAddr::new(any, 0), None)?;
        self.dialers.push(endpoint.clone());
        Ok(endpoint)
    }
}

fn transport_config(settings: &Settings) -> TransportConfig {
    let mut config = TransportConfig::default();
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MAX_DATAGRAM);
    config
        .congestion_controller_factory(Arc::new(Congestion::default()))
        .initial_rtt(INITIAL_RTT)
        .mtu_discovery_config(Some(mtu))
        .max_concurrent_uni_streams(0_u32.into())
        .max_concurrent_bidi_streams(settings.streams_with_reserve().into())
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(settings.keep_alive))
        .max_idle_timeout(Some(settings.idle()))
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into());
    config
}

fn bind(address: SocketAddr, server: Option<ServerConfig>) -> io::Result<Endpoint> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    if address.is_ipv6() {
        // The other family has a socket of its own.
        socket.set_only_v6(true)?;
    }
    // What does not fit is lost and sent again; a system that gives less works too.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    let runtime = Arc::new(TurnLater);
    let mut config = EndpointConfig::default();
    config
        .max_udp_payload_size(MAX_DATAGRAM)
        .map_err(io::Error::other)?;
    Endpoint::new(config, server, socket.into(), runtime)
}

impl Admitting {
    async fn admit(self, connecting: Connecting, dialed: bool) -> io::Result<Output> {
        let timed = tokio::time::timeout(HANDSHAKE, connecting).await;
        let connection = timed.map_err(|_| io::ErrorKind::TimedOut)??;
        let node = tls::node(connection.peer_identity());
        let node = node.ok_or_else(|| io::Error::other("the peer has shown no key"))?;
        let greeted = self.admission.greet(connection, node, dialed).await;
        let facts = Arc::new(greeted.map_err(|denied| match denied {
            Denied::ByUs(why) | Denied::ByPeer(why) => {
                io::Error::new(io::ErrorKind::PermissionDenied, why)
            }
            Denied::Lost => io::ErrorKind::ConnectionReset.into(),
        })?);
        self.ledger.note(&facts);
        let muxer = muxer::Muxer::new(facts);
        Ok((node.to_peer(), StreamMuxerBox::new(muxer)))
    }
}

impl Transport for Quic {
    type Output = Output;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        let Some(socket) = address::to_socket(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let server = Some(self.server.clone());
        let endpoint = bind(socket, server).map_err(TransportError::Other)?;
        let listener = Listener::new(id, endpoint, self.admitting.clone());
        self.listeners
            .push(listener.map_err(TransportError::Other)?);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let found = self.listeners.iter_mut().find(|found| found.id() == id);
        found.map(Listener::stop).is_some()
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Upgrade, TransportError<io::Error>> {
        let Some(to) = address::to_socket(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let endpoint = self.endpoint(to).map_err(TransportError::Other)?;
        let connecting = endpoint
            .connect_with(self.client.clone(), to, SERVER_NAME)
            .map_err(|error| TransportError::Other(io::Error::other(error)))?;
        let admitting = self.admitting.clone();
        Ok(admitting.admit(connecting, true).boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        match self.listeners.poll_next_unpin(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(event),
            // The swarm polls again after it has told to listen.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
