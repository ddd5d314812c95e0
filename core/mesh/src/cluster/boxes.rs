//! Where the ends of links are kept while nothing connects them.
//!
//! The reader's ends stay when a node is taken out of the state: it may have stood still or been cut off, and come
//! back as the run that it was. Whoever then did not say how far it has read would get all that is kept for it once
//! more, or take a loss for a beginning. Only a node that has said goodbye is known to have nothing for us any more.
//!
//! The writer's ends are each of one run of a peer: what a run was sent, or waits for it, is not another one's.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use super::link::{Inbox, Outbox};

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

/// What waits for each peer.
#[derive(Debug)]
pub(crate) struct Outboxes<Id>(HashMap<Id, (u64, Arc<Outbox>)>);

impl<Id: Hash + Eq> Outboxes<Id> {
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    /// The one of a peer, whichever run of it that is for.
    pub(crate) fn get(&self, id: &Id) -> Option<&Arc<Outbox>> {
        self.0.get(id).map(|(_, outbox)| outbox)
    }

    /// The one of this run of a peer, if it has one already.
    pub(crate) fn of_run(&self, id: &Id, run: u64) -> Option<Arc<Outbox>> {
        let (of, outbox) = self.0.get(id)?;
        (*of == run).then(|| Arc::clone(outbox))
    }

    /// Whether what is kept for a peer is another run's, and must [lapse](Self::lapse) before this one has its own.
    pub(crate) fn is_of_another(&self, id: &Id, run: u64) -> bool {
        self.0.get(id).is_some_and(|(of, _)| *of != run)
    }

    /// The one of a peer that is connected now, in this run of it.
    pub(crate) fn open(&mut self, id: Id, run: u64, random: u64) -> Arc<Outbox> {
        let new = || (run, Arc::new(Outbox::new(random)));
        let (of, outbox) = self.0.entry(id).or_insert_with(new);
        debug_assert_eq!(*of, run, "what another run had is given up before");
        Arc::clone(outbox)
    }

    /// What waits for a peer is given up; it is told so if it comes back as the same run.
    pub(crate) fn lapse(&mut self, id: &Id) {
        if let Some((_, outbox)) = self.0.remove(id) {
            // A stream may write from it still.
            outbox.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_nothing_of_what_another_was_sent() {
        let mut outboxes = Outboxes::new();
        let first = outboxes.open(1, 7, 1);
        assert!(Arc::ptr_eq(&first, &outboxes.open(1, 7, 2)), "it came back");
        assert!(outboxes.of_run(&1, 7).is_some());
        assert!(outboxes.of_run(&1, 8).is_none());
        assert!(outboxes.is_of_another(&1, 8) && !outboxes.is_of_another(&1, 7));
        outboxes.lapse(&1);
        assert!(!outboxes.is_of_another(&1, 8));
        assert!(!Arc::ptr_eq(&first, &outboxes.open(1, 8, 3)));
        outboxes.lapse(&1);
        assert!(outboxes.0.is_empty());
    }

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
