//! A part of a state: what travels between replicas.

mod split;

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use crate::{
    actor::{Actor, Dot, Id},
    changes::{Change, Changes},
    codec::{Codec, DecodeError, Reader},
    context::{put_lanes, read_lanes},
    hlc::Time,
    lane::{Entry, Lane},
    ranges::Ranges,
    retired::{Records, Retired},
};

/// Entries, and the dots that they say something about: those of the entries, and those that were
/// removed. A delta is a state of its own, so that it can be joined to any state and to any other delta,
/// in any order and any number of times. The largest delta is the whole state.
#[derive(Clone, PartialEq, Eq)]
pub struct Delta<I, K, V> {
    pub(crate) lanes: BTreeMap<Actor<I>, Lane<K, V>>,
    pub(crate) retired: Records<I>,
}

impl<I, K, V> Default for Delta<I, K, V> {
    fn default() -> Self {
        Self {
            lanes: BTreeMap::new(),
            retired: Records::default(),
        }
    }
}

impl<I: fmt::Debug, K, V> fmt::Debug for Delta<I, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delta(retired {:?}", self.retired.0)?;
        for (actor, lane) in &self.lanes {
            let live: Vec<_> = lane.live.keys().collect();
            let Actor { id, incarnation } = actor;
            write!(f, ", {id:?}.{incarnation}: {live:?} of {:?}", lane.seen)?;
        }
        f.write_str(")")
    }
}

impl<I: Id, K, V> Delta<I, K, V> {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.retired.0.is_empty()
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.live.len()).sum()
    }

    /// The counters of an actor that it says something about.
    #[must_use]
    pub fn seen(&self, actor: &Actor<I>) -> Option<&Ranges> {
        self.lanes.get(actor).map(|lane| &lane.seen)
    }

    /// Each actor that it says something about.
    pub fn actors(&self) -> impl Iterator<Item = &Actor<I>> {
        self.lanes.keys()
    }

    /// Each member that it knows as retired.
    pub fn retired(&self) -> impl Iterator<Item = (&I, &Retired)> {
        self.retired.0.iter()
    }

    /// Without what it says of a member being retired.
    #[must_use]
    pub fn without_record(mut self, id: &I) -> Self {
        self.retired.0.remove(id);
        self
    }

    /// What it says of each member.
    pub fn by_member(self) -> impl Iterator<Item = (I, Self)> {
        let mut parts = BTreeMap::<I, Self>::new();
        for (id, record) in self.retired.0 {
            let part = parts.entry(id.clone()).or_default();
            part.retired.0.insert(id, record);
        }
        for (actor, lane) in self.lanes {
            let part = parts.entry(actor.id.clone()).or_default();
            part.lanes.insert(actor, lane);
        }
        parts.into_iter()
    }

    /// Each entry.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<K, V>> {
        self.lanes.values().flat_map(|lane| lane.live.values())
    }

    /// The latest time in its records of retired members.
    pub(crate) fn latest_retired(&self) -> Option<Time> {
        self.retired.0.values().map(|record| record.since).max()
    }
}

impl<I: Id, K: Clone, V: Clone> Delta<I, K, V> {
    /// What it says of one member.
    #[must_use]
    pub fn of_member(&self, id: &I) -> Self {
        let lanes = self.lanes.range(lives(id, u64::MAX));
        let lanes = lanes.map(|(actor, lane)| (actor.clone(), lane.clone()));
        let record = self.retired.0.get_key_value(id);
        let record = record.map(|(id, record)| (id.clone(), *record));
        Self {
            lanes: lanes.collect(),
            retired: Records(record.into_iter().collect()),
        }
    }

    /// Joins another delta to this one; tells which entries came and went.
    pub fn join(&mut self, other: Self) -> Changes<I, K, V> {
        let mut changes = Changes::default();
        for (id, record) in &other.retired.0 {
            self.retire(id, *record, &mut changes);
        }
        for (actor, theirs) in other.lanes {
            if self.retired.check(&actor).is_err() {
                continue;
            }
            let change = |counter, entry| Change {
                dot: Dot {
                    actor: actor.clone(),
                    counter,
                },
                entry,
            };
            self.lanes.entry(actor.clone()).or_default().join(
                theirs,
                |counter, entry| changes.removed.push(change(counter, entry)),
                |counter, entry| changes.added.push(change(counter, entry.clone())),
            );
        }
        changes
    }

    /// Takes in that a member is retired: its actors' entries and contexts go. True if that was new.
    pub(crate) fn retire(
        &mut self,
        id: &I,
        record: Retired,
        changes: &mut Changes<I, K, V>,
    ) -> bool {
        if !self.retired.join(id, record) {
            return false;
        }
        let gone = self.lanes.range(lives(id, record.incarnation));
        let gone: Vec<_> = gone.map(|(actor, _)| actor.clone()).collect();
        for actor in gone {
            let lane = self.lanes.remove(&actor).unwrap_or_default();
            let removed = lane.live.into_iter().map(|(counter, entry)| Change {
                dot: Dot {
                    actor: actor.clone(),
                    counter,
                },
                entry,
            });
            changes.removed.extend(removed);
        }
        true
    }
}

/// A member's lives up to this one.
fn lives<I: Id>(id: &I, last: u64) -> RangeInclusive<Actor<I>> {
    let actor = |incarnation| Actor {
        id: id.clone(),
        incarnation,
    };
    actor(0)..=actor(last)
}

impl<I: Id, K: Codec, V: Codec> Codec for Delta<I, K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.retired.encode(out);
        put_lanes(&self.lanes, out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let retired = Records::decode(reader)?;
        let lanes = read_lanes(reader, &retired)?;
        Ok(Self { lanes, retired })
    }
}
