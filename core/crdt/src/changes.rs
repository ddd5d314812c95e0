//! What a merge has changed, so that whoever keeps an index can follow.

use crate::{actor::Dot, lane::Entry};

/// An entry that came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<I, K, V> {
    /// Its name, unique for ever.
    pub dot: Dot<I>,
    /// What it is.
    pub entry: Entry<K, V>,
}

/// The entries that came and went by one operation. A key is there as long as it has one entry: one
/// that went may have others, and one that came may have been there. [`State::contains`] tells.
///
/// [`State::contains`]: crate::State::contains
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<I, K, V> {
    /// Those that were not there before.
    pub added: Vec<Change<I, K, V>>,
    /// Those that are not there any more.
    pub removed: Vec<Change<I, K, V>>,
}

impl<I, K, V> Default for Changes<I, K, V> {
    fn default() -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
        }
    }
}

impl<I, K, V> Changes<I, K, V> {
    /// Whether no entry came or went.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// The key of each change; one may come more than once.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        let all = self.removed.iter().chain(&self.added);
        all.map(|change| &*change.entry.key)
    }
}
