//! How fast an event reaches its subscribers on this machine, and what an idle subscription costs:
//! `cargo run --release -p macula-mesh --example fanout`.
//!
//! Publisher and readers are tasks of one thread, so the figures are per core and include waking the
//! readers. The publisher sends a burst, then waits until everybody has read it: nothing is lost, and
//! a burst of 1 is the dearest case, where each delivery costs a wake of its own.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "measuring says what it found, and ends when it cannot measure"
)]

use std::{
    cell::Cell,
    hint::black_box,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use macula_mesh::{
    Identity, Mesh, Publish, Replay, Settings, Subscribe, Subscription, pubsub::Bounds,
};
use macula_proto::{MediaType, Pattern, Realm, Topic};
use tokio::task::{LocalSet, yield_now};

/// How long each row is measured.
const ROW: Duration = Duration::from_millis(500);
/// Idle subscriptions of one measurement.
const IDLE: usize = 50_000;
/// Bytes of a payload.
const PAYLOAD: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("subscribers  burst      events/s  deliveries/s");
    for subscribers in [1, 10, 1_000] {
        for burst in [1, 128] {
            let (events, taken) = LocalSet::new().run_until(row(subscribers, burst)).await;
            let rate = events as f64 / taken.as_secs_f64();
            let deliveries = rate * subscribers as f64;
            println!("{subscribers:11}  {burst:5}  {rate:12.0}  {deliveries:12.0}");
        }
    }
    println!();
    idle("one topic", |_| "home.light".to_owned());
    idle("a topic each", |n| format!("home.light-{n}"));
}

fn mesh() -> Mesh {
    let identity = Identity {
        name: "fanout".to_owned(),
        version: env!("CARGO_PKG_VERSION"),
    };
    Mesh::start(identity, &Settings::default()).unwrap()
}

fn subscribe(mesh: &Mesh, pattern: &str) -> Subscription {
    let wanted = Subscribe {
        realm: Realm::parse("dev").unwrap(),
        pattern: Pattern::parse(pattern).unwrap(),
        replay: Replay::None,
        queue: Bounds::default(),
    };
    mesh.subscribe(wanted).unwrap()
}

/// How many events were published, and read by everybody, in which time.
async fn row(subscribers: usize, burst: usize) -> (usize, Duration) {
    let mesh = mesh();
    let read = Rc::new(Cell::new(0));
    for _ in 0..subscribers {
        let subscription = subscribe(&mesh, "home.light");
        tokio::task::spawn_local(count(subscription, Rc::clone(&read)));
    }
    // The readers wait before the first event comes.
    yield_now().await;
    let event = Publish {
        realm: Realm::parse("dev").unwrap(),
        topic: Topic::parse("home.light").unwrap(),
        publisher: "fanout".into(),
        content_type: MediaType::JSON,
        headers: Vec::new(),
        payload: Bytes::from_static(&[b'1'; PAYLOAD]),
    };
    let begin = Instant::now();
    let mut events = 0;
    while begin.elapsed() < ROW {
        for _ in 0..burst {
            black_box(mesh.publish(event.clone()));
        }
        events += burst;
        while read.get() < events * subscribers {
            yield_now().await;
        }
    }
    let taken = begin.elapsed();
    assert_eq!(mesh.status().dropped, 0, "a burst fits into a queue");
    (events, taken)
}

async fn count(mut subscription: Subscription, read: Rc<Cell<usize>>) {
    let mut batch = Vec::new();
    loop {
        let taken =
            std::future::poll_fn(|cx| subscription.poll_batch(cx, 64, usize::MAX, &mut batch));
        let taken = taken.await;
        read.set(read.get() + taken);
        black_box(&batch);
        batch.clear();
    }
}

/// Tells by how much the process grows with idle subscriptions, where the system tells it.
fn idle(what: &str, pattern: impl Fn(usize) -> String) {
    let mesh = mesh();
    let before = resident();
    let subscriptions: Vec<_> = (0..IDLE).map(|n| subscribe(&mesh, &pattern(n))).collect();
    let grown = before
        .zip(resident())
        .map(|(before, now)| now.saturating_sub(before));
    match grown {
        Some(bytes) => println!("idle subscription, {what}: {} bytes", bytes / IDLE),
        None => println!("idle subscription, {what}: this system does not tell"),
    }
    drop(subscriptions);
}

/// Bytes of memory that the process uses now.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = line.trim().strip_suffix(" kB")?;
    kib.parse::<usize>().ok().map(|kib| kib * 1024)
}
