//! What a node does of which others say that it has left, or in whose name something was said that it has not said:
//! it begins a new life, with a larger incarnation, and says again in the same breath what it had said.

use std::time::Duration;

use macula_crdt::{Actor, Id, Value};
use rand::RngExt;

use super::{Item, Machine, Now, Output};

/// Between two new lives, so that who provokes them costs little. Meanwhile the node goes on in the life that it has.
const PAUSE: Duration = Duration::from_secs(10);

/// How much later the incarnation of a new life is at most than it had to be.
const LEAP_MS: u64 = 500;

/// The lives of this node.
#[derive(Debug, Default)]
pub(in super::super) struct Lives {
    /// When the present one began, if it is not the first.
    began: Option<Duration>,
    /// The last one that others take for over, and that has to be, as soon as a new one may begin.
    over: Option<u64>,
}

impl Lives {
    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Duration> {
        self.over.map(|_| self.may_begin())
    }

    fn may_begin(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began + PAUSE)
    }
}

impl<I: Id, K: Item, T: Item> Machine<I, K, T> {
    /// Somebody names dots of this node that it has not made, or takes this life for over, or one that comes after
    /// it: an earlier run with a clock that was ahead, a network that had parted, or a lie.
    pub(in super::super) fn disown(&mut self, incarnation: u64, now: Now) {
        let over = incarnation.max(self.me.incarnation);
        self.lives.over = self.lives.over.max(Some(over));
        self.begin_anew_if_due(now);
    }

    pub(super) fn begin_anew_if_due(&mut self, now: Now) {
        if self.lives.may_begin() <= now.since
            && let Some(over) = self.lives.over.take()
        {
            self.lives.began = Some(now.since);
            self.begin_anew(over, now);
        }
    }

    fn begin_anew(&mut self, over: u64, now: Now) {
        let since = self.clock.tick(now.wall_ms);
        // Nobody can tell which one it will be, and speak in its name before.
        let leap = self.rng.random_range(1..=LEAP_MS);
        let anew = Actor {
            id: self.me.id.clone(),
            incarnation: now.wall_ms.max(over) + leap,
        };
        let (mut all, ended) = self.state.retire(&anew.id, anew.incarnation - 1, since);
        let before = std::mem::replace(&mut self.me, anew);
        let lost = ended.removed.iter();
        let lost: Vec<_> = lost
            .filter(|change| change.dot.actor == before)
            .map(|change| change.entry.clone())
            .collect();
        self.tell_changes(ended);
        for entry in lost {
            let key = (*entry.key).clone();
            let said = match entry.value {
                Value::Member(member) => self.state.add(&self.me, key, member),
                Value::Written { time, value } => match self.state.read(&key) {
                    Some((later, _)) if later >= time => continue,
                    _ => self.state.write(&self.me, key, time, value),
                },
                Value::Counted { up, down } => self.state.count(&self.me, key, up, down),
            };
            all.join(said.expect("the incarnation is above all that are over"));
        }
        self.outputs.push_back(Output::Reborn(self.me.clone()));
        self.say(all, now);
    }
}
