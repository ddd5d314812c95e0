//! Writes every refusal as a problem in the client's encoding.

use axum::response::Response;
use http::{StatusCode, header};
use macula_proto::{ErrorCode, Problem};

use crate::api::{context::Context, problem};

/// Gives a refusal its body. What was refused below us without a problem (a method that a route
/// does not have, say) gets the one that fits its status.
pub(super) fn written(mut response: Response, context: &Context) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>();
    let Some(problem) = problem.or_else(|| of_status(&response)) else {
        return response;
    };
    let mut written = problem::write(&problem, context);
    // What the refusing part said in headers (`Allow`, say) stays.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in response.headers() {
        written.headers_mut().append(name, value.clone());
    }
    written
}

fn of_status(response: &Response) -> Option<Problem> {
    if is_written(response) {
        return None;
    }
    let (code, detail) = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => (
            ErrorCode::MethodNotAllowed,
            "expected one of the methods in `Allow`",
        ),
        StatusCode::NOT_FOUND => (ErrorCode::NotFound, "there is nothing at this path"),
        status if status.is_client_error() => {
            (ErrorCode::InvalidRequest, "the request is malformed")
        }
        _ => (ErrorCode::Internal, "the gateway failed"),
    };
    Some(Problem::new(code, detail))
}

/// True for an answer that says itself what is wrong, as readiness does.
fn is_written(response: &Response) -> bool {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    media_type.is_some_and(|value| !value.as_bytes().starts_with(b"text/plain"))
}
