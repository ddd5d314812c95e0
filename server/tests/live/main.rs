//! Live sessions over loopback: what holds on WebSocket and WebTransport alike, and what only one has.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "nobody can reach into a test")]

mod client;
mod ends;
mod node;
mod operations;
mod refusals;
mod relay;
mod resume;
mod sdk;
mod serving;
mod streams;
