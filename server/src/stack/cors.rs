//! Says which pages of other origins may use the API (the Fetch standard's CORS protocol).

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::api::context::{TRACEPARENT, X_REQUEST_ID};

/// How long a browser may remember what it was allowed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// What a page may read of an answer beside its body.
const EXPOSED: [HeaderName; 6] = [
    X_REQUEST_ID,
    TRACEPARENT,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("macula-served-by"),
];

/// The layer for these origins, if there are any; `*` is any. Credentials are never allowed: tokens travel in a
/// header that the page sets itself, so cookies have no part.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins = origins.iter().map(HeaderValue::try_from);
        AllowOrigin::list(origins.filter_map(Result::ok))
    };
    let layer = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE);
    Some(layer)
}
