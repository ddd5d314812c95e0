//! Nodes that are not connected, and those that have gone for good.

use std::time::Instant;

use macula_engine::NodeId;

use super::Driver;
use crate::{
    cluster::{absent::Due, say::Said},
    gossip::Change,
};

impl Driver {
    pub(super) fn is_absent(&mut self, id: NodeId) {
        if !self.peers.is_connected(&id) {
            self.absent.add(id, Instant::now());
        }
    }

    /// Does what is due about those that are not connected.
    pub(super) fn look_after_absent(&mut self, now: Instant) {
        let all = self.absent.due(now);
        for (id, due) in &all {
            match due {
                Due::Lapse => self.lapse(id),
                Due::Seek => self.seek(*id),
                Due::Ask => self.ask_for(id),
                Due::Retire => self.retire(id),
            }
        }
        if !all.is_empty() {
            self.show();
        }
    }

    /// Looks for a node in the DHT, and dials it if it is found.
    fn seek(&self, id: NodeId) {
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.seek(id).await });
    }

    /// Asks the others whether they see a node.
    fn ask_for(&self, id: &NodeId) {
        let miss = Said::Miss(*id.as_bytes()).encode();
        for peer in self.peers.connected() {
            self.peers.say(&peer, miss.clone());
        }
    }

    /// Nothing is kept for a node any more.
    pub(super) fn lapse(&mut self, id: &NodeId) {
        self.directory.lapsed(id);
        self.peers.lapse(id);
    }

    /// Takes a node out of the state, and all that is kept for it out of the tables. How far its events were read is
    /// still known, as it may come back as the run that it is.
    pub(super) fn retire(&mut self, id: &NodeId) {
        self.absent.remove(id);
        self.lapse(id);
        let (engine, node) = (self.engine.clone(), *id);
        tokio::spawn(async move { engine.forget(node).await });
        if let Some(incarnation) = self.lives.remove(id) {
            tracing::info!(%id, "a node is taken out of the cluster's state");
            let id = *id.as_bytes();
            self.change(Change::Retire { id, incarnation });
        }
    }
}
