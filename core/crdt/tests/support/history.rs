//! A history: replicas that change their state and send each other parts of it, over a network that
//! loses, doubles and mixes what they send, while replicas come and go. After each step the replica
//! that took it must be just what the model says.

use macula_crdt::{Actor, Changes, Codec, Delta, Limits, Time, Value};
use proptest::{prelude::*, sample::Index};

use super::{
    Key, Part, Replica,
    model::{Entries, Model, entries},
};

pub(crate) const REPLICAS: u8 = 8;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Add(u8, Key, u8),
    Remove(u8, Key, u8),
    /// The last number is the time, which may lie behind that of others.
    Write(u8, Key, u8, u64),
    Count(u8, Key, u64, u64),
    RemoveKey(u8, Key),
    /// Puts a message on the network.
    Send {
        from: u8,
        to: u8,
        what: What,
    },
    /// A message arrives, and stays on the network as a double.
    Deliver(Index),
    /// A message arrives at somebody else.
    Misdeliver(Index, u8),
    Lose(Index),
    /// Somebody says that somebody has left for good. Whoever has left does nothing any more.
    Retire(u8, u8),
    /// Comes back as the next incarnation, with its state or without.
    Return(u8, bool),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Whole,
    Since,
    Digest,
    /// The delta of the last change.
    Fresh,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let who = || 0..REPLICAS;
    let key = || 0..3_u8;
    let member = || 0..3_u8;
    let what = prop_oneof![
        Just(What::Whole),
        Just(What::Since),
        Just(What::Digest),
        Just(What::Fresh)
    ];
    prop_oneof![
        5 => (who(), key(), member()).prop_map(|(at, key, m)| Step::Add(at, key, m)),
        4 => (who(), key(), member()).prop_map(|(at, key, m)| Step::Remove(at, key, m)),
        2 => (who(), key(), member(), 0..9_u64).prop_map(|(at, key, m, t)| Step::Write(at, key, m, t)),
        2 => (who(), key(), 0..5_u64, 0..5_u64).prop_map(|(at, key, u, d)| Step::Count(at, key, u, d)),
        1 => (who(), key()).prop_map(|(at, key)| Step::RemoveKey(at, key)),
        10 => (who(), who(), what).prop_map(|(from, to, what)| Step::Send { from, to, what }),
        10 => any::<Index>().prop_map(Step::Deliver),
        1 => (any::<Index>(), who()).prop_map(|(index, to)| Step::Misdeliver(index, to)),
        2 => any::<Index>().prop_map(Step::Lose),
        1 => (who(), who()).prop_map(|(at, gone)| Step::Retire(at, gone)),
        1 => (who(), any::<bool>()).prop_map(|(at, keep)| Step::Return(at, keep)),
    ]
}

#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) state: Replica,
    pub(crate) model: Model,
    /// The entries as the changes told tell them.
    index: Entries,
    me: Actor<u8>,
    has_left: bool,
    fresh: (Part, Model),
}

#[derive(Debug)]
struct Message {
    to: u8,
    bytes: Vec<u8>,
    model: Model,
}

pub(crate) struct World {
    pub(crate) sites: Vec<Site>,
    network: Vec<Message>,
    now: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let site = |id| Site {
            state: Replica::default(),
            model: Model::default(),
            index: Entries::new(),
            me: Actor { id, incarnation: 1 },
            has_left: false,
            fresh: (Delta::default(), Model::default()),
        };
        Self {
            sites: (0..REPLICAS).map(site).collect(),
            network: Vec::new(),
            now: 0,
        }
    }

    /// The world after a history.
    pub(crate) fn after(steps: Vec<Step>) -> Self {
        let mut world = Self::new();
        steps.into_iter().for_each(|step| world.apply(step));
        world
    }

    fn message(&self, index: Index) -> Option<usize> {
        (!self.network.is_empty()).then(|| index.index(self.network.len()))
    }

    pub(crate) fn apply(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Add(at, key, member) => self.sites[usize::from(at)].change(
                |state, me| state.add(&me, key, member).expect("not retired"),
                |k, value| k == key && *value == Value::Member(member),
            ),
            Step::Remove(at, key, member) => self.sites[usize::from(at)].change(
                |state, _| state.remove(&key, &member),
                |k, value| k == key && *value == Value::Member(member),
            ),
            Step::Write(at, key, member, time) => self.sites[usize::from(at)].change(
                |state, me| {
                    let time = Time::from_ms(time);
                    state.write(&me, key, time, member).expect("not retired")
                },
                |k, value| k == key && matches!(value, Value::Written { .. }),
            ),
            Step::Count(at, key, up, down) => {
                let site = &mut self.sites[usize::from(at)];
                let me = site.me;
                let before = site.state.counted(&key);
                let own = site.model.live().into_iter().filter(|(dot, (k, value))| {
                    dot.actor == me && *k == key && matches!(value, Value::Counted { .. })
                });
                let own: Vec<_> = own.map(|(dot, _)| dot).collect();
                assert!(own.len() <= 1);
                site.change_dots(
                    |state, me| state.count(&me, key, up, down).expect("not retired"),
                    own,
                );
                if !site.has_left {
                    let counted = i128::from(up) - i128::from(down);
                    assert_eq!(site.state.counted(&key), before + counted);
                }
            }
            Step::RemoveKey(at, key) => self.sites[usize::from(at)]
                .change(|state, _| state.remove_key(&key), |k, _| k == key),
            Step::Send { from, to, what } => self.send(from, to, what),
            Step::Deliver(index) => {
                if let Some(index) = self.message(index) {
                    let to = self.network[index].to;
                    self.deliver(index, to);
                }
            }
            Step::Misdeliver(index, to) => {
                if let Some(index) = self.message(index) {
                    self.deliver(index, to);
                }
            }
            Step::Lose(index) => {
                if let Some(index) = self.message(index) {
                    self.network.swap_remove(index);
                }
            }
            Step::Retire(at, gone) => self.retire(at, gone),
            Step::Return(at, keep) => self.sites[usize::from(at)].come_back(keep),
        }
    }

    fn send(&mut self, from: u8, to: u8, what: What) {
        let (sender, peer) = (&self.sites[usize::from(from)], &self.sites[usize::from(to)]);
        if sender.has_left {
            return;
        }
        let (part, model) = match what {
            What::Whole => (sender.state.whole(), sender.model.clone()),
            What::Since => {
                let context = again(&peer.state.context());
                (
                    sender.state.delta_since(&context),
                    sender.model.since(&peer.model, false),
                )
            }
            What::Digest => {
                let digest = again(&peer.state.digest());
                (
                    sender.state.delta_for(&digest),
                    sender.model.since(&peer.model, true),
                )
            }
            What::Fresh => sender.fresh.clone(),
        };
        let bytes = part.to_bytes();
        self.network.push(Message { to, bytes, model });
    }

    fn deliver(&mut self, index: usize, to: u8) {
        let Message { bytes, model, .. } = &self.network[index];
        let part = Part::from_bytes(bytes, &Limits::default()).expect("what was written");
        assert_eq!(&part.to_bytes(), bytes);
        self.sites[usize::from(to)].merge(part, model);
    }

    fn retire(&mut self, at: u8, gone: u8) {
        let me = self.sites[usize::from(gone)].me;
        let incarnation = me.incarnation;
        self.sites[usize::from(gone)].has_left = true;
        let site = &mut self.sites[usize::from(at)];
        if site.has_left {
            return;
        }
        let (delta, changes) = site
            .state
            .retire(&gone, incarnation, Time::from_ms(self.now));
        site.follow(&changes);
        let mut said = Model::default();
        if !site.model.is_retired(me) {
            said.retired.insert(gone, (incarnation, self.now));
        }
        site.model.merge(&said);
        site.fresh = (delta, said);
        site.check();
    }

    /// Everybody who is in hears of everything.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2 {
            for from in 0..self.sites.len() {
                let (whole, model) = (
                    self.sites[from].state.whole(),
                    self.sites[from].model.clone(),
                );
                for site in &mut self.sites {
                    site.merge(whole.clone(), &model);
                }
            }
        }
    }
}

impl Site {
    /// Changes the state; what is replaced or removed are the entries that `gone` says.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Replica, Actor<u8>) -> Part,
        gone: impl Fn(Key, &Value<u8>) -> bool,
    ) {
        let live = self.model.live().into_iter();
        let gone = live
            .filter(|(_, (key, value))| gone(*key, value))
            .map(|(dot, _)| dot);
        let gone = gone.collect();
        self.change_dots(change, gone);
    }

    fn change_dots(
        &mut self,
        change: impl FnOnce(&mut Replica, Actor<u8>) -> Part,
        gone: Vec<macula_crdt::Dot<u8>>,
    ) {
        if self.has_left {
            return;
        }
        let delta = change(&mut self.state, self.me);
        let known = self.model.added.clone();
        let added = entries(&self.state)
            .into_iter()
            .filter(|(dot, _)| !known.contains_key(dot));
        let said = Model {
            added: added.collect(),
            removed: gone.into_iter().collect(),
            ..Model::default()
        };
        assert_eq!(delta.len(), said.added.len());
        self.model.merge(&said);
        self.fresh = (delta, said);
        self.index = entries(&self.state);
        self.check();
    }

    pub(crate) fn merge(&mut self, part: Part, model: &Model) {
        let changes = self.state.merge(part);
        self.follow(&changes);
        self.model.merge(model);
        self.has_left |= self.state.is_retired(&self.me);
        self.check();
    }

    fn follow(&mut self, changes: &Changes<u8, Key, Value<u8>>) {
        for change in &changes.removed {
            assert!(
                self.index.remove(&change.dot).is_some(),
                "removed what was there"
            );
        }
        for change in &changes.added {
            let entry = (*change.entry.key, change.entry.value.clone());
            assert!(
                self.index.insert(change.dot, entry).is_none(),
                "added what was not there"
            );
        }
    }

    fn come_back(&mut self, keep: bool) {
        self.me.incarnation += 1;
        self.has_left = false;
        if !keep {
            self.state = Replica::default();
            self.model = Model::default();
            self.index.clear();
        }
        self.fresh = (Delta::default(), Model::default());
        self.has_left = self.state.is_retired(&self.me);
    }

    /// The replica is what the model says, and so is the index that follows the changes.
    fn check(&self) {
        let found = entries(&self.state);
        assert_eq!(found, self.model.live());
        assert_eq!(found, self.index);
        assert_eq!(found.len(), self.state.len());
        assert_eq!(found.len(), self.state.entries().count());
    }
}

/// What comes out of its own encoding.
fn again<T: Codec>(value: &T) -> T {
    T::from_bytes(&value.to_bytes(), &Limits::default()).expect("what was written")
}
