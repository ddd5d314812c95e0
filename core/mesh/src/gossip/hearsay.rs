//! Who is connected speaks for itself.
//!
//! What others say of such a member is taken in as far as it adds to what the member says. That something of it is
//! removed, or that it has left, is hearsay: the member is told of it, and what is so it says itself. So a member that
//! lies ends nothing of another that its listeners are connected to. Most hearsay is true and is news no more when it
//! would be passed on, as the member has said it meanwhile.

use std::{collections::BTreeMap, time::Duration};

use macula_crdt::{Codec, Delta, Id};

use super::{
    machine::{Item, Machine, Now, Part},
    message::Kind,
};

/// Bytes of what is kept for one member. What is more comes again when nodes compare.
const MAX_BYTES: usize = 4 << 10;

/// What was heard of members that are connected. There is one place for each of them.
#[derive(Debug)]
pub(super) struct Hearsay<I, K, T>(BTreeMap<I, Heard<I, K, T>>);

#[derive(Debug)]
struct Heard<I, K, T> {
    ends: Part<I, K, T>,
    /// When the member is told.
    at: Duration,
}

impl<I, K, T> Default for Hearsay<I, K, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<I: Id, K: Item, T: Item> Hearsay<I, K, T> {
    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.values().map(|heard| heard.at).min()
    }

    fn keep(&mut self, member: I, ends: Part<I, K, T>, at: Duration) {
        let heard = self.0.entry(member).or_insert_with(|| Heard {
            ends: Delta::default(),
            at,
        });
        let mut all = heard.ends.clone();
        all.join(ends);
        if all.to_bytes().len() <= MAX_BYTES {
            heard.ends = all;
        }
    }
}

impl<I: Id, K: Item, T: Item> Machine<I, K, T> {
    /// Takes out of what a peer tells what only others may say: those who are connected of themselves, and this node
    /// of its own lives.
    pub(super) fn without_hearsay(
        &mut self,
        from: &I,
        delta: Part<I, K, T>,
        now: Now,
    ) -> Part<I, K, T> {
        let own = delta.retired().find(|(id, _)| **id == self.me.id);
        let over = own.map(|(_, record)| record.incarnation);
        let over = over.filter(|over| *over >= self.me.incarnation);
        let delta = match over {
            Some(over) => {
                self.disown(over, now);
                delta.without_record(&self.me.id)
            }
            None => delta,
        };
        let speaks = |id: &I| id != from && self.peers.contains(id);
        let (rest, ends) = self.state.part_ends(delta, speaks);
        for (member, ends) in ends.by_member() {
            self.status.hearsay += 1;
            let at = now.since + self.settings.pull_after;
            self.hearsay.keep(member, ends, at);
        }
        rest
    }

    /// What others have removed of this node's own, which the others believe this node only.
    pub(super) fn ends_of_own(&self, delta: &Part<I, K, T>) -> Part<I, K, T> {
        let own = delta.of_member(&self.me.id);
        self.state.part_ends(own, |_| true).1
    }

    /// Tells each member what is still news of what was heard of it, again and again until it has answered.
    pub(super) fn refer(&mut self, now: Now) {
        let due = self.hearsay.0.iter();
        let due = due.filter(|(_, heard)| heard.at <= now.since);
        let due: Vec<I> = due.map(|(member, _)| member.clone()).collect();
        for member in due {
            let Some(heard) = self.hearsay.0.remove(&member) else {
                continue;
            };
            let (_, ends) = self.state.part_ends(heard.ends, |id| *id == member);
            if ends.is_empty() {
                continue;
            }
            self.push_to(vec![member.clone()], Kind::Hearsay, ends.clone());
            let at = now.since + self.settings.pull_every;
            self.hearsay.0.insert(member, Heard { ends, at });
        }
    }

    /// Says to who has heard something of this node, and was right, that it is so. What comes in its place goes first:
    /// who has not heard that yet asks again.
    pub(super) fn confirm(&mut self, to: &I, heard: Part<I, K, T>) {
        if self.spread.waits() {
            return;
        }
        let (heard, ends) = self.state.part_ends(heard, |id| *id == self.me.id);
        if ends.is_empty() && !heard.is_empty() {
            self.push_to(vec![to.clone()], Kind::News { told: u64::MAX }, heard);
        }
    }

    /// A member is not connected any more: what was heard of it counts.
    pub(super) fn believe(&mut self, member: &I, now: Now) {
        if let Some(heard) = self.hearsay.0.remove(member)
            && self.merge(&heard.ends)
        {
            self.learned(heard.ends, usize::MAX, now);
        }
    }
}
