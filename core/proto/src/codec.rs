//! Our own types in either encoding, with named fields.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Encoding, Limits, TranscodeError,
    transcode::{self, Fault},
};

/// Encodes a value of our own; structs become maps with named fields in both encodings.
///
/// # Panics
/// If the type's `Serialize` fails, which is a fault in the type: a derived one does not, unless
/// it has map keys that are no strings, which JSON cannot say.
pub fn encode<T: Serialize + ?Sized>(value: &T, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Json => serde_json::to_vec(value).expect("our own types have string keys"),
        Encoding::MsgPack => {
            rmp_serde::to_vec_named(value).expect("our own types serialise without failure")
        }
    }
}

/// Decodes a value of our own type from a peer's bytes, within the limits.
///
/// The bytes are validated first, so that a bomb is refused before serde sees it.
///
/// # Errors
/// [`TranscodeError`] says what is wrong, and where: [`Fault::Shape`] when the payload is well-formed
/// but not a `T`.
pub fn decode<T: DeserializeOwned>(
    payload: &[u8],
    encoding: Encoding,
    limits: &Limits,
) -> Result<T, TranscodeError> {
    transcode::validate(payload, encoding, limits)?;
    match encoding {
        Encoding::Json => serde_json::from_slice(payload).map_err(|error| TranscodeError {
            at: offset(payload, error.line(), error.column()),
            fault: Fault::Shape(message(&error)),
        }),
        Encoding::MsgPack => {
            let mut deserializer = rmp_serde::Deserializer::new(std::io::Cursor::new(payload));
            T::deserialize(&mut deserializer).map_err(|error| TranscodeError {
                at: deserializer.position() as usize,
                fault: Fault::Shape(error.to_string()),
            })
        }
    }
}

/// The message of a JSON error without its place, which is told as an offset.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// The offset of a line and column, both from 1.
fn offset(payload: &[u8], line: usize, column: usize) -> usize {
    let lines = payload.split_inclusive(|&b| b == b'\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(payload.len())
}
