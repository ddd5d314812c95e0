//! `GET /v1/errors/{code}`: what an error means and what to do about it.

use axum::{extract::Path, response::Response};
use http::StatusCode;
use macula_proto::{ErrorCode, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::{answer::Answer, context::Context, problem::Refused};

/// One row of the error table.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorInfo {
    /// The stable code.
    #[schema(example = "timeout")]
    code: &'static str,
    /// The HTTP status.
    #[schema(example = 504, minimum = 400, maximum = 599)]
    status: u16,
    /// A short summary.
    title: &'static str,
    /// What the error means.
    meaning: &'static str,
    /// What to do about it.
    remedy: &'static str,
    /// When the same request may succeed: `never`, `later` or `elsewhere`.
    #[schema(example = "later")]
    retry: &'static str,
}

/// Explain an error code.
///
/// The `type` of every problem leads here.
#[utoipa::path(
    get,
    path = "/v1/errors/{code}",
    operation_id = "explainError",
    tag = "about",
    params(("code" = String, Path, description = "The `code` of a problem.", example = "timeout")),
    responses((status = 200, description = "What the code means.", body = ErrorInfo, content_type = "application/json")),
)]
pub(super) async fn explain(
    context: Context,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Refused> {
    let answer = Answer::negotiate(&context)?;
    let code = path.ok().and_then(|Path(code)| ErrorCode::from_code(&code));
    let code = code.ok_or_else(|| {
        let detail = "expected a code of the error table";
        Problem::new(ErrorCode::NotFound, detail)
    })?;
    let info = ErrorInfo {
        code: code.as_str(),
        status: code.status(),
        title: code.title(),
        meaning: code.meaning(),
        remedy: code.remedy(),
        retry: code.retry().as_str(),
    };
    Ok(answer.with(StatusCode::OK, &info))
}
