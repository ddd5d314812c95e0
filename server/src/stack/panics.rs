//! Turns a panic of a handler into a refusal: the connection and everybody else's requests go on.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use macula_proto::{ErrorCode, Problem};

use crate::api::Refused;

/// Logs what the panic said; the client only learns that it was the gateway's fault.
pub(super) fn refuse(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("not a text"), "a handler panicked");
    Refused(Problem::new(ErrorCode::Internal, "the gateway failed")).into_response()
}
