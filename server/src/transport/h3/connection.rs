//! A QUIC connection as h3 wants it, with what h3 does not tell: whether a request came in early data,
//! and that its reader has gone while nothing is written.
//!
//! It gets only the streams that are h3's own. What goes out in one direction is h3-quinn's.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use h3::{
    error::Code,
    quic::{self, ConnectionErrorIncoming, StreamErrorIncoming},
};
use parking_lot::Mutex;
use quinn::VarInt;

use super::{
    arrivals::Arrivals,
    frames::Frames,
    incoming::{Incoming, Sorter},
    streams::{Bidi, Recv},
};

/// The most bytes of one frame of a control stream: settings are some dozens.
const CONTROL_FRAME_BYTES: u64 = 4 << 10;

/// What h3 does not tell of a request's stream.
pub(super) struct Accepted {
    /// It came in early data.
    pub(super) early_data: bool,
    /// Ends when the peer does not read the response any more.
    pub(super) gone: BoxFuture<'static, ()>,
}

/// What is told of requests' streams, on its way past h3.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// The stream that was accepted last.
    accepted: Option<Accepted>,
    /// The place of the last one among the peer's streams, and the highest of all.
    last: u64,
    highest: u64,
}

impl Streams {
    fn tell(&self, id: VarInt, accepted: Accepted) {
        let mut told = self.0.lock();
        told.accepted = Some(accepted);
        told.last = id.into_inner() / 4;
        told.highest = told.highest.max(told.last);
    }

    /// The stream of the request that h3 accepted last. h3 may refuse streams before it, and takes
    /// no further one until it is asked again.
    pub(super) fn accepted(&self) -> Option<Accepted> {
        self.0.lock().accepted.take()
    }

    /// How many places the last stream is behind the highest: a stream whose first byte was late
    /// comes after later ones.
    pub(super) fn behind(&self) -> usize {
        let told = self.0.lock();
        usize::try_from(told.highest - told.last).unwrap_or(usize::MAX)
    }
}

/// A QUIC connection for h3.
pub(super) struct Connection {
    opener: Opener,
    requests: Arrivals,
    unidirectional: Arrivals,
    sorter: Sorter,
    streams: Streams,
    max_head_bytes: u64,
}

impl Connection {
    /// Requests' heads may have so many bytes.
    pub(super) fn new(
        quic: quinn::Connection,
        requests: Arrivals,
        unidirectional: Arrivals,
        sorter: Sorter,
        streams: Streams,
        max_head_bytes: u64,
    ) -> Self {
        Self {
            opener: Opener::new(quic),
            requests,
            unidirectional,
            sorter,
            streams,
            max_head_bytes,
        }
    }
}

impl quic::Connection<Bytes> for Connection {
    type RecvStream = Recv;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Recv, ConnectionErrorIncoming>> {
        let stream = ready!(self.unidirectional.poll_ordinary(&self.sorter, cx))?;
        let frames = Frames::of_unidirectional(CONTROL_FRAME_BYTES);
        Poll::Ready(Ok(Recv::new(stream.recv, frames, stream.input)))
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bidi, ConnectionErrorIncoming>> {
        let stream = ready!(self.requests.poll_ordinary(&self.sorter, cx))?;
        let Incoming { send, recv, input } = stream;
        let send = send.expect("requests come in both directions");
        let stopped = send.stopped();
        let accepted = Accepted {
            early_data: recv.is_0rtt(),
            gone: Box::pin(async move { drop(stopped.await) }),
        };
        self.streams.tell(recv.id().into(), accepted);
        let bidi = Bidi::new(send, recv, input, self.max_head_bytes);
        Poll::Ready(Ok(bidi))
    }

    fn opener(&self) -> Opener {
        self.opener.clone()
    }
}

impl quic::OpenStreams<Bytes> for Connection {
    type BidiStream = Bidi;
    type SendStream = h3_quinn::SendStream<Bytes>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Bidi, StreamErrorIncoming>> {
        never_opened()
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.opener.close(code, reason);
    }
}

/// Opens streams in one direction, and closes.
#[derive(Clone)]
pub(super) struct Opener {
    quic: quinn::Connection,
    streams: h3_quinn::OpenStreams,
}

impl Opener {
    fn new(quic: quinn::Connection) -> Self {
        let connection = h3_quinn::Connection::new(quic.clone());
        let streams = quic::Connection::<Bytes>::opener(&connection);
        Self { quic, streams }
    }
}

impl quic::OpenStreams<Bytes> for Opener {
    type BidiStream = Bidi;
    type SendStream = h3_quinn::SendStream<Bytes>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Bidi, StreamErrorIncoming>> {
        never_opened()
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.streams.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        let code = VarInt::from_u64(code.value()).expect("a code of HTTP/3 has 62 bits");
        macula_quic::close(&self.quic, code, reason);
    }
}

/// RFC 9114 §6.1: a server opens no streams in both directions.
fn never_opened() -> Poll<Result<Bidi, StreamErrorIncoming>> {
    let error = "HTTP/3 servers open no bidirectional streams";
    Poll::Ready(Err(StreamErrorIncoming::Unknown(error.into())))
}
