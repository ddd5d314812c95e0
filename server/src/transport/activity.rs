//! Ends connections on which nothing is asked any more.
//!
//! A connection is active while a request is handled or its answer streams. HTTP/2 and QUIC keep
//! idle connections alive with pings, so silence on the wire cannot tell.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::sleep;

/// Counts the requests of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// Counts one request until it goes.
#[derive(Debug)]
pub(super) struct Active(Arc<Inner>);

impl Activity {
    /// Counts one more request.
    pub(super) fn begin(&self) -> Active {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Active(Arc::clone(&self.0))
    }

    /// How many requests have begun.
    pub(super) fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether a request is handled or answered.
    pub(super) fn active(&self) -> bool {
        self.begun() != self.0.ended.load(Ordering::Relaxed)
    }

    /// Returns when nothing has been asked for so long, or for up to twice as long: it looks
    /// from time to time, so that a request costs two additions.
    pub(super) async fn idle(&self, time: Duration) {
        let mut seen = None;
        loop {
            sleep(time).await;
            let at_rest = (!self.active()).then(|| self.begun());
            if at_rest.is_some() && at_rest == seen {
                return;
            }
            seen = at_rest;
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// A response body that keeps its connection active.
#[derive(Debug)]
pub(super) struct ActiveBody {
    body: Body,
    _active: Active,
}

impl Active {
    /// Counts on until the body ends.
    pub(super) fn with(self, body: Body) -> ActiveBody {
        ActiveBody {
            body,
            _active: self,
        }
    }
}

impl http_body::Body for ActiveBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_after_its_last_answer() {
        let activity = Activity::default();
        let (first, second) = (activity.begin(), activity.begin());
        let start = Instant::now();
        let ends = async {
            sleep(Duration::from_secs(95)).await;
            drop(first);
            sleep(Duration::from_secs(100)).await;
            drop(second);
        };
        tokio::join!(ends, activity.idle(Duration::from_secs(10)));
        // Seen at rest at 200 s and, still, at 210 s.
        assert_eq!(start.elapsed(), Duration::from_secs(210));
    }
}
