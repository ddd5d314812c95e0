//! Media types, and the two encodings the gateway can read.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    error::{ErrorCode, Problem},
    syntax::{Scanner, SyntaxError},
};

/// An encoding whose values the gateway understands and can turn into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// MessagePack, the primary encoding.
    MsgPack,
    /// JSON, the fallback.
    Json,
}

impl Encoding {
    /// The encoding that `type/subtype` names, in any letter case and by any of its aliases.
    #[must_use]
    pub fn of_essence(kind: &str, subtype: &str) -> Option<Self> {
        let is = |name: &str| subtype.eq_ignore_ascii_case(name);
        if !kind.eq_ignore_ascii_case("application") {
            None
        } else if is("msgpack") || is("vnd.msgpack") || is("x-msgpack") {
            Some(Self::MsgPack)
        } else if is("json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// The other one of the two.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::MsgPack => Self::Json,
            Self::Json => Self::MsgPack,
        }
    }

    /// The media type that answers are labelled with.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::MsgPack => "application/msgpack",
            Self::Json => "application/json",
        }
    }
}

/// The media type of a payload, normalised: lower-case essence, known aliases folded.
///
/// `application/vnd.msgpack` and `application/x-msgpack` are MessagePack. Parameters of MessagePack
/// and JSON say nothing about the values (RFC 8259 §11) and are dropped. Anything else, types
/// with a `+json` suffix included, is opaque: it passes as it is, parameters included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// One of the two encodings that can be transcoded.
    Known(Encoding),
    /// Any other media type, its essence in lower case and its parameters as they were written;
    /// at most [`MAX_MEDIA_TYPE_BYTES`]. Made by [`MediaType::parse`].
    Opaque(Arc<str>),
}

/// The longest media type, parameters included, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// Why a text is not a media type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaTypeError {
    /// The text has more than [`MAX_MEDIA_TYPE_BYTES`] bytes.
    #[error("expected a media type of at most {MAX_MEDIA_TYPE_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// The text does not follow the grammar of RFC 9110 §8.3.1.
    #[error("malformed media type: {0}")]
    Syntax(#[from] SyntaxError),
    /// `*` stands for many types; a payload has one.
    #[error("expected one media type, found a range with `*`")]
    Wildcard,
}

impl From<MediaTypeError> for Problem {
    fn from(error: MediaTypeError) -> Self {
        Self::new(ErrorCode::UnsupportedMediaType, error.to_string())
    }
}

impl MediaType {
    /// MessagePack.
    pub const MSGPACK: Self = Self::Known(Encoding::MsgPack);
    /// JSON.
    pub const JSON: Self = Self::Known(Encoding::Json);

    /// Parses a `Content-Type` (RFC 9110 §8.3.1).
    ///
    /// # Errors
    /// [`MediaTypeError`] says what was expected, and where.
    pub fn parse(text: &str) -> Result<Self, MediaTypeError> {
        // Most often it is one of the two, as we write them ourselves.
        for encoding in [Encoding::MsgPack, Encoding::Json] {
            if text == encoding.media_type() {
                return Ok(Self::Known(encoding));
            }
        }
        let text = text.trim_matches([' ', '\t']);
        if text.len() > MAX_MEDIA_TYPE_BYTES {
            return Err(MediaTypeError::TooLong(text.len()));
        }
        let mut scanner = Scanner::new(text);
        let (kind, subtype) = scanner.essence()?;
        if kind == "*" || subtype == "*" {
            return Err(MediaTypeError::Wildcard);
        }
        let essence_end = scanner.position();
        while scanner.parameter()?.is_some() {}
        if !scanner.is_at_end() {
            return Ok(scanner.fail("`;` and a parameter, or the end")?);
        }
        if let Some(encoding) = Encoding::of_essence(kind, subtype) {
            return Ok(Self::Known(encoding));
        }
        let (essence, parameters) = text.split_at(essence_end);
        let normal = essence.to_ascii_lowercase() + parameters;
        Ok(Self::Opaque(normal.into()))
    }

    /// `type/subtype`, without parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        let text = self.as_str();
        text.split([';', ' ', '\t']).next().unwrap_or(text)
    }

    /// The encoding, when the payload is one that can be transcoded.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        match self {
            Self::Known(encoding) => Some(*encoding),
            Self::Opaque(_) => None,
        }
    }

    /// The media type as it stands in `Content-Type`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(encoding) => encoding.media_type(),
            Self::Opaque(text) => text,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = MediaType::parse(text).map_err(|error| error.to_string());
        let found = found.as_ref().map(MediaType::as_str);
        assert_eq!(found.map_err(String::as_str), expected, "{text:?}");
    }

    #[test]
    fn aliases_and_parameters_of_the_encodings_are_folded() {
        check("application/msgpack", Ok("application/msgpack"));
        check("application/x-msgpack", Ok("application/msgpack"));
        check("Application/VND.MsgPack", Ok("application/msgpack"));
        check("application/json", Ok("application/json"));
        check(
            " application/JSON ; charset=\"utf-8\" ",
            Ok("application/json"),
        );
    }

    #[test]
    fn other_types_pass_as_they_are() {
        check("Text/Plain; charset=UTF-8", Ok("text/plain; charset=UTF-8"));
        check("application/problem+json", Ok("application/problem+json"));
        check("text/json", Ok("text/json"));
        check("a/b;x=\"q\\\"\"", Ok("a/b;x=\"q\\\"\""));
    }

    #[test]
    fn malformed_types_say_what_was_expected_and_where() {
        let syntax = |expected: &str| format!("malformed media type: expected {expected}");
        check("", Err(&syntax("a media type at byte 0")));
        check("text", Err(&syntax("`/` and a subtype at byte 4")));
        check("text/", Err(&syntax("a subtype at byte 5")));
        check(
            "text/plain x",
            Err(&syntax("`;` and a parameter, or the end at byte 11")),
        );
        check("text/plain;x", Err(&syntax("`=` and a value at byte 12")));
        check(
            "text/plain;x=\"a",
            Err(&syntax("a closing quote at byte 15")),
        );
        check(
            "text/plain;x=\"\r\n\"",
            Err(&syntax("a printable character at byte 14")),
        );
        check(
            "*/*",
            Err("expected one media type, found a range with `*`"),
        );
        check(
            &format!("a/{}", "b".repeat(254)),
            Err("expected a media type of at most 255 bytes, found 256"),
        );
    }
}
