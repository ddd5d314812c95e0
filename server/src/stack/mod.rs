//! What happens to each request before and after its handler, on every protocol alike.
//!
//! From the outside in:
//!
//! - [`observe`]: gives the request its id and trace, counts it, logs it.
//! - [`cors`]: says which pages may read the answer, refusals included.
//! - [`problems`]: writes every refusal as a problem in the client's encoding.
//! - [`admit`]: refuses early data that is not safe, and new work while the node drains.
//! - [`panics`]: turns a panic of a handler into a refusal.
//!
//! The steps are plain calls in two functions rather than layers of a router: a layer costs each
//! request two allocations and a copy of all layers below.

mod admit;
mod cors;
mod observe;
mod panics;
mod problems;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use http::Request;
use tower::{Layer, Service};
use tower_http::cors::CorsLayer;

use crate::{
    api::{Gateway, Refused, context::Context},
    conn::Conn,
};

/// The API behind its stack. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stack {
    inner: Inner,
    /// There if pages of other origins may use the API.
    cors: Option<Arc<CorsLayer>>,
}

impl Stack {
    /// Puts the stack around a router.
    #[must_use]
    pub fn new(router: Router, gateway: Arc<Gateway>) -> Self {
        Self {
            cors: cors::layer(&gateway.settings.cors_origins).map(Arc::new),
            inner: Inner { router, gateway },
        }
    }

    /// Answers a request that came on a connection.
    pub async fn answer(&self, conn: Conn, mut request: Request<Body>) -> Response {
        let observed = observe::Observed::begin(conn, &mut request);
        let inner = self.inner.clone();
        let mut response = match &self.cors {
            None => inner.answer(request).await,
            Some(cors) => match cors.layer(inner).call(request).await {
                Ok(response) => response,
                Err(impossible) => match impossible {},
            },
        };
        observed.end(&self.inner.gateway.metrics, &mut response);
        response
    }
}

/// The steps that refuse, around the router.
#[derive(Debug, Clone)]
struct Inner {
    router: Router,
    gateway: Arc<Gateway>,
}

impl Inner {
    async fn answer(mut self, request: Request<Body>) -> Response {
        let context = request.extensions().get::<Context>();
        let context = context.expect("it was observed").clone();
        let draining = self.gateway.drain.draining();
        let response = match admit::refusal(&context, draining, &request) {
            Some(problem) => Refused(problem).into_response(),
            None => panics::caught(self.router.call(request)).await,
        };
        problems::written(response, &context)
    }
}

/// For [`CorsLayer`], which wants a service.
impl Service<Request<Body>> for Inner {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.clone();
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}
