//! Refuses what must not begin now.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Method, Uri};
use macula_proto::{ErrorCode, Problem};

use crate::api::{Gateway, Refused, context::Context};

/// Refuses early data that an attacker could replay (RFC 8470), and new work while the node drains.
pub(super) async fn admit(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    request: Request,
    next: Next,
) -> Response {
    let early = context.early_data() && !is_safe(request.method());
    match refusal(early, gateway.drain.draining(), request.uri()) {
        Some(problem) => Refused(problem).into_response(),
        None => next.run(request).await,
    }
}

fn refusal(unsafe_early: bool, draining: bool, uri: &Uri) -> Option<Problem> {
    if unsafe_early {
        let detail = "expected the request after the handshake, as it is not safe to replay";
        return Some(Problem::new(ErrorCode::TooEarly, detail));
    }
    if draining && uri.path().starts_with("/v1/") {
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

    fn check(early: bool, draining: bool, path: &'static str, expected: Option<ErrorCode>) {
        let found = refusal(early, draining, &Uri::from_static(path));
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
