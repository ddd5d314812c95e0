//! Reads JSON into a sink.

use crate::{
    json::{
        cursor::Cursor,
        reserved::{self, Reserved},
    },
    sink::{Container, Sink, Text},
    transcode::{Budget, Fault, TranscodeError},
};

/// Reads the one value that the payload is.
pub(crate) fn read(
    payload: &[u8],
    budget: &mut Budget,
    sink: &mut impl Sink,
) -> Result<(), TranscodeError> {
    let text = std::str::from_utf8(payload).map_err(|error| TranscodeError {
        at: error.valid_up_to(),
        fault: Fault::NotUtf8,
    })?;
    let mut reader = Reader {
        cursor: Cursor::new(text),
        budget,
        sink,
    };
    reader.cursor.whitespace();
    reader.value()?;
    reader.cursor.whitespace();
    match reader.cursor.position() == text.len() {
        true => Ok(()),
        false => Err(reader.cursor.error(Fault::Trailing)),
    }
}

struct Reader<'a, 'b, S> {
    cursor: Cursor<'a>,
    budget: &'b mut Budget,
    sink: &'b mut S,
}

impl<S: Sink> Reader<'_, '_, S> {
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
        let counted = self.budget.item();
        counted.map_err(|fault| self.cursor.error(fault))?;
        let key = self.cursor.string()?;
        match escaped {
            true => self.sink.key(Text::Plain(&key.unescape()[1..])),
            false => self.sink.key(key),
        }
        if !self.cursor.punctuation(b':') {
            return Err(self.cursor.expected("`:`"));
        }
        self.sink.colon();
        self.value()
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
