//! A map whose values are replicated data types, all under one causal context.

use std::collections::BTreeSet;

use crate::{
    actor::{Actor, Dot, Id},
    codec::{Codec, DecodeError, Reader},
    delta::Delta,
    hlc::Time,
    retired::IsRetired,
    state::State,
};

/// One entry of a [`Map`]. The entries of a key that are of one kind are together one data type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<T> {
    /// A member of the key's set.
    Member(T),
    /// What somebody wrote into the key's register.
    Written {
        /// When; the latest is read.
        time: Time,
        /// What.
        value: T,
    },
    /// What one actor has added to the key's counter and taken from it.
    Counted {
        /// Added.
        up: u64,
        /// Taken.
        down: u64,
    },
}

/// Keys that each have an OR-Set, an LWW-Register and a counter, empty at first. One context serves all,
/// so that a key that was removed costs nothing.
pub type Map<I, K, T> = State<I, K, Value<T>>;

impl<I: Id, K: Ord + Clone, T: Ord + Clone> State<I, K, Value<T>> {
    /// Adds a member to the set of a key, also if it is there. Adding wins over a removal that did not
    /// know of it. Returns what to tell the others.
    ///
    /// # Errors
    /// [`IsRetired`] when the actor is.
    pub fn add(&mut self, actor: &Actor<I>, key: K, member: T) -> Put<I, K, T> {
        let replaced = self.dots(
            &key,
            |_, value| matches!(value, Value::Member(m) if *m == member),
        );
        self.put(actor, key, Value::Member(member), &replaced)
    }

    /// Removes a member from the set of a key. Returns what to tell the others.
    pub fn remove(&mut self, key: &K, member: &T) -> Delta<I, K, Value<T>> {
        let dots = self.dots(
            key,
            |_, value| matches!(value, Value::Member(m) if m == member),
        );
        self.drop_dots(&dots)
    }

    /// The members of the set of a key.
    #[must_use]
    pub fn members(&self, key: &K) -> BTreeSet<&T> {
        let found = self.get(key).filter_map(|(_, value)| match value {
            Value::Member(member) => Some(member),
            _ => None,
        });
        found.collect()
    }

    /// Writes the register of a key, in place of all that was written there before. Returns what to tell
    /// the others. The time should be later than that of [`read`](Self::read), as a
    /// [`Clock`](crate::Clock) makes it that has observed it.
    ///
    /// # Errors
    /// [`IsRetired`] when the actor is.
    pub fn write(&mut self, actor: &Actor<I>, key: K, time: Time, value: T) -> Put<I, K, T> {
        let replaced = self.dots(&key, |_, value| matches!(value, Value::Written { .. }));
        self.put(actor, key, Value::Written { time, value }, &replaced)
    }

    /// What was written last into the register of a key, and when. Of two at the same time, that of the
    /// larger actor counts.
    #[must_use]
    pub fn read(&self, key: &K) -> Option<(Time, &T)> {
        let written = self.get(key).filter_map(|(dot, value)| match value {
            Value::Written { time, value } => Some((*time, dot, value)),
            _ => None,
        });
        let last = written.max_by_key(|(time, dot, _)| (*time, *dot));
        last.map(|(time, _, value)| (time, value))
    }

    /// Adds to the counter of a key; `down` takes from it. Returns what to tell the others.
    ///
    /// A removal of the key takes what it knows of. An actor that counts without knowing of the removal
    /// brings back all that it has counted, and what a retired actor has counted goes with it.
    ///
    /// # Errors
    /// [`IsRetired`] when the actor is.
    pub fn count(&mut self, actor: &Actor<I>, key: K, up: u64, down: u64) -> Put<I, K, T> {
        let own = |dot: &Dot<I>, value: &Value<T>| {
            dot.actor == *actor && matches!(value, Value::Counted { .. })
        };
        let replaced = self.dots(&key, own);
        let (mut ups, mut downs) = (up, down);
        for (dot, value) in self.get(&key) {
            if let (true, Value::Counted { up, down }) = (own(dot, value), value) {
                ups = ups.saturating_add(*up);
                downs = downs.saturating_add(*down);
            }
        }
        let value = Value::Counted {
            up: ups,
            down: downs,
        };
        self.put(actor, key, value, &replaced)
    }

    /// The counter of a key.
    #[must_use]
    pub fn counted(&self, key: &K) -> i128 {
        let one = |(_, value): (_, &Value<T>)| match value {
            Value::Counted { up, down } => i128::from(*up) - i128::from(*down),
            _ => 0,
        };
        self.get(key).map(one).sum()
    }

    /// Removes all that is known of a key. Returns what to tell the others.
    pub fn remove_key(&mut self, key: &K) -> Delta<I, K, Value<T>> {
        self.drop_dots(&self.dots(key, |_, _| true))
    }

    fn dots(&self, key: &K, of: impl Fn(&Dot<I>, &Value<T>) -> bool) -> Vec<Dot<I>> {
        let found = self.get(key).filter(|(dot, value)| of(dot, value));
        found.map(|(dot, _)| dot.clone()).collect()
    }
}

/// What adding to a map gives: a delta for the others.
pub(crate) type Put<I, K, T> = Result<Delta<I, K, Value<T>>, IsRetired>;

impl<I: Id, K, T> Delta<I, K, Value<T>> {
    /// The latest time that it names. Whoever takes it from outside checks that it is not far ahead of
    /// the wall clock: [`Clock::observe`](crate::Clock::observe).
    #[must_use]
    pub fn latest_time(&self) -> Option<Time> {
        let written = self.entries().filter_map(|entry| match entry.value {
            Value::Written { time, .. } => Some(time),
            _ => None,
        });
        written.chain(self.latest_retired()).max()
    }
}

const MEMBER: u8 = 0;
const WRITTEN: u8 = 1;
const COUNTED: u8 = 2;

impl<T: Codec> Codec for Value<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Member(member) => {
                out.push(MEMBER);
                member.encode(out);
            }
            Self::Written { time, value } => {
                out.push(WRITTEN);
                time.encode(out);
                value.encode(out);
            }
            Self::Counted { up, down } => {
                out.push(COUNTED);
                up.encode(out);
                down.encode(out);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(reader)? {
            MEMBER => Ok(Self::Member(T::decode(reader)?)),
            WRITTEN => Ok(Self::Written {
                time: Time::decode(reader)?,
                value: T::decode(reader)?,
            }),
            COUNTED => Ok(Self::Counted {
                up: u64::decode(reader)?,
                down: u64::decode(reader)?,
            }),
            _ => Err(DecodeError::Invalid("a kind of value from 0 to 2")),
        }
    }
}
