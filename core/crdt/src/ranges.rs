//! Sets of counters, as ranges.
//!
//! A causal context is a version vector and a cloud of dots beyond it. As ranges both are one: the range
//! that begins at 1 is the actor's place in the version vector, the others are the cloud, compressed.

use crate::{
    actor::MAX_COUNTER,
    codec::{Codec, DecodeError, Reader, put_length},
};

/// A set of counters: ascending ranges, both ends included, with a gap between any two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// The set of one counter.
    #[must_use]
    pub fn one(counter: u64) -> Self {
        Self(vec![(counter, counter)])
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many ranges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each range, ascending, both ends included.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    /// The largest counter; 0 if there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.0.last().map_or(0, |range| range.1)
    }

    /// Whether the counter is in the set.
    #[must_use]
    pub fn contains(&self, counter: u64) -> bool {
        let after = self.0.partition_point(|range| range.0 <= counter);
        after > 0 && self.0[after - 1].1 >= counter
    }

    /// Whether all counters from one to another, both included, are in the set. None are if the first is the larger.
    #[must_use]
    pub fn spans(&self, first: u64, last: u64) -> bool {
        let after = self.0.partition_point(|range| range.0 <= first);
        first > last || (after > 0 && self.0[after - 1].1 >= last)
    }

    /// Whether all counters of the other set are in this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|(first, last)| self.spans(first, last))
    }

    /// Puts a counter in.
    pub fn insert(&mut self, counter: u64) {
        self.push_or_join(counter, counter);
    }

    /// Appends counters in the common case, joins the sets else.
    fn push_or_join(&mut self, first: u64, last: u64) {
        match self.0.last_mut() {
            Some(end) if end.0 > first => self.join(&Self(vec![(first, last)])),
            Some(end) if end.1 + 1 >= first => end.1 = end.1.max(last),
            _ => self.0.push((first, last)),
        }
    }

    /// Puts all counters of the other set in.
    pub fn join(&mut self, other: &Self) {
        match (self.0.last(), other.0.as_slice()) {
            (_, []) => {}
            (Some(end), [one]) if end.0 <= one.0 => self.push_or_join(one.0, one.1),
            (None, all) => self.0.extend_from_slice(all),
            _ => self.0 = Self::joined(&self.0, &other.0),
        }
    }

    fn joined<'a>(mut a: &'a [(u64, u64)], mut b: &'a [(u64, u64)]) -> Vec<(u64, u64)> {
        let mut all = Self(Vec::with_capacity(a.len() + b.len()));
        loop {
            let next = match (a, b) {
                ([x, ..], [y, ..]) if x.0 <= y.0 => &mut a,
                ([_, ..], []) => &mut a,
                (_, [_, ..]) => &mut b,
                ([], []) => return all.0,
            };
            let (first, last) = next[0];
            *next = &next[1..];
            all.push_or_join(first, last);
        }
    }

    /// The set without one counter after another; they ascend.
    pub(crate) fn without(&self, counters: impl Iterator<Item = u64>) -> Self {
        let mut left = Vec::new();
        let mut ranges = self.0.iter().copied();
        let mut current = ranges.next();
        for counter in counters {
            while let Some(range) = current.filter(|range| range.1 < counter) {
                left.push(range);
                current = ranges.next();
            }
            let Some((first, last)) = current.filter(|range| range.0 <= counter) else {
                continue;
            };
            if first < counter {
                left.push((first, counter - 1));
            }
            current = if counter < last {
                Some((counter + 1, last))
            } else {
                ranges.next()
            };
        }
        left.extend(current);
        left.extend(ranges);
        Self(left)
    }

    /// The counters that are not in the set, as ranges.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        let ends = self.iter().map(|(first, _)| first - 1).chain([u64::MAX]);
        let starts = [1].into_iter().chain(self.iter().map(|(_, last)| last + 1));
        starts.zip(ends).filter(|(first, last)| first <= last)
    }

    /// Takes ranges from the front, at most so many.
    pub(crate) fn take_front(&mut self, count: usize) -> Self {
        let rest = self.0.split_off(count.min(self.0.len()));
        Self(std::mem::replace(&mut self.0, rest))
    }
}

impl FromIterator<u64> for Ranges {
    fn from_iter<T: IntoIterator<Item = u64>>(counters: T) -> Self {
        let mut all = Self::default();
        counters.into_iter().for_each(|counter| all.insert(counter));
        all
    }
}

/// Each range as its distance from the one before and its length, both less the least they can be.
impl Codec for Ranges {
    fn encode(&self, out: &mut Vec<u8>) {
        put_length(self.0.len(), out);
        let mut least = 1;
        for (first, last) in self.iter() {
            (first - least).encode(out);
            (last - first).encode(out);
            least = last + 2;
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.ranges()?;
        let mut ranges = Vec::with_capacity(count);
        let mut least = 1_u64;
        for _ in 0..count {
            let first = least.saturating_add(u64::decode(reader)?);
            let last = first.saturating_add(u64::decode(reader)?);
            if last > MAX_COUNTER {
                return Err(DecodeError::Invalid("counters up to 2^48"));
            }
            ranges.push((first, last));
            least = last + 2;
        }
        Ok(Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;
    use crate::codec::Limits;

    fn counters() -> impl Strategy<Value = BTreeSet<u64>> {
        btree_set(1..40_u64, 0..30)
    }

    fn set(ranges: &Ranges) -> BTreeSet<u64> {
        let all: Vec<_> = ranges.iter().collect();
        assert!(all.iter().all(|range| range.0 <= range.1));
        assert!(all.windows(2).all(|two| two[0].1 + 1 < two[1].0), "{all:?}");
        ranges
            .iter()
            .flat_map(|(first, last)| first..=last)
            .collect()
    }

    proptest! {
        #[test]
        fn ranges_are_a_set(a in counters(), b in counters()) {
            let (x, y): (Ranges, Ranges) = (a.iter().copied().collect(), b.iter().copied().rev().collect());
            prop_assert_eq!(&set(&x), &a);
            prop_assert_eq!(&set(&y), &b);
            let mut both = x.clone();
            both.join(&y);
            prop_assert_eq!(set(&both), &a | &b);
            prop_assert_eq!(set(&x.without(b.iter().copied())), &a - &b);
            prop_assert_eq!(x.covers(&y), a.is_superset(&b));
            prop_assert!((0..42).all(|counter| x.contains(counter) == a.contains(&counter)));
            let all = |first: u64, last| (first..=last).all(|counter| a.contains(&counter));
            let spans = |first| (0..42).all(|last| x.spans(first, last) == all(first, last));
            prop_assert!((0..42).all(spans));
            prop_assert_eq!(x.last(), a.last().copied().unwrap_or(0));
            prop_assert_eq!(Ranges::from_bytes(&x.to_bytes(), &Limits::default()), Ok(x));
        }
    }
}
