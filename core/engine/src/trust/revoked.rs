//! Who is a member no longer.

use std::collections::BTreeMap;

use super::revocation::Revocation;
use crate::id::NodeId;

/// Nodes that may be revoked at a time. At the bound further revocations are not taken, and it is logged.
const MAX_NODES: usize = 10_000;

/// The revocations that count, one a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked(BTreeMap<NodeId, Revocation>);

impl Revoked {
    /// Takes a revocation, unless a later one of its node is there. Whether it is new.
    pub fn insert(&mut self, revocation: Revocation) -> bool {
        let node = revocation.node();
        let known = self.0.get(&node);
        if known.is_some_and(|known| known.since() >= revocation.since()) {
            return false;
        }
        if known.is_none() && self.0.len() >= MAX_NODES {
            tracing::error!(%node, "{MAX_NODES} nodes are revoked; this one is not, as there is no room");
            return false;
        }
        self.0.insert(node, revocation);
        true
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Revocation> {
        self.0.values()
    }

    /// Whether what was signed at that second is void for the node.
    pub(super) fn voids(&self, node: NodeId, signed: u64) -> bool {
        let revocation = self.0.get(&node);
        revocation.is_some_and(|revocation| revocation.voids(signed))
    }
}

impl FromIterator<Revocation> for Revoked {
    fn from_iter<I: IntoIterator<Item = Revocation>>(all: I) -> Self {
        let mut revoked = Self::default();
        for revocation in all {
            revoked.insert(revocation);
        }
        revoked
    }
}
