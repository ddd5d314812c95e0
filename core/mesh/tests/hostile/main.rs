//! Members of a cluster that lie and misbehave, over real QUIC on loopback, while honest ones go on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gossip;
mod lies;
mod streams;
mod support;
