//! Who is a member no longer.

use std::{collections::BTreeMap, time::SystemTime};

use super::seconds;
use crate::id::NodeId;

/// Nodes that have been revoked, and when. All that was signed for a node until then is void for it; what is
/// signed later lets it in again. One entry a revoked node; entries are as many as there are of those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked(BTreeMap<NodeId, u64>);

impl Revoked {
    /// Revokes a node. The later of two times counts.
    pub fn insert(&mut self, node: NodeId, at: SystemTime) {
        let at = seconds(at);
        let known = self.0.entry(node).or_insert(at);
        *known = at.max(*known);
    }

    /// Whether what was signed at that second is void for the node.
    pub(super) fn voids(&self, node: NodeId, signed: u64) -> bool {
        self.0.get(&node).is_some_and(|revoked| signed <= *revoked)
    }

    /// How many nodes are revoked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(NodeId, SystemTime)> for Revoked {
    fn from_iter<I: IntoIterator<Item = (NodeId, SystemTime)>>(all: I) -> Self {
        let mut revoked = Self::default();
        for (node, at) in all {
            revoked.insert(node, at);
        }
        revoked
    }
}
