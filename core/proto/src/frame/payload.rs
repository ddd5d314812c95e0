//! Payloads and events inside of frames.

use bytes::Bytes;
use serde_json::json;

use super::{
    field::{Field, Property, Scalar},
    members::{Members, Raw, Wrong},
};
use crate::{
    Encoding, Event, Headers, Limits, MediaType, Payload,
    envelope::{self, Writer},
    sink::{Blob, Container, Sink},
    transcode,
};

/// `content_type`, `payload` and `opaque`, as they stand in an [`envelope`](crate::envelope).
impl Field for Payload {
    fn properties(_: &'static str, _: &'static str) -> Vec<Property> {
        vec![
            Property {
                name: "content_type",
                doc: "The payload's media type; the frame's own encoding unless said otherwise.",
                required: false,
                schema: json!({"type": "string", "maxLength": 255}),
            },
            Property {
                name: "payload",
                doc: "The payload: the value itself, or its bytes when `opaque` is true.",
                required: false,
                schema: json!({}),
            },
            Property {
                name: "opaque",
                doc: "True when `payload` is the bytes of the payload: of any media type but JSON and MessagePack.",
                required: false,
                schema: json!({"type": "boolean", "default": false}),
            },
        ]
    }

    fn take(members: &mut Members<'_>, _: &'static str) -> Result<Self, Wrong> {
        let encoding = members.encoding();
        let content_type = match members.take("content_type") {
            Some(raw) if !raw.is_null() => {
                raw.text(|text| MediaType::parse(text).map_err(|error| error.to_string()))
            }
            _ => Ok(MediaType::Known(encoding)),
        };
        let content_type = content_type.map_err(|expected| Wrong::Value {
            member: "content_type",
            expected,
        })?;
        let opaque = super::field::Flag::take(members, "opaque")?.0;
        let bytes = match members.take("payload") {
            None => nothing(&content_type, opaque),
            Some(raw) if opaque => raw.bytes(),
            Some(raw) => value(raw, &content_type),
        };
        let bytes = bytes.map_err(|expected| Wrong::Value {
            member: "payload",
            expected,
        })?;
        Ok(Self {
            content_type,
            bytes,
        })
    }

    fn put<W: Writer>(&self, members: &mut envelope::Members<'_, W>, _: &'static str) {
        if self.content_type != MediaType::Known(W::ENCODING) {
            members.text("content_type", self.content_type.as_str());
        }
        members.payload(&self.content_type, &self.bytes);
    }
}

/// What stands where no payload was given: `null`, where the media type can say it.
fn nothing(content_type: &MediaType, opaque: bool) -> Result<Bytes, String> {
    let encoding = content_type.encoding().filter(|_| !opaque);
    let encoding = encoding.ok_or_else(|| format!("expected bytes, for {content_type}"))?;
    Ok(Payload::null(encoding).bytes)
}

/// The payload of a value that stands in a frame.
fn value(raw: Raw<'_>, content_type: &MediaType) -> Result<Bytes, String> {
    let Some(encoding) = content_type.encoding() else {
        let expected = format!("expected `opaque: true` and bytes, for {content_type}");
        return Err(expected);
    };
    if encoding == raw.encoding {
        return Ok(Bytes::copy_from_slice(raw.bytes));
    }
    let limits = Limits::default();
    let transcoded = transcode::transcode(raw.bytes, raw.encoding, encoding, &limits);
    transcoded
        .map(Bytes::from)
        .map_err(|error| error.to_string())
}

impl Raw<'_> {
    /// The bytes that the value is.
    fn bytes(self) -> Result<Bytes, String> {
        let mut sink = OneBlob::default();
        let read = transcode::read(self.bytes, self.encoding, &Limits::default(), &mut sink);
        debug_assert!(read.is_ok(), "it was found well-formed: {read:?}");
        let expected = match self.encoding {
            Encoding::Json => "expected {\"$bytes\": \"<base64>\"}, as `opaque` is true",
            Encoding::MsgPack => "expected bytes (bin), as `opaque` is true",
        };
        sink.0.ok_or_else(|| expected.to_owned())
    }
}

/// Takes bytes that are no part of anything.
#[derive(Default)]
struct OneBlob(Option<Bytes>);

impl Sink for OneBlob {
    fn bytes(&mut self, blob: Blob<'_>) {
        self.0 = Some(Bytes::copy_from_slice(&blob.decode()));
    }

    fn end(&mut self, _: Container, _: usize, _: usize) {
        self.0 = None;
    }
}

/// An event as its [`envelope`](crate::envelope).
impl Scalar for Event {
    fn schema() -> serde_json::Value {
        json!({"$ref": "#/components/schemas/Event"})
    }

    fn read(raw: Raw<'_>) -> Result<Self, String> {
        let limits = Limits::default();
        let members = Members::split(raw.bytes, raw.encoding, &limits);
        let mut members = members.map_err(|error| error.to_string())?;
        event(&mut members).map_err(|wrong| wrong.to_string())
    }

    fn write<W: Writer>(&self, writer: &mut W) {
        envelope::write(writer, self);
    }
}

/// Members that are not known are passed over: a later gateway may say more.
fn event(members: &mut Members<'_>) -> Result<Event, Wrong> {
    let payload = Payload::take(members, "payload")?;
    Ok(Event {
        id: Field::take(members, "id")?,
        realm: Field::take(members, "realm")?,
        topic: Field::take(members, "topic")?,
        publisher: Field::take(members, "publisher")?,
        content_type: payload.content_type,
        headers: Headers::take(members, "headers")?,
        payload: payload.bytes,
    })
}
