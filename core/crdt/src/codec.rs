//! How values are written: little, with one form for each value, within limits.
//!
//! Numbers are LEB128 without padding; lists begin with their length. There is one way to write a value,
//! and everything else is refused, so that equal values have equal bytes. Nothing is allocated for a
//! length that was only promised.

use std::sync::Arc;

/// The first byte of everything that is written as a whole.
pub(crate) const VERSION: u8 = 1;

/// What a reader takes at most. Each bound refuses the whole input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole input. Default 1 MiB.
    pub bytes: usize,
    /// Entries, members and actors, all together: what takes much more memory than on the wire.
    /// Default 65,536: about 16 MiB.
    pub items: usize,
    /// Bytes of one text or byte string. Default 64 KiB.
    pub value_bytes: usize,
    /// Ranges of counters. Default 65,536: 1 MiB.
    pub ranges: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            items: 65_536,
            value_bytes: 64 << 10,
            ranges: 65_536,
        }
    }
}

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends too early.
    #[error("expected more bytes")]
    Truncated,
    /// There is something behind the end.
    #[error("expected the end, found {0} more bytes")]
    Trailing(usize),
    /// It is of a version that this program does not know.
    #[error("expected version {VERSION}, found {0}")]
    Version(u8),
    /// It is larger than [`Limits`] allow.
    #[error("expected at most {limit} {what}")]
    TooLarge {
        /// Of what there is too much.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// It is not written as this crate writes.
    #[error("expected {0}")]
    Invalid(&'static str),
}

/// Bytes that are being read.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    limits: Limits,
    items: usize,
    ranges: usize,
}

impl<'a> Reader<'a> {
    /// Reads from these bytes.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] when there are more than the limits allow.
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        if bytes.len() > limits.bytes {
            return Err(DecodeError::TooLarge {
                what: "bytes",
                limit: limits.bytes,
            });
        }
        Ok(Self {
            rest: bytes,
            limits: *limits,
            items: 0,
            ranges: 0,
        })
    }

    /// The next so many bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The length of a list of items, each of which takes a byte at least.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] when there are too many in all, [`DecodeError::Truncated`] when so
    /// many cannot follow.
    pub fn items(&mut self) -> Result<usize, DecodeError> {
        let count = self.length()?;
        self.items = self.items.saturating_add(count);
        Self::within(self.items, self.limits.items, "items")?;
        Ok(count)
    }

    pub(crate) fn ranges(&mut self) -> Result<usize, DecodeError> {
        let count = self.length()?;
        self.ranges = self.ranges.saturating_add(count);
        Self::within(self.ranges, self.limits.ranges, "ranges")?;
        Ok(count)
    }

    /// A byte string: its length, then the bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when it is too long or not there.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let count = self.length()?;
        Self::within(count, self.limits.value_bytes, "bytes of one value")?;
        self.take(count)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = usize::try_from(u64::decode(self)?).map_err(|_| DecodeError::Truncated)?;
        if length > self.rest.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(length)
    }

    fn within(found: usize, limit: usize, what: &'static str) -> Result<(), DecodeError> {
        if found > limit {
            return Err(DecodeError::TooLarge { what, limit });
        }
        Ok(())
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`].
    pub fn end(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(DecodeError::Trailing(more)),
        }
    }
}

/// What can be written and read. `encode` writes just what `decode` takes, and `decode` refuses what
/// `encode` does not write.
pub trait Codec: Sized {
    /// Appends the value.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads a value.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not one.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The value alone, behind the version of the encoding.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        self.encode(&mut out);
        out
    }

    /// Reads what [`to_bytes`](Self::to_bytes) has written.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not that, are of another version, or exceed a limit.
    fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, limits)?;
        match reader.take(1)? {
            [VERSION] => {}
            other => return Err(DecodeError::Version(other[0])),
        }
        let value = Self::decode(&mut reader)?;
        reader.end()?;
        Ok(value)
    }
}

impl Codec for () {
    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl Codec for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(reader.take(1)?[0])
    }
}

/// LEB128: seven bits a byte, the lowest first, without padding.
impl Codec for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = u8::decode(reader)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(DecodeError::Invalid("a number of 64 bits without padding"))
    }
}

impl<const N: usize> Codec for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut value = [0; N];
        value.copy_from_slice(reader.take(N)?);
        Ok(value)
    }
}

impl Codec for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(reader.bytes()?.to_vec())
    }
}

impl Codec for Arc<[u8]> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(reader.bytes()?.into())
    }
}

impl Codec for String {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(reader.bytes()?);
        let text = text.map_err(|_| DecodeError::Invalid("UTF-8"))?;
        Ok(text.to_owned())
    }
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::decode(reader)?, B::decode(reader)?))
    }
}

/// Appends a byte string, behind its length.
pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends the length of a list.
pub fn put_length(length: usize, out: &mut Vec<u8>) {
    (length as u64).encode(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Codec + PartialEq + std::fmt::Debug>(value: T, bytes: &[u8]) {
        assert_eq!(value.to_bytes(), bytes);
        assert_eq!(T::from_bytes(bytes, &Limits::default()), Ok(value));
    }

    fn refused<T: Codec + std::fmt::Debug>(bytes: &[u8]) -> DecodeError {
        T::from_bytes(bytes, &Limits::default()).expect_err("not a value")
    }

    #[test]
    fn a_number_takes_as_few_bytes_as_it_can() {
        check(0_u64, &[1, 0]);
        check(127_u64, &[1, 127]);
        check(128_u64, &[1, 0x80, 1]);
        let mut largest = [0xff; 11];
        (largest[0], largest[10]) = (1, 1);
        check(u64::MAX, &largest);
        assert!(matches!(
            refused::<u64>(&[1, 0x80, 0]),
            DecodeError::Invalid(_)
        ));
        largest[10] = 2;
        assert!(matches!(refused::<u64>(&largest), DecodeError::Invalid(_)));
    }

    #[test]
    fn a_text_is_as_long_as_it_says_and_utf_8() {
        check("né".to_owned(), &[1, 3, b'n', 0xc3, 0xa9]);
        assert_eq!(refused::<String>(&[1, 3, b'n']), DecodeError::Truncated);
        assert!(matches!(
            refused::<String>(&[1, 1, 0xff]),
            DecodeError::Invalid(_)
        ));
    }

    #[test]
    fn another_version_and_what_stands_behind_the_end_are_refused() {
        assert_eq!(refused::<u64>(&[2, 0]), DecodeError::Version(2));
        assert_eq!(refused::<u64>(&[1, 0, 0]), DecodeError::Trailing(1));
        assert_eq!(refused::<u64>(&[]), DecodeError::Truncated);
    }

    #[test]
    fn a_promised_length_is_not_allocated() {
        let mut promise = vec![1];
        u64::MAX.encode(&mut promise);
        assert_eq!(refused::<Vec<u8>>(&promise), DecodeError::Truncated);
        let limits = Limits {
            value_bytes: 2,
            ..Limits::default()
        };
        let long = Vec::<u8>::from_bytes(&[1, 3, 0, 0, 0], &limits);
        assert!(matches!(long, Err(DecodeError::TooLarge { limit: 2, .. })));
    }
}
