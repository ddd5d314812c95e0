//! What nodes of one cluster say to each other, on streams of their own.
//!
//! - [`link`]: the events of one node that another wants, in order, on one stream that lasts.
//! - [`call`]: calls of a procedure that another node serves.
//! - [`once`]: keys of requests that are carried out once in the whole cluster.
//! - [`replay`]: what another node has kept of a realm's events.
//!
//! Each frame stands on its stream after its length ([`frame::stream::put_frame`](crate::frame::stream::put_frame)). It is one
//! byte that says which it is, and then its members as a MessagePack array: no names, as both sides know the
//! version from the stream's protocol name. A frame with more members, or fewer, is refused: who changes them
//! changes the name.
//! What a peer sends is parsed into the same types that the edge parses into, so no node can bring in a name
//! that no client could.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Headers, MediaType, NameError,
    event::{MAX_HEADER_BYTES, MAX_HEADERS},
};

pub mod call;
mod event;
pub mod link;
mod names;
pub mod once;
pub mod replay;
#[cfg(test)]
mod tests;

pub use names::Names;

/// The longest frame, in bytes; a longer one ends its stream before anything is held for it. It has room for
/// the largest payload that a gateway can be set to take.
pub const MAX_FRAME: usize = (64 << 20) + (64 << 10);

/// Why what a peer sent is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The frame is empty, or begins with a byte that says nothing here.
    #[error("expected a known kind of frame, found {0:?}")]
    Kind(Option<u8>),
    /// Its members are not those of its kind.
    #[error("malformed: {0}")]
    Members(String),
    /// A name or a pattern is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Something is beyond its bound.
    #[error("{0}")]
    Bound(&'static str),
}

impl From<rmp_serde::decode::Error> for PeerError {
    fn from(error: rmp_serde::decode::Error) -> Self {
        Self::Members(error.to_string())
    }
}

/// Splits a frame into its kind and its members.
fn kind(frame: &[u8]) -> Result<(u8, &[u8]), PeerError> {
    let (&kind, members) = frame.split_first().ok_or(PeerError::Kind(None))?;
    Ok((kind, members))
}

fn write<T: Serialize>(kind: u8, members: &T) -> Vec<u8> {
    let mut out = Vec::new();
    write_to(&mut out, kind, members);
    out
}

fn write_to<T: Serialize>(out: &mut Vec<u8>, kind: u8, members: &T) {
    out.push(kind);
    let written = rmp_serde::encode::write(out, members);
    written.expect("our own types serialise without failure");
}

fn read<'a, T: Deserialize<'a>>(members: &'a [u8]) -> Result<T, PeerError> {
    Ok(rmp_serde::from_slice(members)?)
}

/// Bytes that are read without a copy.
struct Blob<'a>(&'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Blob<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// Headers, read until there are too many: a frame has room for millions.
struct Pairs<'a>(Vec<(&'a str, &'a str)>);

impl Serialize for Pairs<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "at most {MAX_HEADERS} headers")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut all: A,
            ) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = all.next_element()? {
                    if pairs.len() == MAX_HEADERS {
                        return Err(serde::de::Error::invalid_length(pairs.len() + 1, &self));
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

fn pairs(headers: &Headers) -> Pairs<'_> {
    Pairs(headers.iter().map(|(k, v)| (&**k, &**v)).collect())
}

fn headers(Pairs(pairs): Pairs<'_>) -> Result<Headers, PeerError> {
    let bytes: usize = pairs.iter().map(|(k, v)| k.len() + v.len()).sum();
    if bytes > MAX_HEADER_BYTES {
        return Err(PeerError::Bound("more headers than a message may have"));
    }
    Ok(pairs
        .into_iter()
        .map(|(k, v)| (k.into(), v.into()))
        .collect())
}

fn media_type(text: &str) -> Result<MediaType, PeerError> {
    MediaType::parse(text).map_err(|error| PeerError::Members(error.to_string()))
}

/// The longest subject.
const MAX_SUBJECT_BYTES: usize = 512;

fn subject(text: &str) -> Result<std::sync::Arc<str>, PeerError> {
    if text.len() > MAX_SUBJECT_BYTES {
        return Err(PeerError::Bound("a subject is too long"));
    }
    Ok(text.into())
}

/// A part of a frame, without a copy.
fn part(frame: &Bytes, part: &[u8]) -> Bytes {
    frame.slice_ref(part)
}
