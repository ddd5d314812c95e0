//! Revocations in the state: each is there once or more often, said by whoever found it missing.
//!
//! They are taken from anybody, as the cluster's authority has signed them. What a node that has left had said of
//! them goes with it, so the others say it again.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use macula_crdt::{Changes, Value};
use macula_engine::{NodeId, Revocation};

use super::{Driver, Key, Saying, decode, encode};
use crate::{cluster::fact::Fact, gossip::Change};

impl Driver {
    /// Puts the revocations that this node knows into the state, where they are missing, and lets the lives go that they
    /// end. One that is connected still goes when the engine closes its connection.
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
            let life = self.lives.get(&node);
            let over = life.is_some_and(|life| ends(&revocation, *life));
            if over && !self.peers.is_connected(&node) {
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

/// Whether a revocation ends the life of its node that began then, in milliseconds: a node comes back by a token that is
/// signed in a later second, with which it has to start anew.
fn ends(revocation: &Revocation, life: u64) -> bool {
    let since = revocation.since().duration_since(UNIX_EPOCH);
    life / 1_000 <= since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use macula_engine::Authority;

    use super::*;

    #[test]
    fn a_revocation_ends_the_lives_that_began_before_a_later_token() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        let revocation = Authority::generate().revoke(NodeId::from_bytes([7; 32]), at);
        assert!(ends(&revocation, 1));
        assert!(ends(&revocation, 1_700_000_000_999));
        assert!(!ends(&revocation, 1_700_000_001_000));
    }
}
