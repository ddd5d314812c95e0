//! The last-writer-wins register on its own.

use crate::{
    codec::{Codec, DecodeError, Reader},
    hlc::Time,
};

/// What was written last. Of two writes at the same time that of the larger actor counts (and of two by
/// the same actor, which a [`Clock`](crate::Clock) never makes, the larger value): the writes are in one
/// total order, and a merge takes the larger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LwwRegister<A, T>(Option<(Time, A, T)>);

impl<A, T> Default for LwwRegister<A, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<A: Ord + Clone, T: Ord + Clone> LwwRegister<A, T> {
    /// Writes, unless what is there counts more. Returns what to tell the others.
    pub fn write(&mut self, actor: A, time: Time, value: T) -> Self {
        let written = Self(Some((time, actor, value)));
        self.merge(&written);
        written
    }

    /// What was written last.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.0.as_ref().map(|written| &written.2)
    }

    /// When it was written.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        self.0.as_ref().map(|written| written.0)
    }

    /// Takes the later write.
    pub fn merge(&mut self, other: &Self) {
        if self.0 < other.0 {
            self.0.clone_from(&other.0);
        }
    }

    /// What is written here, if it counts more than what is written there; else nothing.
    #[must_use]
    pub fn delta_since(&self, other: &Self) -> Self {
        if other.0 < self.0 {
            self.clone()
        } else {
            Self(None)
        }
    }
}

impl<A: Codec, T: Codec> Codec for LwwRegister<A, T> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.0.is_some()));
        if let Some((time, actor, value)) = &self.0 {
            time.encode(out);
            actor.encode(out);
            value.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(reader)? {
            0 => Ok(Self(None)),
            1 => {
                let time = Time::decode(reader)?;
                Ok(Self(Some((time, A::decode(reader)?, T::decode(reader)?))))
            }
            _ => Err(DecodeError::Invalid("0 or 1")),
        }
    }
}
