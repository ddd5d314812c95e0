//! quinn's streams as h3 wants them. What comes in goes through [`Frames`].

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h3::{
    error::Code,
    quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf},
};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};

use super::frames::Frames;
use crate::transport::quic::{EXCESSIVE_LOAD, NO_ERROR};

/// A HEADERS frame with `:status: 431` and `content-length: 0` (RFC 9204 §4.5.4 and §4.5.2), for a
/// head that is too long even to be read by h3.
const TOO_LONG_A_HEAD: [u8; 11] = *b"\x01\x09\0\0\x5f\x09\x03431\xc4";

/// A request's stream.
pub(super) struct Bidi {
    send: Send,
    recv: Recv,
}

impl Bidi {
    /// A request's head may have so many bytes. `input` has come already.
    pub(super) fn new(
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        input: Bytes,
        max_head_bytes: u64,
    ) -> Self {
        let frames = Frames::of_request(max_head_bytes);
        Self {
            send: Send {
                stream: send,
                writing: None,
                state: Sent::Nothing,
            },
            recv: Recv::new(recv, frames, input),
        }
    }
}

impl quic::BidiStream<Bytes> for Bidi {
    type SendStream = Send;
    type RecvStream = Recv;

    fn split(mut self) -> (Send, Recv) {
        self.send.state = Sent::Response;
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
        // Until the request is split, its head comes.
        let read = ready!(self.recv.poll_read(cx));
        if let Err(Unreadable::TooLong) = &read {
            self.send.refuse_head(cx);
        }
        Poll::Ready(read.map_err(Into::into))
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
    state: Sent,
}

/// How far a response has come; says what it means when it is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Nothing: there was no head to answer.
    Nothing,
    /// A refusal of the head, which is all there is.
    Refusal,
    /// The response to a request, which has an end of its own.
    Response,
    /// Its end, or that it has none.
    End,
}

impl Send {
    /// Answers a head that is too long to be read. If not even that can be written, the stream is
    /// reset when it is dropped.
    fn refuse_head(&mut self, cx: &mut Context<'_>) {
        let written = Pin::new(&mut self.stream).poll_write(cx, &TOO_LONG_A_HEAD);
        if matches!(written, Poll::Ready(Ok(n)) if n == TOO_LONG_A_HEAD.len()) {
            self.state = Sent::Refusal;
        }
    }

    fn abandon(&mut self, code: u64) {
        self.state = Sent::End;
        let code = VarInt::from_u64(code).unwrap_or(VarInt::MAX);
        // It fails only for a stream that has ended.
        let _ = self.stream.reset(code);
    }
}

impl Drop for Send {
    /// quinn takes a dropped stream for one that has ended, and a response that was cut off must
    /// not look like a whole one.
    fn drop(&mut self) {
        match self.state {
            Sent::Nothing => self.abandon(Code::H3_REQUEST_INCOMPLETE.value()),
            Sent::Response => self.abandon(Code::H3_INTERNAL_ERROR.value()),
            Sent::Refusal | Sent::End => {}
        }
    }
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
        if self.state == Sent::Nothing {
            // h3 itself answers a head whose fields are too large.
            self.state = Sent::Refusal;
        }
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.state = Sent::End;
        let finished = self.stream.finish();
        Poll::Ready(finished.map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        self.abandon(code);
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

/// What comes in on a stream.
pub(super) struct Recv {
    stream: quinn::RecvStream,
    frames: Frames,
    /// What has come and is not passed on yet; at most one packet.
    input: Bytes,
    /// Whether more may come.
    open: bool,
}

/// Why nothing more can be read of a stream.
enum Unreadable {
    /// The peer gave it up, or the connection is lost.
    Lost(ReadError),
    /// A frame is longer than may be held.
    TooLong,
    /// It ends within a frame.
    Truncated,
}

impl Recv {
    /// `input` has come already.
    pub(super) fn new(stream: quinn::RecvStream, frames: Frames, input: Bytes) -> Self {
        Self {
            stream,
            frames,
            input,
            open: true,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Unreadable>> {
        loop {
            match self.frames.next(&mut self.input) {
                Ok(Some(bytes)) => return Poll::Ready(Ok(Some(bytes))),
                Ok(None) => {}
                Err(_) => {
                    // A 431 answers it; with another code the peer may drop the answer.
                    self.stop(NO_ERROR);
                    return Poll::Ready(Err(Unreadable::TooLong));
                }
            }
            let chunk = ready!(pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx));
            self.open = matches!(chunk, Ok(Some(_)));
            match chunk {
                Ok(Some(chunk)) => self.input = chunk.bytes,
                Ok(None) if self.frames.whole() => return Poll::Ready(Ok(None)),
                Ok(None) => return Poll::Ready(Err(Unreadable::Truncated)),
                Err(error) => return Poll::Ready(Err(Unreadable::Lost(error))),
            }
        }
    }

    fn stop(&mut self, code: VarInt) {
        if self.open {
            self.open = false;
            // It fails only for a stream that has ended.
            let _ = self.stream.stop(code);
        }
    }
}

impl From<Unreadable> for StreamErrorIncoming {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Lost(error) => read_error(error),
            Unreadable::TooLong => terminated(EXCESSIVE_LOAD),
            // RFC 9114 §7.1 would end the connection. What others ask on it goes on.
            Unreadable::Truncated => Self::StreamTerminated {
                error_code: Code::H3_FRAME_ERROR.value(),
            },
        }
    }
}

impl Drop for Recv {
    /// What is left of a request when it is dropped is not wanted, and that is no error (RFC 9114
    /// §4.1): with any other code the peer may drop the response too.
    fn drop(&mut self) {
        self.stop(NO_ERROR);
    }
}

impl quic::RecvStream for Recv {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.poll_read(cx).map_err(Into::into)
    }

    fn stop_sending(&mut self, code: u64) {
        self.stop(VarInt::from_u64(code).unwrap_or(VarInt::MAX));
    }

    fn recv_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

fn stream_id(id: quinn::StreamId) -> StreamId {
    let id = u64::from(VarInt::from(id));
    StreamId::try_from(id).expect("both count to 2^62")
}

pub(super) fn connection_error(error: ConnectionError) -> ConnectionErrorIncoming {
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
