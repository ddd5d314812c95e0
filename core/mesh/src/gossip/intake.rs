//! What is refused of what peers send. Whatever comes costs at most reading one message.

use std::collections::BTreeMap;

use macula_crdt::{Actor, Codec, DecodeError, Digest, Id, Limits, Ranges, Retired, TooFarAhead};

use super::{
    machine::{Item, Machine, Now, Part},
    message::Message,
};

/// Lives of a connected peer that there is room for in any case: the last one, and those before of which not all have
/// heard that they are over.
const LIVES: usize = 4;

/// What a peer did that it should not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not connected, as far as this node knows.
    #[error("expected a message of a peer that is connected")]
    Stranger,
    /// It sends or asks too often.
    #[error("expected fewer messages a second")]
    Flood,
    /// Its message cannot be read, or is too large.
    #[error("expected a gossip message: {0}")]
    Garbage(#[from] DecodeError),
    /// It names a time that has not come.
    #[error(transparent)]
    Ahead(#[from] TooFarAhead),
    /// It names something of this node's that this node has not said. It may have been told so.
    #[error("expected nothing in this node's name that it has not said")]
    Forged,
    /// It brings more than there is room for.
    #[error("expected at most {limit} {what}")]
    Full {
        /// Of what there is too much.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
}

impl<I: Id, K: Item, T: Item> Machine<I, K, T> {
    /// Reads a message, and checks all that it says.
    pub(super) fn admit(
        &mut self,
        from: &I,
        bytes: &[u8],
        now: Now,
    ) -> Result<Message<I, K, T>, Fault> {
        match self.peers.may_send(from, now.since) {
            None => return Err(Fault::Stranger),
            Some(false) => return Err(Fault::Flood),
            Some(true) => {}
        }
        let limits = Limits {
            bytes: self.settings.message_bytes,
            items: self.settings.message_bytes,
            value_bytes: self.settings.entry_bytes,
            ranges: self.settings.max_ranges,
        };
        let message = Message::from_bytes(bytes, &limits)?;
        match &message {
            Message::Pull(digest) => self.check_digest(digest, now)?,
            Message::Push(push) => self.check_delta(&push.delta, now)?,
        }
        Ok(message)
    }

    fn check_digest(&mut self, digest: &Digest<I>, now: Now) -> Result<(), Fault> {
        let max_skew_ms = self.max_skew_ms();
        digest
            .retired()
            .try_for_each(|(_, record)| check_record(record, now, max_skew_ms))?;
        let said = digest.actors().map(|actor| (actor, digest.seen(actor)));
        self.check_actors(said, now)
    }

    fn check_delta(&mut self, delta: &Part<I, K, T>, now: Now) -> Result<(), Fault> {
        let max_skew_ms = self.max_skew_ms();
        delta
            .retired()
            .try_for_each(|(_, record)| check_record(record, now, max_skew_ms))?;
        self.check_actors(delta.actors().map(|actor| (actor, delta.seen(actor))), now)?;
        self.check_room(delta)?;
        if let Some(time) = delta.latest_time() {
            self.clock.observe(time, now.wall_ms, max_skew_ms)?;
        }
        Ok(())
    }

    fn check_actors<'a>(
        &mut self,
        mut said: impl Iterator<Item = (&'a Actor<I>, Option<&'a Ranges>)>,
        now: Now,
    ) -> Result<(), Fault>
    where
        I: 'a,
    {
        let max_skew_ms = self.max_skew_ms();
        let mut forged = None;
        said.try_for_each(|(actor, seen)| {
            check_time(actor.incarnation, now, max_skew_ms)?;
            if actor.id == self.me.id && self.has_not_said(actor, seen) {
                forged = Some(actor.incarnation);
            }
            Ok::<(), Fault>(())
        })?;
        match forged {
            None => Ok(()),
            Some(incarnation) => {
                self.disown(incarnation, now);
                Err(Fault::Forged)
            }
        }
    }

    /// Whether these are dots of this node, now or later, that it has not made.
    fn has_not_said(&self, actor: &Actor<I>, seen: Option<&Ranges>) -> bool {
        let said = self.state.seen(&self.me).map_or(0, Ranges::last);
        let beyond = seen.is_some_and(|seen| seen.last() > said);
        !self.state.is_retired(actor)
            && (actor.incarnation > self.me.incarnation || (*actor == self.me && beyond))
    }

    fn check_room(&self, delta: &Part<I, K, T>) -> Result<(), Fault> {
        let bounds = &self.settings;
        if self.state.len() + delta.len() > bounds.max_entries {
            let limit = bounds.max_entries;
            return Err(Fault::Full {
                what: "entries",
                limit,
            });
        }
        let new = delta.actors();
        let new: Vec<_> = new
            .filter(|actor| self.state.seen(actor).is_none())
            .collect();
        let crowded = self.state.actors().count() + new.len() > bounds.max_actors;
        if crowded && self.crowds(&new) {
            let limit = bounds.max_actors;
            return Err(Fault::Full {
                what: "actors",
                limit,
            });
        }
        // There is one record of each, and who is connected has room for it.
        let new = delta
            .retired()
            .filter(|(id, _)| self.state.retired(id).is_none() && !self.peers.contains(id))
            .count();
        if new > 0 && self.state.retired_count() + new > bounds.max_actors {
            let limit = bounds.max_actors;
            return Err(Fault::Full {
                what: "members that have left",
                limit,
            });
        }
        let ranges = |seen: Option<&Ranges>| seen.map_or(0, Ranges::len);
        let fits = |actor: &Actor<I>| {
            let (ours, theirs) = (self.state.seen(actor), delta.seen(actor));
            theirs.is_some_and(|theirs| ours.is_some_and(|ours| ours.covers(theirs)))
                || ranges(ours) + ranges(theirs) <= bounds.max_ranges
        };
        if !delta.actors().all(fits) {
            let limit = bounds.max_ranges;
            return Err(Fault::Full {
                what: "ranges of an actor",
                limit,
            });
        }
        Ok(())
    }

    /// Whether some of these actors are not of peers that are connected, which are let in whatever names others have
    /// made up.
    fn crowds(&self, new: &[&Actor<I>]) -> bool {
        let mut lives = BTreeMap::<&I, usize>::new();
        let known = self.state.actors().map(|(actor, _)| actor);
        for actor in known.chain(new.iter().copied()) {
            *lives.entry(&actor.id).or_default() += 1;
        }
        new.iter()
            .any(|actor| !self.peers.contains(&actor.id) || lives[&actor.id] > LIVES)
    }

    fn max_skew_ms(&self) -> u64 {
        u64::try_from(self.settings.max_skew.as_millis()).unwrap_or(u64::MAX)
    }
}

fn check_record(record: &Retired, now: Now, max_skew_ms: u64) -> Result<(), Fault> {
    check_time(record.incarnation, now, max_skew_ms)?;
    check_time(record.since.ms(), now, max_skew_ms)
}

/// An incarnation is a time too: that of the start.
fn check_time(ms: u64, now: Now, max_skew_ms: u64) -> Result<(), Fault> {
    let ahead_ms = ms.saturating_sub(now.wall_ms);
    if ahead_ms > max_skew_ms {
        return Err(TooFarAhead {
            ahead_ms,
            max_skew_ms,
        }
        .into());
    }
    Ok(())
}
