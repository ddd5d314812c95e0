//! A Macula node: publish and subscribe with replay, calls, discovery.
//!
//! [`Mesh`] is the one handle. The mesh knows no HTTP, and never decodes a payload. Read the modules
//! in this order:
//!
//! - [`mesh`]: the handle.
//! - [`pubsub`]: events: who reads what, replay, bounded queues, gaps.
//! - [`rpc`]: calls: providers, policies, deadlines, progress, cancelling.
//! - [`discover`]: what is there under a pattern.
//! - [`cluster`]: nodes that act as one.
//! - [`once`]: requests with a key are carried out once.
//! - [`gossip`]: how the nodes of a cluster bring each other's state up to date; pure.
//! - [`builtin`]: `system.echo`, `system.time`, `system.info`, `system.count`.
//! - [`settings`], [`status`], [`clock`]: bounds, figures, time.

mod builtin;
pub mod clock;
pub mod cluster;
pub mod discover;
pub mod gossip;
pub mod mesh;
pub mod once;
pub mod pubsub;
pub mod rpc;
pub mod settings;
pub mod status;

pub use discover::{Discover, Page};
pub use mesh::{Identity, Mesh};
pub use pubsub::{
    Delivery, Gap, GapReason, Publish, Published, Replay, Slot, Subscribe, Subscription,
};
pub use rpc::{
    Answer, Call, Failure, Handler, Invocation, Payload, Policy, Progress, Registration, Reply,
    Schema, Serve,
};
pub use settings::Settings;
pub use status::Status;
