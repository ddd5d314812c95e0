//! Dotted names: `home.kitchen.temperature`.
//!
//! A segment is 1–64 of `A–Z a–z 0–9 _ ~ -`; a name has 1–16 segments and at most 255 bytes.
//! Realms, topics and procedures share this grammar and are types of their own, so that one is
//! never taken for another. A value that exists is valid: parsing is the only way to make one.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest segment, in bytes.
pub const MAX_SEGMENT_BYTES: usize = 64;
/// The most segments in a name.
pub const MAX_SEGMENTS: usize = 16;
/// The longest name, in bytes, dots included.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a text is not a name or a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("expected a name, found nothing")]
    Empty,
    /// The text has more than [`MAX_NAME_BYTES`] bytes.
    #[error("expected at most {MAX_NAME_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// The name has more than [`MAX_SEGMENTS`] segments.
    #[error("expected at most {MAX_SEGMENTS} segments, found {0}")]
    TooManySegments(usize),
    /// Two dots in a row, or a dot at an end. The number is the segment's place, from 1.
    #[error("segment {0} is empty")]
    EmptySegment(usize),
    /// A segment has more than [`MAX_SEGMENT_BYTES`] bytes. The number is its place, from 1.
    #[error("segment {0} is longer than {MAX_SEGMENT_BYTES} bytes")]
    SegmentTooLong(usize),
    /// A character outside the grammar, and the place of its segment, from 1.
    #[error("{0:?} in segment {1} is not one of A-Z a-z 0-9 _ ~ -")]
    BadCharacter(char, usize),
    /// `**` somewhere else than at the end of a pattern.
    #[error("`**` is only allowed as the last segment")]
    RestNotLast,
}

/// Checks one literal segment; `place` counts from 1.
pub(crate) fn check_segment(segment: &str, place: usize) -> Result<(), NameError> {
    if segment.is_empty() {
        return Err(NameError::EmptySegment(place));
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '~' | '-');
    if let Some(bad) = segment.chars().find(|c| !allowed(c)) {
        return Err(NameError::BadCharacter(bad, place));
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(NameError::SegmentTooLong(place));
    }
    Ok(())
}

/// Checks what names and patterns have in common: length and number of segments.
pub(crate) fn check_size(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    let segments = text.bytes().filter(|&b| b == b'.').count() + 1;
    if segments > MAX_SEGMENTS {
        return Err(NameError::TooManySegments(segments));
    }
    Ok(())
}

fn check_name(text: &str) -> Result<(), NameError> {
    check_size(text)?;
    text.split('.')
        .enumerate()
        .try_for_each(|(i, segment)| check_segment(segment, i + 1))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses a name.
            ///
            /// # Errors
            /// [`NameError`] says which rule of the grammar the text breaks, and where.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check_name(text)?;
                Ok(Self(text.into()))
            }

            /// The name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The segments, first to last; at least one.
            pub fn segments(&self) -> std::str::Split<'_, char> {
                self.0.split('.')
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// A namespace across the whole mesh, usually in reverse-DNS form: `org.example.home`.
    Realm
}
name! {
    /// What an event is published under: `home.kitchen.temperature`.
    Topic
}
name! {
    /// What a provider serves and a caller calls: `demo.add`.
    Procedure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), NameError>) {
        assert_eq!(Topic::parse(text).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn names_follow_the_grammar() {
        check("home.kitchen.temperature", Ok(()));
        check("A~b-c_9", Ok(()));
        check("", Err(NameError::Empty));
        check(".", Err(NameError::EmptySegment(1)));
        check("..", Err(NameError::EmptySegment(1)));
        check("a..b", Err(NameError::EmptySegment(2)));
        check("a.b.", Err(NameError::EmptySegment(3)));
        check("a.*", Err(NameError::BadCharacter('*', 2)));
        check("küche", Err(NameError::BadCharacter('ü', 1)));
        check("a/b", Err(NameError::BadCharacter('/', 1)));
    }

    #[test]
    fn names_are_bounded() {
        check(&"a".repeat(64), Ok(()));
        check(&"a".repeat(65), Err(NameError::SegmentTooLong(1)));
        check(&["a"; 16].join("."), Ok(()));
        check(&["a"; 17].join("."), Err(NameError::TooManySegments(17)));
        check(&"a".repeat(256), Err(NameError::TooLong(256)));
    }
}
