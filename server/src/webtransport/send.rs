//! The half of a stream that is written.

use bytes::Bytes;
use futures_util::FutureExt;
use quinn::VarInt;

use super::{codes, link::Counted};

/// The half of a stream that is written. Dropped before [`finish`](Self::finish), it is reset with
/// the code 0.
#[derive(Debug)]
pub struct SendStream {
    stream: quinn::SendStream,
    /// The stream's type and session, until it is written; empty afterwards.
    head: Bytes,
    /// Whether nothing more is written.
    done: bool,
    counted: Counted,
}

/// Why nothing more can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The peer does not read on, and says why.
    #[error("the peer reads no more: code {0}")]
    Stopped(u32),
    /// The stream or its session has ended.
    #[error("expected a stream that is open")]
    Closed,
}

impl SendStream {
    /// Of a stream that the peer opened.
    pub(super) fn accepted(stream: quinn::SendStream, counted: Counted) -> Self {
        Self::opened(stream, Bytes::new(), counted)
    }

    /// Of a stream that is opened here; `head` goes before the first bytes.
    pub(super) fn opened(stream: quinn::SendStream, head: Bytes, counted: Counted) -> Self {
        Self {
            stream,
            head,
            done: false,
            counted,
        }
    }

    /// Writes all bytes; they are copied once. Waits while the peer lets no more come. Cancelled, it
    /// may have written a part.
    ///
    /// # Errors
    /// The peer reads no more, or the stream or its session has ended.
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if !self.head.is_empty() {
            return self
                .write_chunks(&mut [Bytes::copy_from_slice(bytes)])
                .await;
        }
        self.usable()?;
        let written = tokio::select! {
            biased;
            written = self.stream.write_all(bytes) => written,
            _ = self.counted.link().ended() => return Err(WriteError::Closed),
        };
        written.map_err(error)
    }

    /// Writes all chunks without a copy. Otherwise as [`write_all`](Self::write_all).
    ///
    /// # Errors
    /// The peer reads no more, or the stream or its session has ended.
    pub async fn write_chunks(&mut self, chunks: &mut [Bytes]) -> Result<(), WriteError> {
        self.usable()?;
        let mut headed;
        let chunks = if self.head.is_empty() {
            chunks
        } else {
            headed = Vec::with_capacity(1 + chunks.len());
            headed.push(std::mem::take(&mut self.head));
            headed.extend_from_slice(chunks);
            &mut headed
        };
        let written = tokio::select! {
            biased;
            written = self.stream.write_all_chunks(chunks) => written,
            _ = self.counted.link().ended() => return Err(WriteError::Closed),
        };
        written.map_err(error)
    }

    /// Ends the stream; the peer gets all that was written.
    ///
    /// # Errors
    /// The stream or its session has ended before. Or nothing was ever written, and not even the head
    /// of the stream can go out now, as the peer lets no more come: the stream is reset then.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        self.usable()?;
        if !self.head.is_empty() {
            let mut head = [std::mem::take(&mut self.head)];
            match self.stream.write_all_chunks(&mut head).now_or_never() {
                Some(Ok(())) => {}
                Some(Err(failed)) => return Err(error(failed)),
                None => {
                    self.abandon(codes::to_wire(0));
                    return Err(WriteError::Closed);
                }
            }
        }
        self.done = true;
        self.stream.finish().map_err(|_| WriteError::Closed)
    }

    /// Gives the stream up, with a code of the application's. What was written may be lost.
    pub fn reset(&mut self, code: u32) {
        self.abandon(codes::to_wire(code));
    }

    /// Waits until the peer stops reading, and returns its code, or none when it has all that was
    /// written until [`finish`](Self::finish).
    ///
    /// # Errors
    /// The session has ended.
    pub async fn stopped(&self) -> Result<Option<u32>, WriteError> {
        let stopped = tokio::select! {
            biased;
            stopped = self.stream.stopped() => stopped,
            _ = self.counted.link().ended() => return Err(WriteError::Closed),
        };
        let code = stopped.map_err(|_| WriteError::Closed)?;
        Ok(code.map(application))
    }

    /// Gives the stream up before anybody had it.
    pub(super) fn refuse(&mut self, code: VarInt) {
        self.abandon(code);
    }

    fn usable(&self) -> Result<(), WriteError> {
        if self.done || self.counted.link().closed().is_some() {
            return Err(WriteError::Closed);
        }
        Ok(())
    }

    fn abandon(&mut self, code: VarInt) {
        if !self.done {
            self.done = true;
            // It fails only for a stream that has ended.
            let _ = self.stream.reset(code);
        }
    }
}

impl Drop for SendStream {
    /// quinn takes a dropped stream for one that has ended, and what was cut off must not look like
    /// the whole.
    fn drop(&mut self) {
        self.abandon(match self.counted.link().closed() {
            Some(_) => codes::SESSION_GONE,
            None => codes::to_wire(0),
        });
    }
}

/// The application's code; a peer that uses none of its codes says nothing.
fn application(code: VarInt) -> u32 {
    codes::from_wire(code).unwrap_or(0)
}

fn error(error: quinn::WriteError) -> WriteError {
    match error {
        quinn::WriteError::Stopped(codes::SESSION_GONE) => WriteError::Closed,
        quinn::WriteError::Stopped(code) => WriteError::Stopped(application(code)),
        _ => WriteError::Closed,
    }
}
