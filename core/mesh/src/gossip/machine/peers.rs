//! The peers that are connected, and what they said last.

use std::{collections::BTreeMap, time::Duration};

use macula_crdt::Id;
use rand::{rngs::StdRng, seq::IteratorRandom};

use super::super::{bucket::Bucket, settings::Settings};

/// Connected peers. How many there are is the driver's to bound.
#[derive(Debug)]
pub(in super::super) struct Peers<I>(BTreeMap<I, Peer>);

#[derive(Debug)]
struct Peer {
    /// The fingerprint of its state when it last said.
    fingerprint: Option<u64>,
    /// Since when it says that it has something else than this node.
    differs: Option<Duration>,
    messages: Bucket,
    digests: Bucket,
}

impl<I> Default for Peers<I> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<I: Id> Peers<I> {
    /// Takes a peer in. True if it is new.
    pub(in super::super) fn connect(&mut self, id: &I, settings: &Settings, now: Duration) -> bool {
        let peer = Peer {
            fingerprint: None,
            differs: None,
            messages: Bucket::new(settings.peer_messages_per_second, now),
            digests: Bucket::new(settings.digests_per_second, now),
        };
        self.0.insert(id.clone(), peer).is_none()
    }

    pub(in super::super) fn disconnect(&mut self, id: &I) {
        self.0.remove(id);
    }

    pub(in super::super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in super::super) fn contains(&self, id: &I) -> bool {
        self.0.contains_key(id)
    }

    /// Counts a message of a peer's. `None` if it is none of them, false if it sends too many.
    pub(in super::super) fn may_send(&mut self, id: &I, now: Duration) -> Option<bool> {
        Some(self.0.get_mut(id)?.messages.take(now))
    }

    /// Counts a digest of a peer's. False if it sends too many.
    pub(in super::super) fn may_ask(&mut self, id: &I, now: Duration) -> bool {
        self.0
            .get_mut(id)
            .is_some_and(|peer| peer.digests.take(now))
    }

    /// Takes note of what a peer has, and whether it is what this node has.
    pub(in super::super) fn said(&mut self, id: &I, fingerprint: u64, agrees: bool, now: Duration) {
        if let Some(peer) = self.0.get_mut(id) {
            peer.fingerprint = Some(fingerprint);
            peer.differs = match agrees {
                true => None,
                false => peer.differs.or(Some(now)),
            };
        }
    }

    /// Those that said last that they have something else than this fingerprint, and since when they say so.
    pub(in super::super) fn lags(&self, fingerprint: u64) -> impl Iterator<Item = (&I, Duration)> {
        let differ = self.0.iter();
        let differ = differ.filter(move |(_, peer)| peer.fingerprint != Some(fingerprint));
        differ.filter_map(|(id, peer)| Some((id, peer.differs?)))
    }

    /// How many had this fingerprint when they last said.
    pub(in super::super) fn agreeing(&self, fingerprint: u64) -> usize {
        let agree = |peer: &&Peer| peer.fingerprint == Some(fingerprint);
        self.0.values().filter(agree).count()
    }

    /// Some peers at random, of those that are not known to agree.
    pub(in super::super) fn others(
        &self,
        fingerprint: u64,
        count: usize,
        rng: &mut StdRng,
    ) -> Vec<I> {
        let differ = |(_, peer): &(&I, &Peer)| peer.fingerprint != Some(fingerprint);
        let ids = self.0.iter().filter(differ).map(|(id, _)| id);
        ids.sample(rng, count).into_iter().cloned().collect()
    }

    /// Some peers at random.
    pub(in super::super) fn any(&self, count: usize, rng: &mut StdRng) -> Vec<I> {
        self.0
            .keys()
            .sample(rng, count)
            .into_iter()
            .cloned()
            .collect()
    }
}
