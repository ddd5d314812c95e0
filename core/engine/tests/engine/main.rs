//! Engines over real QUIC on loopback.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dht;
mod ends;
mod hostile;
mod joins;
mod names;
mod streams;
mod support;
mod trust;
