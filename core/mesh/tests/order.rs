//! Many publishers, and readers that go and come back: every event once, each publisher's in order.

mod support;

use std::{
    collections::HashMap,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures_util::{FutureExt, StreamExt};
use macula_mesh::{
    Delivery, Mesh, Replay, Settings,
    pubsub::{Bounds, Overflow},
};
use macula_proto::EventId;
use support::*;

const PUBLISHERS: u64 = 4;
const EACH: u64 = 2_500;

/// A queue as large as all events of a test: a reader whose thread gets no turn loses none.
const EVERYTHING: Bounds = Bounds {
    events: 10_000,
    bytes: usize::MAX,
    overflow: Overflow::DropOldest,
};

/// What one reader has read, checked as it comes.
#[derive(Default)]
struct Ledger {
    /// The number that each publisher's next event must carry.
    next: HashMap<Arc<str>, u64>,
    last: Option<EventId>,
    read: u64,
}

impl Ledger {
    fn write(&mut self, delivery: &Delivery) {
        let Delivery::Event(event) = delivery else {
            panic!("expected no gap, got {delivery:?}");
        };
        let id = event.event.id;
        assert!(Some(id) > self.last, "ids rise");
        self.last = Some(id);
        let next = self.next.entry(event.event.publisher.clone()).or_default();
        assert_eq!(number(event), *next, "of {}", event.event.publisher);
        *next += 1;
        self.read += 1;
    }

    fn is_complete(&self) -> bool {
        self.read == PUBLISHERS * EACH
    }
}

/// Reads everything; after each `stay` events it leaves, with events unread, and resumes.
fn read(mesh: &Mesh, pattern: &str, stay: u64, started: &Barrier, published: &AtomicBool) {
    let mut ledger = Ledger::default();
    let mut replay = Replay::None;
    let mut visits = 0;
    while !ledger.is_complete() {
        let mut reader = subscribe_with(mesh, pattern, replay, EVERYTHING);
        if visits == 0 {
            started.wait();
        }
        visits += 1;
        let until = ledger.read + stay;
        while ledger.read < until && !ledger.is_complete() {
            let over = published.load(Ordering::Acquire);
            let batch = take(&mut reader, 64);
            batch.iter().for_each(|delivery| ledger.write(delivery));
            assert!(!(over && batch.is_empty()), "lost: {} read", ledger.read);
            thread::yield_now();
        }
        replay = ledger.last.map_or(Replay::None, Replay::After);
    }
    assert!(visits >= PUBLISHERS * EACH / (stay + 64), "{visits} visits");
}

#[tokio::test]
async fn readers_that_leave_and_resume_get_every_event_once_and_in_order() {
    let (mesh, _) = mesh_with(&Settings {
        replay_events: 10_000,
        ..Settings::default()
    });
    let readers = [
        ("**", 1_000),
        ("a.*", 300),
        ("a.**", 37),
        ("**", u64::MAX / 2),
    ];
    let started = Barrier::new(PUBLISHERS as usize + readers.len());
    let published = AtomicBool::new(false);
    thread::scope(|scope| {
        let (mesh, started, published) = (&mesh, &started, &published);
        for (pattern, stay) in readers {
            scope.spawn(move || read(mesh, pattern, stay, started, published));
        }
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                scope.spawn(move || {
                    started.wait();
                    let name = format!("publisher-{publisher}");
                    for n in 0..EACH {
                        let topic = ["a.x", "a.y", "a.z"][(n % 3) as usize];
                        let _ = mesh.publish(event(topic, &name, n));
                    }
                })
            })
            .collect();
        publishers.into_iter().for_each(|p| p.join().unwrap());
        published.store(true, Ordering::Release);
    });
    let status = mesh.status();
    assert_eq!(status.published, PUBLISHERS * EACH);
    assert_eq!((status.subscriptions, status.gaps), (0, 0));
}

#[tokio::test]
async fn a_reader_that_waits_is_woken() {
    let mesh = mesh();
    let mut reader = subscribe(&mesh, "a", Replay::None);
    let other = mesh.clone();
    let (next, ()) = tokio::join!(reader.next(), async move {
        publish(&other, "a", 1);
    });
    assert_eq!(Seen::from(&next.unwrap()), Seen::Event(1));
    assert!(reader.next().now_or_never().is_none(), "it waits again");
}

/// Lesson 19: who has subscribed before a publish gets it; there is no moment in between.
#[tokio::test]
async fn lesson_19_what_is_published_after_subscribe_returned_is_delivered() {
    let mesh = mesh();
    thread::scope(|scope| {
        for topic in ["a", "b", "c", "d"] {
            let mesh = &mesh;
            scope.spawn(move || {
                for n in 0..500 {
                    let mut literal = subscribe(mesh, topic, Replay::None);
                    let mut wild = subscribe_with(mesh, "*", Replay::None, EVERYTHING);
                    let id = publish(mesh, topic, n);
                    assert_eq!(drain(&mut literal), events([n]));
                    let seen = take(&mut wild, usize::MAX);
                    let found = seen.iter().filter(|delivery| match delivery {
                        Delivery::Event(event) => event.event.id == id,
                        Delivery::Gap(gap) => panic!("expected no gap, got {gap:?}"),
                    });
                    assert_eq!(found.count(), 1);
                }
            });
        }
    });
}

#[tokio::test]
async fn realms_do_not_see_each_other() {
    let mesh = mesh();
    let mut reader = subscribe(&mesh, "**", Replay::None);
    let mut elsewhere = event("a", "somebody", 1);
    elsewhere.realm = macula_proto::Realm::parse("org.other").unwrap();
    let _ = mesh.publish(elsewhere);
    publish(&mesh, "a", 2);
    assert_eq!(drain(&mut reader), events([2]));
    assert_eq!(
        drain(&mut subscribe(&mesh, "**", Replay::Last(9))),
        events([2])
    );
}
