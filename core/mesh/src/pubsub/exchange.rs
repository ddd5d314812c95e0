//! The exchange: where an event gets its id, its place in a ring, and its readers.
//!
//! These three happen under one lock, and so does a subscriber's joining. That is what makes replay
//! and live events meet without loss or doubling, and every reader see rising ids. Nobody is woken
//! while the lock is held.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use macula_proto::{ErrorCode, Event, EventId, Pattern, Problem, Realm, event::Ids};
use parking_lot::Mutex;

use super::{
    Delivery, Gap, GapReason, Publish, Published, Replay, Subscribe, Subscription,
    queue::Queue,
    rings::{self, Rings},
    trie::Trie,
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
    pub(crate) counters: Counters,
}

#[derive(Debug)]
struct State {
    ids: Ids,
    /// The last id made.
    newest: EventId,
    readers: HashMap<Realm, Trie<Reader>>,
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
    pub(crate) fn new(settings: &Settings, clock: Clock) -> Self {
        let mut ids = Ids::new();
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
                rings: Rings::new(bounds, epoch),
                subscriptions: 0,
                next_key: 0,
            }),
            counters: Counters::default(),
        }
    }

    pub(crate) fn publish(&self, publish: Publish) -> Arc<Published> {
        let now_ms = self.clock.now_ms();
        let random = rand::random();
        let mut wake = Vec::new();
        let (mut delivered, mut dropped) = (0, 0);
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
        let event = &published.event;
        state.rings.push(&published, now_ms);
        if let Some(readers) = state.readers.get(&event.realm) {
            readers.matching(event.topic.as_str(), &mut |reader| {
                let pushed = reader.queue.push(&published);
                delivered += pushed.taken;
                dropped += pushed.lost;
                wake.extend(pushed.reader);
            });
        }
        drop(state);
        for reader in wake {
            reader.wake();
        }
        self.counters.published.fetch_add(1, Ordering::Relaxed);
        self.counters
            .delivered
            .fetch_add(delivered, Ordering::Relaxed);
        self.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
        published
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
        let backlog = match replay {
            Replay::None => Vec::new(),
            Replay::Last(count) => deliveries(state.rings.last(&realm, &pattern, count)),
            Replay::After(id) => self.resume(state, &realm, &pattern, id, now_ms),
        };
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
        Ok(Subscription::new(
            Arc::clone(self),
            (realm, pattern, key),
            backlog,
            queue,
            position,
        ))
    }

    fn resume(
        &self,
        state: &State,
        realm: &Realm,
        pattern: &Pattern,
        id: EventId,
        now_ms: u64,
    ) -> Vec<Delivery> {
        let replay = state.rings.after(realm, pattern, id);
        let latest = now_ms.max(state.newest.time_ms());
        let unknown = id < self.epoch || id.time_ms() > latest.saturating_add(MAX_SKEW_MS);
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

/// The id before the first event.
fn before(backlog: &[Delivery]) -> Option<EventId> {
    let first = backlog.iter().find_map(|delivery| match delivery {
        Delivery::Event(published) => Some(published.event.id.as_u128()),
        Delivery::Gap(_) => None,
    });
    first.map(|id| EventId::from_u128(id.saturating_sub(1)))
}

fn deliveries(events: Vec<Arc<Published>>) -> Vec<Delivery> {
    events.into_iter().map(Delivery::Event).collect()
}
