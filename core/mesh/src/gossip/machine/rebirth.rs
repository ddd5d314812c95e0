//! What a node does that others have retired, or in whose name something was said that it has not said:
//! it goes on with a larger incarnation, and says again what it had said.

use std::time::Duration;

use macula_crdt::{Actor, Changes, Delta, Id, Value};

use super::{Item, Machine, Now, Output};

/// Between two rebirths, so that who provokes them costs little.
const PAUSE: Duration = Duration::from_secs(10);

impl<I: Id, K: Item, T: Item> Machine<I, K, T> {
    /// This node was retired: keeps what it had said.
    pub(super) fn keep_lost(&mut self, changes: &Changes<I, K, Value<T>>) {
        let own = changes
            .removed
            .iter()
            .filter(|change| change.dot.actor == self.me);
        self.lost.extend(own.map(|change| change.entry.clone()));
    }

    /// Somebody names dots of this node that it has not made, or a life of it that comes after this one:
    /// an earlier run with a clock that was ahead, or a lie. This life ends, and the one that was named; the next one
    /// begins when it may.
    pub(in super::super) fn disown(&mut self, incarnation: u64, now: Now) {
        let last = incarnation.max(self.me.incarnation);
        let since = self.clock.tick(now.wall_ms);
        let (said, changes) = self.state.retire(&self.me.id, last, since);
        self.tell_changes(changes, now);
        self.say(said, now);
    }

    /// Comes back as soon as it may.
    pub(super) fn plan_rebirth(&mut self, now: Now) {
        let at = self
            .last_rebirth
            .map_or(now.since, |last| now.since.max(last + PAUSE));
        self.reborn_at = Some(at);
        if at <= now.since {
            self.come_back(now);
        }
    }

    pub(super) fn come_back(&mut self, now: Now) {
        let over = self
            .state
            .retired(&self.me.id)
            .map_or(0, |record| record.incarnation);
        self.me = Actor {
            id: self.me.id.clone(),
            incarnation: now.wall_ms.max(over + 1),
        };
        self.reborn_at = None;
        self.last_rebirth = Some(now.since);
        let mut all = Delta::default();
        for entry in std::mem::take(&mut self.lost) {
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
        self.fingerprint = None;
        self.outputs.push_back(Output::Reborn(self.me.clone()));
        self.say(all, now);
    }
}
