//! What is known of one actor's additions.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    codec::{Codec, DecodeError, Reader, put_length},
    ranges::Ranges,
};

/// What one dot stands for. It never changes: another value is another dot.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry<K, V> {
    /// Where it is found.
    pub key: Arc<K>,
    /// What it says.
    pub value: V,
}

/// One actor's dots: those that were seen, and what stands behind those that are still there. A dot
/// that was seen and is not there any more was removed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lane<K, V> {
    pub(crate) seen: Ranges,
    pub(crate) live: BTreeMap<u64, Entry<K, V>>,
    /// The sum of a hash of each live counter, so that it follows each change at once.
    pub(crate) hash: u64,
}

impl<K, V> Default for Lane<K, V> {
    fn default() -> Self {
        Self {
            seen: Ranges::default(),
            live: BTreeMap::new(),
            hash: 0,
        }
    }
}

/// The key is shared, whatever it is.
impl<K, V: Clone> Clone for Entry<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

impl<K, V: Clone> Clone for Lane<K, V> {
    fn clone(&self) -> Self {
        Self {
            seen: self.seen.clone(),
            live: self.live.clone(),
            hash: self.hash,
        }
    }
}

impl<K, V> Lane<K, V> {
    /// Puts in an entry that was not seen before.
    pub(crate) fn insert(&mut self, counter: u64, entry: Entry<K, V>) {
        self.seen.insert(counter);
        self.live.insert(counter, entry);
        self.hash = self.hash.wrapping_add(mix(counter));
    }

    /// Takes an entry out; it stays seen.
    pub(crate) fn remove(&mut self, counter: u64) -> Option<Entry<K, V>> {
        let entry = self.live.remove(&counter)?;
        self.hash = self.hash.wrapping_sub(mix(counter));
        Some(entry)
    }

    /// The dots that were seen and are not there any more.
    pub(crate) fn removed(&self) -> Ranges {
        self.seen.without(self.live.keys().copied())
    }

    /// The join of two causal states: what only one side has stays if the other has not seen it.
    pub(crate) fn join(
        &mut self,
        other: Self,
        mut removed: impl FnMut(u64, Entry<K, V>),
        mut added: impl FnMut(u64, &Entry<K, V>),
    ) {
        let mut gone = Vec::new();
        for (first, last) in other.seen.iter() {
            let here = self.live.range(first..=last).map(|(counter, _)| *counter);
            gone.extend(here.filter(|counter| !other.live.contains_key(counter)));
        }
        for counter in gone {
            if let Some(entry) = self.remove(counter) {
                removed(counter, entry);
            }
        }
        for (counter, entry) in other.live {
            if !self.seen.contains(counter) {
                added(counter, &entry);
                self.live.insert(counter, entry);
                self.hash = self.hash.wrapping_add(mix(counter));
            }
        }
        self.seen.join(&other.seen);
    }
}

impl<K, V: Clone> Lane<K, V> {
    /// What somebody misses who has seen just this: entries that it has not seen, and all removals.
    pub(crate) fn since(&self, seen: Option<&Ranges>) -> Self {
        let Some(seen) = seen else {
            return self.clone();
        };
        let mut since = Self::default();
        for (first, last) in seen.gaps() {
            for (counter, entry) in self.live.range(first..=last) {
                since.insert(*counter, entry.clone());
            }
        }
        let known = self
            .live
            .keys()
            .copied()
            .filter(|counter| !since.live.contains_key(counter));
        since.seen = self.seen.without(known);
        since
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, 2014).
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl<K: Codec, V: Codec> Codec for Lane<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.seen.encode(out);
        put_length(self.live.len(), out);
        let mut least = 1;
        for (counter, entry) in &self.live {
            (counter - least).encode(out);
            entry.key.encode(out);
            entry.value.encode(out);
            least = counter + 1;
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut lane = Self {
            seen: Ranges::decode(reader)?,
            ..Self::default()
        };
        if lane.seen.is_empty() {
            return Err(DecodeError::Invalid("an actor with dots"));
        }
        let mut least = 1_u64;
        for _ in 0..reader.items()? {
            let counter = least.saturating_add(u64::decode(reader)?);
            if !lane.seen.contains(counter) {
                return Err(DecodeError::Invalid("entries with dots of the context"));
            }
            let key = Arc::new(K::decode(reader)?);
            let value = V::decode(reader)?;
            lane.live.insert(counter, Entry { key, value });
            lane.hash = lane.hash.wrapping_add(mix(counter));
            least = counter + 1;
        }
        Ok(lane)
    }
}
