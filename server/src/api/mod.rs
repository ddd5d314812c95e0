//! The HTTP API: parse at the edge, ask the mesh, answer in the media type that the client accepts.
//!
//! - [`gateway`]: what every handler can reach. [`settings`]: its bounds.
//! - [`context`]: what was learned of a request before its handler saw it.
//! - [`principal`], [`identify`]: who asks. [`body`]: reads a bounded body. [`params`]: names and parameters.
//! - [`problem`], [`answer`]: the two ways in which a handler ends.
//! - One module for each resource: [`sessions`], [`rpc`], [`publish`], [`subscribe`],
//!   [`discover`], [`connect`], [`errors`], [`health`].
//! - [`sse`]: Server-Sent Events. [`idempotency`]: answers kept for who asks again.
//! - [`spec`]: the OpenAPI description of all this, from the code.

pub mod answer;
pub mod body;
pub mod connect;
pub mod context;
pub mod discover;
pub mod errors;
pub mod gateway;
pub mod headers;
pub mod health;
pub mod idempotency;
pub mod identify;
pub mod params;
pub mod principal;
pub mod problem;
pub mod publish;
pub mod rpc;
pub mod sessions;
pub mod settings;
pub mod spec;
pub mod sse;
pub mod subscribe;

use std::sync::Arc;

use axum::Router;
use macula_proto::{ErrorCode, Problem};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::{gateway::Gateway, problem::Refused, settings::Settings};
use crate::stack::Stack;

/// The API with its whole stack, ready to be served by any transport.
pub fn stack(gateway: Arc<Gateway>) -> Stack {
    let router = Router::from(routes())
        .merge(spec::pages())
        .fallback(|| async {
            let detail = "expected a path of `/v1/openapi.yaml`";
            Refused(Problem::new(ErrorCode::NotFound, detail))
        })
        .with_state(Arc::clone(&gateway));
    Stack::new(router, gateway)
}

/// The routes, with their description.
fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::with_openapi(spec::base())
        .routes(routes!(sessions::open, sessions::show, sessions::end))
        .routes(routes!(sessions::ticket))
        .routes(routes!(rpc::call))
        .routes(routes!(publish::publish))
        .routes(routes!(subscribe::subscribe))
        .routes(routes!(discover::discover))
        .routes(routes!(connect::connect))
        .route("/v1/connect", axum::routing::connect(connect::connect))
        .routes(routes!(errors::explain))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}
