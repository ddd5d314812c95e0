//! What all nodes must hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use macula_crdt::Map;

use super::Id;

/// Who has added which key, and who has removed it. Each key is added once.
#[derive(Default)]
pub(crate) struct Expected {
    owners: BTreeMap<u64, usize>,
    /// Removed by whom: if that node has crashed since, nobody may have heard of it.
    removed: BTreeMap<u64, BTreeSet<usize>>,
    doubtful: BTreeSet<u64>,
}

impl Expected {
    pub(super) fn added(&mut self, node: usize, key: u64) {
        self.owners.insert(key, node);
    }

    pub(super) fn removed(&mut self, node: usize, key: u64) {
        self.removed.entry(key).or_default().insert(node);
    }

    pub(super) fn crashed(&mut self, node: usize) {
        // What it has added goes with this life of it.
        self.owners.retain(|_, owner| *owner != node);
        for (key, by) in &mut self.removed {
            if by.remove(&node) && by.is_empty() {
                self.doubtful.insert(*key);
            }
        }
        self.removed.retain(|_, by| !by.is_empty());
    }

    /// Just the keys that should be there are there. Keys of registers are the largest, and not checked.
    pub(super) fn check(&self, state: &Map<Id, u64, Vec<u8>>, seed: u64) {
        let certain = |key: &u64| !self.doubtful.contains(key);
        let should = self
            .owners
            .keys()
            .filter(|key| !self.removed.contains_key(key));
        let should: BTreeSet<u64> = should.copied().filter(certain).collect();
        let has = state
            .keys()
            .copied()
            .filter(|key| *key < super::plan::REGISTERS);
        let has: BTreeSet<u64> = has.filter(certain).collect();
        assert_eq!(
            has, should,
            "seed {seed}: what is there, and what should be"
        );
    }
}
