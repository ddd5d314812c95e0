//! How a handler refuses: a problem that the stack writes in the client's encoding.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use macula_proto::{Encoding, ErrorCode, Problem, encode};

use super::context::Context;

/// Seconds after which a client may come again when the node or its quota is full. Quotas are for
/// one second, and a queue that is full for longer needs fewer clients rather than patience.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A refusal. As a response it only carries the problem; [`write()`] gives it its body, in the one
/// place that knows the request's id and what its client accepts.
#[derive(Debug, Clone)]
pub struct Refused(pub Problem);

impl<P: Into<Problem>> From<P> for Refused {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// The HTTP status of a code.
#[must_use]
pub fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).expect("the table has statuses from 400 to 599")
}

/// The media type of a problem (RFC 9457; the MessagePack form is named alike).
#[must_use]
pub fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "application/problem+json",
        Encoding::MsgPack => "application/problem+msgpack",
    }
}

/// Writes a problem as the response to a request.
#[must_use]
pub fn write(problem: &Problem, context: &Context) -> Response {
    let encoding = context.choose_for_problem();
    let body = encode(&problem.document(context.id()), encoding);
    let mut response = (status(problem.code), body).into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(media_type(encoding));
    headers.insert(header::CONTENT_TYPE, media_type);
    match problem.code {
        ErrorCode::Unauthenticated | ErrorCode::SessionExpired => {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        ErrorCode::RateLimited | ErrorCode::Overloaded | ErrorCode::Draining => {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        _ => {}
    }
    response
}
