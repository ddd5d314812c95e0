//! Gives a request its id and trace, counts it and logs it.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use crate::{
    api::{
        Gateway,
        context::{Context, TRACEPARENT, X_REQUEST_ID},
    },
    conn::Conn,
};

/// The route of a request that matches none.
const NO_ROUTE: &str = "none";

/// Every route, as it is counted.
const ROUTES: [&str; 13] = [
    "/v1/rpc/{realm}/{procedure}",
    "/v1/publish/{realm}/{topic}",
    "/v1/subscribe/{realm}/{pattern}",
    "/v1/discover/{realm}/{pattern}",
    "/v1/session",
    "/v1/session/ticket",
    "/v1/errors/{code}",
    "/v1/openapi.json",
    "/v1/openapi.yaml",
    "/docs",
    "/healthz",
    "/readyz",
    "/metrics",
];

/// The outermost layer.
pub(super) async fn observe(
    State(gateway): State<Arc<Gateway>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let conn = *request
        .extensions()
        .get::<Conn>()
        .expect("a transport sets it");
    let context = Context::read(request.headers(), conn);
    let route = route(request.extensions().get::<MatchedPath>());
    let method = request.method().clone();
    request.extensions_mut().insert(context.clone());

    let mut response = next.run(request).await;

    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, context.id_header());
    headers.insert(TRACEPARENT, context.trace().header());
    let (took, status) = (started.elapsed(), response.status().as_u16());
    gateway.metrics.request(route, conn.protocol, status, took);
    // The path is left out: names may tell what a home does, and a ticket stands in the query.
    tracing::debug!(
        %method, route, status, took_us = took.as_micros(), protocol = conn.protocol.label(),
        peer = %conn.peer, id = context.id(), trace = %context.trace(), "request"
    );
    response
}

fn route(matched: Option<&MatchedPath>) -> &'static str {
    let Some(matched) = matched.map(MatchedPath::as_str) else {
        return NO_ROUTE;
    };
    if matched.starts_with("/docs") {
        return "/docs";
    }
    let known = ROUTES.into_iter().find(|route| *route == matched);
    known.unwrap_or(NO_ROUTE)
}
