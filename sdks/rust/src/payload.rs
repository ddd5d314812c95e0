//! Values to payloads and back.

use macula_proto::{Encoding, MediaType, Payload};
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// A value as MessagePack, maps with their keys.
///
/// # Errors
/// [`Error::Invalid`] when the value cannot be written, such as a map with keys that are no text.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Error> {
    let bytes = rmp_serde::to_vec_named(value);
    Ok(Payload {
        content_type: MediaType::MSGPACK,
        bytes: bytes
            .map_err(|error| Error::Invalid(error.to_string()))?
            .into(),
    })
}

/// The value of a payload, which may be MessagePack or JSON.
///
/// # Errors
/// [`Error::Decode`] when it is of another type or media type.
pub fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, Error> {
    let decoded = match payload.content_type.encoding() {
        Some(Encoding::MsgPack) => {
            rmp_serde::from_slice(&payload.bytes).map_err(|error| error.to_string())
        }
        Some(Encoding::Json) => {
            serde_json::from_slice(&payload.bytes).map_err(|error| error.to_string())
        }
        None => Err(format!(
            "expected MessagePack or JSON, found {}",
            payload.content_type
        )),
    };
    decoded.map_err(Error::Decode)
}
