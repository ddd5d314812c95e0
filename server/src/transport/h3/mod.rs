//! HTTP/3 on one QUIC connection.
//!
//! - [`streams`]: quinn's streams as h3 wants them, with what h3 does not tell.
//! - [`exchange`]: one request and its response.
//! - [`body`]: a request's body.
//! - [`date`]: the `Date` of a response.

mod body;
mod date;
mod exchange;
mod streams;

use std::{net::SocketAddr, pin::pin, time::Duration};

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use super::{Shared, activity::Activity, quic};
use exchange::Exchange;
use streams::{Connection, Streams};

/// Serves requests until the peer goes, nothing is asked any more, or the drain has ended them.
pub(super) async fn serve(quic: quinn::Connection, peer: SocketAddr, shared: &Shared) {
    let cut = shared.cut.clone();
    let requests = TaskTracker::new();
    tokio::select! {
        result = accept(&quic, peer, shared, &requests) => {
            if let Err(error) = result {
                tracing::debug!(%error, "an HTTP/3 connection broke off");
            }
        }
        () = cut.cancelled() => {}
    }
    // Closing ends what is left: every stream of the connection fails.
    quic.close(quic::NO_ERROR, b"");
    requests.close();
    requests.wait().await;
}

async fn accept(
    quic: &quinn::Connection,
    peer: SocketAddr,
    shared: &Shared,
    requests: &TaskTracker,
) -> Result<(), h3::error::ConnectionError> {
    let settings = &shared.settings;
    let streams = Streams::default();
    let connection = Connection::new(quic.clone(), streams.clone());
    let mut builder = h3::server::builder();
    builder.max_field_section_size(settings.max_header_bytes as u64);
    let mut connection: h3::server::Connection<Connection, Bytes> =
        builder.build(connection).await?;
    let activity = Activity::default();
    let mut drain = shared.drain.clone();
    let mut drained = pin!(drain.started());
    let mut idle = pin!(activity.idle(Duration::from_secs(settings.idle_seconds)));
    let mut going = false;
    loop {
        // Nothing new is taken any more, and nothing is in flight.
        if going && requests.is_empty() {
            return Ok(());
        }
        let resolver = tokio::select! {
            accepted = connection.accept() => accepted?,
            () = drained.as_mut(), if !going => {
                // The next request's place is the first that is refused.
                connection.shutdown(1).await?;
                requests.close();
                going = true;
                continue;
            }
            () = idle.as_mut(), if !going => return Ok(()),
            () = requests.wait(), if going => return Ok(()),
        };
        let Some(resolver) = resolver else {
            return Ok(());
        };
        let Some(stream) = streams.accepted() else {
            continue;
        };
        let exchange = Exchange {
            stack: shared.stack.clone(),
            peer,
            stream,
            _active: activity.begin(),
            header_time: Duration::from_secs(settings.header_seconds),
        };
        requests.spawn(exchange.run(resolver));
    }
}
