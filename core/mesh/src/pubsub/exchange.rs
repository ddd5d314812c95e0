//! The exchange: where an event gets its id, its place in a ring, and its readers.
//!
//! These three happen under one lock, and so does a subscriber's joining. That is what makes replay
//! and live events meet without loss or doubling, and every reader see rising positions. Nobody is woken
//! while the lock is held.
//!
//! Other nodes read here too: what they want stands in a trie of its own, and each of them has one queue
//! however many of its patterns match. What comes from other nodes is delivered to this node's readers only,
//! so nothing is ever passed on (lesson 1).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

use macula_proto::{ErrorCode, Event, EventId, Pattern, Problem, Realm, event::Ids};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    Delivery, Gap, GapReason, Publish, Published, Replay, Subscribe, Subscription,
    queue::Queue,
    rings::{self, Rings},
    trie::Trie,
    wants::{Interest, Wants},
};
use crate::{clock::Clock, settings::Settings};

/// How far an id may be ahead of this node's time before it counts as unknown, in milliseconds.
/// The node's time is its clock, or that of the newest id it made when its clock has gone back.
/// Clocks of nodes in one cluster differ by less; more is a mistake.
const MAX_SKEW_MS: u64 = 60_000;

/// Everything that publish and subscribe share on a node.
#[derive(Debug)]
pub(crate) struct Exchange {
    clock: Clock,
    max_subscriptions: usize,
    /// The first id of this run: older ones are not this node's (lesson 20).
    epoch: EventId,
    state: Mutex<State>,
    /// Told when what is wanted has changed.
    changed: Arc<Notify>,
    pub(crate) counters: Counters,
}

#[derive(Debug)]
struct State {
    ids: Ids,
    /// The last id made.
    newest: EventId,
    readers: HashMap<Realm, Trie<Reader>>,
    /// The queues of other nodes, under the patterns that they want.
    peers: HashMap<Realm, Trie<Arc<Queue>>>,
    wants: Wants,
    rings: Rings,
    subscriptions: usize,
    next_key: u64,
}

#[derive(Debug)]
struct Reader {
    pattern: Pattern,
    queue: Arc<Queue>,
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) forwarded: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) gaps: AtomicU64,
}

/// How much the exchange holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) subscriptions: usize,
    pub(crate) topics: usize,
    pub(crate) replay_events: usize,
    pub(crate) replay_bytes: usize,
}

impl Exchange {
    pub(crate) fn new(settings: &Settings, clock: Clock, changed: Arc<Notify>) -> Self {
        let mut ids = Ids::new(rand::random());
        let epoch = ids.next(clock.now_ms(), 0);
        let bounds = rings::Bounds {
            events: settings.replay_events,
            age_ms: settings.replay_seconds.saturating_mul(1_000),
            bytes: settings.replay_bytes,
            topics: settings.max_topics,
        };
        Self {
            clock,
            max_subscriptions: settings.max_subscriptions,
            epoch,
            state: Mutex::new(State {
                ids,
                newest: epoch,
                readers: HashMap::new(),
                peers: HashMap::new(),
                wants: Wants::default(),
                rings: Rings::new(bounds, epoch),
                subscriptions: 0,
                next_key: 0,
            }),
            changed,
            counters: Counters::default(),
        }
    }

    pub(crate) fn publish(&self, publish: Publish) -> Arc<Published> {
        let now_ms = self.clock.now_ms();
        let random = rand::random();
        let mut pushes = Pushes::default();
        let mut state = self.state.lock();
        let id = state.ids.next(now_ms, random);
        state.newest = id;
        let published = Arc::new(Published::new(Event {
            id,
            realm: publish.realm,
            topic: publish.topic,
            publisher: publish.publisher,
            content_type: publish.content_type,
            headers: publish.headers,
            payload: publish.payload,
        }));
        state.deliver(&published, now_ms, &mut pushes);
        let event = &published.event;
        if let Some(peers) = state.peers.get(&event.realm) {
            peers.matching(event.topic.as_str(), &mut |peer| {
                let pushed = peer.push_once(&published);
                pushes.forwarded += pushed.taken;
                pushes.wake.extend(pushed.reader);
            });
        }
        drop(state);
        self.counters.published.fetch_add(1, Ordering::Relaxed);
        self.finish(pushes);
        published
    }

    /// Delivers what was published at other nodes to this node's readers. What is here already is
    /// left out; the answer is how many events were new.
    pub(crate) fn receive(&self, events: impl IntoIterator<Item = Event>) -> usize {
        let now_ms = self.clock.now_ms();
        let mut pushes = Pushes::default();
        let mut new = 0;
        let mut state = self.state.lock();
        for event in events {
            if state.rings.has_foreign(event.id) {
                continue;
            }
            // A clock that is further ahead would take ours along for good.
            if event.id.time_ms() <= now_ms.saturating_add(MAX_SKEW_MS) {
                state.ids.observe(event.id);
            }
            let position = state.ids.next(now_ms, rand::random());
            state.newest = position;
            state.deliver(
                &Arc::new(Published::at(event, position)),
                now_ms,
                &mut pushes,
            );
            new += 1;
        }
        drop(state);
        self.counters
            .received
            .fetch_add(new as u64, Ordering::Relaxed);
        self.finish(pushes);
        new
    }

    /// Tells every reader that events were lost on the way from another node.
    pub(crate) fn lost(&self, gap: Gap) {
        let mut wake = Vec::new();
        let state = self.state.lock();
        for readers in state.readers.values() {
            readers.each(&mut |reader| wake.extend(reader.queue.push_gap(gap)));
        }
        drop(state);
        wake.into_iter().for_each(Waker::wake);
    }

    fn finish(&self, pushes: Pushes) {
        pushes.wake.into_iter().for_each(Waker::wake);
        for (counter, count) in [
            (&self.counters.delivered, pushes.delivered),
            (&self.counters.dropped, pushes.dropped),
            (&self.counters.forwarded, pushes.forwarded),
        ] {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// Another node wants the events of a pattern; the key tells its interests apart.
    pub(crate) fn admit(&self, interest: &Interest, key: u64, peer: Arc<Queue>) {
        let (realm, pattern) = interest;
        let mut state = self.state.lock();
        let peers = state.peers.entry(realm.clone()).or_default();
        peers.insert(pattern, key, peer);
    }

    /// It does not want them any more.
    pub(crate) fn dismiss(&self, interest: &Interest, key: u64) {
        let (realm, pattern) = interest;
        let mut state = self.state.lock();
        if let Some(peers) = state.peers.get_mut(realm) {
            peers.remove(pattern, key);
            if peers.is_empty() {
                state.peers.remove(realm);
            }
        }
    }

    /// How many patterns other nodes want.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn peers(&self) -> usize {
        let mut count = 0;
        for peers in self.state.lock().peers.values() {
            peers.each(&mut |_| count += 1);
        }
        count
    }

    /// What this node has begun or ceased to want since the last time it was asked.
    pub(crate) fn take_wants(&self) -> Vec<(Interest, bool)> {
        self.state.lock().wants.take()
    }

    /// What is kept of a realm's events, for a reader at another node: by the ids of events, as the order in
    /// which they came is each node's own.
    pub(crate) fn kept(&self, realm: &Realm, pattern: &Pattern, replay: Replay) -> Vec<Delivery> {
        let now_ms = self.clock.now_ms();
        let mut state = self.state.lock();
        state.rings.expire(now_ms);
        match replay {
            Replay::None => Vec::new(),
            Replay::Last(count) => deliveries(state.rings.last(realm, pattern, count)),
            Replay::After(id) => {
                let replay = state.rings.newer(realm, pattern, id);
                self.resumed(&state, id, now_ms, replay)
            }
        }
    }

    /// Leaves out the events that are kept here.
    pub(crate) fn leave_out_kept(&self, events: &mut Vec<Event>) {
        let state = self.state.lock();
        events.retain(|event| !state.knows(event.id));
    }

    pub(crate) fn subscribe(self: &Arc<Self>, wanted: Subscribe) -> Result<Subscription, Problem> {
        let Subscribe {
            realm,
            pattern,
            replay,
            queue,
        } = wanted;
        let queue = Arc::new(Queue::new(queue));
        let now_ms = self.clock.now_ms();
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.subscriptions >= self.max_subscriptions {
            let limit = self.max_subscriptions;
            let detail = format!("this node has its limit of {limit} subscriptions");
            return Err(Problem::new(ErrorCode::Overloaded, detail));
        }
        state.rings.expire(now_ms);
        let backlog = self.backlog(state, &realm, &pattern, replay, now_ms);
        let position = match replay {
            Replay::After(id) => id,
            Replay::None | Replay::Last(_) => before(&backlog).unwrap_or(state.newest),
        };
        let key = state.next_key;
        state.next_key += 1;
        state.subscriptions += 1;
        let reader = Reader {
            pattern: pattern.clone(),
            queue: Arc::clone(&queue),
        };
        let readers = state.readers.entry(realm.clone()).or_default();
        readers.insert(&pattern, key, reader);
        if state.wants.add(&realm, &pattern) {
            self.changed.notify_one();
        }
        Ok(Subscription::new(
            Arc::clone(self),
            (realm, pattern, key),
            backlog,
            queue,
            position,
        ))
    }

    fn backlog(
        &self,
        state: &State,
        realm: &Realm,
        pattern: &Pattern,
        replay: Replay,
        now_ms: u64,
    ) -> Vec<Delivery> {
        match replay {
            Replay::None => Vec::new(),
            Replay::Last(count) => deliveries(state.rings.last(realm, pattern, count)),
            Replay::After(id) => {
                let replay = match state.knows(id) {
                    true => state.rings.after(realm, pattern, state.rings.position(id)),
                    // It was read at another node, in the order there.
                    false => state.rings.newer(realm, pattern, id),
                };
                self.resumed(state, id, now_ms, replay)
            }
        }
    }

    /// What is given to who resumes after an event: a gap first, if something is missing.
    fn resumed(
        &self,
        state: &State,
        id: EventId,
        now_ms: u64,
        replay: rings::Replay,
    ) -> Vec<Delivery> {
        let latest = now_ms
            .max(state.newest.time_ms())
            .saturating_add(MAX_SKEW_MS);
        let unknown = !state.knows(id) && (id < self.epoch || id.time_ms() > latest);
        let reason = if unknown {
            GapReason::UnknownId
        } else {
            GapReason::OutsideWindow
        };
        let mut backlog = Vec::new();
        if unknown || replay.incomplete {
            backlog.push(Delivery::Gap(Gap {
                missed: None,
                reason,
            }));
        }
        backlog.extend(deliveries(replay.events));
        backlog
    }

    pub(crate) fn unsubscribe(&self, realm: &Realm, pattern: &Pattern, key: u64) {
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Some(readers) = state.readers.get_mut(realm)
            && readers.remove(pattern, key).is_some()
        {
            state.subscriptions -= 1;
            if readers.is_empty() {
                state.readers.remove(realm);
            }
            if state.wants.remove(realm, pattern) {
                self.changed.notify_one();
            }
        }
    }

    /// Drops what is too old to be replayed.
    pub(crate) fn expire(&self) {
        self.state.lock().rings.expire(self.clock.now_ms());
    }

    /// The topics known in a realm: those with events to replay, and those that somebody
    /// subscribes to by name.
    pub(crate) fn topics(&self, realm: &Realm) -> BTreeSet<String> {
        let state = self.state.lock();
        let mut topics: BTreeSet<String> = state
            .rings
            .topics(realm)
            .map(|topic| topic.as_str().to_owned())
            .collect();
        if let Some(readers) = state.readers.get(realm) {
            readers.each(&mut |reader| {
                if reader.pattern.is_literal() {
                    topics.insert(reader.pattern.as_str().to_owned());
                }
            });
        }
        topics
    }

    pub(crate) fn size(&self) -> Size {
        let state = self.state.lock();
        let (topics, replay_events, replay_bytes) = state.rings.size();
        Size {
            subscriptions: state.subscriptions,
            topics,
            replay_events,
            replay_bytes,
        }
    }
}

impl State {
    /// Whether an id is of an event that has a place in this node's order.
    fn knows(&self, id: EventId) -> bool {
        (self.ids.made(id) && id <= self.newest) || self.rings.has_foreign(id)
    }

    /// Keeps an event, and gives it to the readers here.
    fn deliver(&mut self, published: &Arc<Published>, now_ms: u64, pushes: &mut Pushes) {
        let event = &published.event;
        self.rings.push(published, now_ms);
        if let Some(readers) = self.readers.get(&event.realm) {
            readers.matching(event.topic.as_str(), &mut |reader| {
                let pushed = reader.queue.push(published);
                pushes.delivered += pushed.taken;
                pushes.dropped += pushed.lost;
                pushes.wake.extend(pushed.reader);
            });
        }
    }
}

/// What came of giving events to their readers.
#[derive(Default)]
struct Pushes {
    wake: Vec<Waker>,
    delivered: u64,
    dropped: u64,
    forwarded: u64,
}

/// The position before the first event.
fn before(backlog: &[Delivery]) -> Option<EventId> {
    let first = backlog.iter().find_map(|delivery| match delivery {
        Delivery::Event(published) => Some(published.position.as_u128()),
        Delivery::Gap(_) => None,
    });
    first.map(|id| EventId::from_u128(id.saturating_sub(1)))
}

fn deliveries(events: Vec<Arc<Published>>) -> Vec<Delivery> {
    events.into_iter().map(Delivery::Event).collect()
}
