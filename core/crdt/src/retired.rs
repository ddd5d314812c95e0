//! Members that have left for good.

use std::collections::BTreeMap;

use crate::{
    actor::{Actor, Id},
    codec::{Codec, DecodeError, Reader, put_length},
    hlc::Time,
};

/// Which lives of a member are over, and since when. Of two records the one with the larger
/// incarnation counts, then the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retired {
    /// Actors of this incarnation and of all before it are gone.
    pub incarnation: u64,
    /// When this was said, for [`State::expire_retired`](crate::State::expire_retired).
    pub since: Time,
}

/// The actor was retired: it goes on with a larger incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an incarnation above {incarnation}: the actor was retired")]
pub struct IsRetired {
    /// The last incarnation that is over.
    pub incarnation: u64,
}

/// The records, by member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Records<I>(pub(crate) BTreeMap<I, Retired>);

impl<I> Default for Records<I> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<I: Id> Records<I> {
    /// Takes a record in, unless there is one that counts more. True if it was taken.
    pub(crate) fn join(&mut self, id: &I, record: Retired) -> bool {
        match self.0.get_mut(id) {
            Some(known) if *known >= record => false,
            Some(known) => {
                *known = record;
                true
            }
            None => {
                self.0.insert(id.clone(), record);
                true
            }
        }
    }

    /// Checks that an actor may still do something.
    pub(crate) fn check(&self, actor: &Actor<I>) -> Result<(), IsRetired> {
        match self.0.get(&actor.id) {
            Some(record) if record.incarnation >= actor.incarnation => Err(IsRetired {
                incarnation: record.incarnation,
            }),
            _ => Ok(()),
        }
    }

    /// What counts more here than there.
    pub(crate) fn beyond(&self, other: &Self) -> Self {
        let more = |(id, record): &(&I, &Retired)| other.0.get(id) < Some(record);
        let more = self.0.iter().filter(more);
        Self(more.map(|(id, record)| (id.clone(), *record)).collect())
    }
}

impl<I: Id> Codec for Records<I> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_length(self.0.len(), out);
        for (id, record) in &self.0 {
            id.encode(out);
            record.incarnation.encode(out);
            record.since.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut records = BTreeMap::new();
        for _ in 0..reader.items()? {
            let id = I::decode(reader)?;
            if records
                .last_key_value()
                .is_some_and(|(last, _)| *last >= id)
            {
                return Err(DecodeError::Invalid("members in ascending order"));
            }
            let incarnation = u64::decode(reader)?;
            let since = Time::decode(reader)?;
            records.insert(id, Retired { incarnation, since });
        }
        Ok(Self(records))
    }
}
