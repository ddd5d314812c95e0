//! What is counted.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

use crate::trust::refusal::Refusal;

const REASONS: usize = Refusal::ALL.len();

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    refused: [AtomicU64; REASONS],
    refused_by_others: [AtomicU64; REASONS],
    pub(crate) connected: Counter,
    pub(crate) disconnected: Counter,
    pub(crate) probes_missed: Counter,
    pub(crate) probed_out: Counter,
    pub(crate) streams_opened: Counter,
    pub(crate) streams_accepted: Counter,
    pub(crate) streams_unclaimed: Counter,
    pub(crate) dht_peers: Counter,
    pub(crate) dht_records: Counter,
    pub(crate) dht_providers: Counter,
    pub(crate) dht_refused: Counter,
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// For what goes up and down.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn refuse(&self, why: Refusal) {
        self.refused[why.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused_by_other(&self, why: Refusal) {
        self.refused_by_others[why.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) -> BTreeMap<Refusal, u64> {
        read(&self.refused)
    }

    pub(crate) fn refused_by_others(&self) -> BTreeMap<Refusal, u64> {
        read(&self.refused_by_others)
    }
}

fn read(counts: &[AtomicU64; REASONS]) -> BTreeMap<Refusal, u64> {
    let values = counts.iter().map(|count| count.load(Ordering::Relaxed));
    Refusal::ALL.into_iter().zip(values).collect()
}

/// The figures of an engine, for metrics and a look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Peers that are connected.
    pub peers: usize,
    /// Connections to them: more than peers while two nodes have dialled each other at once.
    pub connections: usize,
    /// Streams of callers that are open now, opened here and there.
    pub streams: usize,
    /// Streams from peers that wait to be taken.
    pub waiting: usize,
    /// Streams opened here since the start.
    pub streams_opened: u64,
    /// Streams taken from peers since the start.
    pub streams_accepted: u64,
    /// Streams from peers that nobody took: reset, as their queue was full or gone.
    pub streams_unclaimed: u64,
    /// Peers that came since the start.
    pub connected: u64,
    /// Peers that went since the start.
    pub disconnected: u64,
    /// Probes that stayed without an answer.
    pub probes_missed: u64,
    /// Connections closed after a second probe stayed without an answer.
    pub probed_out: u64,
    /// Peers refused here, by reason.
    pub refused: BTreeMap<Refusal, u64>,
    /// Times that another node refused this one, by reason.
    pub refused_by_others: BTreeMap<Refusal, u64>,
    /// Peers in the routing table.
    pub dht_peers: u64,
    /// Values held for others and for this node.
    pub dht_records: u64,
    /// Provider records held.
    pub dht_providers: u64,
    /// Values and provider records refused because the store was full.
    pub dht_refused: u64,
}
