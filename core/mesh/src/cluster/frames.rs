//! Frames on a stream between two nodes.

use std::{cell::RefCell, future::poll_fn, io, pin::Pin};

use bytes::Bytes;
use macula_proto::{
    frame::stream::{Splitter, put_frame},
    peer::{MAX_FRAME, PeerError},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

thread_local! {
    /// What is read goes through here: no stream holds a buffer while it waits, and none is cleared for a read.
    static CHUNKS: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// A stream of frames in both directions. Holds one frame at most, and what came with its end.
#[derive(Debug)]
pub(crate) struct Frames<S> {
    stream: S,
    splitter: Splitter,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            splitter: Splitter::new(MAX_FRAME),
        }
    }

    /// The next frame if it has come already.
    pub(crate) fn ready(&mut self) -> io::Result<Option<Bytes>> {
        self.splitter.next_frame().map_err(invalid)
    }

    /// The next frame; none when the peer has ended the stream between two.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(Some(frame));
            }
            if self.read().await? == 0 {
                return match self.splitter.is_whole() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Reads what is there; 0 at the end.
    async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|cx| {
            CHUNKS.with_borrow_mut(|chunk| {
                let mut chunk = ReadBuf::new(chunk);
                let polled = Pin::new(&mut self.stream).poll_read(cx, &mut chunk);
                self.splitter.push(chunk.filled());
                polled.map_ok(|()| chunk.filled().len())
            })
        })
        .await
    }

    /// As [`next`](Self::next), where the stream must not end.
    pub(crate) async fn expect(&mut self) -> io::Result<Bytes> {
        let frame = self.next().await?;
        frame.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Writes one frame.
    pub(crate) async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(frame.len() + 8);
        put_frame(&mut out, frame);
        self.write(&out).await
    }

    /// Writes the last frame and ends the stream: dropped without that, it is reset, and what was written may be
    /// lost.
    pub(crate) async fn finish(mut self, frame: &[u8]) -> io::Result<()> {
        self.send(frame).await?;
        self.stream.shutdown().await
    }

    /// Writes frames that have their lengths before them.
    pub(crate) async fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames).await?;
        self.stream.flush().await
    }
}

/// What a peer sent cannot be: its stream ends.
pub(crate) fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A frame that is refused.
pub(crate) fn refused(error: PeerError) -> io::Error {
    invalid(error)
}
