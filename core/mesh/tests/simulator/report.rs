//! What a run took.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::Gossip;

pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    /// How long after the last step all had the same.
    pub(crate) settled: Duration,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) reborn: u64,
    open: BTreeMap<u64, (Duration, usize)>,
    /// How long each change took to be at all nodes.
    times: Vec<Duration>,
}

impl Report {
    pub(super) fn new(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            nodes,
            settled: Duration::ZERO,
            messages: 0,
            bytes: 0,
            reborn: 0,
            open: BTreeMap::new(),
            times: Vec::new(),
        }
    }

    pub(super) fn changed(&mut self, key: u64, _node: usize, now: Duration) {
        self.open.insert(key, (now, 1));
    }

    pub(super) fn arrived(&mut self, key: u64, now: Duration) {
        if let Some((since, count)) = self.open.get_mut(&key) {
            *count += 1;
            if *count == self.nodes {
                self.times.push(now - *since);
                self.open.remove(&key);
            }
        }
    }

    pub(super) fn count(&mut self, machine: &mut Gossip) {
        let status = machine.status();
        self.messages += status.sent;
        self.bytes += status.sent_bytes;
    }

    /// How many changes have reached all nodes.
    pub(crate) fn spread(&self) -> usize {
        self.times.len()
    }

    /// How long a change took to be at all nodes: so many in a hundred took less.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times
            .get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.spread().max(1) as u64;
        write!(
            f,
            "seed {}, {} nodes: {} changes, at all nodes after {:?} (p50), {:?} (p99), {:?} (all); {} messages, {} bytes ({} and {} a change)",
            self.seed,
            self.nodes,
            self.spread(),
            self.percentile(50),
            self.percentile(99),
            self.percentile(100),
            self.messages,
            self.bytes,
            self.messages / changes,
            self.bytes / changes,
        )
    }
}
