//! What was learned of a request before its handler saw it.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use axum::extract::FromRequestParts;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
    request::Parts,
};
use macula_proto::{Accept, AcceptError, Encoding, ErrorCode, MediaType, MediaTypeError, Problem};

use super::identify::Limited;
use crate::conn::{Conn, Protocol};

/// The request id, in and out.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context, in and out.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const HEX: &[u8; 16] = b"0123456789abcdef";
/// The longest request id that is taken from a client, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// One request's id, trace, negotiation and connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: HeaderValue,
    trace: Option<Trace>,
    accept: Result<Accept, AcceptError>,
    content_type: Result<Option<MediaType>, MediaTypeError>,
    conn: Conn,
    /// What the request took out of its bucket, once somebody was asked who it is.
    limited: OnceLock<Limited>,
}

impl Context {
    /// Reads the head of a request.
    #[must_use]
    pub fn read(headers: &HeaderMap, conn: Conn) -> Self {
        let content_type = headers.get(CONTENT_TYPE);
        let content_type = content_type.map(|value| MediaType::parse(text(value)));
        Self(Arc::new(Inner {
            id: request_id(headers.get(X_REQUEST_ID)),
            trace: headers.get(TRACEPARENT).and_then(Trace::continued),
            accept: Accept::parse(headers.get_all(ACCEPT).iter().map(text)),
            content_type: content_type.transpose(),
            conn,
            limited: OnceLock::new(),
        }))
    }

    /// The context of a request that has passed the stack.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        let context = parts.extensions.get::<Self>();
        context.expect("the stack reads it first").clone()
    }

    /// The request's id: the client's if it is a good one, else a new one. It is the `instance` of
    /// a problem.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id.to_str().unwrap_or_default()
    }

    /// The request's id as a header.
    #[must_use]
    pub fn id_header(&self) -> HeaderValue {
        self.0.id.clone()
    }

    /// Where the request stands in a distributed trace, if its client is in one.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.0.trace.as_ref()
    }

    /// What the client accepts.
    ///
    /// # Errors
    /// `invalid_request` when the header is malformed.
    pub fn accept(&self) -> Result<&Accept, Problem> {
        self.0.accept.as_ref().map_err(|error| error.clone().into())
    }

    /// The body's media type, if the request has a `Content-Type`.
    ///
    /// # Errors
    /// `unsupported_media_type` when the header is malformed.
    pub fn content_type(&self) -> Result<Option<&MediaType>, Problem> {
        let content_type = self.0.content_type.as_ref();
        content_type
            .map(Option::as_ref)
            .map_err(|error| error.clone().into())
    }

    /// The encoding of the request's body, if it is one of the two.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        let content_type = self.0.content_type.as_ref().ok()?.as_ref()?;
        content_type.encoding()
    }

    /// The encoding of a structured answer.
    ///
    /// # Errors
    /// `not_acceptable` when the client accepts neither encoding, `invalid_request` when it does not
    /// say it well.
    pub fn choose(&self) -> Result<Encoding, Problem> {
        self.accept()?.choose(self.encoding()).ok_or_else(|| {
            let detail = "expected `Accept` to allow application/msgpack or application/json";
            Problem::new(ErrorCode::NotAcceptable, detail)
        })
    }

    /// The encoding of a problem, which has to be told whatever the client accepts.
    #[must_use]
    pub fn choose_for_problem(&self) -> Encoding {
        let accept = self.0.accept.as_ref().ok();
        let chosen = accept.and_then(|accept| accept.choose(self.encoding()));
        chosen.or(self.encoding()).unwrap_or(Encoding::Json)
    }

    /// Keeps what the request took out of its bucket; the first time counts.
    pub fn limit(&self, limited: Limited) {
        let _ = self.0.limited.set(limited);
    }

    /// What the request took out of its bucket.
    #[must_use]
    pub fn limited(&self) -> Option<&Limited> {
        self.0.limited.get()
    }

    /// The HTTP version.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.0.conn.protocol
    }

    /// The peer's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.0.conn.peer
    }

    /// True while the request came in TLS early data.
    #[must_use]
    pub fn early_data(&self) -> bool {
        self.0.conn.early_data
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// A value that is not visible ASCII reads as one that no grammar takes.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("\u{0}")
}

fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let given = given.filter(|id| (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()));
    if let Some(id) = given.filter(|id| id.as_bytes().iter().all(good)) {
        return id.clone();
    }
    let bits = rand::random::<u64>();
    let digits: [u8; 16] = std::array::from_fn(|i| HEX[(bits >> (4 * i)) as usize % 16]);
    HeaderValue::from_bytes(&digits).expect("hexadecimal digits are visible")
}

/// A place in a distributed trace (W3C Trace Context, version 00).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    trace: u128,
    span: u64,
    flags: u8,
}

impl Trace {
    /// A new span in the caller's trace; none when the caller's is malformed, as if it had not come
    /// (W3C Trace Context §4.3).
    #[must_use]
    pub fn continued(parent: &HeaderValue) -> Option<Self> {
        let parent = Self::parse(parent.to_str().ok()?)?;
        // A zero id is invalid, and so unlikely that setting one bit costs nothing.
        let span = rand::random::<u64>() | 1;
        Some(Self { span, ..parent })
    }

    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`; later versions may have more after it.
    fn parse(text: &str) -> Option<Self> {
        let lower = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let mut parts = text.split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let lengths = (version.len(), trace.len(), span.len(), flags.len());
        let known_end = version != "00" || parts.next().is_none();
        let good = lengths == (2, 32, 16, 2)
            && version != "ff"
            && known_end
            && [version, trace, span, flags].into_iter().all(lower);
        let read = good.then_some(Self {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        });
        read.filter(|parent| parent.trace != 0 && parent.span != 0)
    }

    /// The trace as a header.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hexadecimal digits are visible")
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_under_a_new_span() {
        let parent =
            HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let trace = Trace::continued(&parent).unwrap().to_string();
        assert!(
            trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
            "{trace}"
        );
        assert!(
            trace.ends_with("-01") && !trace.contains("b7ad6b7169203331"),
            "{trace}"
        );
    }

    #[test]
    fn a_malformed_trace_counts_as_none() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert!(Trace::parse(later).is_some());
    }

    #[test]
    fn a_request_id_is_taken_only_if_it_is_harmless() {
        fn check(given: &str, taken: bool) {
            let id = request_id(HeaderValue::try_from(given).ok().as_ref());
            assert_eq!(id == given, taken, "{given}");
            assert!(!id.is_empty());
        }
        check("a-request_1.2~3", true);
        check(&"x".repeat(64), true);
        check(&"x".repeat(65), false);
        check("", false);
        check("a b", false);
        check("<script>", false);
    }
}
