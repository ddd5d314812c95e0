//! The tokens of JSON: strings, numbers, words and whitespace.

use crate::{
    json::number::Number,
    sink::Text,
    transcode::{Fault, TranscodeError},
};

/// A place in a JSON text. A copy looks ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn error(&self, fault: Fault) -> TranscodeError {
        TranscodeError { at: self.at, fault }
    }

    /// The error for a missing piece of grammar, which at the end of the text is the end itself.
    pub(crate) fn expected(&self, what: &'static str) -> TranscodeError {
        self.error(match self.peek() {
            None => Fault::Truncated,
            Some(_) => Fault::Expected(what),
        })
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// True when a string comes next whose first byte is one of these.
    pub(crate) fn starts_string_with(&self, firsts: [u8; 2]) -> bool {
        match self.text.as_bytes()[self.at..] {
            [b'"', first, ..] => firsts.contains(&first),
            _ => false,
        }
    }

    /// Takes the byte if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes the byte after whitespace, and the whitespace after it.
    pub(crate) fn punctuation(&mut self, byte: u8) -> bool {
        self.whitespace();
        let found = self.take(byte);
        if found {
            self.whitespace();
        }
        found
    }

    /// Takes `true`, `false` or `null`, whichever is given.
    pub(crate) fn word(&mut self, word: &'static str) -> Result<(), TranscodeError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a JSON value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// A string, from its opening quote to its closing one.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, TranscodeError> {
        if !self.take(b'"') {
            return Err(self.expected("a string"));
        }
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_run(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(self.expected("a control character to be escaped")),
            }
        }
        let inside = &self.text[start..self.at];
        self.at += 1;
        Ok(match escaped {
            true => Text::Escaped(inside),
            false => Text::Plain(inside),
        })
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), TranscodeError> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let start = *self;
                let unit = self.unicode()?;
                let low = 0xDC00..0xE000;
                if low.contains(&unit) {
                    return Err(start.expected("a high surrogate before a low one"));
                }
                if (0xD800..0xDC00).contains(&unit)
                    && !(self.take(b'\\')
                        && self.peek() == Some(b'u')
                        && low.contains(&self.unicode()?))
                {
                    return Err(self.expected("a low surrogate after a high one"));
                }
            }
            _ => return Err(self.expected("an escape sequence")),
        }
        Ok(())
    }

    /// `u` and four hexadecimal digits.
    fn unicode(&mut self) -> Result<u16, TranscodeError> {
        self.at += 1;
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.ok_or(TranscodeError {
            at: self.text.len(),
            fault: Fault::Truncated,
        })?;
        let unit = digits.iter().try_fold(0, |unit, &digit| {
            let digit = char::from(digit).to_digit(16)?;
            Some(unit << 4 | digit as u16)
        });
        let unit = unit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 4;
        Ok(unit)
    }

    pub(crate) fn number(&mut self) -> Result<Number<'a>, TranscodeError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut integer = true;
        if self.take(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            integer = false;
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        Ok(Number { text, integer })
    }

    fn digits(&mut self) -> Result<(), TranscodeError> {
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err(self.expected("a digit"));
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }
}

/// How many bytes stand before the first that ends or interrupts a string.
///
/// Blocks are tested without a branch a byte, which the compiler turns into vector code.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let special = |b: &u8| (*b == b'"') | (*b == b'\\') | (*b < 0x20);
    let mut run = 0;
    for block in bytes.chunks(BLOCK) {
        if block.iter().fold(false, |any, b| any | special(b)) {
            return run + block.iter().take_while(|b| !special(b)).count();
        }
        run += block.len();
    }
    run
}

/// The characters that the well-formed inside of a JSON string stands for.
pub(crate) fn unescape(inside: &str) -> String {
    let mut out = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(i) = rest.find('\\') {
        out.push_str(&rest[..i]);
        let escape = rest.as_bytes()[i + 1];
        rest = &rest[i + 2..];
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (unit, after) = unit(rest);
                rest = after;
                if (0xD800..0xDC00).contains(&unit) {
                    let (low, after) = self::unit(&rest[2..]);
                    rest = after;
                    wide(0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00)))
                } else {
                    wide(unit)
                }
            }
            other => char::from(other),
        });
    }
    out.push_str(rest);
    out
}

/// Four hexadecimal digits, and what follows them.
fn unit(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at(4);
    let unit = u32::from_str_radix(digits, 16);
    (
        unit.expect("the cursor found four hexadecimal digits"),
        rest,
    )
}

fn wide(code: u32) -> char {
    char::from_u32(code).expect("the cursor found surrogates in pairs")
}
