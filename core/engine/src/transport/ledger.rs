//! What peers have shown, between the greeting and the swarm's asking.
//!
//! The swarm passes on a peer id and a muxer; the rest is looked up here by the connection's address. An entry
//! goes with its connection, so there are never more than connections.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use crate::{admission::Facts, id::NodeId};

#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Weak<Facts>>>>);

impl Ledger {
    pub(super) fn note(&self, facts: &Arc<Facts>) {
        let mut entries = self.0.lock();
        entries.retain(|entry| entry.strong_count() > 0);
        entries.push(Arc::downgrade(facts));
    }

    /// Takes out what the node has shown on its oldest new connection of this direction and address.
    pub(crate) fn take(
        &self,
        node: NodeId,
        address: SocketAddr,
        dialed: bool,
    ) -> Option<Arc<Facts>> {
        let mut entries = self.0.lock();
        let (index, facts) = entries.iter().enumerate().find_map(|(index, entry)| {
            let facts = entry.upgrade()?;
            let same = facts.node == node && facts.dialed == dialed && facts.address == address;
            same.then_some((index, facts))
        })?;
        entries.remove(index);
        Some(facts)
    }
}
