//! quinn's streams as h3 wants them, with what h3 does not tell: whether a request came in early
//! data, and that its reader has gone while nothing is written.
//!
//! Streams in one direction are h3-quinn's. Requests come on streams in both directions, which are
//! accepted here.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_util::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use h3::{
    error::Code,
    quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf},
};
use parking_lot::Mutex;
use quinn::{ConnectionError, ReadError, VarInt, WriteError};
use tokio_util::sync::ReusableBoxFuture;

use crate::transport::quic::NO_ERROR;

/// What h3 does not tell of a request's stream.
pub(super) struct Accepted {
    /// It came in early data.
    pub(super) early_data: bool,
    /// Ends when the peer does not read the response any more.
    pub(super) gone: BoxFuture<'static, ()>,
}

/// The stream that was accepted last, on its way past h3.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<Option<Accepted>>>);

impl Streams {
    /// The stream of the request that h3 accepted last. h3 may refuse streams before it, and takes
    /// no further one until it is asked again.
    pub(super) fn accepted(&self) -> Option<Accepted> {
        self.0.lock().take()
    }
}

type Pair = (quinn::SendStream, quinn::RecvStream);

/// A QUIC connection for h3.
pub(super) struct Connection {
    quic: h3_quinn::Connection,
    requests: SyncStream,
    streams: Streams,
}

/// h3 asks for types that can be shared; a stream that is only polled can be.
struct SyncStream(Mutex<BoxStream<'static, Result<Pair, ConnectionError>>>);

impl Connection {
    pub(super) fn new(quic: quinn::Connection, streams: Streams) -> Self {
        let requests = stream::unfold(quic.clone(), |quic| async {
            Some((quic.accept_bi().await, quic))
        });
        Self {
            quic: h3_quinn::Connection::new(quic),
            requests: SyncStream(Mutex::new(requests.boxed())),
            streams,
        }
    }
}

impl quic::Connection<Bytes> for Connection {
    type RecvStream = h3_quinn::RecvStream;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        quic::Connection::<Bytes>::poll_accept_recv(&mut self.quic, cx)
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bidi, ConnectionErrorIncoming>> {
        let next = ready!(Pin::new(self.requests.0.get_mut()).poll_next(cx));
        let (send, recv) = next.expect("it has no end").map_err(connection_error)?;
        let stopped = send.stopped();
        *self.streams.0.lock() = Some(Accepted {
            early_data: recv.is_0rtt(),
            gone: Box::pin(async move { drop(stopped.await) }),
        });
        Poll::Ready(Ok(Bidi {
            send: Send {
                stream: send,
                writing: None,
            },
            recv: Recv {
                id: stream_id(recv.id()),
                stream: Some(Unread(recv)),
                reading: ReusableBoxFuture::new(std::future::pending()),
            },
        }))
    }

    fn opener(&self) -> Opener {
        Opener(quic::Connection::<Bytes>::opener(&self.quic))
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
        self.quic.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<Bytes>::close(&mut self.quic, code, reason);
    }
}

/// Opens streams in one direction.
pub(super) struct Opener(h3_quinn::OpenStreams);

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
        self.0.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<Bytes>::close(&mut self.0, code, reason);
    }
}

/// RFC 9114 §6.1: a server opens no streams in both directions.
fn never_opened() -> Poll<Result<Bidi, StreamErrorIncoming>> {
    let error = "HTTP/3 servers open no bidirectional streams";
    Poll::Ready(Err(StreamErrorIncoming::Unknown(error.into())))
}

/// A request's stream.
pub(super) struct Bidi {
    send: Send,
    recv: Recv,
}

impl quic::BidiStream<Bytes> for Bidi {
    type SendStream = Send;
    type RecvStream = Recv;

    fn split(self) -> (Send, Recv) {
        (self.send, self.recv)
    }
}

impl quic::SendStream<Bytes> for Bidi {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(cx)
    }

    fn reset(&mut self, code: u64) {
        self.send.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

impl quic::RecvStream for Bidi {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.recv.poll_data(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.recv.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.recv.recv_id()
    }
}

/// The response's half of a request's stream.
pub(super) struct Send {
    stream: quinn::SendStream,
    /// What is not written yet; at most one frame.
    writing: Option<WriteBuf<Bytes>>,
}

impl quic::SendStream<Bytes> for Send {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = self.writing.as_mut().filter(|data| data.has_remaining()) {
            let written = Pin::new(&mut self.stream).poll_write(cx, data.chunk());
            data.advance(ready!(written).map_err(write_error)?);
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        debug_assert!(self.writing.is_none(), "h3 waits until it is ready");
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let finished = self.stream.finish();
        Poll::Ready(finished.map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        // It fails only for a stream that has ended.
        let _ = self
            .stream
            .reset(VarInt::from_u64(code).unwrap_or(VarInt::MAX));
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

type Reading = (Unread, Result<Option<quinn::Chunk>, ReadError>);

/// What is left of a request when it is dropped is not wanted, and that is no error (RFC 9114 §4.1):
/// with any other code the peer may drop the response too.
struct Unread(quinn::RecvStream);

impl Unread {
    fn stop(&mut self, code: VarInt) {
        // It fails only for a stream that has ended.
        let _ = self.0.stop(code);
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.stop(NO_ERROR);
    }
}

/// The request's half of its stream.
pub(super) struct Recv {
    id: StreamId,
    /// Away while it is read.
    stream: Option<Unread>,
    reading: ReusableBoxFuture<'static, Reading>,
}

impl quic::RecvStream for Recv {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        if let Some(mut stream) = self.stream.take() {
            self.reading.set(async move {
                let chunk = stream.0.read_chunk(usize::MAX, true).await;
                (stream, chunk)
            });
        }
        let (stream, chunk) = ready!(self.reading.poll(cx));
        self.stream = Some(stream);
        Poll::Ready(
            chunk
                .map(|chunk| chunk.map(|c| c.bytes))
                .map_err(read_error),
        )
    }

    fn stop_sending(&mut self, code: u64) {
        if let Some(stream) = &mut self.stream {
            stream.stop(VarInt::from_u64(code).unwrap_or(VarInt::MAX));
        }
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

fn stream_id(id: quinn::StreamId) -> StreamId {
    let id = u64::from(VarInt::from(id));
    StreamId::try_from(id).expect("both count to 2^62")
}

fn connection_error(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => ConnectionErrorIncoming::ApplicationClose {
            error_code: close.error_code.into(),
        },
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

fn lost(error: ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming {
        connection_error: connection_error(error),
    }
}

fn terminated(code: VarInt) -> StreamErrorIncoming {
    StreamErrorIncoming::StreamTerminated {
        error_code: code.into_inner(),
    }
}

fn read_error(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => terminated(code),
        ReadError::ConnectionLost(error) => lost(error),
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn write_error(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => terminated(code),
        WriteError::ConnectionLost(error) => lost(error),
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}
