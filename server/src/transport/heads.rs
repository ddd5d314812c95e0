//! Ends an HTTP/1.1 connection on which a request's head has begun and does not come to its end.
//!
//! hyper has a time for heads too, but it runs from the end of the answer before: it would end
//! connections that are only idle, which [`Activity`] gives more time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::activity::Activity;

/// A connection whose heads have a time.
#[derive(Debug)]
pub(super) struct Heads<T> {
    io: T,
    activity: Activity,
    time: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A request is handled, or nothing has come since.
    Rest,
    /// Bytes have come that made no request yet, when so many had begun.
    Begun(usize),
    /// They are waited for. Only a head that comes in pieces costs a timer.
    Waiting(usize, Pin<Box<Sleep>>),
}

impl<T> Heads<T> {
    pub(super) fn new(io: T, activity: Activity, time: Duration) -> Self {
        Self {
            io,
            activity,
            time,
            state: State::Rest,
        }
    }

    /// Bytes came: they begin a head if no request is handled.
    fn came(&mut self) {
        if matches!(self.state, State::Rest) && !self.activity.active() {
            self.state = State::Begun(self.activity.begun());
        }
    }

    /// Nothing more came: the head's time runs if it has not made a request.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let begun = match &self.state {
            State::Rest => return Poll::Pending,
            State::Begun(begun) | State::Waiting(begun, _) => *begun,
        };
        if self.activity.begun() != begun {
            self.state = State::Rest;
            return Poll::Pending;
        }
        if let State::Begun(_) = self.state {
            self.state = State::Waiting(begun, Box::pin(sleep(self.time)));
        }
        match &mut self.state {
            State::Waiting(_, until) => until.as_mut().poll(cx),
            State::Rest | State::Begun(_) => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Heads<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        match read {
            Poll::Ready(_) => self.came(),
            Poll::Pending if self.poll_time(cx).is_ready() => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending => {}
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heads<T> {
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
        Pin::new(&mut self.io).poll_shutdown(cx)
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
    async fn a_head_that_trickles_in_has_its_time_from_its_first_byte() {
        let activity = Activity::default();
        let (mut client, server) = duplex(16);
        let time = Duration::from_secs(30);
        let mut server = Heads::new(server, activity.clone(), time);
        let start = Instant::now();
        let trickle = async {
            loop {
                sleep(Duration::from_secs(20)).await;
                client.write_all(b"G").await.unwrap();
            }
        };
        let reads = async {
            // What makes a request has no time any more.
            server.read_u8().await.unwrap();
            let request = activity.begin();
            server.read_u8().await.unwrap();
            server.read_u8().await.unwrap();
            drop(request);
            loop {
                if let Err(error) = server.read_u8().await {
                    return error.kind();
                }
            }
        };
        let ended = tokio::select! {
            () = trickle => None,
            kind = reads => Some(kind),
        };
        assert_eq!(ended, Some(io::ErrorKind::TimedOut));
        assert_eq!(start.elapsed(), Duration::from_secs(110));
    }
}
