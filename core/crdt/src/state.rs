//! One replica.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    actor::{Actor, Dot, Id},
    changes::Changes,
    context::{Context, Digest, Summary},
    delta::Delta,
    hlc::Time,
    lane::{Entry, Lane},
    ranges::Ranges,
    retired::{IsRetired, Records, Retired},
};

/// A replica: entries under one causal context, found by key. [`OrSet`](crate::OrSet) and
/// [`Map`](crate::Map) are states whose entries mean something.
#[derive(Clone)]
pub struct State<I, K, V> {
    all: Delta<I, K, V>,
    /// The dots of each key's entries.
    keys: BTreeMap<Arc<K>, Vec<Dot<I>>>,
    len: usize,
}

impl<I, K, V> Default for State<I, K, V> {
    fn default() -> Self {
        Self {
            all: Delta::default(),
            keys: BTreeMap::new(),
            len: 0,
        }
    }
}

/// Two replicas are equal when they have seen the same and hold the same.
impl<I: Id, K: PartialEq, V: PartialEq> PartialEq for State<I, K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl<I: Id, K: Eq, V: Eq> Eq for State<I, K, V> {}

impl<I: fmt::Debug, K, V> fmt::Debug for State<I, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}

impl<I: Id, K: Ord + Clone, V: Clone> State<I, K, V> {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the key has an entry.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.keys.contains_key(key)
    }

    /// Each key that has an entry, ascending.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.keys.keys().map(|key| &**key)
    }

    /// The entries of a key: more than one where replicas have changed it without knowing of each other.
    pub fn get(&self, key: &K) -> impl Iterator<Item = (&Dot<I>, &V)> {
        let dots = self.keys.get(key).into_iter().flatten();
        dots.filter_map(|dot| {
            let entry = self.all.lanes.get(&dot.actor)?.live.get(&dot.counter)?;
            Some((dot, &entry.value))
        })
    }

    /// Each entry of an actor, in the order in which it has added them.
    pub fn entries_of(&self, actor: &Actor<I>) -> impl Iterator<Item = &Entry<K, V>> {
        let lane = self.all.lanes.get(actor).into_iter();
        lane.flat_map(|lane| lane.live.values())
    }

    /// Each entry, by actor.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<K, V>> {
        self.all.entries()
    }

    /// Each actor of which something was seen, and how many ranges its context takes.
    pub fn actors(&self) -> impl Iterator<Item = (&Actor<I>, usize)> {
        let lanes = self.all.lanes.iter();
        lanes.map(|(actor, lane)| (actor, lane.seen.len()))
    }

    /// The counters that were seen of an actor.
    #[must_use]
    pub fn seen(&self, actor: &Actor<I>) -> Option<&Ranges> {
        self.all.seen(actor)
    }

    /// The record of a member that is retired.
    #[must_use]
    pub fn retired(&self, id: &I) -> Option<Retired> {
        self.all.retired.0.get(id).copied()
    }

    /// How many members there are records of.
    #[must_use]
    pub fn retired_count(&self) -> usize {
        self.all.retired.0.len()
    }

    /// Whether the actor is retired.
    #[must_use]
    pub fn is_retired(&self, actor: &Actor<I>) -> bool {
        self.all.retired.check(actor).is_err()
    }

    /// Puts an entry in, in place of others. Returns what to tell the others.
    pub(crate) fn put(
        &mut self,
        actor: &Actor<I>,
        key: K,
        value: V,
        replaced: &[Dot<I>],
    ) -> Result<Delta<I, K, V>, IsRetired> {
        self.all.retired.check(actor)?;
        let counter = self.seen(actor).map_or(0, Ranges::last) + 1;
        let mut delta = self.drop_dots(replaced);
        let known = self.keys.get_key_value(&key);
        let key = known.map_or_else(|| Arc::new(key), |(key, _)| key.clone());
        let entry = Entry { key, value };
        let dot = Dot {
            actor: actor.clone(),
            counter,
        };
        self.index(&dot, &entry.key);
        for part in [&mut self.all, &mut delta] {
            let lane = part.lanes.entry(actor.clone()).or_default();
            lane.insert(counter, entry.clone());
        }
        Ok(delta)
    }

    /// Takes entries out. Returns what to tell the others.
    pub(crate) fn drop_dots(&mut self, dots: &[Dot<I>]) -> Delta<I, K, V> {
        let mut delta = Delta::default();
        for dot in dots {
            let Some(lane) = self.all.lanes.get_mut(&dot.actor) else {
                continue;
            };
            if let Some(entry) = lane.remove(dot.counter) {
                self.unindex(dot, &entry.key);
                let lane: &mut Lane<K, V> = delta.lanes.entry(dot.actor.clone()).or_default();
                lane.seen.insert(dot.counter);
            }
        }
        delta
    }

    /// Joins what another replica says. Tells which entries came and went.
    pub fn merge(&mut self, delta: Delta<I, K, V>) -> Changes<I, K, V> {
        let changes = self.all.join(delta);
        self.follow(&changes);
        changes
    }

    /// Parts what a delta says of some members into what may be merged, and what would end something: removals and
    /// retirements that are news here. The second part has no entries. Each lane of the first names the dots of its
    /// entries only, where the second has the rest.
    #[must_use]
    pub fn part_ends(
        &self,
        mut delta: Delta<I, K, V>,
        of: impl Fn(&I) -> bool,
    ) -> (Delta<I, K, V>, Delta<I, K, V>) {
        let mut ends = Delta::default();
        let records = delta.retired.beyond(&self.all.retired);
        for (id, record) in records.0.into_iter().filter(|(id, _)| of(id)) {
            delta.retired.0.remove(&id);
            ends.retired.0.insert(id, record);
        }
        for (actor, lane) in &mut delta.lanes {
            if !of(&actor.id) || self.is_retired(actor) {
                continue;
            }
            let ended = lane.removed();
            if ended.is_empty() {
                continue;
            }
            let known = self.all.lanes.get(actor).map(Lane::removed);
            if !known.unwrap_or_default().covers(&ended) {
                lane.seen = lane.live.keys().copied().collect();
                let lane = Lane {
                    seen: ended,
                    ..Lane::default()
                };
                ends.lanes.insert(actor.clone(), lane);
            }
        }
        delta.lanes.retain(|_, lane| !lane.seen.is_empty());
        (delta, ends)
    }

    /// Brings the index up to date.
    fn follow(&mut self, changes: &Changes<I, K, V>) {
        for change in &changes.removed {
            self.unindex(&change.dot, &change.entry.key);
        }
        for change in &changes.added {
            self.index(&change.dot, &change.entry.key);
        }
    }

    fn index(&mut self, dot: &Dot<I>, key: &Arc<K>) {
        self.len += 1;
        self.keys.entry(key.clone()).or_default().push(dot.clone());
    }

    fn unindex(&mut self, dot: &Dot<I>, key: &K) {
        self.len -= 1;
        let Some(dots) = self.keys.get_mut(key) else {
            return;
        };
        dots.retain(|other| other != dot);
        if dots.is_empty() {
            self.keys.remove(key);
        }
    }

    /// Everything that was seen.
    #[must_use]
    pub fn context(&self) -> Context<I> {
        let lanes = self.all.lanes.iter();
        Context {
            seen: lanes
                .map(|(actor, lane)| (actor.clone(), lane.seen.clone()))
                .collect(),
            retired: self.all.retired.clone(),
        }
    }

    /// Everything that was seen, and a hash of what is there.
    #[must_use]
    pub fn digest(&self) -> Digest<I> {
        let summary = |lane: &Lane<K, V>| Summary {
            seen: lane.seen.clone(),
            hash: lane.hash,
        };
        let lanes = self.all.lanes.iter();
        Digest {
            lanes: lanes
                .map(|(actor, lane)| (actor.clone(), summary(lane)))
                .collect(),
            retired: self.all.retired.clone(),
        }
    }

    /// The whole state as a delta, to send or to store.
    #[must_use]
    pub fn whole(&self) -> Delta<I, K, V> {
        self.all.clone()
    }

    /// What was seen of one member: its lanes, and whether it is retired.
    #[must_use]
    pub fn of_member(&self, id: &I) -> Delta<I, K, V> {
        self.all.of_member(id)
    }

    /// What a replica with this context misses. It has the entries that the other has not seen, and
    /// names each dot that was removed, since a context does not tell which removals are known.
    #[must_use]
    pub fn delta_since(&self, context: &Context<I>) -> Delta<I, K, V> {
        let since = |actor: &Actor<I>, lane: &Lane<K, V>| lane.since(context.seen.get(actor));
        self.delta(&context.retired, since)
    }

    /// What a replica with this digest misses. Actors on which both agree are left out.
    #[must_use]
    pub fn delta_for(&self, digest: &Digest<I>) -> Delta<I, K, V> {
        let since = |actor: &Actor<I>, lane: &Lane<K, V>| match digest.lanes.get(actor) {
            Some(theirs) if theirs.hash == lane.hash && theirs.seen == lane.seen => Lane::default(),
            theirs => lane.since(theirs.map(|theirs| &theirs.seen)),
        };
        self.delta(&digest.retired, since)
    }

    /// Whether a replica with this digest may have something to tell this one.
    #[must_use]
    pub fn lacks(&self, digest: &Digest<I>) -> bool {
        let news = digest.lanes.iter().any(|(actor, theirs)| {
            let lane = self.all.lanes.get(actor);
            !self.is_retired(actor)
                && lane.is_none_or(|ours| {
                    let removed = ours.seen == theirs.seen && ours.hash != theirs.hash;
                    removed || !ours.seen.covers(&theirs.seen)
                })
        });
        news || !digest.retired.beyond(&self.all.retired).0.is_empty()
    }

    fn delta(
        &self,
        retired: &Records<I>,
        since: impl Fn(&Actor<I>, &Lane<K, V>) -> Lane<K, V>,
    ) -> Delta<I, K, V> {
        let open = self
            .all
            .lanes
            .iter()
            .filter(|(actor, _)| retired.check(actor).is_ok());
        let lanes = open.map(|(actor, lane)| (actor.clone(), since(actor, lane)));
        Delta {
            lanes: lanes.filter(|(_, lane)| !lane.seen.is_empty()).collect(),
            retired: self.all.retired.beyond(retired),
        }
    }

    /// Takes a member out for good: its actors up to this incarnation, their entries, and their context.
    /// What the member itself has removed stays removed. Returns what to tell the others, and what went.
    ///
    /// The record keeps deltas that are still under way from bringing the entries back. It stays until
    /// [`expire_retired`](Self::expire_retired).
    pub fn retire(
        &mut self,
        id: &I,
        incarnation: u64,
        since: Time,
    ) -> (Delta<I, K, V>, Changes<I, K, V>) {
        let (mut delta, mut changes) = (Delta::default(), Changes::default());
        let record = Retired { incarnation, since };
        let known = self
            .retired(id)
            .is_some_and(|known| known.incarnation >= incarnation);
        if !known && self.all.retire(id, record, &mut changes) {
            self.follow(&changes);
            delta.retired.join(id, record);
        }
        (delta, changes)
    }

    /// Forgets the records made before this time; how many. It must be so long ago that every replica
    /// that is still in has heard of them and no older delta is under way: what comes after is taken in.
    /// Since records carry their time, all replicas forget them at the same time.
    pub fn expire_retired(&mut self, before: Time) -> usize {
        let records = &mut self.all.retired.0;
        let count = records.len();
        records.retain(|_, record| record.since >= before);
        count - records.len()
    }
}
