//! Publish and subscribe on this node. `docs/PUBSUB.md` has the order of things and its invariant.
//!
//! - [`trie`]: who subscribes to a topic.
//! - [`rings`]: the last events of each topic, for readers who come back.
//! - [`queue`]: what waits for one reader.
//! - [`exchange`]: the one place where an event gets its id, its ring and its readers.
//! - [`wants`]: what other nodes are told of the readers here.
//! - [`subscription`]: the reader's end.

use std::sync::Arc;

use bytes::Bytes;
use macula_proto::{EventId, Headers, MediaType, Pattern, Realm, Topic};
use serde::{Deserialize, Serialize};

pub(crate) mod exchange;
mod published;
pub(crate) mod queue;
mod rings;
mod subscription;
mod trie;
pub(crate) mod wants;

pub use macula_proto::{GapReason, Overflow};
pub use published::{Published, Slot};
pub use queue::Bounds;
pub use subscription::Subscription;

/// What to publish.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The realm.
    pub realm: Realm,
    /// The topic.
    pub topic: Topic,
    /// The subject that publishes.
    pub publisher: Arc<str>,
    /// The payload's media type.
    pub content_type: MediaType,
    /// Application headers; the caller has checked their bounds.
    pub headers: Headers,
    /// The payload; the caller has checked its bound.
    pub payload: Bytes,
}

/// What to subscribe to.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// The realm.
    pub realm: Realm,
    /// The topics wanted.
    pub pattern: Pattern,
    /// Where to begin.
    pub replay: Replay,
    /// The bounds of the reader's queue.
    pub queue: Bounds,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replay {
    /// With the next event.
    #[default]
    None,
    /// This many events back, at most as many as there are.
    Last(usize),
    /// After this event: without loss while it is within the replay window, else with a gap.
    After(EventId),
}

/// What a subscription delivers.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// An event.
    Event(Arc<Published>),
    /// Events were lost here.
    Gap(Gap),
}

/// A loss, told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// How many events were missed, when that is known.
    pub missed: Option<u64>,
    /// Why.
    pub reason: GapReason,
}
