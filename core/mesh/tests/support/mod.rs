//! What the tests of the engine share: a node with a clock of the test's, events that carry a
//! number, and readers that take what is there without waiting.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![allow(unreachable_pub, reason = "a module of several test programs")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use macula_mesh::{
    Call, Delivery, Failure, Gap, GapReason, Identity, Invocation, Mesh, Payload, Publish,
    Published, Replay, Reply, Serve, Settings, Subscribe, Subscription, clock::Clock,
    pubsub::Bounds,
};
use macula_proto::{ErrorCode, EventId, MediaType, Pattern, Problem, Procedure, Realm, Topic};
use tokio::time::Instant;

/// Where the tests' clocks begin, in milliseconds since the Unix epoch.
pub const START_MS: u64 = 1_000_000_000;

/// The procedures that a node serves by itself.
pub const BUILTINS: usize = 4;

/// A wall clock that stands still until the test sets it.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START_MS)))
    }

    pub fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::Relaxed);
    }

    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }

    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Clock::new(move || now.load(Ordering::Relaxed))
    }
}

pub fn identity() -> Identity {
    Identity {
        name: "node-a".into(),
        version: "0.0.0",
    }
}

pub fn mesh() -> Mesh {
    mesh_with(&Settings::default()).0
}

pub fn mesh_with(settings: &Settings) -> (Mesh, TestClock) {
    let clock = TestClock::new();
    let mesh = Mesh::start_at(identity(), settings, clock.clock()).unwrap();
    (mesh, clock)
}

pub fn realm() -> Realm {
    Realm::parse("org.example").unwrap()
}

/// An event of a topic that carries a number.
pub fn event(topic: &str, publisher: &str, number: u64) -> Publish {
    Publish {
        realm: realm(),
        topic: Topic::parse(topic).unwrap(),
        publisher: publisher.into(),
        content_type: MediaType::JSON,
        headers: Vec::new(),
        payload: Bytes::from(format!("{number:08}")),
    }
}

/// Publishes an event that carries a number.
pub fn publish(mesh: &Mesh, topic: &str, number: u64) -> EventId {
    mesh.publish(event(topic, "somebody", number)).event.id
}

/// Publishes events that carry these numbers.
pub fn publish_all(mesh: &Mesh, topic: &str, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        publish(mesh, topic, number);
    }
}

/// The number that an event carries.
pub fn number(published: &Published) -> u64 {
    let text = std::str::from_utf8(&published.event.payload).unwrap();
    text.parse().unwrap()
}

pub fn subscribe(mesh: &Mesh, pattern: &str, replay: Replay) -> Subscription {
    subscribe_with(mesh, pattern, replay, Bounds::default())
}

pub fn subscribe_with(mesh: &Mesh, pattern: &str, replay: Replay, queue: Bounds) -> Subscription {
    let wanted = Subscribe {
        realm: realm(),
        pattern: Pattern::parse(pattern).unwrap(),
        replay,
        queue,
    };
    mesh.subscribe(wanted).unwrap()
}

/// What a reader saw, for comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Event(u64),
    Gap(Option<u64>, GapReason),
    /// The subscription has ended.
    End,
}

impl From<&Delivery> for Seen {
    fn from(delivery: &Delivery) -> Self {
        match delivery {
            Delivery::Event(event) => Self::Event(number(event)),
            Delivery::Gap(Gap { missed, reason }) => Self::Gap(*missed, *reason),
        }
    }
}

pub fn events(numbers: impl IntoIterator<Item = u64>) -> Vec<Seen> {
    numbers.into_iter().map(Seen::Event).collect()
}

/// Takes up to `max` of what is there; nothing when the reader would have to wait.
pub fn take(reader: &mut Subscription, max: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    let _ = reader.poll_batch(&mut cx, max, usize::MAX, &mut taken);
    taken
}

/// Everything that is there for a reader, in batches of `max`.
pub fn drain_by(reader: &mut Subscription, max: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let mut taken = Vec::new();
        match reader.poll_batch(&mut cx, max, usize::MAX, &mut taken) {
            Poll::Ready(0) => seen.push(Seen::End),
            Poll::Ready(count) => {
                assert!(count == taken.len() && count <= max, "{count} of {max}");
                seen.extend(taken.iter().map(Seen::from));
                continue;
            }
            Poll::Pending => assert!(taken.is_empty(), "pending with {taken:?}"),
        }
        return seen;
    }
}

/// Everything that is there for a reader.
pub fn drain(reader: &mut Subscription) -> Vec<Seen> {
    drain_by(reader, 7)
}

pub fn payload(text: &str) -> Payload {
    Payload {
        content_type: MediaType::JSON,
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// A call with five seconds of time.
pub fn call(procedure: &str) -> Call {
    Call {
        realm: realm(),
        procedure: Procedure::parse(procedure).unwrap(),
        caller: "somebody".into(),
        argument: payload("1"),
        headers: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(5),
        wants_progress: false,
    }
}

pub fn serve(procedure: &str, provider: &str) -> Serve {
    Serve {
        realm: Some(realm()),
        procedure: Procedure::parse(procedure).unwrap(),
        provider: provider.into(),
        policy: None,
        concurrency: 8,
        description: None,
        schema: None,
    }
}

/// Begins a call that waits for its handler, or for a place.
pub fn begin(mesh: &Mesh, call: Call) -> Reply {
    let mut reply = mesh.call(call).unwrap();
    assert!(reply.next().now_or_never().is_none(), "it ended at once");
    reply
}

/// How a call ended.
pub fn code(result: Result<Payload, Problem>) -> Result<Payload, ErrorCode> {
    result.map_err(|problem| problem.code)
}

/// A handler that answers at once.
pub async fn ready(_: Invocation) -> Result<Payload, Failure> {
    Ok(payload("\"done\""))
}

/// A handler that never answers.
pub async fn never(_: Invocation) -> Result<Payload, Failure> {
    std::future::pending().await
}
