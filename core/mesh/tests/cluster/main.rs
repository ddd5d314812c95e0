//! Clusters over real QUIC on loopback: what the DHT is told, nodes that are away for long, and members that lie and
//! misbehave while honest ones go on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod announced;
mod away;
mod calls;
mod gossip;
mod lies;
mod records;
mod streams;
mod support;
mod twice;
