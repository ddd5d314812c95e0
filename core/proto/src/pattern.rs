//! Patterns: names with wildcards, the one language for subscribing, discovering and permitting.
//!
//! A segment may be `*` (exactly one segment), and the last may be `**` (none or more). So
//! `home.**` matches `home`, `home.kitchen` and `home.kitchen.temperature`.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::{self, NameError};

/// A name in which segments may be wildcards. Every name is a pattern that matches itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Arc<str>);

/// One segment of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// A segment that matches itself.
    Literal(&'a str),
    /// `*`: exactly one segment, whatever it is.
    One,
    /// `**`: none or more segments; only ever the last.
    Rest,
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`NameError`] says which rule of the grammar the text breaks, and where.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        name::check_size(text)?;
        let count = text.split('.').count();
        for (i, segment) in text.split('.').enumerate() {
            match segment {
                "*" => {}
                "**" if i + 1 == count => {}
                "**" => return Err(NameError::RestNotLast),
                literal => name::check_segment(literal, i + 1)?,
            }
        }
        Ok(Self(text.into()))
    }

    /// The pattern `**`, which matches every name.
    #[must_use]
    pub fn all() -> Self {
        Self("**".into())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, first to last; at least one.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.0.split('.').map(|segment| match segment {
            "*" => Segment::One,
            "**" => Segment::Rest,
            literal => Segment::Literal(literal),
        })
    }

    /// True when the pattern has no wildcard, so that it matches one name only.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// True when the pattern matches the name. A text that is no name is matched by `**` at most.
    #[must_use]
    pub fn matches(&self, name: impl AsRef<str>) -> bool {
        let mut rest = name.as_ref().split('.');
        for segment in self.segments() {
            match segment {
                Segment::Rest => return true,
                Segment::One if rest.next().is_none() => return false,
                Segment::Literal(literal) if rest.next() != Some(literal) => return false,
                Segment::One | Segment::Literal(_) => {}
            }
        }
        rest.next().is_none()
    }
}

impl FromStr for Pattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(pattern.matches(name), expected, "{pattern} {name}");
    }

    #[test]
    fn wildcards_match_whole_segments() {
        check("home.kitchen", "home.kitchen", true);
        check("home.kitchen", "home.kitchen.light", false);
        check("home.*", "home.kitchen", true);
        check("home.*", "home", false);
        check("home.*", "home.kitchen.light", false);
        check("*.kitchen", "home.kitchen", true);
        check("home.**", "home", true);
        check("home.**", "home.kitchen.light", true);
        check("home.**", "homes.kitchen", false);
        check("**", "anything.at.all", true);
    }

    #[test]
    fn rest_is_only_allowed_at_the_end() {
        assert_eq!(Pattern::parse("a.**.b"), Err(NameError::RestNotLast));
        assert_eq!(Pattern::parse("a.b*"), Err(NameError::BadCharacter('*', 2)));
        assert_eq!(
            Pattern::parse("a.***"),
            Err(NameError::BadCharacter('*', 2))
        );
    }
}
