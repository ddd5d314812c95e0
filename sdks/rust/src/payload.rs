//! Values to payloads and back.

use std::borrow::Cow;

use macula_proto::{Encoding, Limits, MediaType, Payload, transcode};
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// A value as MessagePack, maps with their keys.
///
/// # Errors
/// [`Error::Invalid`] when the value cannot be written, such as a map with keys that are no text.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Error> {
    encode_as(value, Encoding::MsgPack)
}

/// A value in either encoding. Bytes have their form in JSON, `{"$bytes": …}`, which serde does not know.
pub(crate) fn encode_as<T: Serialize + ?Sized>(
    value: &T,
    encoding: Encoding,
) -> Result<Payload, Error> {
    let invalid = |error: &dyn std::fmt::Display| Error::Invalid(error.to_string());
    let bytes = rmp_serde::to_vec_named(value).map_err(|error| invalid(&error))?;
    let bytes = match encoding {
        Encoding::MsgPack => bytes,
        Encoding::Json => {
            let json = transcode(&bytes, Encoding::MsgPack, encoding, &Limits::default());
            json.map_err(|error| invalid(&error))?
        }
    };
    Ok(Payload {
        content_type: MediaType::Known(encoding),
        bytes: bytes.into(),
    })
}

/// The value of a payload, which may be MessagePack or JSON.
///
/// # Errors
/// [`Error::Decode`] when it is of another type or media type.
pub fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, Error> {
    let unread = |error: &dyn std::fmt::Display| Error::Decode(error.to_string());
    let bytes = match payload.content_type.encoding() {
        Some(Encoding::MsgPack) => Cow::Borrowed(&*payload.bytes),
        Some(Encoding::Json) => {
            let (from, to) = (Encoding::Json, Encoding::MsgPack);
            let bytes = transcode(&payload.bytes, from, to, &Limits::default());
            Cow::Owned(bytes.map_err(|error| unread(&error))?)
        }
        None => {
            let found = &payload.content_type;
            return Err(unread(&format!(
                "expected MessagePack or JSON, found {found}"
            )));
        }
    };
    rmp_serde::from_slice(&bytes).map_err(|error| unread(&error))
}

#[cfg(test)]
mod tests {
    use macula_proto::Value;

    use super::*;

    #[test]
    fn values_come_back_as_what_they_were_in_both_encodings() {
        let members = [
            ("bytes", Value::Bytes(vec![0, 1, 255])),
            ("max", Value::UInt(u64::MAX)),
            ("min", Value::Int(i64::MIN)),
            ("float", Value::Float(0.1)),
            ("list", Value::Array(vec![Value::Null, Value::Bool(true)])),
        ];
        let members = members.map(|(key, value)| (Value::String(key.to_owned()), value));
        let value = Value::Map(members.into());
        for encoding in [Encoding::MsgPack, Encoding::Json] {
            let payload = encode_as(&value, encoding).unwrap();
            assert_eq!(payload.content_type, MediaType::Known(encoding));
            assert_eq!(decode::<Value>(&payload).unwrap(), value, "{encoding:?}");
        }
        let refused = encode_as(&f64::NAN, Encoding::Json);
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
}
