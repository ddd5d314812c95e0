//! HTTP/3 on one QUIC connection.
//!
//! - [`connection`]: a QUIC connection as h3 wants it, with what h3 does not tell; [`streams`]: the
//!   streams of one.
//! - [`frames`]: what of a peer's bytes h3 gets to see.
//! - [`exchange`]: one request and its response.
//! - [`body`]: a request's body.
//! - [`date`]: the `Date` of a response.

mod body;
mod connection;
mod date;
mod exchange;
mod frames;
mod streams;

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{Shared, activity::Activity, quic};
use connection::{Connection, Streams};
use exchange::Exchange;

/// Requests without a head that a connection may have begun, malformed, too slow or reset. h3 keeps
/// a few bytes for each, and a peer that does it so often means no good.
const MAX_HEADLESS: u32 = 1_000;
/// How long the last answers may take to arrive before a drained connection is closed, beside
/// [`LINGER_ROUND_TRIPS`]: two delayed acknowledgements (RFC 9000 §18.2) and a timer tick.
const LINGER: Duration = Duration::from_millis(60);
/// Round trips for the last answers, so that one lost packet is sent again.
const LINGER_ROUND_TRIPS: u32 = 4;

/// Counts requests without a head, and ends their connection when they are too many.
struct Headless {
    count: AtomicU32,
    quic: quinn::Connection,
}

impl Headless {
    fn one_more(&self) {
        if self.count.fetch_add(1, Ordering::Relaxed) >= MAX_HEADLESS {
            let reason = b"too many requests without a head";
            self.quic.close(quic::EXCESSIVE_LOAD, reason);
        }
    }
}

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
    let connection = Connection::new(
        quic.clone(),
        streams.clone(),
        settings.max_header_bytes as u64,
    );
    let mut builder = h3::server::builder();
    builder.max_field_section_size(settings.max_header_bytes as u64);
    let mut connection: h3::server::Connection<Connection, Bytes> =
        builder.build(connection).await?;
    let activity = Activity::default();
    let headless = Arc::new(Headless {
        count: AtomicU32::new(0),
        quic: quic.clone(),
    });
    let mut drain = shared.drain.clone();
    let mut drained = pin!(drain.started());
    let mut idle = pin!(activity.idle(Duration::from_secs(settings.idle_seconds)));
    let mut room = quic::Streams::new(settings);
    let mut going = false;
    loop {
        // Nothing new is taken any more, and nothing is in flight but the end of what was answered.
        // Both h3's connection and QUIC's drop it when they are closed.
        if going && requests.is_empty() {
            let time = LINGER + quic.rtt() * LINGER_ROUND_TRIPS;
            let _ = timeout(time, quic.closed()).await;
            return Ok(());
        }
        let resolver = tokio::select! {
            // In this order, so that a drain is seen however much is asked.
            biased;
            () = drained.as_mut(), if !going => {
                // The next request's place is the first that is refused.
                connection.shutdown(1).await?;
                requests.close();
                going = true;
                continue;
            }
            accepted = connection.accept() => accepted?,
            () = idle.as_mut(), if !going => return Ok(()),
            () = requests.wait(), if going => continue,
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
            headless: Arc::clone(&headless),
        };
        requests.spawn(exchange.run(resolver));
        if let Some(more) = room.grow(requests.len()) {
            quic.set_max_concurrent_bi_streams(more);
        }
    }
}
