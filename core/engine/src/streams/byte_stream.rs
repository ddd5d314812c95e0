//! One stream in both directions.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, watch},
};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

/// Bytes in order, in both directions, with back pressure. `shutdown` ends what is written, and what was
/// written until then arrives. Dropped before `shutdown` it is reset: the peer's reading fails.
///
/// Of a protocol that the peer does not serve one learns on the first read.
pub struct ByteStream {
    inner: Compat<libp2p::Stream>,
    /// Whether what is written has ended.
    ended: bool,
    failed: bool,
    /// Whether another connection serves in place of the one that it goes over; of streams that were opened here.
    replaced: Option<watch::Receiver<bool>>,
    _open: Open,
}

/// Counts a stream for as long as it is open.
pub(super) struct Open {
    gauge: Arc<AtomicUsize>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Open {
    pub(super) fn new(gauge: Arc<AtomicUsize>, permit: Option<OwnedSemaphorePermit>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self {
            gauge,
            _permit: permit,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ByteStream {
    pub(super) fn new(stream: libp2p::Stream, open: Open) -> Self {
        Self {
            inner: stream.compat(),
            ended: false,
            failed: false,
            replaced: None,
            _open: open,
        }
    }

    pub(super) fn over(mut self, replaced: watch::Receiver<bool>) -> Self {
        self.replaced = Some(replaced);
        self
    }

    /// Whether another connection to the peer serves in place of the one that the stream goes over. What is under way
    /// on it is not disturbed, but the connection stays for as long as it has streams: who keeps one for long is to
    /// open another in its place. Of a stream that the peer has opened it is the peer's matter, and never so here.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.replaced.as_ref().is_some_and(|found| *found.borrow())
    }

    /// Ends when [`is_replaced`](Self::is_replaced) is so. It does not end with the stream.
    pub fn replaced(&self) -> impl Future<Output = ()> + Send + use<> {
        let replaced = self.replaced.clone();
        async move {
            if let Some(mut replaced) = replaced
                && replaced.wait_for(|replaced| *replaced).await.is_ok()
            {
                return;
            }
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for ByteStream {
    fn drop(&mut self) {
        if !self.ended && !self.failed {
            // An empty write abandons a stream of our transport.
            let mut nobody = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut self.inner).poll_write(&mut nobody, &[]);
        }
    }
}

impl ByteStream {
    /// Notes a failure. libp2p's streams must not be touched after one.
    fn note<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.failed |= matches!(polled, Poll::Ready(Err(_)));
        polled
    }

    fn check(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.note(polled)
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // When this fails, the peer wants no more; it may have something to say still.
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.ended |= matches!(polled, Poll::Ready(Ok(())));
        self.note(polled)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}
