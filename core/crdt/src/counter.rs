//! Counters on their own, without a causal context: each actor's part only grows.

use std::collections::BTreeMap;

use crate::{
    actor::Id,
    codec::{Codec, DecodeError, Reader, put_length},
};

/// A counter that only grows: each actor counts its own part, and a merge takes the larger of each
/// (Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", 2011).
/// A delta is a counter too, with the parts that have changed.
///
/// A part stays for ever, since a sum without it would fall. Where actors come and go, count in a
/// [`Map`](crate::Map), in which a retired actor's part goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GCounter<A>(BTreeMap<A, u64>);

impl<A> Default for GCounter<A> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<A: Id> GCounter<A> {
    /// Counts so many more; at 2^64 the part stays where it is. Returns what to tell the others.
    pub fn increase(&mut self, actor: &A, by: u64) -> Self {
        if by == 0 {
            return Self::default();
        }
        let part = self.0.entry(actor.clone()).or_default();
        *part = part.saturating_add(by);
        Self(BTreeMap::from([(actor.clone(), *part)]))
    }

    /// The sum of all parts.
    #[must_use]
    pub fn value(&self) -> u128 {
        self.0.values().map(|part| u128::from(*part)).sum()
    }

    /// Takes the larger of each part.
    pub fn merge(&mut self, other: &Self) {
        for (actor, theirs) in &other.0 {
            let ours = self.0.entry(actor.clone()).or_default();
            *ours = (*ours).max(*theirs);
        }
    }

    /// The parts that are larger here than there. A counter is its own context.
    #[must_use]
    pub fn delta_since(&self, other: &Self) -> Self {
        let larger = |(actor, ours): &(&A, &u64)| other.0.get(actor) < Some(ours);
        let larger = self.0.iter().filter(larger);
        Self(larger.map(|(actor, part)| (actor.clone(), *part)).collect())
    }
}

impl<A: Id> Codec for GCounter<A> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_length(self.0.len(), out);
        for (actor, part) in &self.0 {
            actor.encode(out);
            part.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut parts = BTreeMap::<A, u64>::new();
        for _ in 0..reader.items()? {
            let actor = A::decode(reader)?;
            if parts
                .last_key_value()
                .is_some_and(|(last, _)| *last >= actor)
            {
                return Err(DecodeError::Invalid("actors in ascending order"));
            }
            match u64::decode(reader)? {
                0 => return Err(DecodeError::Invalid("a part above 0")),
                part => parts.insert(actor, part),
            };
        }
        Ok(Self(parts))
    }
}

/// A counter that grows and shrinks: one that counts up, one that counts down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PnCounter<A> {
    up: GCounter<A>,
    down: GCounter<A>,
}

impl<A> Default for PnCounter<A> {
    fn default() -> Self {
        Self {
            up: GCounter::default(),
            down: GCounter::default(),
        }
    }
}

impl<A: Id> PnCounter<A> {
    /// Counts so many more. Returns what to tell the others.
    pub fn increase(&mut self, actor: &A, by: u64) -> Self {
        Self {
            up: self.up.increase(actor, by),
            down: GCounter::default(),
        }
    }

    /// Counts so many less. Returns what to tell the others.
    pub fn decrease(&mut self, actor: &A, by: u64) -> Self {
        Self {
            up: GCounter::default(),
            down: self.down.increase(actor, by),
        }
    }

    /// What was added less what was taken.
    #[must_use]
    pub fn value(&self) -> i128 {
        // Each sum is below 2^127: 2^63 actors do not fit into memory.
        self.up.value() as i128 - self.down.value() as i128
    }

    /// Takes the larger of each part.
    pub fn merge(&mut self, other: &Self) {
        self.up.merge(&other.up);
        self.down.merge(&other.down);
    }

    /// The parts that are larger here than there. A counter is its own context.
    #[must_use]
    pub fn delta_since(&self, other: &Self) -> Self {
        Self {
            up: self.up.delta_since(&other.up),
            down: self.down.delta_since(&other.down),
        }
    }
}

impl<A: Id> Codec for PnCounter<A> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.up.encode(out);
        self.down.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            up: GCounter::decode(reader)?,
            down: GCounter::decode(reader)?,
        })
    }
}
