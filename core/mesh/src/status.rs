//! What a node has and has done, in figures.

use serde::Serialize;

/// A node at one moment. Counts of things that are there return to zero when their owners go;
/// totals count up from the node's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// The version of the program.
    pub version: &'static str,
    /// Milliseconds since the node's start.
    pub uptime_ms: u64,
    /// Subscriptions now.
    pub subscriptions: usize,
    /// Topics remembered for replay now.
    pub topics: usize,
    /// Events kept for replay now.
    pub replay_events: usize,
    /// What they count for, in bytes.
    pub replay_bytes: usize,
    /// Providers now, the node's own included.
    pub providers: usize,
    /// Calls in flight now, waiting ones included.
    pub calls: usize,
    /// Other nodes of the cluster that are connected now.
    pub members: usize,
    /// Events published, in total.
    pub published: u64,
    /// Events that other nodes wanted, once for each node, in total.
    pub forwarded: u64,
    /// Events that came from other nodes, in total.
    pub received: u64,
    /// Events put into readers' queues, in total.
    pub delivered: u64,
    /// Events that readers lost because they were slow, in total.
    pub dropped: u64,
    /// Gaps told to readers, in total.
    pub gaps: u64,
}
