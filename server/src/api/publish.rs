//! `POST /v1/publish/{realm}/{topic}`: publishes the body.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;
use macula_mesh::{
    Publish,
    once::{self, Begin, Kept},
};
use macula_proto::{EventId, Problem, Realm, Topic};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::Answer,
    body,
    context::Context,
    gateway::Gateway,
    headers,
    idempotency::{self, Fingerprint},
    params::Names,
    principal::Principal,
    problem::Refused,
};

/// What became of a publish.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receipt {
    /// The event's id, a ULID; ids of one node rise.
    #[schema(
        example = "01KJ8Z3V5T9QK4M2B7N6XWYHGD",
        min_length = 26,
        max_length = 26
    )]
    id: String,
}

/// Publish the body as an event.
///
/// It is delivered to everybody who subscribes to the topic now, and kept for replay. JSON and
/// MessagePack are checked to be well-formed; any other media type passes as it is.
#[utoipa::path(
    post,
    path = "/v1/publish/{realm}/{topic}",
    operation_id = "publish",
    tag = "events",
    params(
        ("realm" = String, Path, description = "The realm.", example = "dev"),
        ("topic" = String, Path, description = "The topic, a name.", example = "home.kitchen.temperature"),
        ("idempotency-key" = Option<String>, Header, description = "Makes a repeated request give the first one's answer, for 10 minutes.", min_length = 1, max_length = 255),
    ),
    request_body(content((serde_json::Value = "application/json"), (Vec<u8> = "application/octet-stream")), description = "The payload."),
    responses((status = 202, description = "The event has its id and is on its way.", body = Receipt, content_type = "application/json")),
)]
pub(super) async fn publish(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    principal: Principal,
    Names(realm, topic): Names<Realm, Topic>,
    request: Request,
) -> Result<Response, Refused> {
    principal.enter(&gateway, &realm)?;
    let answer = Answer::negotiate(&context)?;
    let key = idempotency::key(&principal, request.headers())?;
    let application = headers::read(request.headers(), &context)?;
    let payload = body::payload(&gateway, &context, request).await?;
    let publish = Publish {
        realm,
        topic,
        publisher: principal.subject(&gateway),
        content_type: payload.content_type,
        headers: application,
        payload: payload.bytes,
    };
    let id = match key {
        None => gateway.mesh.publish(publish).event.id,
        Some(key) => publish_once(&gateway, key, publish).await?,
    };
    let receipt = Receipt { id: id.to_string() };
    Ok(answer.with(StatusCode::ACCEPTED, &receipt))
}

/// Publishes, unless the key's event was published before.
///
/// # Errors
/// `idempotency_in_flight` and `idempotency_mismatch`.
pub async fn publish_once(
    gateway: &Gateway,
    key: once::Key,
    publish: Publish,
) -> Result<EventId, Problem> {
    let mut fingerprint = Fingerprint::of("publish");
    fingerprint.text(publish.realm.as_str());
    fingerprint.text(publish.topic.as_str());
    fingerprint.payload(&publish.content_type, &publish.headers, &publish.payload);
    match gateway.mesh.once(key, fingerprint.finish()).await? {
        Begin::Again(Kept::Published(id)) => Ok(id),
        Begin::Again(Kept::Called(_)) => Err(once::mismatch()),
        Begin::First(claim) => {
            let id = gateway.mesh.publish(publish).event.id;
            claim.keep(Kept::Published(id));
            Ok(id)
        }
    }
}
