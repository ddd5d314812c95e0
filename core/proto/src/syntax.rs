//! The lexical grammar of HTTP fields (RFC 9110 §5.6): tokens, quoted strings, parameters.

use std::borrow::Cow;

/// What a field value lacks, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct SyntaxError {
    /// The offset from the start of the field value, in bytes.
    pub at: usize,
    /// What the grammar allows there.
    pub expected: &'static str,
}

/// One `name=value`; a quoted value is given without its quotes and escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    /// The name as it was written; names are case-insensitive.
    pub(crate) name: &'a str,
    /// The value; `None` borrowed means that it was a plain token.
    pub(crate) value: Cow<'a, str>,
    /// Where the value starts, in bytes.
    pub(crate) at: usize,
}

/// Reads one field value from left to right.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The offset of what is read next, in bytes.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(crate) fn fail<T>(&self, expected: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError {
            at: self.at,
            expected,
        })
    }

    /// Skips optional whitespace.
    pub(crate) fn whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Takes the byte if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn token(&mut self, expected: &'static str) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        while self.peek().is_some_and(is_token) {
            self.at += 1;
        }
        if self.at == start {
            return self.fail(expected);
        }
        Ok(&self.text[start..self.at])
    }

    /// `type/subtype`, as two tokens.
    pub(crate) fn essence(&mut self) -> Result<(&'a str, &'a str), SyntaxError> {
        let kind = self.token("a media type")?;
        if !self.take(b'/') {
            return self.fail("`/` and a subtype");
        }
        Ok((kind, self.token("a subtype")?))
    }

    /// The next parameter, if a `;` comes next. Empty parameters (`;;`) are passed over.
    pub(crate) fn parameter(&mut self) -> Result<Option<Parameter<'a>>, SyntaxError> {
        loop {
            self.whitespace();
            if !self.take(b';') {
                return Ok(None);
            }
            self.whitespace();
            if !matches!(self.peek(), None | Some(b';' | b',')) {
                break;
            }
        }
        let name = self.token("a parameter name")?;
        if !self.take(b'=') {
            return self.fail("`=` and a value");
        }
        let at = self.at;
        let value = match self.peek() {
            Some(b'"') => Cow::Owned(self.quoted()?),
            _ => Cow::Borrowed(self.token("a parameter value")?),
        };
        Ok(Some(Parameter { name, value, at }))
    }

    fn quoted(&mut self) -> Result<String, SyntaxError> {
        self.at += 1;
        let mut value = String::new();
        let mut chars = self.text[self.at..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(value);
                }
                '\\' => match chars.next() {
                    Some((_, escaped)) if is_text(escaped) => value.push(escaped),
                    _ => {
                        self.at += i;
                        return self.fail("a printable character after `\\`");
                    }
                },
                c if is_text(c) => value.push(c),
                _ => {
                    self.at += i;
                    return self.fail("a printable character");
                }
            }
        }
        self.at = self.text.len();
        self.fail("a closing quote")
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What may stand in a quoted string: no control characters but the tab.
fn is_text(c: char) -> bool {
    c == '\t' || !c.is_control()
}
