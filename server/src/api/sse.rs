//! Server-Sent Events (the HTML standard, §9.2): frames, and a body that streams them.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body::Frame;
use macula_proto::{Encoding, ErrorCode, Problem, encode};
use pin_project_lite::pin_project;
use serde::Serialize;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{context, gateway::Gateway, principal::Principal};
use crate::{metrics::ReaderGuard, session::StreamGuard};

/// How often a comment is sent, so that proxies see life (lesson 25).
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The comment.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// The most bytes of one frame that is put together from several events; a larger event is a frame
/// of its own. As large as a TLS record, so that more would gain nothing.
pub const FRAME_BYTES: usize = 16 << 10;

/// One event of the stream. `data` has no line break, as all our JSON.
#[must_use]
pub fn event(name: &str, id: Option<&dyn std::fmt::Display>, data: &[u8]) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let fields = ["event: ", name, "\n", id.as_str(), "data: "];
    let mut out = Vec::with_capacity(fields.map(str::len).iter().sum::<usize>() + data.len() + 2);
    for field in fields {
        out.extend_from_slice(field.as_bytes());
    }
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// One event whose data is a value of ours.
#[must_use]
pub fn event_of(name: &str, data: &impl Serialize) -> Bytes {
    event(name, None, &encode(data, Encoding::Json))
}

/// The event with which a stream ends early.
#[must_use]
pub fn error(problem: &Problem, instance: &str) -> Bytes {
    event_of("error", &problem.document(instance))
}

/// What a stream consists of.
pub trait Source: Send + 'static {
    /// The next frame of whole events, at most about [`FRAME_BYTES`]; none at the end.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

pin_project! {
    /// Streams a source, with heartbeats, until it ends, the session ends or the node drains.
    struct Stream<S> {
        first: Option<Bytes>,
        source: S,
        #[pin]
        heartbeat: Sleep,
        #[pin]
        stop: WaitForCancellationFutureOwned,
        // Cancelled when all streams stop, because the node drains.
        draining: CancellationToken,
        context: context::Context,
        ended: bool,
        guards: (Option<StreamGuard>, ReaderGuard),
    }
}

/// The response that streams the source to the principal, after a first frame.
///
/// # Errors
/// `overloaded` when the session has as many streams as it may.
pub fn respond(
    gateway: &Gateway,
    principal: &Principal,
    context: context::Context,
    first: Bytes,
    source: impl Source,
) -> Result<Response, Problem> {
    let stop = match principal {
        Principal::Session(session) => session.ended(),
        Principal::Anonymous => &gateway.stopping,
    };
    let stream = Stream {
        first: Some(first),
        source,
        heartbeat: sleep(HEARTBEAT),
        stop: stop.clone().cancelled_owned(),
        draining: gateway.stopping.clone(),
        context,
        ended: false,
        guards: (principal.stream(gateway)?, gateway.metrics.reader()),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx holds a stream back otherwise.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    Ok((headers, Body::new(stream)).into_response())
}

impl<S: Source> http_body::Body for Stream<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut this = self.project();
        let frame = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        if *this.ended {
            return Poll::Ready(None);
        }
        if let Some(first) = this.first.take() {
            return frame(first);
        }
        if this.stop.as_mut().poll(cx).is_ready() {
            *this.ended = true;
            return frame(error(&farewell(this.draining), this.context.id()));
        }
        if let Poll::Ready(next) = this.source.poll_frame(cx) {
            *this.ended = next.is_none();
            return Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))));
        }
        ready!(this.heartbeat.as_mut().poll(cx));
        this.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
        // The new deadline has to be polled once to be woken by.
        let _ = this.heartbeat.as_mut().poll(cx);
        frame(COMMENT)
    }
}

/// Why the stream ends although its source does not.
fn farewell(draining: &CancellationToken) -> Problem {
    if draining.is_cancelled() {
        Problem::new(ErrorCode::Draining, "the node is shutting down")
    } else {
        Problem::new(ErrorCode::SessionExpired, "the session has ended")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_name_its_id_and_one_line_of_data() {
        let text = event("message", Some(&7), br#"{"a":1}"#);
        assert_eq!(text, "event: message\nid: 7\ndata: {\"a\":1}\n\n");
        let text = event_of("gap", &serde_json::json!({"missed": 3}));
        assert_eq!(text, "event: gap\ndata: {\"missed\":3}\n\n");
    }
}
