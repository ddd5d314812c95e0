//! Writes MessagePack with the shortest headers.

use crate::{
    Encoding, envelope,
    sink::{Blob, Container, Sink, Text},
    transcode::Fault,
};

/// The most items that a one-byte header can announce.
const FIX_ITEMS: usize = 15;

/// Appends what it is told to a buffer.
///
/// JSON does not say how many items come, so a container starts with a one-byte header. Those
/// that turn out to need a longer one are widened all together by [`finish`](Self::finish), which
/// moves every byte at most once however deep they nest.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    wide: Vec<Wide>,
}

/// A container whose header must become longer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wide {
    /// Where its one-byte header stands.
    at: usize,
    items: u32,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        let wide = Vec::new();
        Self { out, wide }
    }

    /// Widens the headers that need it. Nothing may be written before without this at the end.
    pub(crate) fn finish(mut self) {
        self.wide.sort_unstable();
        let Some(first) = self.wide.first() else {
            return;
        };
        let tail = self.out.split_off(first.at);
        self.out.reserve(tail.len() + 4 * self.wide.len());
        let (start, mut done) = (first.at, 0);
        for Wide { at, items } in std::mem::take(&mut self.wide) {
            let header = at - start;
            self.out.extend_from_slice(&tail[done..header]);
            // Fix headers are 0x80 and 0x90; their wide forms 0xDE and 0xDC, and one more for 32 bits.
            let marker = if tail[header] == 0x80 { 0xDE } else { 0xDC };
            match u16::try_from(items) {
                Ok(items) => self.tagged(marker, items.to_be_bytes()),
                Err(_) => self.tagged(marker + 1, items.to_be_bytes()),
            }
            done = header + 1;
        }
        self.out.extend_from_slice(&tail[done..]);
    }

    /// A string.
    fn string(&mut self, text: &str) {
        match text.len() {
            length @ 0..=31 => self.out.push(0xA0 | length as u8),
            length => self.sized(0xD9, length),
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn tagged<const N: usize>(&mut self, marker: u8, bytes: [u8; N]) {
        self.out.push(marker);
        self.out.extend_from_slice(&bytes);
    }

    /// A marker of three for lengths of 1, 2 or 4 bytes, and the length.
    fn sized(&mut self, marker: u8, length: usize) {
        if let Ok(length) = u8::try_from(length) {
            self.tagged(marker, length.to_be_bytes());
        } else if let Ok(length) = u16::try_from(length) {
            self.tagged(marker + 1, length.to_be_bytes());
        } else {
            self.tagged(marker + 2, wire_length(length).to_be_bytes());
        }
    }
}

/// A length as the wire has it.
fn wire_length(length: usize) -> u32 {
    u32::try_from(length).expect("limits keep values far below 4 GiB")
}

impl envelope::Writer for Writer<'_> {
    const ENCODING: Encoding = Encoding::MsgPack;
    /// The lengths of the buffer and of the list of wide containers.
    type Checkpoint = (usize, usize);

    fn checkpoint(&self) -> (usize, usize) {
        (self.out.len(), self.wide.len())
    }

    fn rollback(&mut self, (length, wide): (usize, usize)) {
        self.out.truncate(length);
        self.wide.truncate(wide);
    }

    fn verbatim(&mut self, payload: &[u8]) {
        self.out.extend_from_slice(payload);
    }
}

impl Sink for Writer<'_> {
    fn null(&mut self) {
        self.out.push(0xC0);
    }

    fn bool(&mut self, value: bool) {
        self.out.push(0xC2 | u8::from(value));
    }

    fn int(&mut self, value: i64) {
        if let Ok(positive) = u64::try_from(value) {
            return self.uint(positive);
        }
        if value >= -32 {
            self.out.push(value as u8);
        } else if let Ok(value) = i8::try_from(value) {
            self.tagged(0xD0, value.to_be_bytes());
        } else if let Ok(value) = i16::try_from(value) {
            self.tagged(0xD1, value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.tagged(0xD2, value.to_be_bytes());
        } else {
            self.tagged(0xD3, value.to_be_bytes());
        }
    }

    fn uint(&mut self, value: u64) {
        if value < 0x80 {
            self.out.push(value as u8);
        } else if let Ok(value) = u8::try_from(value) {
            self.tagged(0xCC, value.to_be_bytes());
        } else if let Ok(value) = u16::try_from(value) {
            self.tagged(0xCD, value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.tagged(0xCE, value.to_be_bytes());
        } else {
            self.tagged(0xCF, value.to_be_bytes());
        }
    }

    fn float(&mut self, value: f64) -> Result<(), Fault> {
        self.tagged(0xCB, value.to_be_bytes());
        Ok(())
    }

    fn text(&mut self, text: Text<'_>) {
        self.string(&text.unescape());
    }

    fn bytes(&mut self, bytes: Blob<'_>) {
        let bytes = bytes.decode();
        self.sized(0xC4, bytes.len());
        self.out.extend_from_slice(&bytes);
    }

    fn ext(&mut self, kind: i8, data: Blob<'_>) {
        let data = data.decode();
        match data.len() {
            1 => self.out.push(0xD4),
            2 => self.out.push(0xD5),
            4 => self.out.push(0xD6),
            8 => self.out.push(0xD7),
            16 => self.out.push(0xD8),
            length => self.sized(0xC7, length),
        }
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&data);
    }

    fn begin(&mut self, container: Container) -> usize {
        let mark = self.out.len();
        self.out.push(match container {
            Container::Array => 0x90,
            Container::Map => 0x80,
        });
        mark
    }

    fn end(&mut self, _: Container, mark: usize, items: usize) {
        match items {
            0..=FIX_ITEMS => self.out[mark] |= items as u8,
            _ => self.wide.push(Wide {
                at: mark,
                items: wire_length(items),
            }),
        }
    }
}
