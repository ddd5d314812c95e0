//! Reads MessagePack into a sink.

use crate::{
    sink::{Blob, Container, Discard, Sink, Text},
    transcode::{Budget, Fault, TranscodeError},
};

/// Reads the one value that the payload is.
pub(crate) fn read(
    payload: &[u8],
    budget: &mut Budget,
    sink: &mut impl Sink,
) -> Result<(), TranscodeError> {
    let mut reader = Reader {
        payload,
        rest: payload,
        budget,
        sink,
    };
    reader.value()?;
    match reader.rest.is_empty() {
        true => Ok(()),
        false => Err(reader.error(Fault::Trailing)),
    }
}

/// Reads the map that the payload is: for each member its key, and its value's bytes, which are
/// well-formed.
pub(crate) fn members<'a>(
    payload: &'a [u8],
    budget: &mut Budget,
    mut each: impl FnMut(&'a str, &'a [u8]) -> Result<(), Fault>,
) -> Result<(), TranscodeError> {
    let mut reader = Reader {
        payload,
        rest: payload,
        budget,
        sink: &mut Discard,
    };
    let [marker] = reader.array()?;
    let count = match marker {
        0x80..=0x8F => usize::from(marker & 15),
        0xDE | 0xDF => reader.size(marker - 0xDE + 1)?,
        _ => {
            let fault = Fault::Expected("a map");
            return Err(TranscodeError { at: 0, fault });
        }
    };
    let mark = reader.begin(Container::Map, count.saturating_mul(2))?;
    for _ in 0..count {
        let at = reader.position();
        let Some(Text::Plain(key)) = reader.key_text()? else {
            return Err(reader.error(Fault::KeyNotText));
        };
        let from = reader.position();
        reader.value()?;
        let value = &payload[from..reader.position()];
        each(key, value).map_err(|fault| TranscodeError { at, fault })?;
    }
    reader.end(Container::Map, mark, count);
    match reader.rest.is_empty() {
        true => Ok(()),
        false => Err(reader.error(Fault::Trailing)),
    }
}

struct Reader<'a, 'b, S> {
    payload: &'a [u8],
    rest: &'a [u8],
    budget: &'b mut Budget,
    sink: &'b mut S,
}

impl<'a, S: Sink> Reader<'a, '_, S> {
    fn position(&self) -> usize {
        self.payload.len() - self.rest.len()
    }

    fn error(&self, fault: Fault) -> TranscodeError {
        let at = self.position();
        TranscodeError { at, fault }
    }

    fn value(&mut self) -> Result<(), TranscodeError> {
        let counted = self.budget.item();
        counted.map_err(|fault| self.error(fault))?;
        let at = self.position();
        let [marker] = self.array()?;
        match marker {
            0x00..=0x7F => self.sink.int(marker.into()),
            0x80..=0x8F => return self.map(usize::from(marker & 15)),
            0x90..=0x9F => return self.sequence(usize::from(marker & 15)),
            0xA0..=0xBF => {
                let text = self.text(usize::from(marker & 31))?;
                self.sink.text(text);
            }
            0xC0 => self.sink.null(),
            0xC2 | 0xC3 => self.sink.bool(marker == 0xC3),
            0xC4..=0xC6 => {
                let length = self.size(marker - 0xC4)?;
                let bytes = self.bytes(length)?;
                self.sink.bytes(Blob::Raw(bytes));
            }
            0xC7..=0xC9 => {
                let length = self.size(marker - 0xC7)?;
                self.ext(length)?;
            }
            0xCA => {
                let float = f32::from_be_bytes(self.array()?);
                self.float(float.into(), at)?;
            }
            0xCB => {
                let float = f64::from_be_bytes(self.array()?);
                self.float(float, at)?;
            }
            0xCC => {
                let [int] = self.array()?;
                self.sink.int(int.into());
            }
            0xCD => {
                let int = u16::from_be_bytes(self.array()?);
                self.sink.int(int.into());
            }
            0xCE => {
                let int = u32::from_be_bytes(self.array()?);
                self.sink.int(int.into());
            }
            0xCF => {
                let uint = u64::from_be_bytes(self.array()?);
                match i64::try_from(uint) {
                    Ok(int) => self.sink.int(int),
                    Err(_) => self.sink.uint(uint),
                }
            }
            0xD0 => {
                let int = i8::from_be_bytes(self.array()?);
                self.sink.int(int.into());
            }
            0xD1 => {
                let int = i16::from_be_bytes(self.array()?);
                self.sink.int(int.into());
            }
            0xD2 => {
                let int = i32::from_be_bytes(self.array()?);
                self.sink.int(int.into());
            }
            0xD3 => {
                let int = i64::from_be_bytes(self.array()?);
                self.sink.int(int);
            }
            0xD4..=0xD8 => self.ext(1 << (marker - 0xD4))?,
            0xD9..=0xDB => {
                let length = self.size(marker - 0xD9)?;
                let text = self.text(length)?;
                self.sink.text(text);
            }
            0xDC | 0xDD => {
                let count = self.size(marker - 0xDC + 1)?;
                return self.sequence(count);
            }
            0xDE | 0xDF => {
                let count = self.size(marker - 0xDE + 1)?;
                return self.map(count);
            }
            0xE0..=0xFF => self.sink.int(i64::from(marker as i8)),
            0xC1 => {
                let fault = Fault::Expected("a MessagePack value, found 0xc1");
                return Err(TranscodeError { at, fault });
            }
        }
        Ok(())
    }

    fn sequence(&mut self, count: usize) -> Result<(), TranscodeError> {
        let mark = self.begin(Container::Array, count)?;
        for index in 0..count {
            self.sink.item(index);
            self.value()?;
        }
        self.end(Container::Array, mark, count);
        Ok(())
    }

    fn map(&mut self, count: usize) -> Result<(), TranscodeError> {
        let mark = self.begin(Container::Map, count.saturating_mul(2))?;
        for index in 0..count {
            self.sink.item(index);
            self.key()?;
            self.sink.colon();
            self.value()?;
        }
        self.end(Container::Map, mark, count);
        Ok(())
    }

    fn key(&mut self) -> Result<(), TranscodeError> {
        if let Some(key) = self.key_text()? {
            self.sink.key(key);
            return Ok(());
        }
        let allowed = self.sink.other_key();
        allowed.map_err(|fault| self.error(fault))?;
        self.value()
    }

    /// The key that comes next, if it is a string.
    fn key_text(&mut self) -> Result<Option<Text<'a>>, TranscodeError> {
        let length = match self.rest {
            [marker @ 0xA0..=0xBF, ..] => {
                let length = usize::from(marker & 31);
                self.rest = &self.rest[1..];
                length
            }
            [marker @ 0xD9..=0xDB, ..] => {
                self.rest = &self.rest[1..];
                self.size(marker - 0xD9)?
            }
            _ => return Ok(None),
        };
        let counted = self.budget.item();
        counted.map_err(|fault| self.error(fault))?;
        self.text(length).map(Some)
    }

    /// Enters a container, if the bytes for so many values can be there at all.
    fn begin(&mut self, container: Container, values: usize) -> Result<usize, TranscodeError> {
        if values > self.rest.len() {
            return Err(self.error(Fault::Truncated));
        }
        let entered = self.budget.enter();
        entered.map_err(|fault| self.error(fault))?;
        Ok(self.sink.begin(container))
    }

    fn end(&mut self, container: Container, mark: usize, count: usize) {
        self.sink.end(container, mark, count);
        self.budget.leave();
    }

    fn ext(&mut self, length: usize) -> Result<(), TranscodeError> {
        let kind = i8::from_be_bytes(self.array()?);
        let data = self.bytes(length)?;
        self.sink.ext(kind, Blob::Raw(data));
        Ok(())
    }

    fn float(&mut self, float: f64, at: usize) -> Result<(), TranscodeError> {
        let taken = self.sink.float(float);
        taken.map_err(|fault| TranscodeError { at, fault })
    }

    fn text(&mut self, length: usize) -> Result<Text<'a>, TranscodeError> {
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes)
            .map(Text::Plain)
            .map_err(|error| {
                let fault = Fault::NotUtf8;
                let at = self.position() - length + error.valid_up_to();
                TranscodeError { at, fault }
            })
    }

    /// A length of 1, 2 or 4 bytes, for the power 0, 1 or 2.
    fn size(&mut self, power: u8) -> Result<usize, TranscodeError> {
        Ok(match power {
            0 => usize::from(u8::from_be_bytes(self.array()?)),
            1 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?) as usize,
        })
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], TranscodeError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.error(Fault::Truncated));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TranscodeError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(self.error(Fault::Truncated));
        };
        self.rest = rest;
        Ok(*bytes)
    }
}
