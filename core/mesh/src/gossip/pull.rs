//! What is missed, and who is asked for it: one peer at a time, any of those that have something else, so that one that
//! always has something else keeps nobody from being asked.

use std::{collections::BTreeMap, time::Duration};

use macula_crdt::{Codec, Digest, Id};
use rand::seq::IteratorRandom;

use super::{
    intake::Fault,
    machine::{Item, Machine, Now},
    message::{Kind, Message},
};

/// How often somebody is asked until one answers.
const TRIES: u32 = 3;

/// Who is asked.
#[derive(Debug)]
pub(super) struct Pulls<I> {
    /// When one is asked of those that have something else.
    wanted: Option<Wanted<I>>,
    /// Who was asked last, and whether it has answered: its answer may have several parts.
    asked: Option<(I, bool)>,
    /// When somebody may be asked again.
    next: Duration,
}

#[derive(Debug)]
struct Wanted<I> {
    /// What each of them has. If this node has the same by then it does not ask it.
    fingerprints: BTreeMap<I, u64>,
    at: Duration,
    tries: u32,
}

impl<I> Default for Pulls<I> {
    fn default() -> Self {
        Self {
            wanted: None,
            asked: None,
            next: Duration::ZERO,
        }
    }
}

impl<I: Id> Pulls<I> {
    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Duration> {
        self.wanted.as_ref().map(|wanted| wanted.at)
    }

    /// Takes note that a peer has told something. True if it belongs to the answer of the one that was asked.
    pub(super) fn answered(&mut self, from: &I, kind: Kind) -> bool {
        match &mut self.asked {
            Some((asked, answered))
                if asked == from && matches!(kind, Kind::Answer | Kind::Part) =>
            {
                if !std::mem::replace(answered, true) {
                    self.wanted = None;
                }
                true
            }
            _ => false,
        }
    }
}

impl<I: Id, K: Item, T: Item> Machine<I, K, T> {
    /// A peer has said what it has. If it is something else, this node asks it or another such one soon.
    pub(super) fn compare(&mut self, peer: &I, fingerprint: u64, now: Now) {
        if fingerprint == self.fingerprint() {
            return;
        }
        let at = self.pulls.next.max(now.since + self.settings.pull_after);
        let wanted = self.pulls.wanted.get_or_insert_with(|| Wanted {
            fingerprints: BTreeMap::new(),
            at,
            tries: TRIES,
        });
        wanted.fingerprints.insert(peer.clone(), fingerprint);
    }

    /// Asks somebody, if it is time.
    pub(super) fn ask(&mut self, now: Now) {
        let due = |wanted: &mut Wanted<I>| wanted.at <= now.since;
        let Some(mut wanted) = self.pulls.wanted.take_if(due) else {
            return;
        };
        let own = self.fingerprint();
        let peers = &self.peers;
        let differs = |peer: &I, fingerprint: &mut u64| peers.contains(peer) && *fingerprint != own;
        wanted
            .fingerprints
            .retain(|peer, fingerprint| differs(peer, fingerprint));
        let Some(peer) = wanted.fingerprints.keys().choose(&mut self.rng).cloned() else {
            return;
        };
        if wanted.tries > 1 {
            wanted.tries -= 1;
            wanted.at = now.since + self.settings.pull_every;
            self.pulls.wanted = Some(wanted);
        }
        self.pull(peer, now);
    }

    /// Asks a peer for what this node misses.
    pub(super) fn pull(&mut self, peer: I, now: Now) {
        let digest = self.state.digest();
        let mut bytes = Message::<I, K, T>::Pull(digest).to_bytes();
        if bytes.len() > self.settings.message_bytes {
            bytes = Message::<I, K, T>::Pull(self.state.digest().floor()).to_bytes();
        }
        if bytes.len() > self.settings.message_bytes {
            // More actors than a message names: as one that has seen nothing.
            bytes = Message::<I, K, T>::Pull(Digest::default()).to_bytes();
        }
        self.pulls.next = now.since + self.settings.pull_every;
        self.pulls.asked = Some((peer.clone(), false));
        self.send(peer, bytes);
    }

    /// Tells a peer what it misses, and asks it in turn if it has something.
    pub(super) fn answer(&mut self, from: &I, digest: &Digest<I>, now: Now) -> Result<(), Fault> {
        if !self.peers.may_ask(from, now.since) {
            return Err(Fault::Flood);
        }
        let fingerprint = digest.fingerprint();
        self.hear_fingerprint(from, fingerprint, now);
        if self.state.lacks(digest) {
            self.compare(from, fingerprint, now);
        }
        let mut pieces = self.state.delta_for(digest).split(self.delta_bytes());
        let more = pieces.len() > self.settings.answer_messages;
        pieces.truncate(self.settings.answer_messages);
        let last = pieces.len() - 1;
        for (place, piece) in pieces.into_iter().enumerate() {
            let kind = if more && place == last {
                Kind::Part
            } else {
                Kind::Answer
            };
            self.push_to(vec![from.clone()], kind, piece);
        }
        Ok(())
    }
}
