//! JSON on one line.

/// Appends a well-formed JSON text so that it has no line breaks.
///
/// A line break can only stand between tokens, as strings escape theirs. So a text without any is
/// copied as it is; from another all whitespace between tokens is left out.
pub(crate) fn on_one_line(out: &mut Vec<u8>, json: &[u8]) {
    if json.contains(&b'\n') || json.contains(&b'\r') {
        strip_whitespace(out, json);
    } else {
        out.extend_from_slice(json);
    }
}

fn strip_whitespace(out: &mut Vec<u8>, json: &[u8]) {
    let mut rest = json;
    while let Some(&byte) = rest.first() {
        let run = match byte {
            byte if is_whitespace(&byte) => {
                rest = &rest[1..];
                continue;
            }
            b'"' => string_len(rest),
            _ => rest
                .iter()
                .position(|b| *b == b'"' || is_whitespace(b))
                .unwrap_or(rest.len()),
        };
        out.extend_from_slice(&rest[..run]);
        rest = &rest[run..];
    }
}

fn is_whitespace(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The length of the string that `json` starts with, quotes included.
fn string_len(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = json.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let mut out = Vec::new();
        on_one_line(&mut out, json.as_bytes());
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn whitespace_between_tokens_goes_when_there_is_a_line_break() {
        check(
            "{\n  \"a b\": [1, 2],\r\n\t\"c\\\" \": null }\n",
            r#"{"a b":[1,2],"c\" ":null}"#,
        );
        check("\n\"\\\\\" ", r#""\\""#);
        check("{ \"a\": 1 }", "{ \"a\": 1 }");
    }
}
