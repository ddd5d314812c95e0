//! Keys of requests that are carried out once: a node asks another for a key by [`Ask`], is told [`Told`], and if it
//! is the first it says [`Keep`] when it has carried the request out. Ending the stream before that frees the key.

use std::sync::Arc;

use bytes::Bytes;

use super::{PeerError, call::Answer, kind, read, subject, write};
use crate::{ErrorCode, EventId, Payload, Problem};

const ASK: u8 = 0;
const FIRST: u8 = 1;
const REFUSED: u8 = 2;
const PUBLISHED: u8 = 3;
const CALLED: u8 = 4;

/// A key and what the request is, both hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The key with its owner.
    pub key: [u8; 32],
    /// The request.
    pub digest: [u8; 32],
}

/// What is answered to an [`Ask`].
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The request is the first.
    First,
    /// It was carried out before.
    Again(Keep),
    /// It runs, or was another one.
    Refused(Problem),
}

/// How a request has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Keep {
    /// The event has this id.
    Published(EventId),
    /// The call has ended.
    Called {
        /// Who answered.
        served_by: Arc<str>,
        /// The result, or why there is none.
        result: Result<Payload, Problem>,
    },
}

impl Ask {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![ASK];
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.digest);
        out
    }

    /// Reads the frame.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &[u8]) -> Result<Self, PeerError> {
        let (ASK, members) = kind(frame)? else {
            return Err(PeerError::Kind(frame.first().copied()));
        };
        let halves = members
            .split_at_checked(32)
            .and_then(|(key, digest)| Some((key.try_into().ok()?, digest.try_into().ok()?)));
        let (key, digest) = halves.ok_or(PeerError::Bound("expected two hashes"))?;
        Ok(Self { key, digest })
    }
}

impl Told {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::First => vec![FIRST],
            Self::Again(keep) => keep.encode(),
            Self::Refused(problem) => {
                write(REFUSED, &(problem.code.as_str(), problem.detail.as_str()))
            }
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &Bytes) -> Result<Self, PeerError> {
        match kind(frame)? {
            (FIRST, _) => Ok(Self::First),
            (REFUSED, members) => {
                let (code, detail): (&str, String) = read(members)?;
                let code = ErrorCode::from_code(code).unwrap_or(ErrorCode::Internal);
                Ok(Self::Refused(Problem::new(code, detail)))
            }
            _ => Keep::decode(frame).map(Self::Again),
        }
    }
}

impl Keep {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Published(id) => {
                let mut out = vec![PUBLISHED];
                out.extend_from_slice(&id.as_u128().to_be_bytes());
                out
            }
            Self::Called { served_by, result } => {
                let answer = match result.clone() {
                    Ok(payload) => Answer::Result(payload),
                    Err(problem) => Answer::Problem(problem),
                };
                let mut out = write(CALLED, &(&**served_by,));
                out.extend_from_slice(&answer.encode());
                out
            }
        }
    }

    /// Reads a frame; a payload shares its bytes.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &Bytes) -> Result<Self, PeerError> {
        match kind(frame)? {
            (PUBLISHED, members) => {
                let id = members.try_into();
                let id = id.map_err(|_| PeerError::Bound("expected an id of 16 bytes"))?;
                Ok(Self::Published(EventId::from_u128(u128::from_be_bytes(id))))
            }
            (CALLED, members) => {
                let mut rest = members;
                let (served_by,): (String,) = rmp_serde::from_read(&mut rest)?;
                let result = match Answer::decode(&frame.slice_ref(rest))? {
                    Answer::Result(payload) => Ok(payload),
                    Answer::Problem(problem) => Err(problem),
                    Answer::Progress(_) => return Err(PeerError::Bound("expected an end")),
                };
                let served_by = subject(&served_by)?;
                Ok(Self::Called { served_by, result })
            }
            (other, _) => Err(PeerError::Kind(Some(other))),
        }
    }
}
