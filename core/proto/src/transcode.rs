//! MessagePack to JSON and back, streaming and bounded.
//!
//! What JSON cannot say has a form of its own:
//!
//! | MessagePack | JSON |
//! |---|---|
//! | bin | `{"$bytes": "<base64>"}`: one member; standard alphabet, padded, canonical |
//! | ext | `{"$ext": {"type": <-128..=127>, "data": "<base64>"}}` |
//! | a map that has one of these forms | the same with one more `$` before the key |
//! | NaN, infinities | nothing: [`Fault::NotFinite`] |
//! | a map with a key that is no string | nothing: [`Fault::KeyNotText`] |
//!
//! An object that only resembles these forms is an object. So both ways there and back give the
//! same value. Further choices:
//!
//! - Integers of 64 bits are exact. A JSON integer beyond them becomes the nearest double, like
//!   every JSON number with a fraction or an exponent (`-0` too); one beyond the doubles is refused.
//! - A 32-bit float becomes the double of the same value.
//! - Members stay in their order, and a repeated key stays repeated: dropping one of the two would
//!   be a guess. Typed decoding ([`decode`](crate::decode)) refuses repeated fields.
//! - Strings are UTF-8; anything else is refused, and so are lone surrogates in JSON.
//! - JSON is at most 12 times as long as the MessagePack it came from (an ext of one byte).
//!
//! Declared lengths are compared with the bytes that are there before anything is allocated, and
//! depth is compared with its limit before it is entered.

use crate::{
    Encoding,
    error::{ErrorCode, Problem},
    json, msgpack,
    sink::{Discard, Sink},
};

/// The deepest nesting that [`Limits::depth`] can ask for: readers recurse, and stacks end.
pub const MAX_DEPTH: usize = 128;

/// What a payload may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most containers inside each other; never more than [`MAX_DEPTH`]. Bytes and ext count
    /// as no container in either encoding. Default 64: no sensible document is deeper, and the
    /// usual decoders (128) can still wrap it.
    pub depth: usize,
    /// The longest input, in bytes. Default 16 MiB, above what any transport lets in.
    pub bytes: usize,
    /// The most values, map keys included. Default 1,048,576: a [`Value`](crate::Value) of so many
    /// takes some 50 MiB, the worst that a body can cost.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            bytes: 16 << 20,
            items: 1 << 20,
        }
    }
}

/// What is wrong with a payload, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct TranscodeError {
    /// The offset in the input, in bytes.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The input ends inside a value, or a declared length goes beyond its end.
    #[error("expected more bytes, found the end")]
    Truncated,
    /// A second value, or rubbish, after the one that there should be.
    #[error("expected the end, found more bytes")]
    Trailing,
    /// The grammar allows something else here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A string is not UTF-8.
    #[error("expected UTF-8")]
    NotUtf8,
    /// A number is beyond the doubles.
    #[error("expected a number within the range of a double")]
    NumberRange,
    /// JSON has no NaN and no infinities.
    #[error("expected a finite number, as JSON has no other")]
    NotFinite,
    /// JSON has string keys only.
    #[error("expected a string as map key, as JSON has no other")]
    KeyNotText,
    /// More than [`Limits::depth`] containers inside each other.
    #[error("expected at most {0} levels of nesting")]
    TooDeep(usize),
    /// More than [`Limits::items`] values.
    #[error("expected at most {0} values")]
    TooManyItems(usize),
    /// More than [`Limits::bytes`] bytes.
    #[error("expected at most {0} bytes")]
    TooLong(usize),
    /// Well-formed, but not of the type that was asked for.
    #[error("{0}")]
    Shape(String),
}

impl From<TranscodeError> for Problem {
    fn from(error: TranscodeError) -> Self {
        let code = match error.fault {
            Fault::TooLong(_) => ErrorCode::PayloadTooLarge,
            _ => ErrorCode::InvalidPayload,
        };
        Self::new(code, error.to_string())
    }
}

/// Checks that the whole payload is exactly one well-formed value within the limits, without
/// building or allocating anything.
///
/// # Errors
/// [`TranscodeError`] says what is wrong, and where.
pub fn validate(payload: &[u8], encoding: Encoding, limits: &Limits) -> Result<(), TranscodeError> {
    read(payload, encoding, limits, &mut Discard)
}

/// Gives the payload in the other encoding; a payload that is in it already is only validated.
///
/// # Errors
/// [`TranscodeError`] says what is wrong, or cannot be said in JSON, and where.
pub fn transcode(
    payload: &[u8],
    from: Encoding,
    to: Encoding,
    limits: &Limits,
) -> Result<Vec<u8>, TranscodeError> {
    let mut out = Vec::new();
    transcode_into(&mut out, payload, from, to, limits)?;
    Ok(out)
}

/// As [`transcode`], onto the end of a buffer, which is left as it was when there is an error.
///
/// # Errors
/// As [`transcode`].
pub fn transcode_into(
    out: &mut Vec<u8>,
    payload: &[u8],
    from: Encoding,
    to: Encoding,
    limits: &Limits,
) -> Result<(), TranscodeError> {
    let start = out.len();
    let result = match to {
        _ if from == to => validate(payload, from, limits).map(|()| out.extend_from_slice(payload)),
        Encoding::Json => read(payload, from, limits, &mut json::Writer::new(out)),
        Encoding::MsgPack => {
            let mut writer = msgpack::Writer::new(out);
            read(payload, from, limits, &mut writer).map(|()| writer.finish())
        }
    };
    result.inspect_err(|_| out.truncate(start))
}

/// Reads the one value that the payload is into a sink.
pub(crate) fn read(
    payload: &[u8],
    encoding: Encoding,
    limits: &Limits,
    sink: &mut impl Sink,
) -> Result<(), TranscodeError> {
    check_length(payload, limits)?;
    let mut budget = Budget::new(limits);
    match encoding {
        Encoding::Json => json::read(payload, &mut budget, sink),
        Encoding::MsgPack => msgpack::read(payload, &mut budget, sink),
    }
}

/// Reads the map that the payload is: for each member its key and the bytes of its value, which
/// are well-formed and within the limits.
pub(crate) fn members<'a>(
    payload: &'a [u8],
    encoding: Encoding,
    limits: &Limits,
    each: impl FnMut(&'a str, &'a [u8]) -> Result<(), Fault>,
) -> Result<(), TranscodeError> {
    check_length(payload, limits)?;
    let mut budget = Budget::new(limits);
    match encoding {
        Encoding::Json => json::members(payload, &mut budget, each),
        Encoding::MsgPack => msgpack::members(payload, &mut budget, each),
    }
}

fn check_length(payload: &[u8], limits: &Limits) -> Result<(), TranscodeError> {
    if payload.len() > limits.bytes {
        return Err(TranscodeError {
            at: limits.bytes,
            fault: Fault::TooLong(limits.bytes),
        });
    }
    Ok(())
}

/// What is left of the limits while a payload is read.
#[derive(Debug)]
pub(crate) struct Budget {
    depth: usize,
    max_depth: usize,
    items: usize,
    max_items: usize,
}

impl Budget {
    fn new(limits: &Limits) -> Self {
        let max_depth = limits.depth.min(MAX_DEPTH);
        Self {
            depth: max_depth,
            max_depth,
            items: limits.items,
            max_items: limits.items,
        }
    }

    /// Accounts for one value.
    pub(crate) fn item(&mut self) -> Result<(), Fault> {
        self.items = self
            .items
            .checked_sub(1)
            .ok_or(Fault::TooManyItems(self.max_items))?;
        Ok(())
    }

    /// Goes one container deeper.
    pub(crate) fn enter(&mut self) -> Result<(), Fault> {
        self.depth = self
            .depth
            .checked_sub(1)
            .ok_or(Fault::TooDeep(self.max_depth))?;
        Ok(())
    }

    /// Comes back out of a container.
    pub(crate) fn leave(&mut self) {
        self.depth += 1;
    }
}

#[cfg(test)]
mod tests;
