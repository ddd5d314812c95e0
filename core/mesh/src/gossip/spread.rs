//! What is new, and whom it is told: at once to the peers, then again and again to those that are not
//! known to have it.

use std::{collections::VecDeque, time::Duration};

use macula_crdt::{Codec, Delta, Digest, Id};

use super::{
    machine::{Item, Machine, Now, Part},
    message::Kind,
};

/// How many peers must agree before a node is quiet.
const AGREEING: usize = 9;
/// Messages of what is new that a peer is told unasked at a time.
const MAX_PIECES: usize = 4;
/// Entries that are repeated at most. What is more is pulled by whoever misses it.
const MAX_HOT: usize = 256;
/// Bytes of what is repeated at most: a repetition should be cheap.
const MAX_HOT_BYTES: usize = 4 << 10;

/// What a node has to tell.
#[derive(Debug)]
pub(super) struct Spread<I, K, T> {
    /// What was not told yet.
    fresh: Part<I, K, T>,
    /// Whether some of it is of this node, so that all peers are told, or all of others.
    own: bool,
    /// When it is told.
    flush_at: Option<Duration>,
    /// What is repeated: that of each round, the last at the end. What has been there for all rounds goes.
    hot: VecDeque<Part<I, K, T>>,
    /// How many rounds there are at most from now on.
    rounds: u32,
    /// When it is repeated next.
    repeat_at: Duration,
}

impl<I, K, T> Spread<I, K, T> {
    pub(super) fn new(repeat_at: Duration) -> Self {
        Self {
            fresh: Delta::default(),
            own: false,
            flush_at: None,
            hot: VecDeque::new(),
            rounds: 0,
            repeat_at,
        }
    }

    /// Whether there is something that was not told yet.
    pub(super) fn waits(&self) -> bool {
        self.flush_at.is_some()
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Duration> {
        let repeat = (self.rounds > 0).then_some(self.repeat_at);
        self.flush_at.into_iter().chain(repeat).min()
    }
}

impl<I: Id, K: Item, T: Item> Machine<I, K, T> {
    /// Has something of its own to tell.
    pub(super) fn say(&mut self, delta: Part<I, K, T>, now: Now) {
        if delta.is_empty() {
            return;
        }
        self.forget_fingerprint();
        self.spread.own = true;
        self.plan_flush(delta.clone(), now);
        self.heat(delta, now);
    }

    /// Has heard something new that was told to so many peers.
    pub(super) fn learned(&mut self, delta: Part<I, K, T>, told: usize, now: Now) {
        if told < self.peers.len() {
            self.plan_flush(delta.clone(), now);
        }
        self.heat(delta, now);
    }

    fn plan_flush(&mut self, delta: Part<I, K, T>, now: Now) {
        self.spread.fresh.join(delta);
        self.spread
            .flush_at
            .get_or_insert(now.since + self.settings.debounce);
    }

    /// Plans to tell now what is planned to be told soon.
    pub(super) fn plan_flush_now(&mut self, now: Now) {
        if let Some(at) = &mut self.spread.flush_at {
            *at = now.since.min(*at);
        }
    }

    fn heat(&mut self, delta: Part<I, K, T>, now: Now) {
        if self.spread.rounds == 0 {
            // The first repetition comes after what is told at once had the time to arrive.
            self.spread.repeat_at = now.since + self.jittered(self.settings.push_every);
        }
        self.spread.rounds = self.settings.rounds;
        match self.spread.hot.back_mut() {
            Some(last) => drop(last.join(delta)),
            None => self.spread.hot.push_back(delta),
        }
        if self.spread.hot.iter().map(Delta::len).sum::<usize>() > MAX_HOT {
            self.spread.hot.clear();
        }
    }

    /// How many peers are told at a time by those that do not tell all.
    fn fan_out(&self) -> usize {
        let larger = self.peers.len() / self.settings.direct_peers;
        self.settings.fan_out + larger.checked_ilog2().map_or(0, |times| times as usize + 1)
    }

    /// Tells what is new, if it is time and the budget allows.
    pub(super) fn flush(&mut self, now: Now) {
        if self.spread.flush_at.is_none_or(|at| at > now.since) {
            return;
        }
        let count = if self.spread.own {
            self.settings.direct_peers
        } else {
            self.fan_out()
        };
        let count = count.min(self.peers.len());
        let wanted = count.min(self.settings.messages_per_second as usize);
        if self.budget.available(now.since) < wanted {
            self.spread.flush_at = Some(self.budget.ready(wanted));
            return;
        }
        self.spread.flush_at = None;
        let own = std::mem::take(&mut self.spread.own);
        let delta = std::mem::take(&mut self.spread.fresh);
        let peers = self.peers.any(wanted, &mut self.rng);
        let pieces = delta.split(self.delta_bytes());
        if pieces.len() > MAX_PIECES {
            // Too much to be told unasked: whoever misses it asks for it at its own pace.
            self.budget.spend(peers.len());
            return self.repeat_to(peers, Delta::default());
        }
        self.budget.spend(peers.len() * pieces.len());
        let told = if own { peers.len() as u64 } else { 0 };
        for piece in pieces {
            self.push_to(peers.clone(), Kind::News { told }, piece);
        }
    }

    /// Repeats what is new to some that are not known to have it, until enough have it.
    pub(super) fn repeat(&mut self, now: Now) {
        if self.spread.rounds == 0 || self.spread.repeat_at > now.since {
            return;
        }
        let fingerprint = self.fingerprint();
        let enough = AGREEING.min(self.peers.len());
        self.spread.rounds -= 1;
        self.spread.repeat_at = now.since + self.jittered(self.settings.push_every);
        if self.peers.agreeing(fingerprint) >= enough {
            self.spread.rounds = 0;
        } else {
            let count = self.fan_out().min(self.budget.available(now.since));
            let peers = self.peers.others(fingerprint, count, &mut self.rng);
            self.budget.spend(peers.len());
            let mut hot = Delta::default();
            for part in &self.spread.hot {
                hot.join(part.clone());
            }
            self.repeat_to(peers, hot);
        }
        self.spread.hot.push_back(Delta::default());
        if self.spread.rounds == 0 {
            self.spread.hot.clear();
        } else if self.spread.hot.len() > self.settings.rounds as usize {
            self.spread.hot.pop_front();
        }
    }

    /// Tells a new peer what this node has: all of it if that is little, else what it says of itself, which the peer
    /// believes nobody else.
    pub(super) fn greet(&mut self, peer: I) {
        if self.state.len() <= MAX_HOT {
            let all = self.state.delta_for(&Digest::default());
            if self.is_small(&all) {
                return self.push_to(vec![peer], Kind::Repeat, all);
            }
        }
        let mut own = self.state.of_member(&self.me.id);
        if own.to_bytes().len() > self.delta_bytes() {
            own = Delta::default();
        }
        self.push_to(vec![peer], Kind::Repeat, own);
    }

    fn is_small(&self, delta: &Part<I, K, T>) -> bool {
        delta.is_empty() || delta.to_bytes().len() <= MAX_HOT_BYTES.min(self.delta_bytes())
    }

    /// Tells some peers what this node has, by its fingerprint, and a delta if it is small.
    pub(super) fn repeat_to(&mut self, peers: Vec<I>, delta: Part<I, K, T>) {
        let small = self.is_small(&delta);
        let delta = if small { delta } else { Delta::default() };
        self.push_to(peers, Kind::Repeat, delta);
    }
}
