//! How a handler answers: a value in the encoding that the client chose.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use macula_proto::{Encoding, Problem, encode};
use serde::Serialize;

use super::context::Context;

/// A handler's structured answer. Made before the work is done, so that a client that accepts
/// neither encoding is refused while nothing has happened yet.
#[derive(Debug, Clone, Copy)]
pub struct Answer(Encoding);

impl Answer {
    /// Settles the encoding.
    ///
    /// # Errors
    /// `not_acceptable` or `invalid_request`, as [`Context::choose`].
    pub fn negotiate(context: &Context) -> Result<Self, Problem> {
        context.choose().map(Self)
    }

    /// The answer with this status and value.
    pub fn with(self, status: StatusCode, value: &impl Serialize) -> Response {
        let mut response = (status, encode(value, self.0)).into_response();
        let media_type = HeaderValue::from_static(self.0.media_type());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        response
    }
}

/// Keeps what is secret or momentary out of caches.
pub fn no_store(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
