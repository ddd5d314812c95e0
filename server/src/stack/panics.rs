//! Turns a panic of a handler into a refusal: the connection and everybody else's requests go on.

use std::{any::Any, convert::Infallible, panic::AssertUnwindSafe};

use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use macula_proto::{ErrorCode, Problem};

use crate::api::Refused;

/// The handler's answer, or the refusal in its place.
pub(super) async fn caught(answer: impl Future<Output = Result<Response, Infallible>>) -> Response {
    // Nothing of the handler is used after its panic, so nothing can be seen half done.
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(impossible)) => match impossible {},
        Err(panic) => refusal(&*panic).into_response(),
    }
}

/// Logs what the panic said; the client only learns that it was the gateway's fault.
fn refusal(panic: &(dyn Any + Send)) -> Refused {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("not a text"), "a handler panicked");
    Refused(Problem::new(ErrorCode::Internal, "the gateway failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_refused_as_our_fault() {
        let response = caught(async { panic!("a bug") }).await;
        assert_eq!(response.status(), 500);
        let problem = response.extensions().get::<Problem>().unwrap();
        assert_eq!(problem.code, ErrorCode::Internal);
        assert!(!problem.detail.contains("a bug"));
    }
}
