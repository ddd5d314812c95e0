//! What happens to each request before and after its handler, on every protocol alike.
//!
//! From the outside in, as [`wrap`] lists it:
//!
//! - [`observe`]: gives the request its id and trace, counts it, logs it.
//! - [`cors`]: says which pages may read the answer, refusals included.
//! - [`problems`]: writes every refusal as a problem in the client's encoding.
//! - [`panics`]: turns a panic of a handler into a refusal.
//! - [`admit`]: refuses early data that is not safe, and new work while the node drains.
//! - [`identify`]: who asks, and how much of it; on the routes that do something for somebody.

mod admit;
mod cors;
mod identify;
mod observe;
mod panics;
mod problems;

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::api::Gateway;

pub use identify::identify;

/// Puts the stack around the router. The last layer is the outermost.
pub fn wrap(router: Router, gateway: Arc<Gateway>) -> Router {
    let mut router = router
        .layer(from_fn_with_state(Arc::clone(&gateway), admit::admit))
        .layer(CatchPanicLayer::custom(panics::refuse))
        .layer(from_fn(problems::write));
    if let Some(cors) = cors::layer(&gateway.settings.cors_origins) {
        router = router.layer(cors);
    }
    router.layer(from_fn_with_state(gateway, observe::observe))
}
