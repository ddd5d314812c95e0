//! The peer's streams, as they arrive.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream, FuturesUnordered},
};
use h3::quic::ConnectionErrorIncoming;
use parking_lot::Mutex;
use quinn::ConnectionError;

use super::{
    incoming::{Incoming, Sorted, Sorter},
    room::Room,
    streams::connection_error,
};

/// Streams of sessions that are brought on before others of the connection's tasks get their turn.
const AT_A_TIME: usize = 64;

/// All streams of one kind, of which h3 gets those that are its own.
pub(super) struct Arrivals {
    streams: Shareable<BoxStream<'static, Result<Incoming, ConnectionError>>>,
    /// Those whose head or session has not come.
    late: Shareable<FuturesUnordered<BoxFuture<'static, Option<Incoming>>>>,
    room: Room,
}

/// h3 asks for types that can be shared; what is only polled can be.
struct Shareable<T>(Mutex<T>);

impl Arrivals {
    /// Those that are requests if they are h3's.
    pub(super) fn bidirectional(quic: quinn::Connection, room: Room) -> Self {
        let streams = stream::unfold(quic, |quic| async {
            let accepted = quic.accept_bi().await;
            let incoming = accepted.map(|(send, recv)| Incoming::new(Some(send), recv));
            Some((incoming, quic))
        });
        Self::new(streams, room)
    }

    /// Those that only the peer writes.
    pub(super) fn unidirectional(quic: quinn::Connection, room: Room) -> Self {
        let streams = stream::unfold(quic, |quic| async {
            let accepted = quic.accept_uni().await;
            let incoming = accepted.map(|recv| Incoming::new(None, recv));
            Some((incoming, quic))
        });
        Self::new(streams, room)
    }

    fn new(
        streams: impl Stream<Item = Result<Incoming, ConnectionError>> + Send + 'static,
        room: Room,
    ) -> Self {
        Self {
            streams: Shareable(Mutex::new(streams.boxed())),
            late: Shareable(Mutex::new(FuturesUnordered::new())),
            room,
        }
    }

    /// The next stream that is h3's. All others go their way meanwhile.
    pub(super) fn poll_ordinary(
        &mut self,
        sorter: &Sorter,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Incoming, ConnectionErrorIncoming>> {
        for _ in 0..AT_A_TIME {
            if let Some(stream) = self.next_late(cx) {
                return Poll::Ready(Ok(stream));
            }
            let next = ready!(Pin::new(self.streams.0.get_mut()).poll_next(cx));
            let stream = next.expect("it has no end").map_err(connection_error)?;
            self.room.one_more();
            match sorter.sort(stream) {
                Sorted::Ordinary(stream) => return Poll::Ready(Ok(stream)),
                Sorted::Done => {}
                Sorted::Late(late) => self.late.0.get_mut().push(late),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A stream that is h3's, as turned out now.
    fn next_late(&mut self, cx: &mut Context<'_>) -> Option<Incoming> {
        let late = self.late.0.get_mut();
        while !late.is_empty() {
            match late.poll_next_unpin(cx) {
                Poll::Ready(Some(None)) => {}
                Poll::Ready(Some(stream)) => return stream,
                Poll::Ready(None) | Poll::Pending => return None,
            }
        }
        None
    }
}
