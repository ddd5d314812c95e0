//! QUIC connections.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use macula_quic::{TurnLater, farewell::Congestion};
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Incoming, ServerConfig, TransportConfig, VarInt,
    crypto::rustls::QuicServerConfig,
};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::{Shared, h3, limits::Place, settings::Settings};
use crate::{
    conn::Protocol,
    metrics::{ConnectionGuard, Refusal},
};

/// `H3_NO_ERROR` (RFC 9114 §8.1).
pub(super) const NO_ERROR: VarInt = VarInt::from_u32(0x100);
/// `H3_EXCESSIVE_LOAD` (RFC 9114 §8.1).
pub(super) const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x107);
/// Handshakes under way above which a peer has to prove its address first (RFC 9000 §8.1.2), so that
/// forged addresses cost nothing.
const RETRY_ABOVE: usize = 256;
/// Connections that may wait to be accepted here; later ones are refused.
const MAX_INCOMING: usize = 4_096;
/// What one of them may send meanwhile: its hello and some early data.
const INCOMING_BYTES: u64 = 64 << 10;
/// What all of them may send meanwhile.
const ALL_INCOMING_BYTES: u64 = 16 << 20;
/// Requests that a new connection may have open; quinn keeps a place for each, so that a thousand
/// places would be most of an idle connection's memory.
const FIRST_STREAMS: u32 = 32;
/// How often the server asks whether the peer is there.
const PING: Duration = Duration::from_secs(15);
/// After how long without any packet the peer is gone: three pings.
const SILENCE: Duration = Duration::from_secs(45);
/// What one request may send before it is read.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// What all requests of a connection may send before they are read.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// What all responses of a connection may hold that the peer has not acknowledged.
const SEND_WINDOW_BYTES: u64 = 2 << 20;
/// Streams of the peer's in one direction: control, two of QPACK, and some that mean nothing
/// (RFC 9114 §6.2.3).
const UNI_STREAMS: u32 = 16;

/// What datagrams of a connection may wait in each direction; then the oldest go.
const DATAGRAM_BYTES: usize = 64 << 10;

/// An endpoint on a socket.
pub(super) fn endpoint(
    socket: UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    settings: &Settings,
) -> anyhow::Result<Endpoint> {
    let mut transport = TransportConfig::default();
    transport
        .congestion_controller_factory(Arc::new(Congestion::default()))
        .max_concurrent_bidi_streams(FIRST_STREAMS.min(settings.max_streams).into())
        .max_concurrent_uni_streams(UNI_STREAMS.into())
        .max_idle_timeout(Some(IdleTimeout::try_from(SILENCE)?))
        .keep_alive_interval(Some(PING))
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(CONNECTION_WINDOW_BYTES.into())
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BYTES);
    let crypto = QuicServerConfig::try_from(tls)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport))
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(ALL_INCOMING_BYTES);
    let config = EndpointConfig::default();
    Ok(Endpoint::new(
        config,
        Some(server),
        socket,
        Arc::new(TurnLater),
    )?)
}

/// Accepts connections until the endpoint is closed. Once the drain has started they are refused,
/// which tells the peer more than silence would.
pub(super) async fn accept(endpoint: Endpoint, shared: Shared) {
    let handshakes = TaskTracker::new();
    while let Some(incoming) = endpoint.accept().await {
        if shared.drain.draining() {
            incoming.refuse();
            continue;
        }
        if handshakes.len() > RETRY_ABOVE && incoming.may_retry() {
            // It fails only for an address that is proved already.
            let _ = incoming.retry();
            continue;
        }
        match shared.limits.admit(incoming.remote_address().ip()) {
            Ok(place) => {
                let serving = run(incoming, place, handshakes.clone(), shared.clone());
                shared.connections.spawn(serving);
            }
            Err(refusal) => {
                shared.metrics.connection_refused(Protocol::Http3, refusal);
                incoming.refuse();
            }
        }
    }
    if !shared.drain.draining() {
        tracing::error!("a UDP socket failed: nobody is served over QUIC on it any more");
    }
}

async fn run(incoming: Incoming, place: Place, handshakes: TaskTracker, shared: Shared) {
    let peer = incoming.remote_address();
    let Some((connection, _open)) = establish(incoming, &handshakes, &shared).await else {
        let metrics = &shared.metrics;
        metrics.connection_refused(Protocol::Http3, Refusal::Handshake);
        return;
    };
    h3::serve(connection, peer, &shared).await;
    drop(place);
}

/// Establishes a connection. Requests in early data are served before the handshake has ended.
async fn establish(
    incoming: Incoming,
    handshakes: &TaskTracker,
    shared: &Shared,
) -> Option<(quinn::Connection, ConnectionGuard)> {
    let deadline = Instant::now() + Duration::from_secs(shared.settings.handshake_seconds);
    let under_way = handshakes.token();
    let mut connecting = incoming.accept().ok()?;
    // A hello may take two packets, as post-quantum ones do. Until it is whole, quinn does not know
    // how many streams the peer allows, and would never wake who waits to open one.
    let hello = timeout_at(deadline, connecting.handshake_data()).await;
    hello.ok()?.ok()?;
    let (connection, established) = connecting.into_0rtt().ok()?;
    let (metrics, handshaking) = (shared.metrics.clone(), connection.clone());
    tokio::spawn(async move {
        let _under_way = under_way;
        if timeout_at(deadline, established).await.is_err() {
            metrics.connection_refused(Protocol::Http3, Refusal::Handshake);
            let reason = b"the handshake took too long";
            macula_quic::close(&handshaking, EXCESSIVE_LOAD, reason);
        }
    });
    let open = shared.metrics.connection_opened(Protocol::Http3);
    Some((connection, open))
}

/// How many streams of a kind a connection may have open, which grows with their use.
#[derive(Debug)]
pub(super) struct Streams {
    allowed: u32,
    max: u32,
    /// Those that came since then.
    came: u32,
    since: Option<Instant>,
}

impl Streams {
    /// In both directions: requests, and what sessions open.
    pub(super) fn bidirectional(settings: &Settings) -> Self {
        Self::new(FIRST_STREAMS, settings.max_streams)
    }

    /// In one direction.
    pub(super) fn unidirectional(settings: &Settings) -> Self {
        Self::new(UNI_STREAMS, settings.max_streams.max(UNI_STREAMS))
    }

    fn new(first: u32, max: u32) -> Self {
        Self {
            allowed: first.min(max),
            max,
            came: 0,
            since: None,
        }
    }

    /// One more has come, and so many are open. Gives the connection room for twice as many when half
    /// of its room is in use, or comes within a round trip: streams that end at once are as many for
    /// the peer until it hears of their end. How many, if that is news.
    pub(super) fn one_more(
        &mut self,
        open: usize,
        now: Instant,
        rtt: impl FnOnce() -> Duration,
    ) -> Option<VarInt> {
        if self.allowed == self.max {
            return None;
        }
        self.came += 1;
        let half = self.allowed / 2;
        let mut busy = open >= half as usize;
        if self.came >= half {
            let since = self.since.replace(now);
            busy |= since.is_some_and(|since| now - since < rtt());
            self.came = 0;
        }
        if !busy {
            return None;
        }
        self.came = 0;
        self.allowed = self.allowed.saturating_mul(2).min(self.max);
        Some(self.allowed.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn streams() -> Streams {
        Streams::bidirectional(&Settings {
            max_streams: 100,
            ..Settings::default()
        })
    }

    #[test]
    fn a_connection_gets_room_as_it_uses_it_up_to_its_limit() {
        let mut streams = streams();
        let mut now = Instant::now();
        let mut grown = |open| {
            now += RTT;
            let more = streams.one_more(open, now, || RTT);
            more.map(VarInt::into_inner)
        };
        assert_eq!(grown(15), None);
        assert_eq!(grown(16), Some(64));
        assert_eq!(grown(17), None);
        assert_eq!(grown(32), Some(100));
        assert_eq!(grown(99), None);
    }

    #[test]
    fn many_short_streams_within_a_round_trip_get_room_too() {
        let grown = |between: Duration| {
            let mut streams = streams();
            let mut now = Instant::now();
            let one = |_: u32| {
                now += between;
                streams.one_more(1, now, || RTT).map(VarInt::into_inner)
            };
            (0..1_000).filter_map(one).collect::<Vec<_>>()
        };
        assert_eq!(grown(RTT / 100), [64, 100]);
        assert!(grown(RTT / 10).is_empty());
    }
}
