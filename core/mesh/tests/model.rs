//! The exchange against a naive model: a vector of all events, and what each reader should see.
//!
//! Sequences of operations are drawn at random. Of each reader the model keeps every event that was
//! due to it since it came; what is delivered and what is told as missed must be just that, each at
//! its place. Threads are not modelled here; `order.rs` has them.

mod support;

use macula_mesh::{
    GapReason, Mesh, Replay, Settings, Subscription,
    pubsub::{Bounds, Overflow},
};
use macula_proto::{EventId, Pattern};
use proptest::{prelude::*, sample::Index};
use support::*;

const TOPICS: [&str; 4] = ["a.x", "a.y", "b", "b.x.y"];
const PATTERNS: [&str; 5] = ["a.x", "a.*", "**", "b.**", "b"];
/// The bounds of replay: events of a topic, events of all topics (as bytes), age.
const RING: usize = 6;
const TOTAL: usize = 15;
const AGE_MS: u64 = 10_000;

#[derive(Debug, Clone)]
enum Op {
    Publish(usize),
    Subscribe(usize, Start, Bounds),
    /// Reads up to so many deliveries.
    Read(Index, usize),
    /// Leaves, and comes back after the last event that was read.
    Resume(Index),
    Leave(Index),
    Advance(u64),
}

#[derive(Debug, Clone)]
enum Start {
    Live,
    Last(usize),
    After(Index),
}

fn op() -> impl Strategy<Value = Op> {
    let start = prop_oneof![
        Just(Start::Live),
        (0..12_usize).prop_map(Start::Last),
        any::<Index>().prop_map(Start::After),
    ];
    let overflow = prop_oneof![3 => Just(Overflow::DropOldest), 1 => Just(Overflow::Close)];
    let bounds = (1..10_usize, overflow).prop_map(|(events, overflow)| Bounds {
        events,
        overflow,
        ..Bounds::default()
    });
    prop_oneof![
        12 => (0..TOPICS.len()).prop_map(Op::Publish),
        3 => (0..PATTERNS.len(), start, bounds).prop_map(|(p, s, b)| Op::Subscribe(p, s, b)),
        5 => (any::<Index>(), 1..8_usize).prop_map(|(reader, max)| Op::Read(reader, max)),
        2 => any::<Index>().prop_map(Op::Resume),
        1 => any::<Index>().prop_map(Op::Leave),
        1 => (0..AGE_MS / 2).prop_map(Op::Advance),
    ]
}

/// An event; its number is its place in the model's vector.
struct Known {
    id: EventId,
    topic: &'static str,
    kept: bool,
}

/// A reader, and what is due to it.
struct Reader {
    subscription: Subscription,
    pattern: &'static str,
    bounds: Bounds,
    /// A gap is due first.
    resumed_late: bool,
    /// The events due, the backlog's first; those before `read` were read or told as missed.
    due: Vec<usize>,
    backlog: usize,
    read: usize,
    /// From here on in `due` a queue that closes has taken nothing.
    closed: Option<usize>,
    /// The gap of a queue that closed was read: nothing more is due.
    ended: bool,
    last: Option<usize>,
}

impl Reader {
    /// How many events wait in its queue, if it has lost none.
    fn waiting(&self) -> usize {
        self.due.len() - self.read.max(self.backlog)
    }

    fn is_full(&self) -> bool {
        self.waiting() >= self.bounds.events
    }

    /// Checks one delivery against what is due.
    fn check(&mut self, seen: Seen) {
        match seen {
            Seen::Event(number) => {
                let due = self.due.get(self.read).copied();
                assert_eq!(due, Some(number as usize), "the next event due");
                assert!(!self.resumed_late, "the gap comes first");
                self.read += 1;
                self.last = due;
            }
            Seen::Gap(None, GapReason::OutsideWindow) => {
                assert!(self.resumed_late, "nothing was lost");
                self.resumed_late = false;
            }
            Seen::Gap(Some(missed), GapReason::SlowReader) => {
                assert!(self.read >= self.backlog, "a backlog loses nothing");
                match self.closed {
                    Some(place) => {
                        assert_eq!(self.read, place, "the gap comes last");
                        assert_eq!(missed as usize, self.due.len() - place);
                        self.ended = true;
                    }
                    None => assert_eq!(missed as usize, self.waiting() - self.bounds.events),
                }
                assert!(missed > 0);
                self.read += missed as usize;
            }
            Seen::Gap(..) => panic!("unexpected {seen:?}"),
            Seen::End => {
                assert!(self.ended && self.read == self.due.len());
            }
        }
    }

    fn read(&mut self, max: usize) {
        let taken = take(&mut self.subscription, max);
        assert!(taken.len() <= max);
        taken
            .iter()
            .for_each(|delivery| self.check(delivery.into()));
    }

    /// Reads until nothing is left: then everything that was due was delivered or told.
    fn finish(&mut self) {
        drain(&mut self.subscription)
            .into_iter()
            .for_each(|seen| self.check(seen));
        assert_eq!(
            self.read,
            self.due.len(),
            "delivered and told is what was due"
        );
        assert!(!self.resumed_late, "a gap that was due was not told");
        assert_eq!(self.ended, self.closed.is_some());
    }
}

struct World {
    mesh: Mesh,
    clock: TestClock,
    all: Vec<Known>,
    readers: Vec<Reader>,
}

impl World {
    fn new() -> Self {
        let (probe, _) = mesh_with(&Settings::default());
        publish(&probe, "a.x", 0);
        // Topics of other lengths cost a little less or more.
        let cost = probe.status().replay_bytes;
        let (mesh, clock) = mesh_with(&Settings {
            replay_events: RING,
            replay_seconds: AGE_MS / 1_000,
            replay_bytes: TOTAL * cost + cost / 2,
            ..Settings::default()
        });
        Self {
            mesh,
            clock,
            all: Vec::new(),
            readers: Vec::new(),
        }
    }

    /// Numbers of the events that match and can be replayed.
    fn kept(&self, pattern: &str) -> Vec<usize> {
        let pattern = Pattern::parse(pattern).expect("a pattern of the test's");
        let all = self.all.iter().enumerate();
        let kept = all.filter(|(_, known)| known.kept && pattern.matches(known.topic));
        kept.map(|(number, _)| number).collect()
    }

    /// Drops events from replay: the oldest until at most `max` are there, of one topic or of all.
    fn keep(&mut self, topic: Option<&str>, max: usize) {
        let here = |known: &&mut Known| known.kept && topic.is_none_or(|t| t == known.topic);
        let count = self.all.iter_mut().filter(here).count();
        let surplus = self
            .all
            .iter_mut()
            .filter(here)
            .take(count.saturating_sub(max));
        surplus.for_each(|known| known.kept = false);
    }

    fn expire(&mut self) {
        let oldest = self.clock.now_ms().saturating_sub(AGE_MS);
        for known in &mut self.all {
            known.kept &= known.id.time_ms() >= oldest;
        }
        self.keep(None, TOTAL);
    }

    fn publish(&mut self, topic: &'static str) {
        let number = self.all.len();
        let id = publish(&self.mesh, topic, number as u64);
        self.all.push(Known {
            id,
            topic,
            kept: true,
        });
        self.keep(Some(topic), RING);
        self.expire();
        for reader in &mut self.readers {
            let pattern = Pattern::parse(reader.pattern).expect("a pattern of the test's");
            if !pattern.matches(topic) || reader.ended {
                continue;
            }
            let closes = reader.bounds.overflow == Overflow::Close && reader.is_full();
            if closes && reader.closed.is_none() {
                reader.closed = Some(reader.due.len());
            }
            reader.due.push(number);
        }
    }

    fn subscribe(&mut self, pattern: &'static str, replay: Replay, bounds: Bounds) {
        self.expire();
        let mut due = self.kept(pattern);
        let mut resumed_late = false;
        match replay {
            Replay::None => due.clear(),
            Replay::Last(count) => drop(due.drain(..due.len().saturating_sub(count))),
            Replay::After(id) => {
                let wanted = Pattern::parse(pattern).expect("a pattern of the test's");
                let gone = |k: &Known| !k.kept && k.id > id && wanted.matches(k.topic);
                resumed_late = self.all.iter().any(gone);
                due.retain(|number| self.all[*number].id > id);
            }
        }
        let backlog = due.len();
        self.readers.push(Reader {
            subscription: subscribe_with(&self.mesh, pattern, replay, bounds),
            pattern,
            bounds,
            resumed_late,
            due,
            backlog,
            read: 0,
            closed: None,
            ended: false,
            last: None,
        });
    }

    fn reader(&self, index: Index) -> Option<usize> {
        (!self.readers.is_empty()).then(|| index.index(self.readers.len()))
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Publish(topic) => self.publish(TOPICS[topic]),
            Op::Advance(ms) => self.clock.advance(ms),
            Op::Subscribe(pattern, start, bounds) => {
                let replay = match start {
                    Start::Live => Replay::None,
                    Start::Last(count) => Replay::Last(count),
                    Start::After(_) if self.all.is_empty() => Replay::None,
                    Start::After(index) => Replay::After(self.all[index.index(self.all.len())].id),
                };
                self.subscribe(PATTERNS[pattern], replay, bounds);
            }
            Op::Read(index, max) => {
                if let Some(reader) = self.reader(index) {
                    self.readers[reader].read(max);
                }
            }
            Op::Resume(index) => {
                if let Some(reader) = self.reader(index) {
                    let Reader {
                        pattern,
                        bounds,
                        last,
                        ..
                    } = self.readers.swap_remove(reader);
                    let replay = last.map_or(Replay::None, |n| Replay::After(self.all[n].id));
                    self.subscribe(pattern, replay, bounds);
                }
            }
            Op::Leave(index) => {
                if let Some(reader) = self.reader(index) {
                    self.readers.swap_remove(reader).finish();
                }
            }
        }
        let status = self.mesh.status();
        assert_eq!(status.subscriptions, self.readers.len());
        assert_eq!(status.published, self.all.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn deliveries_and_told_losses_are_what_the_model_says(
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime of this thread");
        let _inside = runtime.enter();
        let mut world = World::new();
        ops.into_iter().for_each(|op| world.apply(op));
        world.readers.iter_mut().for_each(Reader::finish);
        world.expire();
        drop(subscribe(&world.mesh, "nobody", Replay::None));
        prop_assert_eq!(world.mesh.status().replay_events, world.kept("**").len());
    }
}
