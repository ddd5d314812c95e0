//! `POST /v1/rpc/{realm}/{procedure}`: calls a procedure.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderName, HeaderValue, header};
use macula_mesh::{
    Answer, Call, Reply,
    once::{self, Begin, Called, Claim, Kept},
};
use macula_proto::{ErrorCode, Problem, Procedure, Realm, envelope::json_payload, transcode};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    body,
    context::Context,
    gateway::Gateway,
    headers,
    idempotency::{self, Fingerprint},
    params::{Names, Params},
    principal::Principal,
    problem::Refused,
    sse,
};

/// Who answered a call.
const SERVED_BY: HeaderName = HeaderName::from_static("macula-served-by");
/// How long a caller waits unless it says otherwise, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 5_000;
/// The longest a caller may wait, in milliseconds.
pub const MAX_TIMEOUT_MS: u64 = 600_000;

/// The parameters of a call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    timeout_ms: Option<u64>,
}

/// How long a caller waits.
///
/// # Errors
/// `invalid_request` when it is not 1–[`MAX_TIMEOUT_MS`].
pub fn timeout(ms: Option<u64>) -> Result<Duration, Problem> {
    let ms = ms.unwrap_or(DEFAULT_TIMEOUT_MS);
    if (1..=MAX_TIMEOUT_MS).contains(&ms) {
        return Ok(Duration::from_millis(ms));
    }
    let detail = format!("expected `timeout_ms` from 1 to {MAX_TIMEOUT_MS}");
    Err(Problem::new(ErrorCode::InvalidRequest, detail))
}

/// Call a procedure.
///
/// The body is the argument, byte for byte; no body is `null`. The answer is the result, as it is
/// when `Accept` names its media type, else transcoded between MessagePack and JSON. With `Accept:
/// text/event-stream` the answer is a stream: `progress` events, then one `result` or `error`.
/// Closing the request cancels the call.
#[utoipa::path(
    post,
    path = "/v1/rpc/{realm}/{procedure}",
    operation_id = "call",
    tag = "calls",
    params(
        ("realm" = String, Path, description = "The realm.", example = "dev"),
        ("procedure" = String, Path, description = "The procedure, a name.", example = "system.echo"),
        ("timeout_ms" = Option<u64>, Query, description = "How long to wait for the result; 5000 unless said otherwise.", minimum = 1, maximum = 600_000),
        ("idempotency-key" = Option<String>, Header, description = "Makes a repeated request give the first one's answer, for 10 minutes. Not with a streamed answer.", min_length = 1, max_length = 255),
    ),
    request_body(content((serde_json::Value = "application/json"), (Vec<u8> = "application/octet-stream")), description = "The argument."),
    responses((
        status = 200,
        description = "The result.",
        content((serde_json::Value = "application/json"), (Vec<u8> = "application/octet-stream"), (String = "text/event-stream")),
        headers(("macula-served-by" = String, description = "Who answered: a session, an app or a node.")),
    )),
)]
pub(super) async fn call(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    principal: Principal,
    Names(realm, procedure): Names<Realm, Procedure>,
    Params(query): Params<Query>,
    request: Request,
) -> Result<Response, Refused> {
    principal.enter(&gateway, &realm)?;
    let streamed = context.accept()?.accepts_event_stream();
    let timeout = timeout(query.timeout_ms)?;
    let key = idempotency::key(&principal, request.headers())?;
    let application = headers::read(request.headers(), &context)?;
    let argument = body::payload(&gateway, &context, request).await?;
    let call = Call {
        realm,
        procedure,
        caller: principal.subject(&gateway),
        argument,
        headers: application,
        deadline: Instant::now() + timeout,
        wants_progress: streamed,
    };
    let called = match key {
        Some(_) if streamed => {
            let detail = "expected no `Idempotency-Key` with a streamed answer";
            return Err(Problem::new(ErrorCode::InvalidRequest, detail).into());
        }
        None if streamed => return Ok(stream(&gateway, &principal, context, call)?),
        Some(key) => call_once(&gateway, key, call).await?,
        None => finish(gateway.mesh.call(call)?).await,
    };
    Ok(respond(&gateway, &context, called))
}

async fn finish(reply: Reply) -> Called {
    Called {
        served_by: reply.served_by(),
        result: reply.result().await,
    }
}

/// Calls, unless the key's call was carried out before.
///
/// # Errors
/// Those of the call before it begins, `idempotency_in_flight` and `idempotency_mismatch`.
pub async fn call_once(
    gateway: &Arc<Gateway>,
    key: once::Key,
    call: Call,
) -> Result<Called, Problem> {
    let mut fingerprint = Fingerprint::of("call");
    fingerprint.text(call.realm.as_str());
    fingerprint.text(call.procedure.as_str());
    let argument = &call.argument;
    fingerprint.payload(&argument.content_type, &call.headers, &argument.bytes);
    let claim = match gateway.mesh.once(key, fingerprint.finish()).await? {
        Begin::Again(Kept::Called(called)) => return Ok(called),
        Begin::Again(Kept::Published(_)) => return Err(once::mismatch()),
        Begin::First(claim) => claim,
    };
    let reply = gateway.mesh.call(call)?;
    // Who repeats a request may have lost its connection: the call goes on without it, so that
    // its answer is there for the repetition.
    let called = tokio::spawn(finish_and_keep(reply, claim)).await;
    called.map_err(|_| Problem::new(ErrorCode::Internal, "the gateway failed"))
}

async fn finish_and_keep(reply: Reply, claim: Claim) -> Called {
    let called = finish(reply).await;
    claim.keep(Kept::Called(called.clone()));
    called
}

fn respond(gateway: &Gateway, context: &Context, called: Called) -> Response {
    let mut response = match result(gateway, context, called.result) {
        Ok(response) => response,
        Err(problem) => Refused(problem).into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(served_by) = HeaderValue::try_from(&*called.served_by) {
        headers.insert(SERVED_BY, served_by);
    }
    response
}

fn result(
    gateway: &Gateway,
    context: &Context,
    result: Result<macula_mesh::Payload, Problem>,
) -> Result<Response, Problem> {
    let not_acceptable = |detail| Problem::new(ErrorCode::NotAcceptable, detail);
    let payload = result?;
    let stored = &payload.content_type;
    let chosen = context.accept()?.choose_payload(stored, context.encoding());
    let chosen = chosen.ok_or_else(|| {
        not_acceptable(format!("expected `Accept` to allow the result's {stored}"))
    })?;
    let bytes = match (stored.encoding(), chosen.encoding()) {
        (Some(from), Some(to)) if from != to => {
            let transcoded = transcode(&payload.bytes, from, to, &body::limits(gateway));
            let cannot = |error| format!("the result cannot be given as {chosen}: {error}");
            transcoded
                .map_err(|error| not_acceptable(cannot(error)))?
                .into()
        }
        _ => payload.bytes,
    };
    let mut response = Body::from(bytes).into_response();
    let media_type = match chosen.encoding() {
        Some(encoding) => HeaderValue::from_static(encoding.media_type()),
        None => HeaderValue::try_from(chosen.as_str()).map_err(|_| {
            let detail = "the result's media type is not visible text";
            Problem::new(ErrorCode::Internal, detail)
        })?,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    if chosen.encoding().is_none() {
        // It may be HTML, and must never run as a page of this origin.
        let policy = HeaderValue::from_static("sandbox; default-src 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    }
    Ok(response)
}

/// Answers with progress and then the result, as Server-Sent Events.
fn stream(
    gateway: &Gateway,
    principal: &Principal,
    context: Context,
    call: Call,
) -> Result<Response, Problem> {
    let reply = gateway.mesh.call(call)?;
    let served_by = HeaderValue::try_from(&*reply.served_by());
    let answers = Answers {
        reply: Some(reply),
        context: context.clone(),
    };
    let first = Bytes::from_static(b"retry: 1000\n\n");
    let mut response = sse::respond(gateway, principal, context, first, answers)?;
    if let Ok(served_by) = served_by {
        response.headers_mut().insert(SERVED_BY, served_by);
    }
    Ok(response)
}

/// The answers of a call; dropping them cancels it.
struct Answers {
    reply: Option<Reply>,
    context: Context,
}

impl sse::Source for Answers {
    fn poll_frame(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Bytes>> {
        let Some(reply) = &mut self.reply else {
            return Poll::Ready(None);
        };
        let answer = std::task::ready!(Pin::new(reply).poll_next(cx));
        Poll::Ready(answer.map(|answer| match answer {
            Answer::Progress(payload) => event("progress", &payload),
            Answer::Done(result) => {
                self.reply = None;
                match result {
                    Ok(payload) => event("result", &payload),
                    Err(problem) => sse::error(&problem, self.context.id()),
                }
            }
        }))
    }
}

fn event(name: &str, payload: &macula_mesh::Payload) -> Bytes {
    sse::event(
        name,
        None,
        &json_payload(&payload.content_type, &payload.bytes),
    )
}
