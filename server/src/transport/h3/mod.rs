//! HTTP/3 on one QUIC connection.
//!
//! - [`arrivals`]: the peer's streams as they arrive; [`incoming`]: whose they are; [`room`]: how many
//!   there may be.
//! - [`connection`]: a QUIC connection as h3 wants it, with what h3 does not tell; [`streams`]: the
//!   streams of one.
//! - [`frames`]: what of a peer's bytes h3 gets to see.
//! - [`exchange`]: one request and its response.
//! - [`sessions`]: the WebTransport sessions of a connection; [`tunnel`]: one, and its request.
//! - [`body`]: a request's body.
//! - [`date`]: the `Date` of a response.

mod arrivals;
mod body;
mod connection;
mod date;
mod exchange;
mod frames;
mod incoming;
mod room;
mod sessions;
mod streams;
mod tunnel;

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
use arrivals::Arrivals;
use connection::{Connection, Streams};
use exchange::Exchange;
use incoming::Sorter;
use room::Room;
use sessions::{MAX_SESSIONS, Sessions};

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
            macula_quic::close(&self.quic, quic::EXCESSIVE_LOAD, reason);
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
    macula_quic::close(&quic, quic::NO_ERROR, b"");
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
    let sessions = Sessions::new(quic.clone());
    let headless = Arc::new(Headless {
        count: AtomicU32::new(0),
        quic: quic.clone(),
    });
    let sorter = Sorter {
        sessions: sessions.clone(),
        time: Duration::from_secs(settings.header_seconds),
        headless: Arc::clone(&headless),
    };
    let room = quic::Streams::bidirectional(settings);
    let room = Room::bidirectional(quic, room, &sessions, requests);
    let unidirectional = quic::Streams::unidirectional(settings);
    let unidirectional = Room::unidirectional(quic, unidirectional, &sessions);
    let connection = Connection::new(
        quic.clone(),
        Arrivals::bidirectional(quic.clone(), room),
        Arrivals::unidirectional(quic.clone(), unidirectional),
        sorter,
        streams.clone(),
        settings.max_header_bytes as u64,
    );
    let mut builder = h3::server::builder();
    builder
        .max_field_section_size(settings.max_header_bytes as u64)
        .enable_extended_connect(true)
        .enable_datagram(true)
        .enable_webtransport(true)
        .max_webtransport_sessions(MAX_SESSIONS as u64);
    // On the heap while it lasts, as all that is done once: the task holds room for it for ever.
    let mut connection: h3::server::Connection<Connection, Bytes> =
        Box::pin(builder.build(connection)).await?;
    let activity = Activity::default();
    let mut drain = shared.drain.clone();
    let mut drained = pin!(drain.started());
    let mut idle = pin!(activity.idle(Duration::from_secs(settings.idle_seconds)));
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
                Box::pin(connection.shutdown(1 + streams.behind())).await?;
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
            sessions: sessions.clone(),
        };
        requests.spawn(exchange.run(resolver));
    }
}
