//! What goes over the wire: one version byte, one byte for the kind, then the content.
//!
//! A reader refuses a version that it does not know, so that nodes of both can be in a cluster: what a newer
//! node says otherwise it must say to an older one in the old way.

use macula_crdt::{Codec, DecodeError, Delta, Digest, Id, Reader, Value};

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message<I, K, T> {
    /// Something new, and what the sender has after it.
    Push(Push<I, K, T>),
    /// What the sender has seen: what it misses should be told.
    Pull(Digest<I>),
}

/// What is told without being asked, or as an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Push<I, K, T> {
    /// Why it is sent.
    pub(super) kind: Kind,
    /// The fingerprint of the sender's state.
    pub(super) fingerprint: u64,
    /// What is new.
    pub(super) delta: Delta<I, K, Value<T>>,
}

/// Why something is told, and what the receiver does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A change just made, told to so many peers: who has more tells some of them.
    News { told: u64 },
    /// Repeated: who has another fingerprint asks.
    Repeat,
    /// The answer to a digest.
    Answer,
    /// The same, and there is more: ask again.
    Part,
    /// What the sender has heard of the receiver, who says it if it is so.
    Hearsay,
}

/// What a push takes beside its delta: version, kind, `told`, fingerprint.
pub(super) const PUSH_BYTES: usize = 24;

const NEWS: u8 = 0;
const REPEAT: u8 = 1;
const ANSWER: u8 = 2;
const PART: u8 = 3;
const PULL: u8 = 4;
const HEARSAY: u8 = 5;

impl<I: Id, K: Codec, T: Codec> Codec for Message<I, K, T> {
    fn encode(&self, out: &mut Vec<u8>) {
        let push = match self {
            Self::Push(push) => push,
            Self::Pull(digest) => {
                out.push(PULL);
                return digest.encode(out);
            }
        };
        match push.kind {
            Kind::News { told } => {
                out.push(NEWS);
                told.encode(out);
            }
            Kind::Repeat => out.push(REPEAT),
            Kind::Answer => out.push(ANSWER),
            Kind::Part => out.push(PART),
            Kind::Hearsay => out.push(HEARSAY),
        }
        push.fingerprint.to_le_bytes().encode(out);
        push.delta.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = match u8::decode(reader)? {
            NEWS => Kind::News {
                told: u64::decode(reader)?,
            },
            REPEAT => Kind::Repeat,
            ANSWER => Kind::Answer,
            PART => Kind::Part,
            HEARSAY => Kind::Hearsay,
            PULL => return Digest::decode(reader).map(Self::Pull),
            _ => return Err(DecodeError::Invalid("a kind of message from 0 to 5")),
        };
        Ok(Self::Push(Push {
            kind,
            fingerprint: u64::from_le_bytes(Codec::decode(reader)?),
            delta: Delta::decode(reader)?,
        }))
    }
}
