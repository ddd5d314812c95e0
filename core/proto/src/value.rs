//! Values: what both encodings can say, as a tree.
//!
//! The hot paths need none: [`transcode()`](crate::transcode()) streams. A tree is for those who look
//! inside of a payload, and for programs without a type of their own.

mod serial;

use crate::{
    Encoding, Limits, TranscodeError, json, msgpack,
    sink::{Blob, Container, Sink, Text},
    transcode::{self, Fault},
};

/// One value, whichever encoding it came in.
///
/// Integers that fit an `i64` are [`Value::Int`] when read, so that one number is one value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer within `i64`.
    Int(i64),
    /// An integer beyond `i64`.
    UInt(u64),
    /// A double; NaN and the infinities only in MessagePack.
    Float(f64),
    /// A text.
    String(String),
    /// Bytes; `$bytes` in JSON.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<Value>),
    /// Members in their order; repeated keys stay. Keys that are no strings only in MessagePack.
    Map(Vec<(Value, Value)>),
    /// An application's type; `$ext` in JSON.
    Ext(i8, Vec<u8>),
}

impl Value {
    /// Reads the one value that the payload is.
    ///
    /// # Errors
    /// [`TranscodeError`] says what is wrong, and where.
    pub fn read(
        payload: &[u8],
        encoding: Encoding,
        limits: &Limits,
    ) -> Result<Self, TranscodeError> {
        let mut builder = Builder::default();
        transcode::read(payload, encoding, limits, &mut builder)?;
        let value = builder.open.pop();
        Ok(value.expect("a reader that succeeds has told one value"))
    }

    /// Writes the value.
    ///
    /// # Errors
    /// [`Fault::NotFinite`] and [`Fault::KeyNotText`] for what JSON cannot say.
    pub fn write(&self, encoding: Encoding) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        match encoding {
            Encoding::Json => self.tell(&mut json::Writer::new(&mut out))?,
            Encoding::MsgPack => {
                let mut writer = msgpack::Writer::new(&mut out);
                self.tell(&mut writer)?;
                writer.finish();
            }
        }
        Ok(out)
    }

    /// The member of a map with this string key; the first if it is repeated.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let found = members
            .iter()
            .find(|(k, _)| matches!(k, Self::String(k) if k == key));
        found.map(|(_, value)| value)
    }

    fn tell(&self, sink: &mut impl Sink) -> Result<(), Fault> {
        match self {
            Self::Null => sink.null(),
            Self::Bool(value) => sink.bool(*value),
            Self::Int(value) => sink.int(*value),
            Self::UInt(value) => sink.uint(*value),
            Self::Float(value) => sink.float(*value)?,
            Self::String(text) => sink.text(Text::Plain(text)),
            Self::Bytes(bytes) => sink.bytes(Blob::Raw(bytes)),
            Self::Ext(kind, data) => sink.ext(*kind, Blob::Raw(data)),
            Self::Array(items) => {
                let mark = sink.begin(Container::Array);
                for (index, item) in items.iter().enumerate() {
                    sink.item(index);
                    item.tell(sink)?;
                }
                sink.end(Container::Array, mark, items.len());
            }
            Self::Map(members) => {
                let mark = sink.begin(Container::Map);
                for (index, (key, value)) in members.iter().enumerate() {
                    sink.item(index);
                    if let Self::String(key) = key {
                        sink.key(Text::Plain(key));
                    } else {
                        sink.other_key()?;
                        key.tell(sink)?;
                    }
                    sink.colon();
                    value.tell(sink)?;
                }
                sink.end(Container::Map, mark, members.len());
            }
        }
        Ok(())
    }
}

/// Puts a tree together from what a reader tells.
#[derive(Debug, Default)]
struct Builder {
    /// The values whose container is not closed yet.
    open: Vec<Value>,
}

impl Sink for Builder {
    fn null(&mut self) {
        self.open.push(Value::Null);
    }

    fn bool(&mut self, value: bool) {
        self.open.push(Value::Bool(value));
    }

    fn int(&mut self, value: i64) {
        self.open.push(Value::Int(value));
    }

    fn uint(&mut self, value: u64) {
        self.open.push(Value::UInt(value));
    }

    fn float(&mut self, value: f64) -> Result<(), Fault> {
        self.open.push(Value::Float(value));
        Ok(())
    }

    fn text(&mut self, text: Text<'_>) {
        self.open.push(Value::String(text.unescape().into_owned()));
    }

    fn bytes(&mut self, bytes: Blob<'_>) {
        self.open.push(Value::Bytes(bytes.decode().into_owned()));
    }

    fn ext(&mut self, kind: i8, data: Blob<'_>) {
        self.open.push(Value::Ext(kind, data.decode().into_owned()));
    }

    fn begin(&mut self, _: Container) -> usize {
        self.open.len()
    }

    fn end(&mut self, container: Container, mark: usize, items: usize) {
        let mut told = self.open.drain(mark..);
        let value = match container {
            Container::Array => Value::Array(told.collect()),
            Container::Map => {
                let mut members = Vec::with_capacity(items);
                while let (Some(key), Some(value)) = (told.next(), told.next()) {
                    members.push((key, value));
                }
                drop(told);
                Value::Map(members)
            }
        };
        self.open.push(value);
    }
}
