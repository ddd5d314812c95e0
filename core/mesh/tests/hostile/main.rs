//! Members of a cluster that lie and misbehave, over real QUIC on loopback, while honest ones go on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;
mod support;
