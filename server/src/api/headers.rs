//! Application headers: what a publisher or caller says beside the payload.
//!
//! `Macula-Header-Room: kitchen` on the wire is the header `room` of the event or call. Names
//! are in lower case, as HTTP/2 and HTTP/3 carry them. A `traceparent` travels on as a header too.

use std::sync::Arc;

use http::HeaderMap;
use macula_proto::{
    ErrorCode, Headers, Problem,
    event::{MAX_HEADER_BYTES, MAX_HEADERS},
};

use super::context::{Context, TRACEPARENT};

/// What the name of an application header begins with on the wire.
pub const PREFIX: &str = "macula-header-";

/// The application headers of a request, and where it stands in its trace.
///
/// # Errors
/// `invalid_request` beyond [`MAX_HEADERS`] or [`MAX_HEADER_BYTES`], or for a value that is not
/// UTF-8.
pub fn read(headers: &HeaderMap, context: &Context) -> Result<Headers, Problem> {
    let mut found = application(headers)?;
    if let Some(trace) = context.trace() {
        found.push((TRACEPARENT.as_str().into(), trace.to_string().into()));
    }
    Ok(found)
}

fn application(headers: &HeaderMap) -> Result<Headers, Problem> {
    let invalid = |detail: String| Problem::new(ErrorCode::InvalidRequest, detail);
    let mut found = Headers::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| invalid(format!("expected UTF-8 in `{PREFIX}{name}`")))?;
        if name.is_empty() {
            return Err(invalid(format!("expected a name after `{PREFIX}`")));
        }
        if found.len() == MAX_HEADERS {
            return Err(invalid(format!(
                "expected at most {MAX_HEADERS} `{PREFIX}…`"
            )));
        }
        bytes += name.len() + value.len();
        if bytes > MAX_HEADER_BYTES {
            let detail = format!("expected at most {MAX_HEADER_BYTES} bytes of `{PREFIX}…`");
            return Err(invalid(detail));
        }
        found.push((Arc::from(name), Arc::from(value)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], expected: Result<&[(&str, &str)], &str>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = http::HeaderName::try_from(*name).unwrap();
            map.append(name, value.parse().unwrap());
        }
        let found = application(&map).map_err(|problem| problem.detail);
        let expected = expected.map_err(str::to_owned).map(|expected| {
            let owned = |&(name, value): &(&str, &str)| (Arc::from(name), Arc::from(value));
            expected.iter().map(owned).collect::<Headers>()
        });
        assert_eq!(found, expected, "{headers:?}");
    }

    #[test]
    fn only_prefixed_headers_are_the_applications() {
        let given = [
            ("macula-header-room", "kitchen"),
            ("accept", "*/*"),
            ("Macula-Header-X", ""),
        ];
        check(&given, Ok(&[("room", "kitchen"), ("x", "")]));
        check(&[], Ok(&[]));
    }

    #[test]
    fn application_headers_are_bounded() {
        let names: Vec<_> = (0..17).map(|i| format!("macula-header-{i}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
        check(&many, Err("expected at most 16 `macula-header-…`"));
        check(
            &[("macula-header-", "v")],
            Err("expected a name after `macula-header-`"),
        );
        let long = "v".repeat(4096);
        check(
            &[("macula-header-a", &long)],
            Err("expected at most 4096 bytes of `macula-header-…`"),
        );
    }
}
