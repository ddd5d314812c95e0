//! QUIC connections.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Incoming, ServerConfig, TokioRuntime, TransportConfig,
    VarInt, crypto::rustls::QuicServerConfig,
};
use tokio::time::timeout;

use super::{Shared, h3, limits::Place, settings::Settings};
use crate::{
    conn::Protocol,
    metrics::{ConnectionGuard, Refusal},
};

/// `H3_NO_ERROR` (RFC 9114 §8.1).
pub(super) const NO_ERROR: VarInt = VarInt::from_u32(0x100);
/// `H3_EXCESSIVE_LOAD` (RFC 9114 §8.1).
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x107);
/// Connections above which a peer has to prove its address first (RFC 9000 §8.1.2), so that forged
/// addresses cost nothing.
const RETRY_ABOVE: usize = 1024;
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

/// An endpoint on a socket.
pub(super) fn endpoint(
    socket: UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    settings: &Settings,
) -> anyhow::Result<Endpoint> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(settings.max_streams.into())
        .max_concurrent_uni_streams(UNI_STREAMS.into())
        .max_idle_timeout(Some(IdleTimeout::try_from(SILENCE)?))
        .keep_alive_interval(Some(PING))
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(CONNECTION_WINDOW_BYTES.into())
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None);
    let crypto = QuicServerConfig::try_from(tls)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(Arc::new(transport));
    let config = EndpointConfig::default();
    let runtime = Arc::new(TokioRuntime);
    Ok(Endpoint::new(config, Some(server), socket, runtime)?)
}

/// Accepts connections until the drain starts; later ones are refused.
pub(super) async fn accept(endpoint: Endpoint, shared: Shared) {
    let mut drain = shared.drain.clone();
    loop {
        let incoming = tokio::select! {
            () = drain.started() => break,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { return };
        if endpoint.open_connections() > RETRY_ABOVE && incoming.may_retry() {
            // It fails only for an address that is proved already.
            let _ = incoming.retry();
            continue;
        }
        match shared.limits.admit(incoming.remote_address().ip()) {
            Ok(place) => drop(
                shared
                    .connections
                    .spawn(run(incoming, place, shared.clone())),
            ),
            Err(refusal) => {
                shared.metrics.connection_refused(Protocol::Http3, refusal);
                incoming.refuse();
            }
        }
    }
    endpoint.set_server_config(None);
}

async fn run(incoming: Incoming, place: Place, shared: Shared) {
    let peer = incoming.remote_address();
    if let Some((connection, _open)) = establish(incoming, &shared).await {
        h3::serve(connection, peer, &shared).await;
    }
    drop(place);
}

/// Establishes a connection. Requests in early data are served before the handshake has ended.
async fn establish(
    incoming: Incoming,
    shared: &Shared,
) -> Option<(quinn::Connection, ConnectionGuard)> {
    let refused = || {
        let metrics = &shared.metrics;
        metrics.connection_refused(Protocol::Http3, Refusal::Handshake);
    };
    let Ok(connecting) = incoming.accept() else {
        refused();
        return None;
    };
    let Ok((connection, established)) = connecting.into_0rtt() else {
        refused();
        return None;
    };
    let time = Duration::from_secs(shared.settings.handshake_seconds);
    let (metrics, handshaking) = (shared.metrics.clone(), connection.clone());
    shared.connections.spawn(async move {
        if timeout(time, established).await.is_err() {
            metrics.connection_refused(Protocol::Http3, Refusal::Handshake);
            handshaking.close(EXCESSIVE_LOAD, b"the handshake took too long");
        }
    });
    let open = shared.metrics.connection_opened(Protocol::Http3);
    Some((connection, open))
}
