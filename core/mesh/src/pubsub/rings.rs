//! Replay: the last events of each topic, within bounds of count, age and total bytes. Pure.
//!
//! The order is that of positions, [`Published::position`]: the order in which events came to this node.
//!
//! A ring that has run empty is kept for a while, as the memory of what was dropped from it: so a
//! reader that resumes is told of a gap only when something that it wanted is really gone. What is
//! older than that memory is covered by one floor for all topics.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use macula_proto::{Event, EventId, Pattern, Realm, Topic};

use super::Published;

/// How long an empty ring is remembered, as a multiple of the replay age.
const MEMORY: u64 = 10;

/// What the rings hold at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Events in one ring.
    pub(crate) events: usize,
    /// The age of an event, in milliseconds.
    pub(crate) age_ms: u64,
    /// Bytes in all rings together.
    pub(crate) bytes: usize,
    /// Rings, empty ones included; the one whose events are oldest goes when there are more.
    pub(crate) topics: usize,
}

#[derive(Debug)]
pub(crate) struct Rings {
    bounds: Bounds,
    realms: HashMap<Realm, HashMap<Topic, Ring>>,
    /// The rings that hold events, by the position of their oldest one.
    live: BTreeMap<EventId, (Realm, Topic)>,
    /// The rings that have run empty, by the position of the last event dropped from them.
    emptied: BTreeMap<EventId, (Realm, Topic)>,
    /// The positions of kept events that came from other nodes.
    foreign: HashMap<EventId, EventId>,
    /// Everything up to here may have been dropped and forgotten.
    floor: EventId,
    bytes: usize,
    events: usize,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Published>>,
    /// The position of the last event dropped from this ring.
    dropped: Option<EventId>,
}

/// What can be replayed after an event.
#[derive(Debug)]
pub(crate) struct Replay {
    /// True when something that was wanted may be gone.
    pub(crate) incomplete: bool,
    /// The events, in the order of their positions.
    pub(crate) events: Vec<Arc<Published>>,
}

impl Rings {
    /// No rings; everything up to `floor` counts as forgotten.
    pub(crate) fn new(bounds: Bounds, floor: EventId) -> Self {
        Self {
            bounds,
            realms: HashMap::new(),
            live: BTreeMap::new(),
            emptied: BTreeMap::new(),
            foreign: HashMap::new(),
            floor,
            bytes: 0,
            events: 0,
        }
    }

    /// How many rings (empty ones included), events and bytes there are.
    pub(crate) fn size(&self) -> (usize, usize, usize) {
        let rings = self.live.len() + self.emptied.len();
        (rings, self.events, self.bytes)
    }

    /// The topics that have events, in no particular order.
    pub(crate) fn topics(&self, realm: &Realm) -> impl Iterator<Item = &Topic> {
        let rings = self.realms.get(realm).into_iter().flatten();
        rings
            .filter(|(_, ring)| !ring.events.is_empty())
            .map(|(topic, _)| topic)
    }

    /// The position of an event by its id: that of an event that was published here is its id.
    pub(crate) fn position(&self, id: EventId) -> EventId {
        self.foreign.get(&id).copied().unwrap_or(id)
    }

    /// True for an event from another node that is still kept.
    pub(crate) fn has_foreign(&self, id: EventId) -> bool {
        self.foreign.contains_key(&id)
    }

    /// Adds an event, at a position after all before, and drops what no longer fits.
    pub(crate) fn push(&mut self, event: &Arc<Published>, now_ms: u64) {
        let position = event.position;
        let Event {
            id, realm, topic, ..
        } = &event.event;
        if self.bounds.events == 0 {
            // Nothing is kept: whoever resumes from before this event has lost something.
            self.floor = position;
            return;
        }
        if *id != position {
            self.foreign.insert(*id, position);
        }
        let ring = self.realms.entry(realm.clone()).or_default();
        let ring = ring.entry(topic.clone()).or_default();
        if ring.events.is_empty() {
            if let Some(dropped) = ring.dropped {
                self.emptied.remove(&dropped);
            }
            self.live.insert(position, (realm.clone(), topic.clone()));
        }
        ring.events.push_back(Arc::clone(event));
        self.bytes += event.cost();
        self.events += 1;
        if ring.events.len() > self.bounds.events
            && let Some(oldest) = ring.events.pop_front()
        {
            // As `drop_oldest`, without looking for the ring once more: it is full most of the time.
            let key = self.live.remove(&oldest.position);
            let key = key.expect("a live ring stands under its oldest event");
            self.live.insert(ring.events[0].position, key);
            ring.dropped = Some(oldest.position);
            self.bytes -= oldest.cost();
            self.events -= 1;
            if oldest.event.id != oldest.position {
                self.foreign.remove(&oldest.event.id);
            }
        }
        self.expire(now_ms);
    }

    /// Drops what is too old or too much.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        let kept = now_ms.saturating_sub(self.bounds.age_ms);
        while let Some((&oldest, _)) = self.live.first_key_value() {
            if self.bytes <= self.bounds.bytes && oldest.time_ms() >= kept {
                break;
            }
            self.drop_oldest(oldest);
        }
        let remembered = now_ms.saturating_sub(self.bounds.age_ms.saturating_mul(MEMORY));
        while let Some((&last, _)) = self.emptied.first_key_value() {
            let crowded = self.live.len() + self.emptied.len() > self.bounds.topics;
            if !crowded && last.time_ms() >= remembered {
                break;
            }
            self.forget(last);
        }
        while self.live.len() > self.bounds.topics {
            let Some((&oldest, _)) = self.live.first_key_value() else {
                break;
            };
            self.drop_oldest(oldest);
            // What this emptied is the first to be forgotten, unless events are left in it.
            if let Some((&last, _)) = self.emptied.first_key_value() {
                self.forget(last);
            }
        }
    }

    /// Drops the oldest event of the live ring that stands under `oldest`.
    fn drop_oldest(&mut self, oldest: EventId) {
        let key = self.live.remove(&oldest);
        let (realm, topic) = key.expect("a live ring stands under its oldest event");
        let ring = self.realms.get_mut(&realm).and_then(|r| r.get_mut(&topic));
        let ring = ring.expect("what is in the index is in the map");
        let event = ring.events.pop_front().expect("a live ring has events");
        ring.dropped = Some(oldest);
        self.bytes -= event.cost();
        self.events -= 1;
        if event.event.id != event.position {
            self.foreign.remove(&event.event.id);
        }
        if let Some(next) = ring.events.front() {
            self.live.insert(next.position, (realm, topic));
        } else {
            ring.events = VecDeque::new();
            self.emptied.insert(oldest, (realm, topic));
        }
    }

    /// Forgets the empty ring that stands under `last`.
    fn forget(&mut self, last: EventId) {
        if let Some((realm, topic)) = self.emptied.remove(&last) {
            let rings = self.realms.get_mut(&realm);
            let rings = rings.expect("what is in the index is in the map");
            rings.remove(&topic);
            if rings.is_empty() {
                self.realms.remove(&realm);
            }
            self.floor = self.floor.max(last);
        }
    }

    /// The last `count` events that match.
    pub(crate) fn last(
        &self,
        realm: &Realm,
        pattern: &Pattern,
        count: usize,
    ) -> Vec<Arc<Published>> {
        let rings = self.matching(realm, pattern);
        let mut events: Vec<_> = rings
            .flat_map(|ring| ring.events.iter().rev().take(count).cloned())
            .collect();
        events.sort_unstable_by_key(|event| event.position);
        let surplus = events.len().saturating_sub(count);
        events.drain(..surplus);
        events
    }

    /// Everything that matches and stands after a position.
    pub(crate) fn after(&self, realm: &Realm, pattern: &Pattern, position: EventId) -> Replay {
        let mut replay = Replay {
            incomplete: position < self.floor,
            events: Vec::new(),
        };
        for ring in self.matching(realm, pattern) {
            replay.incomplete |= ring.dropped.is_some_and(|dropped| dropped > position);
            let newer = ring
                .events
                .partition_point(|event| event.position <= position);
            replay.events.extend(ring.events.range(newer..).cloned());
        }
        replay.events.sort_unstable_by_key(|event| event.position);
        replay
    }

    /// Everything that matches and has a newer id, wherever it stands. An event from elsewhere stands at the
    /// millisecond of its id or later.
    pub(crate) fn newer(&self, realm: &Realm, pattern: &Pattern, id: EventId) -> Replay {
        let millisecond = EventId::from_u128((id.as_u128() >> 80 << 80).saturating_sub(1));
        let mut replay = self.after(realm, pattern, millisecond);
        replay.events.retain(|event| event.event.id > id);
        replay
    }

    fn matching<'a>(
        &'a self,
        realm: &Realm,
        pattern: &'a Pattern,
    ) -> impl Iterator<Item = &'a Ring> + 'a {
        let rings = self.realms.get(realm);
        // A pattern without wildcards is looked up; another one is tried on every topic.
        let (literal, wild) = match pattern.is_literal() {
            true => (rings.and_then(|rings| rings.get(pattern.as_str())), None),
            false => (None, rings),
        };
        let wild = wild.into_iter().flatten();
        let wild = wild.filter(|(topic, _)| pattern.matches(topic));
        literal.into_iter().chain(wild.map(|(_, ring)| ring))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use macula_proto::MediaType;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        events: 3,
        age_ms: 100,
        bytes: usize::MAX,
        topics: 10,
    };

    fn id(ms: u64) -> EventId {
        EventId::from_u128(u128::from(ms) << 80)
    }

    fn realm() -> Realm {
        Realm::parse("dev").unwrap()
    }

    fn event(topic: &str, ms: u64) -> Arc<Published> {
        foreign(topic, ms, ms)
    }

    /// An event made at one millisecond that came here at another.
    fn foreign(topic: &str, made_ms: u64, came_ms: u64) -> Arc<Published> {
        let event = Event {
            id: id(made_ms),
            realm: realm(),
            topic: Topic::parse(topic).unwrap(),
            publisher: "somebody".into(),
            content_type: MediaType::JSON,
            headers: Vec::new(),
            payload: Bytes::from_static(b"1"),
        };
        Arc::new(Published::at(event, id(came_ms)))
    }

    /// Rings with events of these topics, each published at its millisecond.
    fn rings(bounds: Bounds, events: &[(&str, u64)]) -> Rings {
        let mut rings = Rings::new(bounds, id(0));
        for (topic, ms) in events {
            rings.push(&event(topic, *ms), *ms);
        }
        rings
    }

    fn times(events: &[Arc<Published>]) -> Vec<u64> {
        events.iter().map(|e| e.event.id.time_ms()).collect()
    }

    /// What a reader of `pattern` gets who has seen everything up to `after`.
    fn check(rings: &Rings, pattern: &str, after: u64, incomplete: bool, expected: &[u64]) {
        let pattern = Pattern::parse(pattern).unwrap();
        let replay = rings.after(&realm(), &pattern, id(after));
        assert_eq!(
            (replay.incomplete, times(&replay.events)),
            (incomplete, expected.to_vec()),
            "{pattern} after {after}"
        );
    }

    #[test]
    fn replay_merges_topics_in_the_order_of_ids() {
        let rings = rings(BOUNDS, &[("a.x", 1), ("a.y", 2), ("b", 3), ("a.x", 4)]);
        check(&rings, "a.*", 1, false, &[2, 4]);
        check(&rings, "a.x", 1, false, &[4]);
        check(&rings, "**", 0, false, &[1, 2, 3, 4]);
        let all = Pattern::all();
        assert_eq!(times(&rings.last(&realm(), &all, 2)), [3, 4]);
    }

    #[test]
    fn events_of_other_nodes_stand_where_they_came() {
        let mut rings = rings(BOUNDS, &[("a", 10), ("a", 20)]);
        rings.push(&foreign("a", 5, 30), 30);
        let after = rings.position(id(20));
        let replay = rings.after(&realm(), &Pattern::all(), after);
        assert_eq!(times(&replay.events), [5], "it came after the one of 20");
        assert_eq!(rings.position(id(5)), id(30));
        assert!(rings.has_foreign(id(5)));
        rings.expire(1_000);
        assert!(rings.foreign.is_empty(), "lesson 3: tables return to empty");
    }

    #[test]
    fn a_gap_is_told_only_when_something_wanted_is_gone() {
        let events = [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("a", 5)];
        let rings = rings(BOUNDS, &events);
        check(&rings, "a", 0, true, &[3, 4, 5]);
        check(&rings, "a", 1, false, &[3, 4, 5]);
        check(&rings, "b", 0, false, &[2]);
    }

    #[test]
    fn old_events_go_and_are_remembered_until_the_floor_covers_them() {
        let mut rings = rings(BOUNDS, &[("a", 10), ("b", 20)]);
        rings.expire(200);
        assert_eq!((rings.size().0, rings.size().1), (2, 0));
        check(&rings, "a", 10, false, &[]);
        check(&rings, "a", 9, true, &[]);
        check(&rings, "c", 9, false, &[]);
        rings.expire(2000);
        assert_eq!(rings.size(), (0, 0, 0));
        assert!(rings.realms.is_empty(), "lesson 3: tables return to empty");
        check(&rings, "c", 9, true, &[]);
        check(&rings, "a", 20, false, &[]);
    }

    #[test]
    fn the_oldest_event_of_all_topics_goes_when_bytes_run_out() {
        let bytes = 2 * event("a", 0).cost();
        let bounds = Bounds { bytes, ..BOUNDS };
        let rings = rings(bounds, &[("a", 1), ("b", 2), ("a", 3)]);
        check(&rings, "**", 0, true, &[2, 3]);
        assert_eq!(rings.size().2, bytes);
    }

    #[test]
    fn the_number_of_topics_is_bounded() {
        let bounds = Bounds {
            topics: 2,
            ..BOUNDS
        };
        let rings = rings(bounds, &[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(rings.size().0, 2);
        check(&rings, "**", 0, true, &[2, 3]);
    }
}
