//! What stands in the members of frames, and how it is read, written and described.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Schema, json};

use super::members::{Members, Raw, Wrong};
use crate::{
    Encoding, EventId, Headers, Limits, Pattern, Procedure, Realm, Topic,
    envelope::{self, Writer},
    event::{MAX_HEADER_BYTES, MAX_HEADERS},
    sink::{Container, Sink, Text},
    transcode,
};

/// One member of a frame as the specification shows it.
#[derive(Debug, Clone)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// Its JSON Schema.
    pub schema: Schema,
}

/// A part of a frame: one member, or several that belong together.
pub(crate) trait Field: Sized {
    /// Its members.
    fn properties(name: &'static str, doc: &'static str) -> Vec<Property>;
    /// Takes it out of a frame.
    fn take(members: &mut Members<'_>, name: &'static str) -> Result<Self, Wrong>;
    /// Puts it into a frame.
    fn put<W: Writer>(&self, members: &mut envelope::Members<'_, W>, name: &'static str);
}

/// One value.
pub(crate) trait Scalar: Sized {
    fn schema() -> Schema;
    /// The error says what was expected.
    fn read(raw: Raw<'_>) -> Result<Self, String>;
    fn write<W: Writer>(&self, writer: &mut W);
}

impl<T: Scalar> Field for T {
    fn properties(name: &'static str, doc: &'static str) -> Vec<Property> {
        vec![Property {
            name,
            doc,
            required: true,
            schema: T::schema(),
        }]
    }

    fn take(members: &mut Members<'_>, name: &'static str) -> Result<Self, Wrong> {
        let raw = members.take(name).ok_or(Wrong::Missing(name))?;
        read(raw, name)
    }

    fn put<W: Writer>(&self, members: &mut envelope::Members<'_, W>, name: &'static str) {
        self.write(members.next(name));
    }
}

/// May be left out; `null` says the same.
impl<T: Scalar> Field for Option<T> {
    fn properties(name: &'static str, doc: &'static str) -> Vec<Property> {
        vec![Property {
            name,
            doc,
            required: false,
            schema: T::schema(),
        }]
    }

    fn take(members: &mut Members<'_>, name: &'static str) -> Result<Self, Wrong> {
        match members.take(name) {
            Some(raw) if !raw.is_null() => read(raw, name).map(Some),
            _ => Ok(None),
        }
    }

    fn put<W: Writer>(&self, members: &mut envelope::Members<'_, W>, name: &'static str) {
        if let Some(value) = self {
            value.write(members.next(name));
        }
    }
}

/// A yes or no that is no when it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flag(pub bool);

impl Field for Flag {
    fn properties(name: &'static str, doc: &'static str) -> Vec<Property> {
        let schema = json!({"type": "boolean", "default": false});
        vec![Property {
            name,
            doc,
            required: false,
            schema,
        }]
    }

    fn take(members: &mut Members<'_>, name: &'static str) -> Result<Self, Wrong> {
        let given: Option<Bool> = Field::take(members, name)?;
        Ok(Self(given.is_some_and(|Bool(value)| value)))
    }

    fn put<W: Writer>(&self, members: &mut envelope::Members<'_, W>, name: &'static str) {
        if self.0 {
            members.next(name).bool(true);
        }
    }
}

fn read<T: Scalar>(raw: Raw<'_>, member: &'static str) -> Result<T, Wrong> {
    T::read(raw).map_err(|expected| Wrong::Value { member, expected })
}

impl Raw<'_> {
    pub(super) fn is_null(self) -> bool {
        matches!(
            (self.encoding, self.bytes),
            (Encoding::Json, b"null") | (Encoding::MsgPack, b"\xC0")
        )
    }

    /// What the value is, if it is no container.
    fn scalar<S: Sink>(self, mut sink: S) -> S {
        let read = transcode::read(self.bytes, self.encoding, &Limits::default(), &mut sink);
        debug_assert!(read.is_ok(), "it was found well-formed: {read:?}");
        sink
    }

    /// The text that the value is, parsed.
    pub(super) fn text<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let read = self.scalar(OneText(Some(parse), None));
        read.1
            .unwrap_or_else(|| Err("expected a string".to_owned()))
    }

    fn serde<T: DeserializeOwned>(self) -> Result<T, String> {
        let read = crate::decode(self.bytes, self.encoding, &Limits::default());
        read.map_err(|error| error.to_string())
    }
}

/// Takes one text. Bytes and containers are none.
struct OneText<F, T>(Option<F>, Option<Result<T, String>>);

impl<T, F: FnOnce(&str) -> Result<T, String>> Sink for OneText<F, T> {
    fn text(&mut self, text: Text<'_>) {
        if let Some(parse) = self.0.take() {
            self.1 = Some(parse(&text.unescape()));
        }
    }

    fn key(&mut self, _: Text<'_>) {}

    fn begin(&mut self, _: Container) -> usize {
        self.0 = None;
        0
    }
}

/// Takes one whole number.
#[derive(Default)]
struct OneNumber(Option<u64>);

impl Sink for OneNumber {
    fn int(&mut self, value: i64) {
        self.0 = u64::try_from(value).ok();
    }

    fn uint(&mut self, value: u64) {
        self.0 = Some(value);
    }

    fn begin(&mut self, _: Container) -> usize {
        0
    }

    fn end(&mut self, _: Container, _: usize, _: usize) {
        self.0 = None;
    }
}

/// A yes or no.
struct Bool(bool);

impl Scalar for Bool {
    fn schema() -> Schema {
        json!({"type": "boolean"})
    }

    fn read(raw: Raw<'_>) -> Result<Self, String> {
        raw.serde()
            .map(Self)
            .map_err(|_| "expected true or false".to_owned())
    }

    fn write<W: Writer>(&self, writer: &mut W) {
        writer.bool(self.0);
    }
}

impl Scalar for u64 {
    fn schema() -> Schema {
        json!({"type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1})
    }

    fn read(raw: Raw<'_>) -> Result<Self, String> {
        let number = raw.scalar(OneNumber::default()).0;
        number
            .filter(|&number| number < 1 << 53)
            .ok_or_else(|| "expected a whole number below 2^53".to_owned())
    }

    fn write<W: Writer>(&self, writer: &mut W) {
        // Numbers stay below 2^53, which an `i64` holds.
        writer.int(*self as i64);
    }
}

/// In milliseconds.
impl Scalar for Duration {
    fn schema() -> Schema {
        <u64 as Scalar>::schema()
    }

    fn read(raw: Raw<'_>) -> Result<Self, String> {
        <u64 as Scalar>::read(raw).map(Self::from_millis)
    }

    fn write<W: Writer>(&self, writer: &mut W) {
        writer.int(i64::try_from(self.as_millis()).unwrap_or(i64::MAX));
    }
}

impl Scalar for Arc<str> {
    fn schema() -> Schema {
        json!({"type": "string"})
    }

    fn read(raw: Raw<'_>) -> Result<Self, String> {
        raw.text(|text| Ok(text.into()))
    }

    fn write<W: Writer>(&self, writer: &mut W) {
        writer.text(Text::Plain(self));
    }
}

macro_rules! text_scalars {
    ($($kind:ty: $write:expr, $schema:expr;)*) => {$(
        impl Scalar for $kind {
            fn schema() -> Schema {
                $schema
            }

            fn read(raw: Raw<'_>) -> Result<Self, String> {
                raw.text(|text| text.parse::<Self>().map_err(|error| error.to_string()))
            }

            fn write<W: Writer>(&self, writer: &mut W) {
                let write: fn(&Self, &mut W) = $write;
                write(self, writer);
            }
        }
    )*};
}

text_scalars! {
    Realm: |name, writer| writer.text(Text::Plain(name.as_str())), name_schema();
    Topic: |name, writer| writer.text(Text::Plain(name.as_str())), name_schema();
    Procedure: |name, writer| writer.text(Text::Plain(name.as_str())), name_schema();
    Pattern: |name, writer| writer.text(Text::Plain(name.as_str())),
        json!({"type": "string", "maxLength": 255});
    EventId: |id, writer| writer.text(Text::Plain(&id.to_string())),
        json!({"type": "string", "minLength": 26, "maxLength": 26});
}

fn name_schema() -> Schema {
    let pattern = r"^[A-Za-z0-9_~-]{1,64}(\.[A-Za-z0-9_~-]{1,64}){0,15}$";
    json!({"type": "string", "maxLength": 255, "pattern": pattern})
}

/// Application headers; left out when there are none.
impl Field for Headers {
    fn properties(name: &'static str, doc: &'static str) -> Vec<Property> {
        let schema = json!({
            "type": "object",
            "additionalProperties": {"type": "string"},
            "maxProperties": MAX_HEADERS,
        });
        vec![Property {
            name,
            doc,
            required: false,
            schema,
        }]
    }

    fn take(members: &mut Members<'_>, name: &'static str) -> Result<Self, Wrong> {
        let Some(raw) = members.take(name).filter(|raw| !raw.is_null()) else {
            return Ok(Self::new());
        };
        let wrong = |expected: String| Wrong::Value {
            member: name,
            expected,
        };
        let found = headers(raw).map_err(wrong)?;
        let bytes: usize = found
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > MAX_HEADER_BYTES {
            return Err(wrong(format!("expected at most {MAX_HEADER_BYTES} bytes")));
        }
        Ok(found)
    }

    fn put<W: Writer>(&self, members: &mut envelope::Members<'_, W>, name: &'static str) {
        if !self.is_empty() {
            envelope::headers(members.next(name), self);
        }
    }
}

fn headers(raw: Raw<'_>) -> Result<Headers, String> {
    let mut found = Headers::new();
    let each = |key: &str, value: &[u8]| {
        let value = Raw {
            bytes: value,
            encoding: raw.encoding,
        };
        let value = value.text(|text| Ok(Arc::from(text)));
        let value = value.map_err(|_| transcode::Fault::Expected("strings"))?;
        if found.len() == MAX_HEADERS {
            return Err(transcode::Fault::TooManyItems(MAX_HEADERS));
        }
        if key.is_empty() || !key.bytes().all(is_token) {
            return Err(transcode::Fault::Expected(
                "names that HTTP headers could have, in lower case",
            ));
        }
        found.push((Arc::from(key), value));
        Ok(())
    };
    let read = transcode::members(raw.bytes, raw.encoding, &Limits::default(), each);
    read.map_err(|error| error.fault.to_string())?;
    Ok(found)
}

/// A character of a token (RFC 9110 §5.6.2) in lower case. None of them needs an escape in JSON, so that
/// a name is its own text.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A value that serde reads and writes.
pub(crate) trait Structured: Serialize + DeserializeOwned {
    fn schema() -> Schema;
}

impl<T: Structured> Scalar for Box<T> {
    fn schema() -> Schema {
        T::schema()
    }

    fn read(raw: Raw<'_>) -> Result<Self, String> {
        raw.serde().map(Self::new)
    }

    fn write<W: Writer>(&self, writer: &mut W) {
        writer.verbatim(&crate::encode(&**self, W::ENCODING));
    }
}
