//! Bytes to requests and responses to bytes, on one port number.
//!
//! - [`settings`]: limits and timeouts.
//! - [`bind`]: TCP and UDP sockets on the same port.
//! - [`limits`]: how many connections, in all and of one address.
//! - [`tcp`]: TLS with HTTP/1.1 and HTTP/2, by hyper.
//! - [`quic`]: QUIC connections, by quinn; [`h3`]: HTTP/3 on one of them.
//! - [`activity`]: ends connections on which nothing is asked any more; [`heads`]: those on which a
//!   head does not come; [`linger`]: closes them so that the last answer arrives; [`unread`]: the same
//!   for one HTTP/2 request.
//!
//! A transport gives each request to the stack, with its [`Conn`](crate::conn::Conn), and knows nothing
//! of what is asked.

mod activity;
pub mod bind;
mod h3;
mod heads;
mod limits;
mod linger;
mod quic;
pub mod settings;
mod tcp;
mod unread;

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{bind::Bound, settings::Settings};
use crate::{drain, metrics::Metrics, stack::Stack, tls};
use limits::Limits;

/// How long connections may take to say goodbye when nothing is in flight any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// What every connection shares.
#[derive(Debug, Clone)]
struct Shared {
    settings: Arc<Settings>,
    stack: Stack,
    limits: Arc<Limits>,
    metrics: Metrics,
    drain: drain::Signal,
    connections: TaskTracker,
    /// Cancelled when the drain time is over: what is still open is cut off.
    cut: CancellationToken,
}

/// Serves the stack on all sockets. Returns when the drain has started and all connections have
/// ended, or the drain time is over.
///
/// # Errors
/// A socket cannot be used, or the TLS configuration cannot be used for QUIC.
pub async fn serve(
    bound: Bound,
    tls: &tls::Configs,
    settings: Settings,
    stack: Stack,
    metrics: Metrics,
    drain: drain::Signal,
) -> anyhow::Result<()> {
    let shared = Shared {
        limits: Arc::new(Limits::new(&settings)),
        settings: Arc::new(settings),
        stack,
        metrics,
        drain,
        connections: TaskTracker::new(),
        cut: CancellationToken::new(),
    };
    let mut endpoints = Vec::new();
    for pair in bound.pairs {
        let port = pair.address.port();
        let listener = TcpListener::from_std(pair.tcp)?;
        let endpoint = quic::endpoint(pair.udp, tls.quic.clone(), &shared.settings)?;
        tokio::spawn(tcp::accept(listener, tls.tcp.clone(), port, shared.clone()));
        tokio::spawn(quic::accept(endpoint.clone(), shared.clone()));
        endpoints.push(endpoint);
    }
    shared.drain.clone().started().await;
    shared.connections.close();
    let drain_time = Duration::from_secs(shared.settings.drain_seconds);
    if timeout(drain_time, shared.connections.wait())
        .await
        .is_err()
    {
        let open = shared.connections.len();
        tracing::warn!(open, "the drain time is over; open connections are cut off");
        shared.cut.cancel();
        let _ = timeout(FAREWELL, shared.connections.wait()).await;
    }
    for endpoint in endpoints {
        endpoint.close(quic::NO_ERROR, b"");
        let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
    }
    Ok(())
}
