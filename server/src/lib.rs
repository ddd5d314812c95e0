//! The Macula gateway: one HTTP API over HTTP/1.1, HTTP/2 and HTTP/3, in front of the mesh.
//!
//! Read the modules in this order:
//!
//! - [`api`]: the resources, each beside its description.
//! - [`stack`]: what happens to each request before and after its handler.
//! - [`conn`]: what a request knows of the connection it came on.
//! - [`drain`]: the graceful end, as everybody sees it.
//! - [`metrics`]: what is counted.
//! - [`session`]: who a client is and what it may do; tokens, tickets and limits.

pub mod api;
pub mod conn;
pub mod drain;
pub mod metrics;
pub mod session;
pub mod stack;
