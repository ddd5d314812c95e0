//! The API behind its whole stack, without a network: requests go into the router.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "nobody can reach into a test")]

mod calls;
mod events;
mod refusals;
mod sessions;
mod support;
