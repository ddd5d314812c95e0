//! The transport that a live session is on at the moment.

use std::sync::Arc;

use bytes::Bytes;
use macula_proto::{
    Encoding, ErrorCode, Problem,
    frame::{Frame, GatewayFrame},
};
use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
};
use tokio_util::sync::CancellationToken;

use crate::webtransport::Session;

/// Frames that may wait for the transport. Who has more waits, so that what waits stays where its
/// bounds are: with the operation.
const QUEUE: usize = 64;
/// Streams that may wait for the client's end of them.
const LEAVING: usize = 64;
/// The status of a close, in a range that applications may use (RFC 6455 §7.4.2).
const CLOSE_BASE: u16 = 4_000;

/// What goes out to the client on the one connection or the control stream.
#[derive(Debug)]
pub(super) enum Out {
    /// A frame, written.
    Frame(Bytes),
    /// The end.
    Close(Closing),
}

/// Why a gateway closes a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    /// 4000 and the status of the problem.
    pub(super) code: u16,
    /// The problem's code.
    pub(super) reason: &'static str,
}

impl Closing {
    /// The client went on with the session elsewhere.
    pub(super) const ELSEWHERE: Self = Self {
        code: CLOSE_BASE + 409,
        reason: "the session went on elsewhere",
    };

    /// Whether the session ends with the transport: a client whose frame was too long may come back.
    pub(super) fn ends_session(self) -> bool {
        self != Self::of(ErrorCode::PayloadTooLarge)
    }

    /// For a problem.
    pub(super) fn of(code: ErrorCode) -> Self {
        Self {
            code: CLOSE_BASE + code.status(),
            reason: code.as_str(),
        }
    }
}

/// The transport of a live session.
#[derive(Debug)]
pub(super) struct Link {
    encoding: Encoding,
    out: mpsc::Sender<Out>,
    /// There if operations have streams of their own.
    streams: Option<Session>,
    /// Streams whose operation is over and that the client has not ended.
    leaving: Arc<Semaphore>,
    /// Cancelled when nothing can be sent any more, or the session went on elsewhere.
    lost: CancellationToken,
}

/// The transport is lost. What was not sent is sent when the client comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the transport is lost")]
pub(super) struct Lost;

impl Link {
    /// A transport whose frames have this encoding, and what is to be sent on it.
    pub(super) fn new(
        encoding: Encoding,
        streams: Option<Session>,
    ) -> (Arc<Self>, mpsc::Receiver<Out>) {
        let (out, outgoing) = mpsc::channel(QUEUE);
        let link = Self {
            encoding,
            out,
            streams,
            leaving: Arc::new(Semaphore::new(LEAVING)),
            lost: CancellationToken::new(),
        };
        (Arc::new(link), outgoing)
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Where operations have streams of their own.
    pub(super) fn streams(&self) -> Option<&Session> {
        self.streams.as_ref()
    }

    /// Leave for a stream to stay until the client ends it.
    pub(super) fn leaving(&self) -> Arc<Semaphore> {
        Arc::clone(&self.leaving)
    }

    /// Sends a frame; waits while the client is slow.
    pub(super) async fn send(&self, frame: &GatewayFrame) -> Result<(), Lost> {
        self.send_bytes(frame.encode(self.encoding)).await
    }

    /// Sends a frame that is written already.
    pub(super) async fn send_bytes(&self, frame: Bytes) -> Result<(), Lost> {
        tokio::select! {
            biased;
            sent = self.out.send(Out::Frame(frame)) => sent.map_err(|_| Lost),
            () = self.lost.cancelled() => Err(Lost),
        }
    }

    /// Sends a frame from where nothing can wait.
    pub(super) fn post(self: &Arc<Self>, frame: &GatewayFrame) {
        let frame = frame.encode(self.encoding);
        if let Err(TrySendError::Full(Out::Frame(frame))) = self.out.try_send(Out::Frame(frame)) {
            let link = Arc::clone(self);
            // As many wait as invocations were revoked, which have a bound.
            tokio::spawn(async move { link.send_bytes(frame).await });
        }
    }

    /// Ends the transport, after what was sent before if the client takes it in time.
    pub(super) fn close(&self, closing: Closing) {
        if self.out.try_send(Out::Close(closing)).is_err() {
            self.lost.cancel();
        }
    }

    /// Says that nothing can be sent any more.
    pub(super) fn lose(&self) {
        self.lost.cancel();
    }

    /// Ends when nothing can be sent any more.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

/// A `session_expired` problem.
pub(super) fn expired() -> Problem {
    Problem::new(
        ErrorCode::SessionExpired,
        "the session has ended or its time is over",
    )
}
