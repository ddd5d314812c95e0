//! An argument, a result or an event's content: bytes with their media type.

use bytes::Bytes;

use crate::{Encoding, MediaType};

/// Bytes with their media type. The mesh never decodes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The media type of the bytes.
    pub content_type: MediaType,
    /// The bytes.
    pub bytes: Bytes,
}

impl Payload {
    /// The value `null`, which stands where nothing was given.
    #[must_use]
    pub fn null(encoding: Encoding) -> Self {
        let bytes = Bytes::from_static(match encoding {
            Encoding::Json => b"null",
            Encoding::MsgPack => b"\xC0",
        });
        Self {
            content_type: MediaType::Known(encoding),
            bytes,
        }
    }
}
