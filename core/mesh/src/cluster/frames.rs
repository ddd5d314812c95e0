//! Frames on a stream between two nodes.

use std::io;

use bytes::Bytes;
use macula_proto::{
    frame::stream::{Splitter, put_frame},
    peer::{MAX_FRAME, PeerError},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// A stream of frames in both directions. Holds one frame at most, and what came with its end.
#[derive(Debug)]
pub(crate) struct Frames<S> {
    stream: S,
    splitter: Splitter,
    /// What was read last; empty while nothing is read, so that an idle stream holds no buffer.
    chunk: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            splitter: Splitter::new(MAX_FRAME),
            chunk: Vec::new(),
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
            self.chunk.resize(CHUNK, 0);
            let read = self.stream.read(&mut self.chunk).await?;
            self.splitter.push(&self.chunk[..read]);
            if read < CHUNK {
                self.chunk = Vec::new();
            }
            if read == 0 {
                return match self.splitter.is_whole() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
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
