//! Closes a TCP connection so that the last answer arrives.
//!
//! A socket that is closed while bytes of the peer's are unread or on their way resets the
//! connection, and the reset makes the peer's kernel drop what the peer has not read yet
//! (RFC 9112 §9.6). So only the direction out is closed first, and what still comes in is thrown
//! away until the peer closes too, for a bounded time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long a peer may take to read the last answer and close.
const TIME: Duration = Duration::from_secs(1);
/// What is read at a time to be thrown away.
const SCRATCH_BYTES: usize = 4 << 10;

/// A connection that lingers when it is shut down.
#[derive(Debug)]
pub(super) struct Lingering<T> {
    io: T,
    /// Runs once the direction out is closed. Boxed, as most of a connection's life goes without.
    until: Option<Pin<Box<Sleep>>>,
}

impl<T> Lingering<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, until: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, until } = &mut *self;
        let until = match until {
            Some(until) => until,
            None => {
                ready!(Pin::new(&mut *io).poll_shutdown(cx))?;
                until.insert(Box::pin(sleep(TIME)))
            }
        };
        let mut scratch = [0; SCRATCH_BYTES];
        while until.as_mut().poll(cx).is_pending() {
            let mut scratch = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut *io).poll_read(cx, &mut scratch));
            // The peer's end, proper or not, is what was waited for.
            if read.is_err() || scratch.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_reads_until_the_peer_closes_or_its_time_is_over() {
        let (mut peer, server) = duplex(64);
        let mut server = Lingering::new(server);
        let start = Instant::now();
        let closes = async {
            peer.write_all(&[0; 200]).await.unwrap();
            assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
            drop(peer);
        };
        let (_, closed) = tokio::join!(closes, server.shutdown());
        assert!(closed.is_ok() && start.elapsed() < TIME);

        let (_stays, server) = duplex(64);
        let start = Instant::now();
        Lingering::new(server).shutdown().await.unwrap();
        assert!(start.elapsed() >= TIME && start.elapsed() < 2 * TIME);
    }
}
