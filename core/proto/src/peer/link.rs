//! The link: one stream a peer for the events that it wants, in the order of their publishing.
//!
//! The reader opens the stream and says where it was ([`Resume`]). The writer begins with [`Link::Begin`], which
//! numbers the next event; events count up from there. Whoever lost the stream so comes back to the same place:
//! the writer sends again what it still has, and tells the rest as a gap.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Names, PeerError, event, kind, read, write, write_to};
use crate::{Event, frame::stream::put_sized};

const RESUME: u8 = 0;
const BEGIN: u8 = 1;
const EVENT: u8 = 2;
const GAP: u8 = 3;

/// Where the reader of a link is, its first frame and only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The run of the writer that it has read from; 0 if it has read nothing.
    pub epoch: u64,
    /// The number of the next event that it expects from that run.
    pub next: u64,
}

/// What the writer of a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The first frame.
    Begin {
        /// This run of the writer; never 0.
        epoch: u64,
        /// The number of the next event.
        next: u64,
    },
    /// An event.
    Event(Event),
    /// Events that the reader wanted were lost here, so many; they have numbers too.
    Gap(u64),
}

impl Resume {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        write(RESUME, self)
    }

    /// Reads the frame.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &[u8]) -> Result<Self, PeerError> {
        match kind(frame)? {
            (RESUME, members) => read(members),
            (other, _) => Err(PeerError::Kind(Some(other))),
        }
    }
}

impl Link {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Begin { epoch, next } => write(BEGIN, &(epoch, next)),
            Self::Event(event) => event::with_members(event, |members| write(EVENT, members)),
            Self::Gap(missed) => write(GAP, &(missed,)),
        }
    }

    /// Reads a frame; a large payload shares its bytes, and its names those of the frames before.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &Bytes, names: &mut Names) -> Result<Self, PeerError> {
        match kind(frame)? {
            (BEGIN, members) => {
                let (epoch, next) = read(members)?;
                Ok(Self::Begin { epoch, next })
            }
            (EVENT, members) => event::read_event(frame, members, names).map(Self::Event),
            (GAP, members) => read(members).map(|(missed,)| Self::Gap(missed)),
            (other, _) => Err(PeerError::Kind(Some(other))),
        }
    }
}

/// Puts the frame of an event onto the end of a buffer, after its length.
pub fn put_event(out: &mut Vec<u8>, event: &Event) {
    put_sized(out, |out| {
        event::with_members(event, |members| write_to(out, EVENT, members));
    });
}
