//! The half of a stream that is read.

use bytes::Bytes;
use quinn::VarInt;

use super::{codes, link::Counted};

/// The half of a stream that is read. Dropped before its end, it is stopped with the code 0.
#[derive(Debug)]
pub struct RecvStream {
    stream: quinn::RecvStream,
    /// What came with the stream's head.
    rest: Bytes,
    /// Whether nothing more comes.
    done: bool,
    counted: Counted,
}

/// Why a stream has no proper end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The peer gave it up, and says why.
    #[error("the peer gave the stream up: code {0}")]
    Reset(u32),
    /// The stream was stopped here, or its session has ended.
    #[error("expected a stream that is open")]
    Closed,
}

impl RecvStream {
    pub(super) fn new(stream: quinn::RecvStream, rest: Bytes, counted: Counted) -> Self {
        Self {
            stream,
            rest,
            done: false,
            counted,
        }
    }

    /// The next bytes, as they came, at most a packet's; none at the end. Safe to cancel.
    ///
    /// # Errors
    /// The peer gave the stream up, or the stream was stopped, or its session has ended.
    pub async fn read_chunk(&mut self) -> Result<Option<Bytes>, ReadError> {
        if self.counted.link().closed().is_some() {
            return Err(ReadError::Closed);
        }
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        let chunk = tokio::select! {
            biased;
            chunk = self.stream.read_chunk(usize::MAX, true) => chunk,
            _ = self.counted.link().ended() => return Err(ReadError::Closed),
        };
        self.done = !matches!(chunk, Ok(Some(_)));
        match chunk {
            Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
            Err(quinn::ReadError::Reset(codes::SESSION_GONE)) => Err(ReadError::Closed),
            Err(quinn::ReadError::Reset(code)) => {
                // A peer that uses none of the application's codes says nothing.
                Err(ReadError::Reset(codes::from_wire(code).unwrap_or(0)))
            }
            Err(_) => Err(ReadError::Closed),
        }
    }

    /// Tells the peer to send no more, with a code of the application's. What has come is dropped.
    pub fn stop(&mut self, code: u32) {
        self.refuse(codes::to_wire(code));
    }

    /// Stops the stream with a code of HTTP/3's.
    pub(super) fn refuse(&mut self, code: VarInt) {
        self.rest = Bytes::new();
        if !self.done {
            self.done = true;
            // It fails only for a stream that has ended.
            let _ = self.stream.stop(code);
        }
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        self.refuse(match self.counted.link().closed() {
            Some(_) => codes::SESSION_GONE,
            None => codes::to_wire(0),
        });
    }
}
