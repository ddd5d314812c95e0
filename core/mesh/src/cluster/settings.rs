//! The bounds and times of a cluster.

use std::time::Duration;

use macula_engine::Settings as Engine;
use serde::{Deserialize, Serialize};

/// The bounds and times of a cluster. Each says what happens at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds after which nothing is kept any more for a node whose connection broke. Default 3,000, so that
    /// a node that has died is gone everywhere within 10 s of it. Events for it wait in its queue until then.
    pub lapse_ms: u64,
    /// Seconds after which a node that does not come back is taken out of the state of the cluster, unless another node
    /// sees it. Default 60. It may come back at any time.
    pub forget_seconds: u64,
    /// Milliseconds that a new subscription or service waits until the connected nodes know of it. Default 500. After
    /// it they learn of it all the same.
    pub announce_ms: u64,
    /// Bounds and times of gossip.
    pub gossip: crate::gossip::Settings,
    /// Bounds and times of the peer-to-peer engine.
    pub engine: Engine,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lapse_ms: 3_000,
            forget_seconds: 60,
            announce_ms: 500,
            gossip: crate::gossip::Settings::default(),
            engine: Engine::default(),
        }
    }
}

impl Settings {
    pub(crate) fn lapse(&self) -> Duration {
        Duration::from_millis(self.lapse_ms)
    }

    pub(crate) fn forget(&self) -> Duration {
        Duration::from_secs(self.forget_seconds)
    }

    pub(crate) fn announce(&self) -> Duration {
        Duration::from_millis(self.announce_ms)
    }
}
