//! The transports over loopback, in front of a small router: what holds on HTTP/1.1, HTTP/2 and HTTP/3
//! alike.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "nobody can reach into a test")]

mod bodies;
mod client;
mod drain;
mod early;
mod frames;
mod hello;
mod limits;
mod server;
mod webtransport;
