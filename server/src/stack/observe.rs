//! Gives a request its id and trace, counts it and logs it.

use axum::{body::Body, response::Response};
use http::{Method, Request};
use tokio::time::Instant;

use crate::{
    api::context::{Context, TRACEPARENT, X_REQUEST_ID},
    conn::Conn,
    metrics::Metrics,
};

/// How requests are counted: by what their path begins with, as names may be anything.
const ROUTES: [(&str, &str); 10] = [
    ("/v1/rpc/", "/v1/rpc"),
    ("/v1/publish/", "/v1/publish"),
    ("/v1/subscribe/", "/v1/subscribe"),
    ("/v1/discover/", "/v1/discover"),
    ("/v1/session", "/v1/session"),
    ("/v1/connect", "/v1/connect"),
    ("/healthz", "/healthz"),
    ("/readyz", "/readyz"),
    ("/metrics", "/metrics"),
    ("/docs", "/docs"),
];
/// How all other requests are counted.
const OTHER: &str = "other";

/// A request that is being answered.
pub(super) struct Observed {
    started: Instant,
    route: &'static str,
    method: Method,
    context: Context,
}

impl Observed {
    pub(super) fn begin(conn: Conn, request: &mut Request<Body>) -> Self {
        let context = Context::read(request.headers(), conn);
        request.extensions_mut().insert(context.clone());
        Self {
            started: Instant::now(),
            route: route(request.uri().path()),
            method: request.method().clone(),
            context,
        }
    }

    pub(super) fn end(self, metrics: &Metrics, response: &mut Response) {
        let Self {
            method,
            route,
            context,
            ..
        } = self;
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, context.id_header());
        if let Some(trace) = context.trace() {
            headers.insert(TRACEPARENT, trace.header());
        }
        if let Some(limited) = context.limited() {
            limited.tell(headers);
        }
        let (took, status) = (self.started.elapsed(), response.status().as_u16());
        metrics.request(route, context.protocol(), status, took);
        // The path is left out: names may tell what a home does, and a ticket stands in the query.
        tracing::debug!(
            %method, route, status, took_us = took.as_micros(),
            protocol = context.protocol().label(), peer = %context.peer(), id = context.id(),
            trace = context.trace().map(tracing::field::display), "request"
        );
    }
}

fn route(path: &str) -> &'static str {
    let known = ROUTES.iter().find(|(prefix, _)| path.starts_with(prefix));
    known.map_or(OTHER, |(_, route)| route)
}
