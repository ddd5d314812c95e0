//! Who changes state, and the name of one change.

use std::fmt::Debug;

use crate::codec::{Codec, DecodeError, Reader};

/// The largest counter of a dot that is read from outside: a forged one leaves room to go on.
pub const MAX_COUNTER: u64 = 1 << 48;

/// What tells one member from another for ever, such as its public key.
pub trait Id: Ord + Clone + Debug + Codec {}

impl<T: Ord + Clone + Debug + Codec> Id for T {}

/// One life of a member. Whoever has lost its state, or was retired, comes back with a larger
/// incarnation: dots are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor<I> {
    /// Who it is.
    pub id: I,
    /// Which of its lives, rising.
    pub incarnation: u64,
}

/// The name of one addition: the `counter`-th of its actor, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot<I> {
    /// Whose addition it is.
    pub actor: Actor<I>,
    /// Which of them.
    pub counter: u64,
}

impl<I: Codec> Codec for Actor<I> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.incarnation.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: I::decode(reader)?,
            incarnation: u64::decode(reader)?,
        })
    }
}
