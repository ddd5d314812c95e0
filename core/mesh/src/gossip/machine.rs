//! The machine: inputs, outputs, and what happens at each.

use std::{collections::VecDeque, time::Duration};

use macula_crdt::{Actor, Changes, Clock, Codec, Delta, Id, Map, Time, Value};
use rand::{SeedableRng, rngs::StdRng};
use serde::Serialize;

use super::{
    bucket::Bucket,
    hearsay::Hearsay,
    intake::Fault,
    message::{Kind, Message, PUSH_BYTES, Push},
    pull::Pulls,
    settings::{Settings, SettingsError},
    spread::Spread,
};
use peers::Peers;
use rebirth::Lives;

mod peers;
mod rebirth;

/// What keys and values can be: ordered, and written on the wire.
pub trait Item: Ord + Clone + Codec {}

impl<T: Ord + Clone + Codec> Item for T {}

/// What is new, as it goes over the wire.
pub type Part<I, K, T> = Delta<I, K, Value<T>>;

/// The time of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since an epoch of the driver's that never changes, never going back.
    pub since: Duration,
    /// The wall clock, in milliseconds since the Unix epoch. It may jump.
    pub wall_ms: u64,
}

/// What happens to a node from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<I> {
    /// A peer is connected: what is sent to it arrives, unless it is lost with its connection.
    PeerUp(I),
    /// It is not connected any more. What it said stays; see [`Change::Retire`].
    PeerDown(I),
    /// A message has come from a peer whose id the transport has proved.
    Received {
        /// From whom.
        from: I,
        /// What [`Output::Send`] of its machine said.
        bytes: Vec<u8>,
    },
}

/// What a node changes itself. [`Map`] tells what each does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<I, K, T> {
    /// Adds a member to a key's set.
    Add(K, T),
    /// Removes it, also if others have added it.
    Remove(K, T),
    /// Writes a key's register.
    Write(K, T),
    /// Removes all under a key.
    RemoveKey(K),
    /// A member has left for good: its lives up to this one are over, and what they said goes.
    Retire {
        /// Who.
        id: I,
        /// The last life that is over.
        incarnation: u64,
    },
}

/// Why a change is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no room: `max_entries`.
    #[error("expected at most {0} entries in the cluster's state")]
    Full(usize),
    /// The entry is too large: `entry_bytes`.
    #[error("expected a key and value of at most {0} bytes")]
    TooLarge(usize),
}

/// What the driver does.
#[derive(Debug, PartialEq)]
pub enum Output<I, K, T> {
    /// Sends bytes to a peer. They may be lost, doubled and overtaken.
    Send {
        /// To whom.
        to: I,
        /// At most `message_bytes`.
        bytes: Vec<u8>,
    },
    /// Others have changed the state, or a member was retired. What this node changes itself is not told.
    Changed(Changes<I, K, Value<T>>),
    /// Others took this node for retired, or named what it has not said: it goes on as this actor, and says
    /// again what it had said.
    Reborn(Actor<I>),
    /// A peer did what it should not. The message was dropped.
    Report {
        /// Who sent it.
        peer: I,
        /// What it did.
        fault: Fault,
    },
}

/// Figures of a node's gossip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Peers that are connected.
    pub peers: usize,
    /// Of them those that had just what this node has when they last said.
    pub agreeing: usize,
    /// Entries of the state.
    pub entries: usize,
    /// Messages sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages read.
    pub received: u64,
    /// Messages refused.
    pub refused: u64,
    /// Times that a peer said what only another may say, who is connected: it was told of it, and not believed.
    pub hearsay: u64,
}

/// One node's gossip.
#[derive(Debug)]
pub struct Machine<I, K, T> {
    pub(super) settings: Settings,
    pub(super) me: Actor<I>,
    pub(super) state: Map<I, K, T>,
    pub(super) clock: Clock,
    pub(super) rng: StdRng,
    pub(super) peers: Peers<I>,
    pub(super) spread: Spread<I, K, T>,
    pub(super) pulls: Pulls<I>,
    pub(super) hearsay: Hearsay<I, K, T>,
    /// When a peer is compared with next, whether or not something has changed.
    pub(super) next_anti_entropy: Duration,
    /// Pushes that may be sent.
    pub(super) budget: Bucket,
    /// Of the state as it is, once somebody has asked.
    fingerprint: Option<u64>,
    pub(super) outputs: VecDeque<Output<I, K, T>>,
    pub(super) lives: Lives,
    pub(super) status: Status,
}

impl<I: Id, K: Item, T: Item> Machine<I, K, T> {
    /// A node that has just started and knows nothing. Its incarnation is the wall clock: earlier lives
    /// of it are over. `seed` should be random; it decides whom it tells.
    ///
    /// # Errors
    /// [`SettingsError`] when the settings cannot work.
    pub fn new(settings: Settings, id: I, seed: u64, now: Now) -> Result<Self, SettingsError> {
        settings.check()?;
        let mut machine = Self {
            me: Actor {
                id,
                incarnation: now.wall_ms.max(1),
            },
            state: Map::default(),
            clock: Clock::default(),
            rng: StdRng::seed_from_u64(seed),
            peers: Peers::default(),
            spread: Spread::new(now.since + settings.push_every),
            pulls: Pulls::default(),
            hearsay: Hearsay::default(),
            next_anti_entropy: now.since + settings.anti_entropy_every,
            budget: Bucket::new(settings.messages_per_second, now.since),
            fingerprint: None,
            outputs: VecDeque::new(),
            lives: Lives::default(),
            status: Status::default(),
            settings,
        };
        let since = machine.clock.tick(now.wall_ms);
        let before = machine.me.incarnation - 1;
        let (said, _) = machine.state.retire(&machine.me.id, before, since);
        machine.say(said, now);
        Ok(machine)
    }

    /// Changes the state and tells the others.
    ///
    /// # Errors
    /// [`ChangeError`] says why nothing was changed.
    pub fn change(&mut self, change: Change<I, K, T>, now: Now) -> Result<(), ChangeError> {
        let said = match change {
            Change::Add(key, member) => {
                self.make_room(&key, &member)?;
                self.state.add(&self.me, key, member)
            }
            Change::Write(key, value) => {
                self.make_room(&key, &value)?;
                let time = self.clock.tick(now.wall_ms);
                self.state.write(&self.me, key, time, value)
            }
            Change::Remove(key, member) => Ok(self.state.remove(&key, &member)),
            Change::RemoveKey(key) => Ok(self.state.remove_key(&key)),
            Change::Retire { id, incarnation } if id == self.me.id => {
                if incarnation >= self.me.incarnation {
                    self.disown(incarnation, now);
                }
                return Ok(());
            }
            Change::Retire { id, incarnation } => {
                let since = self.clock.tick(now.wall_ms);
                let (said, changes) = self.state.retire(&id, incarnation, since);
                self.tell_changes(changes);
                Ok(said)
            }
        };
        self.say(said.expect("a life that is over is not this node's"), now);
        Ok(())
    }

    fn make_room(&self, key: &K, value: &T) -> Result<(), ChangeError> {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        value.encode(&mut bytes);
        if bytes.len() > self.settings.entry_bytes {
            return Err(ChangeError::TooLarge(self.settings.entry_bytes));
        }
        if self.state.len() >= self.settings.max_entries {
            return Err(ChangeError::Full(self.settings.max_entries));
        }
        Ok(())
    }

    /// Takes note of what has happened.
    pub fn handle(&mut self, input: Input<I>, now: Now) {
        match input {
            Input::PeerUp(id) => {
                if id != self.me.id && self.peers.connect(&id, &self.settings, now.since) {
                    self.greet(id);
                }
            }
            Input::PeerDown(id) => {
                self.peers.disconnect(&id);
                self.believe(&id, now);
            }
            Input::Received { from, bytes } => self.received(from, &bytes, now),
        }
    }

    fn received(&mut self, from: I, bytes: &[u8], now: Now) {
        self.status.received += 1;
        let done = self
            .admit(&from, bytes, now)
            .and_then(|message| match message {
                Message::Pull(digest) => self.answer(&from, &digest, now),
                Message::Push(push) => {
                    self.take(&from, push, now);
                    Ok(())
                }
            });
        if let Err(fault) = done {
            self.status.refused += 1;
            self.outputs.push_back(Output::Report { peer: from, fault });
        }
    }

    /// Takes in what a peer has told.
    fn take(&mut self, from: &I, push: Push<I, K, T>, now: Now) {
        let Push {
            kind,
            fingerprint,
            delta,
        } = push;
        let delta = self.without_hearsay(from, delta, now);
        let own = self.ends_of_own(&delta);
        let changed = self.merge(&delta);
        self.say(own, now);
        if changed {
            let told = match kind {
                Kind::News { told } => usize::try_from(told).unwrap_or(usize::MAX),
                _ => usize::MAX,
            };
            self.learned(delta, told, now);
        } else if kind == Kind::Hearsay {
            self.confirm(from, delta);
        }
        self.hear_fingerprint(from, fingerprint, now);
        let asked = self.pulls.answered(from, kind);
        match kind {
            // What it has told before may still be under way.
            Kind::News { .. } | Kind::Hearsay => {}
            Kind::Part if changed && asked => self.pull(from.clone(), now),
            // Who compares is told that both have the same, and need not ask again.
            Kind::Repeat if fingerprint == self.fingerprint() => {
                self.push_to(vec![from.clone()], Kind::Answer, Delta::default());
            }
            Kind::Repeat | Kind::Answer | Kind::Part => self.compare(from, fingerprint, now),
        }
    }

    /// Joins a delta to the state. True if something was new, be it only that a dot was seen.
    pub(super) fn merge(&mut self, delta: &Part<I, K, T>) -> bool {
        if delta.is_empty() {
            return false;
        }
        let before = self.fingerprint();
        let changes = self.state.merge(delta.clone());
        self.fingerprint = None;
        self.tell_changes(changes);
        self.fingerprint() != before
    }

    fn tell_changes(&mut self, changes: Changes<I, K, Value<T>>) {
        self.fingerprint = None;
        if !changes.is_empty() {
            self.outputs.push_back(Output::Changed(changes));
        }
    }

    /// A hash of all that this node has.
    pub fn fingerprint(&mut self) -> u64 {
        *self
            .fingerprint
            .get_or_insert_with(|| self.state.digest().fingerprint())
    }

    pub(super) fn forget_fingerprint(&mut self) {
        self.fingerprint = None;
    }

    pub(super) fn hear_fingerprint(&mut self, from: &I, fingerprint: u64, now: Now) {
        let agrees = fingerprint == self.fingerprint();
        self.peers.said(from, fingerprint, agrees, now.since);
    }

    /// The state, to read.
    #[must_use]
    pub fn state(&self) -> &Map<I, K, T> {
        &self.state
    }

    /// Whose entries this node's are.
    #[must_use]
    pub fn me(&self) -> &Actor<I> {
        &self.me
    }

    /// Figures.
    pub fn status(&mut self) -> Status {
        let fingerprint = self.fingerprint();
        Status {
            peers: self.peers.len(),
            agreeing: self.peers.agreeing(fingerprint),
            entries: self.state.len(),
            ..self.status
        }
    }

    /// Each peer that has something else than this node, as it said last, and since when it says so.
    pub fn lags(&mut self) -> impl Iterator<Item = (&I, Duration)> {
        let fingerprint = self.fingerprint();
        self.peers.lags(fingerprint)
    }

    /// What to do next; `None` when there is nothing. To be asked until then after each input.
    pub fn poll(&mut self) -> Option<Output<I, K, T>> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, at the latest.
    #[must_use]
    pub fn next_timeout(&self) -> Duration {
        let times = [
            self.spread.next(),
            self.pulls.next(),
            self.hearsay.next(),
            self.lives.next(),
        ];
        let next = times.into_iter().flatten().min();
        next.map_or(self.next_anti_entropy, |time| {
            time.min(self.next_anti_entropy)
        })
    }

    /// Tells what has changed here now, without waiting for more of it.
    pub fn hurry(&mut self, now: Now) {
        self.plan_flush_now(now);
        self.flush(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.begin_anew_if_due(now);
        self.flush(now);
        self.repeat(now);
        self.refer(now);
        self.ask(now);
        if self.next_anti_entropy <= now.since {
            self.next_anti_entropy = now.since + self.jittered(self.settings.anti_entropy_every);
            self.forget_retired(now);
            let peer = self.peers.any(1, &mut self.rng);
            self.repeat_to(peer, Delta::default());
        }
    }

    fn forget_retired(&mut self, now: Now) {
        let kept = u64::try_from(self.settings.keep_retired.as_millis()).unwrap_or(u64::MAX);
        let before = Time::from_ms(now.wall_ms.saturating_sub(kept));
        if self.state.expire_retired(before) > 0 {
            self.fingerprint = None;
        }
    }

    /// An interval, up to a tenth longer or shorter, so that nodes do not move in step.
    pub(super) fn jittered(&mut self, interval: Duration) -> Duration {
        use rand::RngExt;
        interval.mul_f64(self.rng.random_range(0.9..1.1))
    }

    /// Sends something to some peers, written once.
    pub(super) fn push_to(&mut self, peers: Vec<I>, kind: Kind, delta: Part<I, K, T>) {
        if peers.is_empty() {
            return;
        }
        let fingerprint = self.fingerprint();
        let bytes = Message::Push(Push {
            kind,
            fingerprint,
            delta,
        })
        .to_bytes();
        peers
            .into_iter()
            .for_each(|peer| self.send(peer, bytes.clone()));
    }

    pub(super) fn send(&mut self, to: I, bytes: Vec<u8>) {
        debug_assert!(
            bytes.len() <= self.settings.message_bytes,
            "{} bytes",
            bytes.len()
        );
        self.status.sent += 1;
        self.status.sent_bytes += bytes.len() as u64;
        self.outputs.push_back(Output::Send { to, bytes });
    }

    /// Bytes of a delta that fits into one message.
    pub(super) fn delta_bytes(&self) -> usize {
        self.settings.message_bytes - PUSH_BYTES
    }
}
