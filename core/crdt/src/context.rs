//! What a replica has seen, and a short proof of what it still has.

use std::collections::BTreeMap;

use crate::{
    actor::{Actor, Id},
    codec::{Codec, DecodeError, Reader, put_length},
    lane::mix,
    ranges::Ranges,
    retired::{Records, Retired},
};

/// All dots that a replica has seen, and the members that it knows as retired. A peer makes a delta
/// from it: [`State::delta_since`](crate::State::delta_since).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context<I> {
    pub(crate) seen: BTreeMap<Actor<I>, Ranges>,
    pub(crate) retired: Records<I>,
}

impl<I> Default for Context<I> {
    fn default() -> Self {
        Self {
            seen: BTreeMap::new(),
            retired: Records::default(),
        }
    }
}

/// A context, and for each actor a hash of the dots that are still there. Two replicas agree on an actor
/// if both are equal: the larger part of most comparisons.
///
/// The hash is a sum over dots that members name themselves: it finds accidents, and is no defence
/// against a member that wants to differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest<I> {
    pub(crate) lanes: BTreeMap<Actor<I>, Summary>,
    pub(crate) retired: Records<I>,
}

impl<I> Default for Digest<I> {
    fn default() -> Self {
        Self {
            lanes: BTreeMap::new(),
            retired: Records::default(),
        }
    }
}

/// What a digest says of one actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) seen: Ranges,
    pub(crate) hash: u64,
}

impl<I: Id> Context<I> {
    /// The counters that were seen of an actor.
    #[must_use]
    pub fn seen(&self, actor: &Actor<I>) -> Option<&Ranges> {
        self.seen.get(actor)
    }
}

impl<I: Id> Digest<I> {
    /// The counters that were seen of an actor.
    #[must_use]
    pub fn seen(&self, actor: &Actor<I>) -> Option<&Ranges> {
        self.lanes.get(actor).map(|summary| &summary.seen)
    }

    /// Each actor of which something was seen.
    pub fn actors(&self) -> impl Iterator<Item = &Actor<I>> {
        self.lanes.keys()
    }

    /// Each member that it knows as retired.
    pub fn retired(&self) -> impl Iterator<Item = (&I, &Retired)> {
        self.retired.0.iter()
    }

    /// The digest with one range an actor at most. It says that less was seen, so that whoever answers it
    /// tells more than is needed; that does no harm.
    #[must_use]
    pub fn floor(mut self) -> Self {
        self.lanes.retain(|_, summary| {
            summary.seen = summary.seen.take_front(1);
            summary.seen.contains(1)
        });
        self
    }

    /// A hash of all: equal if the replicas are.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        // FNV-1a (Fowler, Noll, Vo), spread: its own high bits depend on little.
        let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        mix(self.to_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold))
    }

    /// The context alone.
    #[must_use]
    pub fn context(&self) -> Context<I> {
        let seen = |(actor, summary): (&Actor<I>, &Summary)| (actor.clone(), summary.seen.clone());
        Context {
            seen: self.lanes.iter().map(seen).collect(),
            retired: self.retired.clone(),
        }
    }
}

impl<I: Id> Codec for Context<I> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.retired.encode(out);
        put_lanes(&self.seen, out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let retired = Records::decode(reader)?;
        let seen = read_lanes(reader, &retired)?;
        if seen.values().any(Ranges::is_empty) {
            return Err(DecodeError::Invalid("an actor with dots"));
        }
        Ok(Self { seen, retired })
    }
}

impl<I: Id> Codec for Digest<I> {
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

impl Codec for Summary {
    fn encode(&self, out: &mut Vec<u8>) {
        self.seen.encode(out);
        self.hash.to_le_bytes().encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let seen = Ranges::decode(reader)?;
        if seen.is_empty() {
            return Err(DecodeError::Invalid("an actor with dots"));
        }
        let hash = u64::from_le_bytes(Codec::decode(reader)?);
        Ok(Self { seen, hash })
    }
}

/// Writes something for each actor.
pub(crate) fn put_lanes<I: Id, T: Codec>(lanes: &BTreeMap<Actor<I>, T>, out: &mut Vec<u8>) {
    put_length(lanes.len(), out);
    for (actor, lane) in lanes {
        actor.encode(out);
        lane.encode(out);
    }
}

/// Reads something for each actor: they ascend, and none is retired.
pub(crate) fn read_lanes<I: Id, T: Codec>(
    reader: &mut Reader<'_>,
    retired: &Records<I>,
) -> Result<BTreeMap<Actor<I>, T>, DecodeError> {
    let mut lanes = BTreeMap::<Actor<I>, T>::new();
    for _ in 0..reader.items()? {
        let actor = Actor::decode(reader)?;
        if lanes
            .last_key_value()
            .is_some_and(|(last, _)| *last >= actor)
        {
            return Err(DecodeError::Invalid("actors in ascending order"));
        }
        if retired.check(&actor).is_err() {
            return Err(DecodeError::Invalid("actors that are not retired"));
        }
        lanes.insert(actor, T::decode(reader)?);
    }
    Ok(lanes)
}
