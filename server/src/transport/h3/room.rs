//! How many streams the peer may have open, which grows with their use.

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::sessions::Sessions;
use crate::transport::quic::Streams;

/// Streams of HTTP/3's own in one direction: control, and two of QPACK.
const OWN_STREAMS: usize = 3;

/// The room of one kind of streams on one connection.
pub(super) struct Room {
    quic: quinn::Connection,
    streams: Streams,
    sessions: Sessions,
    /// There for streams in both directions.
    requests: Option<TaskTracker>,
}

impl Room {
    /// For streams in both directions: requests and those of sessions.
    pub(super) fn bidirectional(
        quic: &quinn::Connection,
        streams: Streams,
        sessions: &Sessions,
        requests: &TaskTracker,
    ) -> Self {
        Self {
            requests: Some(requests.clone()),
            ..Self::unidirectional(quic, streams, sessions)
        }
    }

    /// For streams in one direction.
    pub(super) fn unidirectional(
        quic: &quinn::Connection,
        streams: Streams,
        sessions: &Sessions,
    ) -> Self {
        Self {
            quic: quic.clone(),
            streams,
            sessions: sessions.clone(),
            requests: None,
        }
    }

    /// One more stream has come.
    pub(super) fn one_more(&mut self) {
        let counts = self.sessions.counts();
        let others = match &self.requests {
            Some(requests) => requests.len() + counts.bidirectional(),
            None => OWN_STREAMS + counts.unidirectional(),
        };
        let rtt = || self.quic.rtt();
        let Some(more) = self.streams.one_more(1 + others, Instant::now(), rtt) else {
            return;
        };
        match self.requests {
            Some(_) => self.quic.set_max_concurrent_bi_streams(more),
            None => self.quic.set_max_concurrent_uni_streams(more),
        }
    }
}
