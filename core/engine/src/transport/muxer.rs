//! A QUIC connection and its streams as the swarm sees them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::BoxFuture,
    io::{AsyncRead, AsyncWrite},
};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use quinn::{ConnectionError, RecvStream, SendStream, StoppedError, VarInt, WriteError};
use tokio::io::ReadBuf;

use super::code;
use crate::admission::Facts;

/// How long a stream that was ended by us is listened to once nobody reads it any more.
const LINGER: Duration = Duration::from_secs(2);
/// How much of it.
const LINGER_BYTES: usize = 4_096;

/// Ends when the peer wants no more of a stream, and says why.
type Stopped = BoxFuture<'static, Result<Option<VarInt>, StoppedError>>;
type Pair = Result<(SendStream, RecvStream), ConnectionError>;

/// A connection whose peer has been let in.
pub(crate) struct Muxer {
    facts: Arc<Facts>,
    inbound: Option<BoxFuture<'static, Pair>>,
    outbound: Option<BoxFuture<'static, Pair>>,
    closed: Option<BoxFuture<'static, ConnectionError>>,
}

impl Muxer {
    pub(super) fn new(facts: Arc<Facts>) -> Self {
        Self {
            facts,
            inbound: None,
            outbound: None,
            closed: None,
        }
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        close(&self.facts.connection);
    }
}

/// Closes a connection, unless it is closed: why it was is asked later.
fn close(connection: &quinn::Connection) {
    if connection.close_reason().is_none() {
        macula_quic::close(connection, code::UNNEEDED, b"");
    }
}

impl StreamMuxer for Muxer {
    type Substream = Substream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        let connection = self.facts.connection.clone();
        let accept = async move { connection.accept_bi().await };
        let inbound = self.inbound.get_or_insert_with(|| accept.boxed());
        let pair = ready!(inbound.poll_unpin(cx));
        self.inbound = None;
        Poll::Ready(pair.map(Substream::new).map_err(Into::into))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Substream>> {
        let connection = self.facts.connection.clone();
        let open = async move { connection.open_bi().await };
        let outbound = self.outbound.get_or_insert_with(|| open.boxed());
        let pair = ready!(outbound.poll_unpin(cx));
        self.outbound = None;
        Poll::Ready(pair.map(Substream::new).map_err(Into::into))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.facts.connection.clone();
        let close = || {
            close(&connection);
            async move { connection.closed().await }.boxed()
        };
        let closed = self.closed.get_or_insert_with(close);
        ready!(closed.poll_unpin(cx));
        Poll::Ready(Ok(()))
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        // The connection drives itself, and its address does not change.
        Poll::Pending
    }
}

/// A stream. Dropped it ends, as libp2p's protocols expect; unless it has been abandoned, which an empty
/// write says: then it is reset, so that the peer cannot take what it got for the whole.
pub(crate) struct Substream {
    send: Option<SendStream>,
    receive: Option<RecvStream>,
    /// Made when a write has to wait.
    stopped: Option<Stopped>,
    /// Whether all that we have to say is said.
    ended: bool,
    /// Whether all that the peer has to say is read.
    drained: bool,
    abandoned: bool,
}

impl Substream {
    fn new((send, receive): (SendStream, RecvStream)) -> Self {
        Self {
            send: Some(send),
            receive: Some(receive),
            stopped: None,
            ended: false,
            drained: false,
            abandoned: false,
        }
    }

    fn send(&mut self) -> Pin<&mut SendStream> {
        Pin::new(self.send.as_mut().expect("it is taken on drop only"))
    }

    /// Whether the peer wants no more. quinn does not tell that to a write that waits for the connection's window, nor
    /// wakes it afterwards if it would have to wait for that of the stream.
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<WriteError> {
        let send = self.send.as_ref().expect("it is taken on drop only");
        let stopped = self.stopped.get_or_insert_with(|| send.stopped().boxed());
        let stopped = ready!(stopped.poll_unpin(cx));
        self.stopped = None;
        Poll::Ready(match stopped {
            Ok(Some(why)) => WriteError::Stopped(why),
            Ok(None) => WriteError::ClosedStream,
            Err(StoppedError::ConnectionLost(why)) => WriteError::ConnectionLost(why),
            Err(StoppedError::ZeroRttRejected) => WriteError::ZeroRttRejected,
        })
    }
}

impl AsyncRead for Substream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        let mut into = ReadBuf::new(buffer);
        let receive = self.receive.as_mut().expect("it is taken on drop only");
        ready!(tokio::io::AsyncRead::poll_read(
            Pin::new(receive),
            cx,
            &mut into
        ))?;
        let read = into.filled().len();
        self.drained |= read == 0 && room > 0;
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            self.abandoned = true;
            return Poll::Ready(Ok(0));
        }
        let written = tokio::io::AsyncWrite::poll_write(self.send(), cx, bytes);
        if written.is_ready() {
            return written;
        }
        self.poll_stopped(cx).map(|why| Err(why.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(self.send(), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever closes twice has closed once.
        if !self.ended {
            ready!(tokio::io::AsyncWrite::poll_shutdown(self.send(), cx))?;
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        let (send, receive) = (self.send.take(), self.receive.take());
        if self.abandoned && !self.ended {
            let _ = send.map(|mut send| send.reset(code::DROPPED));
        }
        if !self.ended || self.drained {
            return;
        }
        // The peer may not have read what we said: libp2p confirms a stream's protocol first, and a peer
        // that is told to stop before it has done so throws the stream away with all that is in it.
        if let (Some(mut receive), Ok(runtime)) = (receive, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let rest = receive.read_to_end(LINGER_BYTES);
                let _ = tokio::time::timeout(LINGER, rest).await;
            });
        }
    }
}
