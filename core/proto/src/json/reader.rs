//! Reads JSON into a sink.

use crate::{
    json::{
        cursor::Cursor,
        reserved::{self, Reserved},
    },
    sink::{Container, Discard, Sink, Text},
    transcode::{Budget, Fault, TranscodeError},
};

/// Reads the one value that the payload is.
pub(crate) fn read(
    payload: &[u8],
    budget: &mut Budget,
    sink: &mut impl Sink,
) -> Result<(), TranscodeError> {
    let text = utf8(payload)?;
    let mut reader = Reader {
        cursor: Cursor::new(text),
        budget,
        sink,
    };
    reader.cursor.whitespace();
    reader.value()?;
    reader.finish(text)
}

/// Reads the object that the payload is: for each member its key, and its value's text, which is
/// well-formed. A key with escapes is given as it stands between the quotes.
pub(crate) fn members<'a>(
    payload: &'a [u8],
    budget: &mut Budget,
    mut each: impl FnMut(&'a str, &'a [u8]) -> Result<(), Fault>,
) -> Result<(), TranscodeError> {
    let text = utf8(payload)?;
    let mut reader = Reader {
        cursor: Cursor::new(text),
        budget,
        sink: &mut Discard,
    };
    reader.cursor.whitespace();
    if reader.cursor.peek() != Some(b'{') {
        return Err(reader.cursor.expected("an object"));
    }
    let mark = reader.begin(Container::Map)?;
    let mut count = 0;
    if !reader.cursor.take(b'}') {
        loop {
            let start = reader.cursor;
            let (Text::Plain(key) | Text::Escaped(key)) = reader.key()?;
            let from = reader.cursor.position();
            reader.value()?;
            let value = &payload[from..reader.cursor.position()];
            each(key, value).map_err(|fault| start.error(fault))?;
            count += 1;
            if reader.last(b'}', "`,` or `}`")? {
                break;
            }
        }
    }
    reader.end(Container::Map, mark, count);
    reader.finish(text)
}

fn utf8(payload: &[u8]) -> Result<&str, TranscodeError> {
    std::str::from_utf8(payload).map_err(|error| TranscodeError {
        at: error.valid_up_to(),
        fault: Fault::NotUtf8,
    })
}

struct Reader<'a, 'b, S> {
    cursor: Cursor<'a>,
    budget: &'b mut Budget,
    sink: &'b mut S,
}

impl<'a, S: Sink> Reader<'a, '_, S> {
    fn value(&mut self) -> Result<(), TranscodeError> {
        let start = self.cursor;
        self.budget.item().map_err(|fault| start.error(fault))?;
        match self.cursor.peek() {
            Some(b'"') => self.sink.text(self.cursor.string()?),
            Some(b'{') => return self.object(),
            Some(b'[') => return self.array(),
            Some(b'-' | b'0'..=b'9') => {
                let taken = self.sink.number(self.cursor.number()?);
                taken.map_err(|fault| start.error(fault))?;
            }
            Some(b't') => {
                self.cursor.word("true")?;
                self.sink.bool(true);
            }
            Some(b'f') => {
                self.cursor.word("false")?;
                self.sink.bool(false);
            }
            Some(b'n') => {
                self.cursor.word("null")?;
                self.sink.null();
            }
            _ => return Err(self.cursor.expected("a JSON value")),
        }
        Ok(())
    }

    fn array(&mut self) -> Result<(), TranscodeError> {
        let mark = self.begin(Container::Array)?;
        let mut count = 0;
        if !self.cursor.take(b']') {
            loop {
                self.sink.item(count);
                self.value()?;
                count += 1;
                if self.last(b']', "`,` or `]`")? {
                    break;
                }
            }
        }
        self.end(Container::Array, mark, count);
        Ok(())
    }

    fn object(&mut self) -> Result<(), TranscodeError> {
        let mut escaped = false;
        if let Some((reserved, after)) = reserved::look(self.cursor) {
            match reserved {
                Reserved::Bytes(bytes) => self.sink.bytes(bytes),
                Reserved::Ext(kind, data) => self.sink.ext(kind, data),
                Reserved::Escaped => escaped = true,
            }
            if !escaped {
                self.cursor = after;
                return Ok(());
            }
        }
        let mark = self.begin(Container::Map)?;
        let mut count = 0;
        if !self.cursor.take(b'}') {
            loop {
                self.sink.item(count);
                self.member(escaped)?;
                count += 1;
                if self.last(b'}', "`,` or `}`")? {
                    break;
                }
            }
        }
        self.end(Container::Map, mark, count);
        Ok(())
    }

    fn member(&mut self, escaped: bool) -> Result<(), TranscodeError> {
        match (self.key()?, escaped) {
            (key, true) => self.sink.key(Text::Plain(&key.unescape()[1..])),
            (key, false) => self.sink.key(key),
        }
        self.sink.colon();
        self.value()
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Result<Text<'a>, TranscodeError> {
        let counted = self.budget.item();
        counted.map_err(|fault| self.cursor.error(fault))?;
        let key = self.cursor.string()?;
        match self.cursor.punctuation(b':') {
            true => Ok(key),
            false => Err(self.cursor.expected("`:`")),
        }
    }

    /// Nothing but whitespace may follow.
    fn finish(&mut self, text: &str) -> Result<(), TranscodeError> {
        self.cursor.whitespace();
        match self.cursor.position() == text.len() {
            true => Ok(()),
            false => Err(self.cursor.error(Fault::Trailing)),
        }
    }

    fn begin(&mut self, container: Container) -> Result<usize, TranscodeError> {
        let entered = self.budget.enter();
        entered.map_err(|fault| self.cursor.error(fault))?;
        let open = match container {
            Container::Array => b'[',
            Container::Map => b'{',
        };
        self.cursor.punctuation(open);
        Ok(self.sink.begin(container))
    }

    /// True when the container closes here; false when a comma announces another item.
    fn last(&mut self, close: u8, expected: &'static str) -> Result<bool, TranscodeError> {
        if self.cursor.punctuation(b',') {
            return Ok(false);
        }
        match self.cursor.take(close) {
            true => Ok(true),
            false => Err(self.cursor.expected(expected)),
        }
    }

    fn end(&mut self, container: Container, mark: usize, count: usize) {
        self.sink.end(container, mark, count);
        self.budget.leave();
    }
}
