//! `GET /healthz`, `/readyz`, `/metrics`: how the node is.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{StatusCode, header};
use macula_mesh::{Delivery, Mesh, Publish, Replay, Subscribe, pubsub::Bounds};
use macula_proto::{ErrorCode, MediaType, Pattern, Problem, Realm, Topic};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{
    answer::{Answer, no_store},
    context::Context,
    gateway::Gateway,
    problem::Refused,
};
use crate::metrics;

/// How long an event through the loop may take before the node is not ready.
const PROBE: Duration = Duration::from_secs(1);
/// The realm of probes, which no client can enter: it is not open, and sessions are not given for it.
pub const PROBE_REALM: &str = "macula.readiness";

/// How the node is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `draining` or `stuck`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Tell whether the process is alive.
///
/// Whether it does its work is what `/readyz` tells.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "about",
    responses((status = 200, description = "It is.", body = Health, content_type = "application/json")),
)]
pub(super) async fn alive(context: Context) -> Result<Response, Refused> {
    let health = Health { status: "ok" };
    Ok(no_store(
        Answer::negotiate(&context)?.with(StatusCode::OK, &health),
    ))
}

/// Tell whether the node does its work.
///
/// It publishes an event and waits until it comes back.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    tag = "about",
    responses(
        (status = 200, description = "It does.", body = Health, content_type = "application/json"),
        (status = 503, description = "It drains, or an event did not come back.", body = Health, content_type = "application/json"),
    ),
)]
pub(super) async fn ready(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
) -> Result<Response, Refused> {
    let answer = Answer::negotiate(&context)?;
    let status = if gateway.drain.draining() {
        "draining"
    } else if timeout(PROBE, probe(&gateway.mesh)).await == Ok(true) {
        "ok"
    } else {
        "stuck"
    };
    let code = match status {
        "ok" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok(no_store(answer.with(code, &Health { status })))
}

/// Lesson 8: readiness is work done, not a process that runs.
async fn probe(mesh: &Mesh) -> bool {
    let realm = Realm::parse(PROBE_REALM).expect("it is a name");
    let topic = Topic::parse("probe").expect("it is a name");
    let subscription = mesh.subscribe(Subscribe {
        realm: realm.clone(),
        pattern: Pattern::all(),
        replay: Replay::None,
        queue: Bounds::default(),
    });
    let Ok(mut subscription) = subscription else {
        return false;
    };
    let published = mesh.publish(Publish {
        realm,
        topic,
        publisher: mesh.identity().name.as_str().into(),
        content_type: MediaType::JSON,
        headers: Vec::new(),
        payload: Bytes::from_static(b"null"),
    });
    while let Some(delivery) = subscription.next().await {
        match delivery {
            // Another probe's event may come first.
            Delivery::Event(event) if event.event.id == published.event.id => return true,
            _ => {}
        }
    }
    false
}

/// Give the counters to Prometheus.
///
/// Only the node's own addresses may ask, unless the setting `public_metrics` says otherwise.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "about",
    responses((status = 200, description = "The counters, in the OpenMetrics text format.", body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
) -> Result<Response, Refused> {
    let own = context.peer().ip().to_canonical().is_loopback();
    if !own && !gateway.settings.public_metrics {
        let detail = "expected a request from the node itself, or `public_metrics`";
        return Err(Problem::new(ErrorCode::Forbidden, detail).into());
    }
    let headers = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    Ok((headers, gateway.metrics.text()).into_response())
}
