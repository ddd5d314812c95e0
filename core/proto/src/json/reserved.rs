//! The objects that stand for what JSON cannot say: `$bytes`, `$ext`, and their escaped forms.

use std::borrow::Cow;

use crate::{
    json::cursor::Cursor,
    sink::{Blob, Text},
};

/// What an object with a reserved form means.
#[derive(Debug)]
pub(super) enum Reserved<'a> {
    /// `{"$bytes": "<base64>"}`
    Bytes(Blob<'a>),
    /// `{"$ext": {"type": <i8>, "data": "<base64>"}}`
    Ext(i8, Blob<'a>),
    /// One of these with more dollars than one: a map whose key has one dollar less.
    Escaped,
}

/// Looks whether an object with a reserved form starts here; gives it and the place after it.
pub(super) fn look<'a>(mut cursor: Cursor<'a>) -> Option<(Reserved<'a>, Cursor<'a>)> {
    if !cursor.punctuation(b'{') || !cursor.starts_string_with([b'$', b'\\']) {
        return None;
    }
    let key = cursor.string().ok()?.unescape();
    let name = key.trim_start_matches('$');
    let dollars = key.len() - name.len();
    if dollars == 0 || !matches!(name, "bytes" | "ext") || !cursor.punctuation(b':') {
        return None;
    }
    let reserved = match name {
        "bytes" => Reserved::Bytes(base64(&mut cursor)?),
        _ => ext(&mut cursor)?,
    };
    cursor.whitespace();
    if !cursor.take(b'}') {
        return None;
    }
    Some(match dollars {
        1 => (reserved, cursor),
        _ => (Reserved::Escaped, cursor),
    })
}

/// `{"type": <i8>, "data": "<base64>"}`, in either order.
fn ext<'a>(cursor: &mut Cursor<'a>) -> Option<Reserved<'a>> {
    let (mut kind, mut data) = (None, None);
    if !cursor.punctuation(b'{') {
        return None;
    }
    for last in [false, true] {
        let key = cursor.string().ok()?.unescape();
        if !cursor.punctuation(b':') {
            return None;
        }
        match &*key {
            "type" if kind.is_none() => kind = Some(small_int(cursor)?),
            "data" if data.is_none() => data = Some(base64(cursor)?),
            _ => return None,
        }
        if !cursor.punctuation(if last { b'}' } else { b',' }) {
            return None;
        }
    }
    Some(Reserved::Ext(kind?, data?))
}

fn small_int(cursor: &mut Cursor<'_>) -> Option<i8> {
    cursor.number().ok()?.int()?.try_into().ok()
}

fn base64<'a>(cursor: &mut Cursor<'a>) -> Option<Blob<'a>> {
    let text = cursor.string().ok()?;
    // Some encoders escape the slashes of base 64.
    let text: Cow<'a, str> = match text {
        Text::Plain(text) => Cow::Borrowed(text),
        escaped => escaped.unescape(),
    };
    is_base64(&text).then_some(Blob::Base64(text))
}

/// True for the standard alphabet, padded, with no stray bits in the last digit: the one text
/// that encoding the bytes again gives.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let Some(last) = digits.bytes().last() else {
        return text.is_empty();
    };
    let stray_bits = match padding {
        0 => 0,
        1 => 0b11,
        2 => 0b1111,
        _ => return false,
    };
    text.len().is_multiple_of(4)
        && digits.bytes().all(|b| digit(b).is_some())
        && digit(last).is_some_and(|value| value & stray_bits == 0)
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn base64_is_what_the_decoder_takes(text in "[A-Za-z0-9+/]{0,9}={0,3}|[A-D=]{0,8}|.{0,8}") {
            prop_assert_eq!(is_base64(&text), STANDARD.decode(&text).is_ok());
        }
    }
}
