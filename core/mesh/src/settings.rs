//! What a node may hold.

use serde::{Deserialize, Serialize};

/// The bounds of a node. Each says what happens at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Events that a topic keeps for replay. Default 1,000: a reader that reconnects within
    /// seconds finds them even on a busy topic. At the bound the topic's oldest goes.
    pub replay_events: usize,
    /// Seconds that an event is kept for replay. Default 60, twice the grace of a live session.
    pub replay_seconds: u64,
    /// Bytes kept for replay by all topics together. Default 64 MiB. At the bound the node's
    /// oldest event goes.
    pub replay_bytes: usize,
    /// Topics remembered for replay. Default 100,000. At the bound the node's oldest events go until
    /// a topic is empty, the one that was silent longest; it is forgotten.
    pub max_topics: usize,
    /// Subscriptions at a time. Default 100,000. At the bound a new one is refused: `overloaded`.
    pub max_subscriptions: usize,
    /// Providers at a time. Default 10,000. At the bound a new one is refused: `overloaded`.
    pub max_providers: usize,
    /// Calls in flight. Default 100,000. At the bound a new one is refused: `overloaded`.
    pub max_calls: usize,
    /// Calls that may wait for one busy provider. Default 1,024. At the bound a new one is
    /// refused: `overloaded`.
    pub max_waiting: usize,
    /// Seconds that an answer is kept for its idempotency key. Default 600.
    pub idempotency_seconds: u64,
    /// Bytes of kept answers. Default 64 MiB. At the bound the least used go.
    pub idempotency_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            replay_events: 1_000,
            replay_seconds: 60,
            replay_bytes: 64 << 20,
            max_topics: 100_000,
            max_subscriptions: 100_000,
            max_providers: 10_000,
            max_calls: 100_000,
            max_waiting: 1_024,
            idempotency_seconds: 600,
            idempotency_bytes: 64 << 20,
        }
    }
}
