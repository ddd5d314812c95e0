//! Where the ends of links are kept while nothing connects them.
//!
//! The reader's ends stay when a node is taken out of the state: it may have stood still or been cut off, and come
//! back as the run that it was. Whoever then did not say how far it has read would get all that is kept for it once
//! more, or take a loss for a beginning. Only a node that has said goodbye is known to have nothing for us any more.

use std::{collections::HashMap, hash::Hash};

use super::link::Inbox;

/// How far each peer's events were read.
#[derive(Debug)]
pub(crate) struct Inboxes<Id> {
    most: usize,
    of: HashMap<Id, Inbox>,
    /// Whether any were forgotten: a peer that is not in the table may then be one of those.
    forgetful: bool,
}

impl<Id: Hash + Eq> Inboxes<Id> {
    /// Keeps so many. Beyond, those of peers that are not connected are forgotten; readers are told so when such a
    /// peer comes back.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            of: HashMap::new(),
            forgetful: false,
        }
    }

    /// The one of a peer that is connected now.
    pub(crate) fn open(&mut self, id: Id, is_connected: impl Fn(&Id) -> bool) -> Inbox {
        if self.of.len() >= self.most && !self.of.contains_key(&id) {
            self.of.retain(|id, _| is_connected(id));
            self.forgetful = true;
        }
        let new = match self.forgetful {
            true => Inbox::forgotten,
            false => Inbox::new,
        };
        self.of.entry(id).or_insert_with(new).clone()
    }

    /// A peer has said goodbye: the next run of it begins anew.
    pub(crate) fn close(&mut self, id: &Id) {
        self.of.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_full_keeps_who_is_connected_and_takes_nobody_for_new_any_more() {
        let mut inboxes = Inboxes::new(2);
        let mut is_new = |id, connected| inboxes.open(id, |id| *id == connected).is_new();
        assert!(is_new(1, 0) && is_new(2, 0) && is_new(1, 0));
        assert!(!is_new(3, 2), "it may have been forgotten");
        assert!(is_new(2, 2), "it was connected");
        assert!(!is_new(1, 2), "it was forgotten");
        assert_eq!(inboxes.of.len(), 2);
    }

    #[test]
    fn who_has_said_goodbye_begins_anew() {
        let mut inboxes = Inboxes::new(2);
        inboxes.open(1, |_| false);
        inboxes.close(&1);
        assert!(inboxes.of.is_empty());
    }
}
