//! What is missed, and who is asked for it: one peer at a time, and another one than the last if there is one, so that
//! one that always has something else keeps nobody from being asked.

use std::time::Duration;

use macula_crdt::{Codec, Digest, Id};

use super::{
    intake::Fault,
    machine::{Item, Machine, Now},
    message::{Kind, Message},
};

/// How often one peer is asked until it answers.
const TRIES: u32 = 3;

/// Who is asked.
#[derive(Debug)]
pub(super) struct Pulls<I> {
    /// Who has something else, and when it is asked.
    wanted: Option<Wanted<I>>,
    /// Who was asked last, and whether it has answered: its answer may have several parts.
    asked: Option<(I, bool)>,
    /// When somebody may be asked again.
    next: Duration,
}

#[derive(Debug)]
struct Wanted<I> {
    peer: I,
    /// What it has. If this node has the same by then it does not ask.
    fingerprint: u64,
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
    /// A peer has said what it has. If it is something else, this node asks it soon, unless it is about to ask somebody
    /// that was not asked last.
    pub(super) fn compare(&mut self, peer: &I, fingerprint: u64, now: Now) {
        if fingerprint == self.fingerprint() {
            return;
        }
        let mut at = self.pulls.next.max(now.since + self.settings.pull_after);
        if let Some(wanted) = &self.pulls.wanted {
            let last = self.pulls.asked.as_ref().map(|(asked, _)| asked);
            let again = wanted.tries == TRIES && last == Some(&wanted.peer);
            if !again || last == Some(peer) {
                return;
            }
            at = wanted.at;
        }
        self.pulls.wanted = Some(Wanted {
            peer: peer.clone(),
            fingerprint,
            at,
            tries: TRIES,
        });
    }

    /// Asks whoever is due.
    pub(super) fn ask(&mut self, now: Now) {
        let due = |wanted: &mut Wanted<I>| wanted.at <= now.since;
        let Some(wanted) = self.pulls.wanted.take_if(due) else {
            return;
        };
        let still = self.peers.contains(&wanted.peer) && self.fingerprint() != wanted.fingerprint;
        if !still {
            return;
        }
        if wanted.tries > 1 {
            self.pulls.wanted = Some(Wanted {
                peer: wanted.peer.clone(),
                at: now.since + self.settings.pull_every,
                tries: wanted.tries - 1,
                ..wanted
            });
        }
        self.pull(wanted.peer, now);
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
