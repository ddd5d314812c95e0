//! The members of one frame, split but not yet understood.

use crate::{
    Encoding, Limits, TranscodeError,
    transcode::{self, Fault},
};

/// The most members of a frame; the largest frame has fewer.
const MAX_MEMBERS: usize = 16;

/// What is wrong with a frame that is well-formed JSON or MessagePack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A member has to be there.
    #[error("expected `{0}`")]
    Missing(&'static str),
    /// A member has another value than it may have.
    #[error("`{member}`: {expected}")]
    Value {
        /// Its name.
        member: &'static str,
        /// What was expected.
        expected: String,
    },
    /// A member that the frame does not have.
    #[error("expected no member `{0}`")]
    Unknown(String),
    /// A type that there is not.
    #[error("expected a type of frame, found `{0}`")]
    Type(String),
}

/// The bytes of one well-formed value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) encoding: Encoding,
}

/// The members of a frame; each is taken once.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    encoding: Encoding,
    members: [(&'a str, &'a [u8]); MAX_MEMBERS],
    len: usize,
    /// A bit for each member that was taken.
    taken: u16,
}

impl<'a> Members<'a> {
    /// Splits the map that the bytes are, and checks that all of it is well-formed.
    ///
    /// # Errors
    /// [`TranscodeError`] says what is wrong, and where: a repeated key too.
    pub(crate) fn split(
        bytes: &'a [u8],
        encoding: Encoding,
        limits: &Limits,
    ) -> Result<Self, TranscodeError> {
        let mut split = Self {
            encoding,
            members: [("", &[]); MAX_MEMBERS],
            len: 0,
            taken: 0,
        };
        transcode::members(bytes, encoding, limits, |key, value| split.add(key, value))?;
        Ok(split)
    }

    fn add(&mut self, key: &'a str, value: &'a [u8]) -> Result<(), Fault> {
        if self.members[..self.len].iter().any(|(k, _)| *k == key) {
            return Err(Fault::Expected("each key once"));
        }
        let place = self.members.get_mut(self.len);
        *place.ok_or(Fault::TooManyItems(MAX_MEMBERS))? = (key, value);
        self.len += 1;
        Ok(())
    }

    /// The encoding of all of them.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The value of a member, if it is there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Raw<'a>> {
        let members = &self.members[..self.len];
        let index = members.iter().position(|(key, _)| *key == name)?;
        self.taken |= 1 << index;
        Some(Raw {
            bytes: members[index].1,
            encoding: self.encoding,
        })
    }

    /// Checks that nothing is left: a misspelt member is never ignored in silence.
    pub(crate) fn finish(self) -> Result<(), Wrong> {
        let all = self.members[..self.len].iter().enumerate();
        let mut left = all.filter(|(index, _)| self.taken & 1 << index == 0);
        match left.next() {
            None => Ok(()),
            Some((_, (key, _))) => Err(Wrong::Unknown(key.chars().take(64).collect())),
        }
    }
}
