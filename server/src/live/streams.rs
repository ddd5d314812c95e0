//! Frames on a stream of WebTransport's.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use macula_proto::frame::stream::{Splitter, put_length};

use tokio::time::timeout;

use super::link::Link;
use crate::webtransport::{ReadError, RecvStream};

/// How long the client may take to end a stream on which it has said all.
const FAREWELL: Duration = Duration::from_secs(1);

/// A frame after its length.
pub(super) fn framed(frame: Bytes) -> [Bytes; 2] {
    let mut length = Vec::with_capacity(8);
    put_length(&mut length, frame.len());
    [length.into(), frame]
}

/// The frames that come on a stream.
#[derive(Debug)]
pub(super) struct Frames {
    recv: RecvStream,
    splitter: Splitter,
}

/// Why no frame comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// The client has ended its half: after a frame, or within one.
    Ended {
        /// Whether it was after a frame.
        whole: bool,
    },
    /// The client has reset the stream.
    Reset,
    /// The next frame is longer than it may be.
    TooLong,
    /// The transport is lost.
    Lost,
}

impl Frames {
    /// Frames of at most so many bytes.
    pub(super) fn new(recv: RecvStream, limit: usize) -> Self {
        let splitter = Splitter::new(limit);
        Self { recv, splitter }
    }

    /// The next frame. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Bytes, NoFrame> {
        loop {
            match self.splitter.next_frame() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(_) => return Err(NoFrame::TooLong),
            }
            match self.recv.read_chunk().await {
                Ok(Some(chunk)) => self.splitter.push(&chunk),
                Ok(None) => {
                    let whole = self.splitter.is_whole();
                    return Err(NoFrame::Ended { whole });
                }
                Err(ReadError::Reset(_)) => return Err(NoFrame::Reset),
                Err(ReadError::Closed) => return Err(NoFrame::Lost),
            }
        }
    }

    /// The stream, and whether nothing has come on it behind the last frame.
    pub(super) fn into_stream(self) -> (RecvStream, bool) {
        (self.recv, self.splitter.is_whole())
    }

    /// Reads no more of what is said; see [`leave`].
    pub(super) fn leave(self, link: &Link) {
        leave(self.recv, link);
    }

    /// Reads no more.
    pub(super) fn stop(&mut self, code: u32) {
        self.recv.stop(code);
    }
}

/// Lets the client end its half in its own time: to stop it at once would look like a refusal of what it
/// has said. Where many do not end it they are stopped.
pub(super) fn leave(mut recv: RecvStream, link: &Link) {
    // Most often the end came with the last frame.
    if let Some(Ok(None) | Err(_)) = recv.read_chunk().now_or_never() {
        return;
    }
    if let Ok(leave) = link.leaving().try_acquire_owned() {
        tokio::spawn(async move {
            let end = async { while let Ok(Some(_)) = recv.read_chunk().await {} };
            let _ = timeout(FAREWELL, end).await;
            drop(leave);
        });
    }
}
