//! Content negotiation by `Accept` (RFC 9110 §12.5.1).
//!
//! Every range has a quality; the most specific range that matches a media type decides. A
//! malformed header is an error with a position and not a guess: a client that misspells its wish
//! learns so instead of getting something else.

use crate::{
    Encoding, MediaType,
    error::{ErrorCode, Problem},
    syntax::{Scanner, SyntaxError},
};

/// The most ranges in all `Accept` lines together; browsers send about 8.
pub const MAX_RANGES: usize = 32;
/// The most bytes of all `Accept` lines together.
pub const MAX_ACCEPT_BYTES: usize = 4096;
/// The quality of a range without `q`: 1, in thousandths.
const FULL: u16 = 1000;
/// The media type of Server-Sent Events.
const EVENT_STREAM: &str = "text/event-stream";

/// What a client accepts; empty means anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accept {
    ranges: Vec<Range>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    media: Media,
    /// Parameters but `q`, names in lower case.
    parameters: Vec<(Box<str>, Box<str>)>,
    /// In thousandths; 0 refuses.
    quality: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Media {
    /// `*/*`
    Any,
    /// `text/*`, in lower case.
    Type(Box<str>),
    /// One of the two encodings, by any of its aliases.
    Known(Encoding),
    /// Another `type/subtype`, in lower case.
    Exact(Box<str>),
}

/// Why an `Accept` header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// All lines together have more than [`MAX_ACCEPT_BYTES`] bytes.
    #[error("expected at most {MAX_ACCEPT_BYTES} bytes of `Accept`")]
    TooLong,
    /// All lines together have more than [`MAX_RANGES`] ranges.
    #[error("expected at most {MAX_RANGES} media ranges in `Accept`")]
    TooManyRanges,
    /// A line does not follow the grammar. Lines count from 1.
    #[error("malformed `Accept`, line {line}: {error}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What was expected, and where in the line.
        error: SyntaxError,
    },
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.to_string())
    }
}

impl Accept {
    /// No header: anything is accepted.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Parses the lines of the header. No line, or only empty ones, accept anything.
    ///
    /// # Errors
    /// [`AcceptError`] says what is malformed and where, or which bound is exceeded.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Self, AcceptError> {
        let mut accept = Self::any();
        let mut bytes = 0;
        for (i, value) in values.into_iter().enumerate() {
            bytes += value.len();
            if bytes > MAX_ACCEPT_BYTES {
                return Err(AcceptError::TooLong);
            }
            accept.line(i + 1, value)?;
        }
        Ok(accept)
    }

    fn line(&mut self, line: usize, text: &str) -> Result<(), AcceptError> {
        let syntax = |error| AcceptError::Syntax { line, error };
        let mut scanner = Scanner::new(text);
        loop {
            scanner.whitespace();
            if scanner.is_at_end() {
                return Ok(());
            }
            if scanner.take(b',') {
                continue;
            }
            if self.ranges.len() == MAX_RANGES {
                return Err(AcceptError::TooManyRanges);
            }
            self.ranges.push(Range::read(&mut scanner).map_err(syntax)?);
            if !scanner.is_at_end() && !scanner.take(b',') {
                return scanner
                    .fail("`,` and a media range, or the end")
                    .map_err(syntax);
            }
        }
    }

    /// How much the media type is wanted, 0–1000; 0 is refused. The most specific range decides;
    /// among equally specific ones the kindest.
    #[must_use]
    pub fn quality(&self, media: &MediaType) -> u16 {
        if self.ranges.is_empty() {
            return FULL;
        }
        let matching = self
            .ranges
            .iter()
            .filter_map(|range| Some((range.specificity(media)?, range.quality)));
        matching.max().map_or(0, |(_, quality)| quality)
    }

    /// True when `text/event-stream` is named (a wildcard does not name it) and not wanted less
    /// than a structured answer.
    #[must_use]
    pub fn accepts_event_stream(&self) -> bool {
        let named = self.ranges.iter().filter(|range| range.is(EVENT_STREAM));
        let quality = named.map(|range| range.quality).max().unwrap_or(0);
        quality > 0
            && quality >= self.quality(&MediaType::JSON)
            && quality >= self.quality(&MediaType::MSGPACK)
    }

    /// The encoding of a structured answer; `None` is 406. Between equals, the request's own
    /// encoding decides, and JSON when it has none.
    #[must_use]
    pub fn choose(&self, request: Option<Encoding>) -> Option<Encoding> {
        let msgpack = self.quality(&MediaType::MSGPACK);
        let json = self.quality(&MediaType::JSON);
        match msgpack.cmp(&json) {
            std::cmp::Ordering::Greater => Some(Encoding::MsgPack),
            std::cmp::Ordering::Less => Some(Encoding::Json),
            std::cmp::Ordering::Equal if json == 0 => None,
            std::cmp::Ordering::Equal => Some(request.unwrap_or(Encoding::Json)),
        }
    }

    /// The media type in which to give a payload that is stored as `stored`; `None` is 406.
    ///
    /// An opaque payload passes as it is or not at all. MessagePack and JSON pass as they are when
    /// the client names the type and wants nothing more; else they are given as
    /// [`choose`](Self::choose) says. So a client that accepts just anything gets the encoding
    /// that it speaks itself, whatever the other side chose to send.
    #[must_use]
    pub fn choose_payload(
        &self,
        stored: &MediaType,
        request: Option<Encoding>,
    ) -> Option<MediaType> {
        let quality = self.quality(stored);
        let Some(encoding) = stored.encoding() else {
            return (quality > 0).then(|| stored.clone());
        };
        let best = quality > 0 && quality >= self.quality(&MediaType::Known(encoding.other()));
        if best && self.names(encoding) {
            return Some(stored.clone());
        }
        self.choose(request).map(MediaType::Known)
    }

    fn names(&self, encoding: Encoding) -> bool {
        let known = Media::Known(encoding);
        self.ranges.iter().any(|range| range.media == known)
    }
}

impl Range {
    fn read(scanner: &mut Scanner<'_>) -> Result<Self, SyntaxError> {
        let start = scanner.position();
        let (kind, subtype) = scanner.essence()?;
        let mut range = Self {
            media: match (kind, subtype) {
                ("*", "*") => Media::Any,
                ("*", _) => {
                    let expected = "`*/*` or a media type";
                    return Err(SyntaxError {
                        at: start,
                        expected,
                    });
                }
                (kind, "*") => Media::Type(kind.to_ascii_lowercase().into()),
                (kind, subtype) => Media::of_essence(kind, subtype),
            },
            parameters: Vec::new(),
            quality: FULL,
        };
        // Parameters after `q` were extensions once and mean nothing now (RFC 9110 §12.5.1).
        let mut weighed = false;
        while let Some(parameter) = scanner.parameter()? {
            if weighed {
                continue;
            }
            if parameter.name.eq_ignore_ascii_case("q") {
                range.quality = quality(&parameter.value).ok_or(SyntaxError {
                    at: parameter.at,
                    expected: "a quality from 0 to 1 with up to three decimals",
                })?;
                weighed = true;
            } else {
                let name = parameter.name.to_ascii_lowercase().into();
                range.parameters.push((name, parameter.value.into()));
            }
        }
        Ok(range)
    }

    /// How narrowly the range matches; `None` if it does not.
    fn specificity(&self, media: &MediaType) -> Option<(u8, usize)> {
        let essence = media.essence();
        let kind = essence.split('/').next();
        let width = match &self.media {
            Media::Any => 0,
            Media::Type(name) if Some(&**name) == kind => 1,
            Media::Known(encoding) if media.encoding() == Some(*encoding) => 2,
            Media::Exact(name) if **name == *essence => 2,
            _ => return None,
        };
        self.parameters_match(media)
            .then_some((width, self.parameters.len()))
    }

    /// A range with parameters matches only a type that has them. JSON and MessagePack have none
    /// that mean anything, so that `application/json;charset=utf-8` is JSON.
    fn parameters_match(&self, media: &MediaType) -> bool {
        let MediaType::Opaque(text) = media else {
            return true;
        };
        let found = |(name, value): &(Box<str>, Box<str>)| {
            let mut scanner = Scanner::new(text);
            let _essence = scanner.essence();
            std::iter::from_fn(|| scanner.parameter().ok().flatten()).any(|parameter| {
                parameter.name.eq_ignore_ascii_case(name)
                    && parameter.value.eq_ignore_ascii_case(value)
            })
        };
        self.parameters.iter().all(found)
    }

    fn is(&self, essence: &str) -> bool {
        matches!(&self.media, Media::Exact(name) if **name == *essence)
    }
}

impl Media {
    fn of_essence(kind: &str, subtype: &str) -> Self {
        match Encoding::of_essence(kind, subtype) {
            Some(encoding) => Self::Known(encoding),
            None => Self::Exact(format!("{kind}/{subtype}").to_ascii_lowercase().into()),
        }
    }
}

/// `qvalue` of RFC 9110 §12.4.2, in thousandths.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.bytes().all(|b| b.is_ascii_digit());
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !digits {
        return None;
    }
    let thousandths: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (thousandths <= FULL).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(line: &str) -> Accept {
        Accept::parse([line]).unwrap()
    }

    #[test]
    fn the_most_specific_range_decides() {
        fn check(line: &str, media: &str, expected: u16) {
            let media = MediaType::parse(media).unwrap();
            assert_eq!(accept(line).quality(&media), expected, "{line} {media}");
        }
        check("*/*", "image/png", 1000);
        check(
            "*/*;q=0.1, text/*;q=0.5, text/plain;q=0.25",
            "text/plain",
            250,
        );
        check(
            "*/*;q=0.1, text/*;q=0.5, text/plain;q=0.25",
            "text/html",
            500,
        );
        check(
            "*/*;q=0.1, text/*;q=0.5, text/plain;q=0.25",
            "image/png",
            100,
        );
        check(
            "text/plain;format=flowed, text/plain;q=0.2",
            "text/plain",
            200,
        );
        check(
            "text/plain;format=flowed, text/plain;q=0.2",
            "text/plain; Format=FLOWED",
            1000,
        );
        check("*/*, application/json;q=0", "application/json", 0);
        check("application/json;charset=utf-8", "application/json", 1000);
        check(
            "application/x-msgpack;q=0.3",
            "application/vnd.msgpack",
            300,
        );
        check("TEXT/HTML;Q=0.001", "text/html", 1);
        check("text/html;level=1;q=0.4;ext=1", "text/html;level=1", 400);
        check("text/html", "application/json", 0);
        check("a/b;x=1;x=2", "a/b;x=1;x=2", 1000);
    }

    #[test]
    fn several_lines_count_as_one() {
        let accept = Accept::parse(["text/html", "", " , application/json;q=0.5 ,,"]).unwrap();
        assert_eq!(accept.quality(&MediaType::JSON), 500);
        assert_eq!(Accept::parse(["", " ,"]), Ok(Accept::any()));
        assert_eq!(Accept::any().quality(&MediaType::MSGPACK), 1000);
    }

    #[test]
    fn malformed_ranges_are_errors_with_a_position() {
        fn check(line: &str, expected: &str) {
            let error = Accept::parse(["*/*", line]).unwrap_err().to_string();
            let expected = format!("malformed `Accept`, line 2: expected {expected}");
            assert_eq!(error, expected, "{line}");
        }
        let weight = "a quality from 0 to 1 with up to three decimals at byte";
        check("json", "`/` and a subtype at byte 4");
        check("*/json", "`*/*` or a media type at byte 0");
        check("a/b;q=1.1", &format!("{weight} 6"));
        check("a/b;q=0.1234", &format!("{weight} 6"));
        check("a/b;q=-1", &format!("{weight} 6"));
        check("a/b;q=.5", &format!("{weight} 6"));
        check("a/b;q=0x1", &format!("{weight} 6"));
        check("a/b c/d", "`,` and a media range, or the end at byte 4");
        check("a/b;q", "`=` and a value at byte 5");
        check("a/b, /c", "a media type at byte 5");
    }

    #[test]
    fn the_header_is_bounded() {
        let many = |n| vec!["a/b"; n].join(",");
        assert!(Accept::parse([&*many(32)]).is_ok());
        assert_eq!(
            Accept::parse([&*many(32), "c/d"]),
            Err(AcceptError::TooManyRanges)
        );
        assert_eq!(
            Accept::parse([&*",".repeat(4096), "c/d"]),
            Err(AcceptError::TooLong)
        );
    }

    #[test]
    fn structured_answers_take_the_better_encoding() {
        use Encoding::{Json, MsgPack};
        fn check(line: &str, request: Option<Encoding>, expected: Option<Encoding>) {
            assert_eq!(accept(line).choose(request), expected, "{line}");
        }
        check("", None, Some(Json));
        check("*/*", None, Some(Json));
        check("*/*", Some(MsgPack), Some(MsgPack));
        check(
            "application/json, application/msgpack",
            Some(MsgPack),
            Some(MsgPack),
        );
        check(
            "application/json, application/msgpack;q=0.9",
            Some(MsgPack),
            Some(Json),
        );
        check("application/vnd.msgpack", Some(Json), Some(MsgPack));
        check("text/html", Some(Json), None);
        check("*/*;q=0", Some(Json), None);
        check("*/*, application/json;q=0", None, Some(MsgPack));
    }

    #[test]
    fn payloads_pass_as_they_are_when_that_is_what_was_asked_for() {
        fn check(line: &str, stored: &str, request: Option<Encoding>, expected: Option<&str>) {
            let stored = MediaType::parse(stored).unwrap();
            let found = accept(line).choose_payload(&stored, request);
            let found = found.as_ref().map(MediaType::as_str);
            assert_eq!(found, expected, "{line} {stored}");
        }
        let (msgpack, json) = ("application/msgpack", "application/json");
        let both = "application/json, application/msgpack";
        check(both, msgpack, Some(Encoding::Json), Some(msgpack));
        check(both, json, Some(Encoding::MsgPack), Some(json));
        check("*/*", msgpack, None, Some(json));
        check("*/*", msgpack, Some(Encoding::Json), Some(json));
        check("*/*", json, Some(Encoding::MsgPack), Some(msgpack));
        check(json, msgpack, None, Some(json));
        check(
            "application/json;q=0.5, application/msgpack",
            json,
            None,
            Some(msgpack),
        );
        check("image/*", "image/png", None, Some("image/png"));
        check("*/*", "image/png", None, Some("image/png"));
        check(json, "image/png", None, None);
        check("text/html", json, None, None);
    }

    #[test]
    fn an_event_stream_must_be_named() {
        fn check(line: &str, expected: bool) {
            assert_eq!(accept(line).accepts_event_stream(), expected, "{line}");
        }
        check("text/event-stream", true);
        check("text/event-stream, */*", true);
        check("Text/Event-Stream;q=0.5, application/json;q=0.5", true);
        check("text/event-stream;q=0.5, application/json", false);
        check("text/event-stream;q=0", false);
        check("text/*", false);
        check("*/*", false);
        check("", false);
    }
}
