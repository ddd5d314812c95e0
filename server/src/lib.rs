//! The Macula gateway: one HTTP API over HTTP/1.1, HTTP/2 and HTTP/3, in front of the mesh.
//!
//! Read the modules in this order:
//!
//! - [`node`]: composes a node out of all the others.
//! - [`cli`], [`config`], [`logging`]: how it is told what to do, and tells what it does.
//! - [`commands`]: what the program does as a client of a node.
//! - [`transport`]: bytes to requests and responses to bytes; [`tls`]: its certificates.
//! - [`webtransport`]: sessions over HTTP/3, as the API sees them.
//! - [`conn`]: what a request knows of the connection it came on.
//! - [`stack`]: what happens to each request before and after its handler.
//! - [`api`]: the resources, each beside its description.
//! - [`live`]: live sessions, on WebTransport and WebSocket.
//! - [`session`]: who a client is and what it may do; tokens, tickets and limits.
//! - [`metrics`]: what is counted. [`ready`]: how a node says that it serves.
//! - [`drain`]: the graceful end, as everybody sees it.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod conn;
pub mod drain;
pub mod live;
pub mod logging;
pub mod metrics;
pub mod node;
pub mod ready;
pub mod session;
pub mod stack;
pub mod tls;
pub mod transport;
pub mod webtransport;
