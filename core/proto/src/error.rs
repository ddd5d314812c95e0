//! The error table and problem details (RFC 9457).
//!
//! Codes are part of the contract: this one table makes the enum, the HTTP status, the advice to
//! retry, the OpenAPI spec, `docs/ERRORS.md` and the answer of `GET /v1/errors/{code}`.

use serde::{Deserialize, Serialize};

/// The most bytes of a handler's code that are kept.
pub const MAX_HANDLER_CODE_BYTES: usize = 64;
/// The most bytes of a handler's detail that are kept.
pub const MAX_HANDLER_DETAIL_BYTES: usize = 1024;

/// What a client may do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// The same request fails again: change it first.
    Never,
    /// The same request may succeed after a while; honour `Retry-After` where it is given.
    Later,
    /// The same request may succeed at another node or provider now.
    Elsewhere,
}

macro_rules! error_table {
    ($($variant:ident $code:literal $status:literal $retry:ident $title:literal $meaning:literal $remedy:literal)*) => {
        /// What went wrong, as a stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it stands on the wire, `snake_case`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The code for a text from the wire, if the table has it.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// The HTTP status, 400–599.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What a client may do about it.
            #[must_use]
            pub fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// A short summary, the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// One sentence: what the error means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// One sentence: what to do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

error_table! {
    InvalidName "invalid_name" 400 Never "Invalid name"
        "A realm, topic, procedure or pattern does not follow the grammar of names."
        "Use dotted segments of 1-64 letters, digits, `_`, `~` or `-`; at most 16 segments and 255 bytes."
    InvalidRequest "invalid_request" 400 Never "Invalid request"
        "A parameter, header or field of the request is missing, unknown or out of its range."
        "Read `detail`: it names the part that is wrong and what was expected."
    InvalidPayload "invalid_payload" 400 Never "Invalid payload"
        "The body is not what its media type says, or it is nested too deeply."
        "Send well-formed JSON or MessagePack, or give the media type that the body has."
    Unauthenticated "unauthenticated" 401 Never "Not authenticated"
        "The request has no credentials, or they are not known here."
        "Open a session with `POST /v1/session` and send its token as `Authorization: Bearer ...`."
    SessionExpired "session_expired" 401 Never "Session expired"
        "The session has ended or its time is over."
        "Open a new session."
    Forbidden "forbidden" 403 Never "Forbidden"
        "The session may not do this in this realm."
        "Ask for a session with the permission that `detail` names."
    NotFound "not_found" 404 Never "Not found"
        "There is nothing at this path."
        "Check the path against `/v1/openapi.yaml`."
    ProcedureNotFound "procedure_not_found" 404 Later "Procedure not found"
        "Nobody serves this procedure in this realm."
        "Check the name with `GET /v1/discover/{realm}/{pattern}`, or start its provider."
    MethodNotAllowed "method_not_allowed" 405 Never "Method not allowed"
        "The path exists, but not with this method."
        "Use one of the methods in the `Allow` header."
    NotAcceptable "not_acceptable" 406 Never "Not acceptable"
        "The answer cannot be given in any media type that `Accept` allows."
        "Accept `application/msgpack`, `application/json` or the media type of the payload."
    IdempotencyInFlight "idempotency_in_flight" 409 Later "Request in flight"
        "A request with the same `Idempotency-Key` has not finished yet."
        "Wait for the first request, then repeat this one to read its answer."
    PayloadTooLarge "payload_too_large" 413 Never "Payload too large"
        "The body is larger than this node allows."
        "Send less; the limit stands in `detail` and in the session's `limits`."
    UnsupportedMediaType "unsupported_media_type" 415 Never "Unsupported media type"
        "The body's media type or content encoding cannot be used here."
        "Send `application/msgpack` or `application/json`, without `Content-Encoding`."
    IdempotencyMismatch "idempotency_mismatch" 422 Never "Idempotency key reused"
        "The `Idempotency-Key` was used before with a different request."
        "Use a new key for each new request."
    TooEarly "too_early" 425 Later "Too early"
        "The request came in TLS early data, which an attacker could replay, and it is not safe to repeat."
        "Send it again after the handshake; clients do this by themselves."
    RateLimited "rate_limited" 429 Later "Rate limited"
        "The session or address has used up its requests for now."
        "Wait for as many seconds as `Retry-After` says."
    Internal "internal" 500 Later "Internal error"
        "The gateway failed; the fault is not the request's."
        "Try again later, and report the `instance` if it goes on."
    HandlerFailed "handler_failed" 502 Never "Handler failed"
        "The procedure's handler answered with an error of its own."
        "Read `handler`: its `code`, `detail` and `data` are the provider's."
    Overloaded "overloaded" 503 Later "Overloaded"
        "A queue or table of this node is full."
        "Try again after `Retry-After`, with back-off."
    ProviderUnavailable "provider_unavailable" 503 Elsewhere "Provider unavailable"
        "The provider of the procedure went away before it answered."
        "Try again: another provider may answer. The call may have been carried out."
    Draining "draining" 503 Elsewhere "Draining"
        "This node is shutting down."
        "Connect to another node, or wait until this one is back."
    Timeout "timeout" 504 Later "Timeout"
        "The answer did not come before the deadline."
        "Raise `timeout_ms` if the procedure needs longer. The call may have been carried out."
}

impl Retry {
    /// The advice as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Later => "later",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An error of the handler's own, carried inside `handler_failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandlerError {
    /// The handler's code; its meaning is the procedure's. [`Problem::handler`] keeps at most
    /// [`MAX_HANDLER_CODE_BYTES`].
    pub code: String,
    /// What went wrong, for people. [`Problem::handler`] keeps at most [`MAX_HANDLER_DETAIL_BYTES`].
    pub detail: String,
    /// Further data of the handler's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

impl HandlerError {
    /// With a code of the handler's own, and what went wrong, for people.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            detail: detail.into(),
            data: None,
        }
    }

    /// With further data.
    #[must_use]
    pub fn with(mut self, data: impl Into<serde_json::Value>) -> Self {
        self.data = Some(data.into());
        self
    }
}

/// Any error of a handler's is told to its caller: the code is `failed`, the detail its text.
impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new("failed", error.to_string())
    }
}

/// An error as a client sees it, on every transport: RFC 9457 problem details.
///
/// `type`, `title`, `status` and `retry` follow from the code; so an error cannot claim status 200.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Problem {
    /// The stable code.
    pub code: ErrorCode,
    /// What was wrong this time and what was expected; safe to show to the caller.
    pub detail: String,
    /// The handler's own error; only with [`ErrorCode::HandlerFailed`].
    pub handler: Option<HandlerError>,
}

impl Problem {
    /// A problem with a detail for this occurrence.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            handler: None,
        }
    }

    /// A `handler_failed` problem that carries the handler's own error, cut to its bounds.
    #[must_use]
    pub fn handler(mut error: HandlerError) -> Self {
        cut(&mut error.code, MAX_HANDLER_CODE_BYTES);
        cut(&mut error.detail, MAX_HANDLER_DETAIL_BYTES);
        Self {
            code: ErrorCode::HandlerFailed,
            detail: error.detail.clone(),
            handler: Some(error),
        }
    }

    /// The problem as it stands on the wire; `instance` is the request id.
    #[must_use]
    pub fn document<'a>(&'a self, instance: &'a str) -> Document<'a> {
        Document {
            kind: format!("/v1/errors/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code,
            instance,
            retry: self.code.retry(),
            handler: self.handler.as_ref(),
        }
    }
}

/// Cuts a text to at most so many bytes, between two characters.
fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

/// A problem as it is serialised: the members of RFC 9457 and ours.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: ErrorCode,
    instance: &'a str,
    retry: Retry,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a HandlerError>,
}

impl From<crate::NameError> for Problem {
    fn from(error: crate::NameError) -> Self {
        Self::new(ErrorCode::InvalidName, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_as_itself() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(code.as_str()), Some(code));
            assert!((400..600).contains(&code.status()));
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
        }
        assert_eq!(ErrorCode::from_code("teapot"), None);
    }

    #[test]
    fn a_problem_is_the_same_document_in_both_encodings() {
        let problem = Problem::handler(HandlerError {
            code: "no_milk".to_owned(),
            detail: "the fridge is empty".to_owned(),
            data: Some(serde_json::json!({"left": 0})),
        });
        let document = problem.document("r-1");
        let json = crate::encode(&document, crate::Encoding::Json);
        let expected = concat!(
            r#"{"type":"/v1/errors/handler_failed","title":"Handler failed","status":502,"#,
            r#""detail":"the fridge is empty","code":"handler_failed","instance":"r-1","#,
            r#""retry":"never","handler":{"code":"no_milk","detail":"the fridge is empty","#,
            r#""data":{"left":0}}}"#
        );
        assert_eq!(String::from_utf8_lossy(&json), expected);
        let msgpack = crate::encode(&document, crate::Encoding::MsgPack);
        let (from, to) = (crate::Encoding::MsgPack, crate::Encoding::Json);
        let limits = crate::Limits::default();
        assert_eq!(crate::transcode(&msgpack, from, to, &limits), Ok(json));
    }

    #[test]
    fn lesson_27_a_handlers_words_are_cut_between_characters() {
        let problem = Problem::handler(HandlerError {
            code: "x".repeat(1000),
            detail: format!("{}ü", "x".repeat(1023)),
            data: None,
        });
        let error = problem.handler.unwrap();
        assert_eq!(error.code.len(), MAX_HANDLER_CODE_BYTES);
        assert_eq!(error.detail.len(), 1023);
        assert_eq!(problem.detail, error.detail);
    }
}
