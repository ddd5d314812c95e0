//! Laws that hold for every input, as property tests.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod codec;
mod envelopes;
mod events;
mod names;
mod negotiation;
mod transcoding;
mod values;
