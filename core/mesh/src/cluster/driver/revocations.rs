//! Revocations in the state: each is there once or more often, said by whoever found it missing.
//!
//! They are taken from anybody, as the cluster's authority has signed them. What a node that has left had said of
//! them goes with it, so the others say it again.

use std::time::{Instant, SystemTime};

use macula_crdt::{Changes, Value};
use macula_engine::NodeId;

use super::{Driver, Key, Saying, decode, encode};
use crate::{cluster::fact::Fact, gossip::Change};

impl Driver {
    /// Puts the revocations that this node knows into the state, where they are missing, and lets those go that they
    /// are of.
    pub(super) fn tell_revocations(&mut self) {
        let membership = self.engine.membership().clone();
        for revocation in membership.revoked() {
            let node = revocation.node();
            let saying = (
                self.cluster(),
                encode(&Fact::Revokes(revocation.text().into())),
            );
            if self.machine.state().members(&saying).is_empty() {
                self.change(Change::Add(saying, ()));
            }
            if self.lives.contains_key(&node) && !self.peers.is_connected(&node) {
                self.retire(&node);
            }
        }
        self.show();
    }

    /// Others have said or unsaid revocations.
    pub(super) fn hear_revocations(&mut self, changes: &Changes<Key, Saying, Value<()>>) {
        let cluster = self.cluster();
        let revocation = |(of, fact): &Saying| match (*of == cluster).then(|| decode(fact)) {
            Some(Some(Fact::Revokes(text))) => Some(text),
            _ => None,
        };
        let membership = self.engine.membership().clone();
        for entry in &changes.added {
            let Some(text) = revocation(&entry.entry.key) else {
                continue;
            };
            if let Err(error) = membership.revoke(&text, SystemTime::now()) {
                let id = NodeId::from_bytes(entry.dot.actor.id);
                if let Some(more) = self.complaints.worth_a_line(id, Instant::now()) {
                    tracing::warn!(%id, %error, more, "a node says a revocation that is none");
                }
            }
        }
        if changes
            .removed
            .iter()
            .any(|entry| revocation(&entry.entry.key).is_some())
        {
            self.tell_revocations();
        }
    }

    fn cluster(&self) -> Key {
        *self.engine.membership().cluster().as_bytes()
    }
}
