//! Frames on a stream between two nodes.

use std::{cell::RefCell, future::poll_fn, io, pin::Pin, sync::Arc};

use bytes::Bytes;
use macula_proto::{
    frame::stream::{Splitter, put_frame},
    peer::{MAX_FRAME, PeerError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;
/// Bytes of a frame beyond which there must be room for it before more of it is read.
const LARGE: u64 = 256 << 10;
/// What a place is, in bytes, where room is places of a semaphore.
pub(crate) const PLACE: usize = 1 << 10;
/// Bytes of a question: names, hashes and numbers.
pub(crate) const QUESTION: usize = 4 << 10;

thread_local! {
    /// What is read goes through here: no stream holds a buffer while it waits, and none is cleared for a read.
    static CHUNKS: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// A stream of frames in both directions. Holds one frame at most, and what came with its end.
#[derive(Debug)]
pub(crate) struct Frames<S> {
    stream: S,
    splitter: Splitter,
    /// The room that all streams of the peer share for their large frames, in places.
    room: Option<Arc<Semaphore>>,
    /// What the frame takes of it that is read now. With the frame it goes to who reads it.
    taken: Option<OwnedSemaphorePermit>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self::up_to(stream, MAX_FRAME)
    }

    /// As [`new`](Self::new), where frames of the peer have at most so many bytes.
    pub(crate) fn up_to(stream: S, bytes: usize) -> Self {
        Self {
            stream,
            splitter: Splitter::new(bytes),
            room: None,
            taken: None,
        }
    }

    /// Shares room for large frames with other streams. At the bound a frame ends its stream: if it waited, what is
    /// unread of it would keep the connection from bringing the rest of others.
    pub(crate) fn within(mut self, room: Arc<Semaphore>) -> Self {
        self.room = Some(room);
        self
    }

    /// The next frame if it has come already.
    pub(crate) fn ready(&mut self) -> io::Result<Option<Bytes>> {
        self.splitter.next_frame().map_err(invalid)
    }

    /// The next frame; none when the peer has ended the stream between two.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let next = self.next_with_room().await?;
        Ok(next.map(|(frame, _room)| frame))
    }

    /// As [`next`](Self::next), with the room that the frame takes, to be kept as long as the frame is.
    pub(crate) async fn next_with_room(
        &mut self,
    ) -> io::Result<Option<(Bytes, Option<OwnedSemaphorePermit>)>> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(Some((frame, self.taken.take())));
            }
            self.make_room()?;
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

    /// Takes the room of a large frame that has begun: a peer that begins many and ends none has no more of them here
    /// than fit.
    fn make_room(&mut self) -> io::Result<()> {
        let length = self.splitter.declared().filter(|length| *length > LARGE);
        if let (Some(length), Some(room), None) = (length, &self.room, &self.taken) {
            let places = u32::try_from(length.div_ceil(PLACE as u64)).unwrap_or(u32::MAX);
            let taken = Arc::clone(room).try_acquire_many_owned(places);
            let none = |_| io::Error::other("expected fewer large frames of one peer at a time");
            self.taken = Some(taken.map_err(none)?);
        }
        Ok(())
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

    /// Ends the stream, and waits until the peer has read all of it and ends it too.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// What the frames go over.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
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
