//! Refuses what must not begin now.

use axum::body::Body;
use http::{Method, Request};
use macula_proto::{ErrorCode, Problem};

use crate::api::context::Context;

/// Refuses early data that an attacker could replay (RFC 8470), and new work while the node drains.
pub(super) fn refusal(
    context: &Context,
    draining: bool,
    request: &Request<Body>,
) -> Option<Problem> {
    let unsafe_early = context.early_data() && !is_safe(request.method());
    decide(unsafe_early, draining, request.uri().path())
}

fn decide(unsafe_early: bool, draining: bool, path: &str) -> Option<Problem> {
    if unsafe_early {
        let detail = "expected the request after the handshake, as it is not safe to replay";
        return Some(Problem::new(ErrorCode::TooEarly, detail));
    }
    if draining && path.starts_with("/v1/") {
        let detail = "the node is shutting down";
        return Some(Problem::new(ErrorCode::Draining, detail));
    }
    None
}

/// RFC 9110 §9.2.1.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(early: bool, draining: bool, path: &str, expected: Option<ErrorCode>) {
        let found = decide(early, draining, path);
        assert_eq!(found.map(|problem| problem.code), expected, "{path}");
    }

    #[test]
    fn early_data_is_refused_unless_it_is_safe() {
        check(true, false, "/v1/session", Some(ErrorCode::TooEarly));
        check(false, false, "/v1/session", None);
        assert!(is_safe(&Method::GET) && !is_safe(&Method::POST) && !is_safe(&Method::DELETE));
    }

    #[test]
    fn a_draining_node_still_tells_how_it_is() {
        check(false, true, "/v1/session", Some(ErrorCode::Draining));
        for path in ["/healthz", "/readyz", "/metrics"] {
            check(false, true, path, None);
        }
    }
}
