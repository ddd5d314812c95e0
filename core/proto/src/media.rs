//! Media types, and the two encodings the gateway can read.

use std::{fmt, sync::Arc};

/// An encoding whose values the gateway understands and can turn into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// MessagePack, the primary encoding.
    MsgPack,
    /// JSON, the fallback.
    Json,
}

impl Encoding {
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
/// `application/vnd.msgpack` and `application/x-msgpack` are MessagePack. Anything that is
/// neither MessagePack nor JSON is opaque: it passes as it is, parameters included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// One of the two encodings that can be transcoded.
    Known(Encoding),
    /// Any other media type, as it was written; at most [`MAX_MEDIA_TYPE_BYTES`].
    Opaque(Arc<str>),
}

/// The longest media type, parameters included, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

impl MediaType {
    /// MessagePack.
    pub const MSGPACK: Self = Self::Known(Encoding::MsgPack);
    /// JSON.
    pub const JSON: Self = Self::Known(Encoding::Json);

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
