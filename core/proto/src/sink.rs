//! The seam between readers and writers: a reader tells a [`Sink`] what it finds, in order.
//!
//! So MessagePack becomes JSON and JSON becomes MessagePack without a tree in between, and
//! validating is reading into the sink that forgets.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{json, transcode::Fault};

/// A kind of value that holds others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Array,
    Map,
}

/// A string as a reader found it; it is unescaped only if the sink asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    /// The characters themselves.
    Plain(&'a str),
    /// Well-formed inside of a JSON string that has escapes.
    Escaped(&'a str),
}

impl<'a> Text<'a> {
    pub(crate) fn unescape(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Escaped(text) => Cow::Owned(json::unescape(text)),
        }
    }
}

/// Bytes as a reader found them; they are decoded only if the sink asks.
#[derive(Debug, Clone)]
pub(crate) enum Blob<'a> {
    /// The bytes themselves.
    Raw(&'a [u8]),
    /// Canonical base 64.
    Base64(Cow<'a, str>),
}

impl<'a> Blob<'a> {
    pub(crate) fn decode(self) -> Cow<'a, [u8]> {
        match self {
            Self::Raw(bytes) => Cow::Borrowed(bytes),
            Self::Base64(text) => {
                let bytes = STANDARD.decode(&*text);
                Cow::Owned(bytes.expect("the reader found canonical base 64"))
            }
        }
    }
}

/// Takes values in the order in which a reader finds them.
///
/// A container is `begin`, then for each item `item` and its value, then `end`. For a map each
/// item's value is a key (`key`, or `other_key` and any value), then `colon` and the value.
pub(crate) trait Sink {
    fn null(&mut self) {}
    fn bool(&mut self, _: bool) {}
    fn int(&mut self, _: i64) {}
    /// Only for numbers beyond `i64`.
    fn uint(&mut self, _: u64) {}
    fn float(&mut self, _: f64) -> Result<(), Fault> {
        Ok(())
    }
    /// A number of JSON; tells itself as one of the three above.
    fn number(&mut self, number: json::Number<'_>) -> Result<(), Fault> {
        number.tell(self)
    }
    fn text(&mut self, _: Text<'_>) {}
    fn bytes(&mut self, _: Blob<'_>) {}
    fn ext(&mut self, _kind: i8, _: Blob<'_>) {}

    /// Opens a container; what it returns comes back with `end`.
    fn begin(&mut self, _: Container) -> usize {
        0
    }
    fn item(&mut self, _index: usize) {}
    fn key(&mut self, key: Text<'_>) {
        self.text(key);
    }
    fn other_key(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    fn colon(&mut self) {}
    fn end(&mut self, _: Container, _mark: usize, _items: usize) {}
}

/// Forgets everything: for validating.
#[derive(Debug)]
pub(crate) struct Discard;

impl Sink for Discard {
    fn number(&mut self, number: json::Number<'_>) -> Result<(), Fault> {
        number.check_range()
    }
}
