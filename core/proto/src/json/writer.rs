//! Writes JSON, compact and on one line.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Encoding, envelope,
    json::{
        compact::on_one_line,
        cursor::{Cursor, plain_run},
        reserved,
    },
    sink::{Blob, Container, Sink, Text},
    transcode::Fault,
};

/// Appends what it is told to a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// A string with its quotes; escapes what RFC 8259 says must be, and nothing else.
    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        loop {
            let (plain, special) = rest.split_at(plain_run(rest));
            self.out.extend_from_slice(plain);
            let Some((&byte, after)) = special.split_first() else {
                break;
            };
            self.escape(byte);
            rest = after;
        }
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x09 => b't',
            0x0A => b'n',
            0x0C => b'f',
            0x0D => b'r',
            _ => {
                let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                let code = [hex(byte >> 4), hex(byte & 15)];
                self.out.extend_from_slice(b"\\u00");
                return self.out.extend_from_slice(&code);
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    fn number(&mut self, number: impl serde::Serialize) {
        let written = serde_json::to_writer(&mut *self.out, &number);
        written.expect("a number is written to a buffer");
    }

    fn base64(&mut self, blob: Blob<'_>) {
        self.out.push(b'"');
        match blob {
            Blob::Base64(text) => self.out.extend_from_slice(text.as_bytes()),
            Blob::Raw(bytes) => {
                let start = self.out.len();
                let length = bytes.len().div_ceil(3) * 4;
                self.out.resize(start + length, 0);
                let written = STANDARD.encode_slice(bytes, &mut self.out[start..]);
                written.expect("padded base 64 takes 4 bytes for 3");
            }
        }
        self.out.push(b'"');
    }

    /// Adds a dollar to the key of the object that starts at `mark`, if the object would read back
    /// as something else than the map it is.
    fn escape_reserved(&mut self, mark: usize) {
        if !self.out[mark..].starts_with(b"{\"$") {
            return;
        }
        let text = std::str::from_utf8(&self.out[mark..]).expect("the writer writes UTF-8");
        if reserved::look(Cursor::new(text)).is_some() {
            self.out.insert(mark + 2, b'$');
        }
    }
}

impl envelope::Writer for Writer<'_> {
    const ENCODING: Encoding = Encoding::Json;
    type Checkpoint = usize;

    fn checkpoint(&self) -> usize {
        self.out.len()
    }

    fn rollback(&mut self, length: usize) {
        self.out.truncate(length);
    }

    fn verbatim(&mut self, payload: &[u8]) {
        on_one_line(self.out, payload);
    }
}

impl Sink for Writer<'_> {
    fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    fn bool(&mut self, value: bool) {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(word);
    }

    fn int(&mut self, value: i64) {
        self.number(value);
    }

    fn uint(&mut self, value: u64) {
        self.number(value);
    }

    fn float(&mut self, value: f64) -> Result<(), Fault> {
        if !value.is_finite() {
            return Err(Fault::NotFinite);
        }
        self.number(value);
        Ok(())
    }

    fn text(&mut self, text: Text<'_>) {
        self.string(&text.unescape());
    }

    fn bytes(&mut self, bytes: Blob<'_>) {
        self.out.extend_from_slice(b"{\"$bytes\":");
        self.base64(bytes);
        self.out.push(b'}');
    }

    fn ext(&mut self, kind: i8, data: Blob<'_>) {
        self.out.extend_from_slice(b"{\"$ext\":{\"type\":");
        self.number(kind);
        self.out.extend_from_slice(b",\"data\":");
        self.base64(data);
        self.out.extend_from_slice(b"}}");
    }

    fn begin(&mut self, container: Container) -> usize {
        let mark = self.out.len();
        self.out.push(match container {
            Container::Array => b'[',
            Container::Map => b'{',
        });
        mark
    }

    fn item(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
    }

    fn other_key(&mut self) -> Result<(), Fault> {
        Err(Fault::KeyNotText)
    }

    fn colon(&mut self) {
        self.out.push(b':');
    }

    fn end(&mut self, container: Container, mark: usize, items: usize) {
        match container {
            Container::Array => self.out.push(b']'),
            Container::Map => {
                self.out.push(b'}');
                if items == 1 {
                    self.escape_reserved(mark);
                }
            }
        }
    }
}
