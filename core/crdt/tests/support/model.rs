//! The specification, with tombstones: which additions a replica has heard of, and which of them it has
//! heard to be removed. Both only grow, and a merge is their union.

use std::collections::{BTreeMap, BTreeSet};

use macula_crdt::{Actor, Dot, Value};

use super::{Key, Replica};

pub(crate) type Entries = BTreeMap<Dot<u8>, (Key, Value<u8>)>;

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) added: Entries,
    pub(crate) removed: BTreeSet<Dot<u8>>,
    /// The last incarnation that is over, and when this was said.
    pub(crate) retired: BTreeMap<u8, (u64, u64)>,
}

impl Model {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.added
            .extend(other.added.iter().map(|(dot, entry)| (*dot, entry.clone())));
        self.removed.extend(&other.removed);
        for (id, record) in &other.retired {
            let known = self.retired.entry(*id).or_default();
            *known = (*known).max(*record);
        }
    }

    pub(crate) fn is_retired(&self, actor: Actor<u8>) -> bool {
        self.retired.get(&actor.id) >= Some(&(actor.incarnation, 0))
    }

    fn is_live(&self, dot: &Dot<u8>) -> bool {
        !self.removed.contains(dot) && !self.is_retired(dot.actor)
    }

    /// The entries that are there.
    pub(crate) fn live(&self) -> Entries {
        let live = self.added.iter().filter(|(dot, _)| self.is_live(dot));
        live.map(|(dot, entry)| (*dot, entry.clone())).collect()
    }

    fn seen(&self, actor: Actor<u8>) -> BTreeSet<Dot<u8>> {
        let all = self.added.keys().chain(&self.removed);
        all.filter(|dot| dot.actor == actor).copied().collect()
    }

    fn live_of(&self, actor: Actor<u8>) -> BTreeSet<Dot<u8>> {
        self.live()
            .into_keys()
            .filter(|dot| dot.actor == actor)
            .collect()
    }

    /// What a delta for a peer says: additions that it has not seen, all removals, and news of
    /// who is retired. With `digest`
    /// nothing about actors on which both agree.
    pub(crate) fn since(&self, peer: &Self, digest: bool) -> Self {
        let mut since = Self::default();
        let news = |(id, record): &(&u8, &(u64, u64))| peer.retired.get(id) < Some(record);
        since.retired.extend(self.retired.iter().filter(news));
        let actors = self.added.keys().chain(&self.removed).map(|dot| dot.actor);
        for actor in actors.collect::<BTreeSet<_>>() {
            let theirs = peer.seen(actor);
            let agree = self.seen(actor) == theirs && self.live_of(actor) == peer.live_of(actor);
            if self.is_retired(actor) || peer.is_retired(actor) || (digest && agree) {
                continue;
            }
            let removed = self.removed.iter().filter(|dot| dot.actor == actor);
            since.removed.extend(removed);
            for (dot, entry) in self.added.iter().filter(|(dot, _)| dot.actor == actor) {
                if self.is_live(dot) && !theirs.contains(dot) {
                    since.added.insert(*dot, entry.clone());
                }
            }
        }
        since
    }
}

/// The entries of a replica, as it finds them by key.
pub(crate) fn entries(replica: &Replica) -> Entries {
    let mut entries = Entries::new();
    for key in replica.keys() {
        for (dot, value) in replica.get(key) {
            entries.insert(*dot, (*key, value.clone()));
        }
    }
    entries
}
