//! Links and calls between two nodes, over a pipe.

mod calls;

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, poll};
use macula_proto::{
    Event, GapReason, MediaType, Pattern, Realm, Topic, frame::stream::put_frame, peer::link::Link,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    task::JoinHandle,
};

use super::link::{Inbox, Outbox};
use crate::{
    Delivery, Identity, Mesh, Publish, Replay, Settings, Subscribe, Subscription, pubsub::Bounds,
};

fn node(name: &str) -> Mesh {
    let identity = Identity {
        name: name.into(),
        version: "0.0.0",
    };
    Mesh::start(identity, &Settings::default()).unwrap()
}

fn realm() -> Realm {
    Realm::parse("dev").unwrap()
}

fn publish(mesh: &Mesh, number: u64) -> Event {
    let publish = Publish {
        realm: realm(),
        topic: Topic::parse("home.clock").unwrap(),
        publisher: "clock".into(),
        content_type: MediaType::JSON,
        headers: Vec::new(),
        payload: Bytes::from(number.to_string()),
    };
    mesh.publish(publish).event.clone()
}

fn subscribe(mesh: &Mesh, replay: Replay) -> Subscription {
    let wanted = Subscribe {
        realm: realm(),
        pattern: Pattern::parse("home.**").unwrap(),
        replay,
        queue: Bounds {
            events: 100_000,
            bytes: 1 << 30,
            ..Bounds::default()
        },
    };
    mesh.subscribe(wanted).unwrap()
}

/// A writer that wants `home.**`, under two patterns.
fn outbox(writer: &Mesh) -> Arc<Outbox> {
    let outbox = Arc::new(Outbox::new(7));
    for (key, pattern) in [(1, "home.**"), (2, "home.clock")] {
        let interest = (realm(), Pattern::parse(pattern).unwrap());
        writer
            .exchange()
            .admit(&interest, key, Arc::clone(&outbox.queue));
    }
    outbox
}

/// A link from a writer to a reader, until one of its ends is aborted.
struct Linked {
    writing: JoinHandle<()>,
    reading: JoinHandle<Inbox>,
}

fn link(outbox: &Arc<Outbox>, reader: &Mesh, inbox: Inbox) -> Linked {
    let (near, far) = duplex(4 << 10);
    let outbox = Arc::clone(outbox);
    let reader = reader.clone();
    Linked {
        writing: tokio::spawn(async move {
            let _ = outbox.write(near).await;
        }),
        reading: tokio::spawn(async move {
            let _ = inbox.read(far, reader.exchange()).await;
            inbox
        }),
    }
}

impl Linked {
    /// Breaks it, and gives where the reader is.
    async fn cut(self) -> Inbox {
        self.writing.abort();
        self.reading.await.unwrap()
    }
}

/// The numbers and gaps that come until a number.
async fn until(subscription: &mut Subscription, last: u64) -> Vec<Result<u64, Option<u64>>> {
    let mut found = Vec::new();
    let reading = async {
        while let Some(delivery) = subscription.next().await {
            match delivery {
                Delivery::Event(event) => {
                    let number = std::str::from_utf8(&event.event.payload).unwrap();
                    found.push(Ok(number.parse().unwrap()));
                    if found.last() == Some(&Ok(last)) {
                        return;
                    }
                }
                Delivery::Gap(gap) => {
                    assert_eq!(gap.reason, GapReason::Link);
                    found.push(Err(gap.missed));
                }
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), reading).await;
    in_time.expect("all comes within 10 s");
    found
}

fn numbers(range: std::ops::Range<u64>) -> Vec<Result<u64, Option<u64>>> {
    range.map(Ok).collect()
}

#[tokio::test]
async fn lesson_1_an_event_crosses_a_link_once_and_no_further() {
    let (a, b, c) = (node("a"), node("b"), node("c"));
    let (a_out, b_out) = (outbox(&a), outbox(&b));
    let linked = [
        link(&a_out, &b, Inbox::new()),
        link(&b_out, &a, Inbox::new()),
        link(&b_out, &c, Inbox::new()),
    ];
    let mut at_b = subscribe(&b, Replay::None);
    for number in 0..1_000 {
        publish(&a, number);
    }
    assert_eq!(until(&mut at_b, 999).await, numbers(0..1_000));
    use std::sync::atomic::Ordering::Relaxed;
    let counts = |mesh: &Mesh| {
        let counters = &mesh.exchange().counters;
        (
            counters.forwarded.load(Relaxed),
            counters.received.load(Relaxed),
        )
    };
    assert_eq!(counts(&a), (1_000, 0));
    assert_eq!(counts(&b), (0, 1_000));
    drop(linked);
}

#[tokio::test]
async fn the_reader_of_an_outbox_that_has_ended_has_to_open_another() {
    let (a, b) = (node("a"), node("b"));
    let old = outbox(&a);
    let mut events = subscribe(&b, Replay::None);
    let linked = link(&old, &b, Inbox::new());
    publish(&a, 0);
    assert_eq!(until(&mut events, 0).await, numbers(0..1));
    old.end();
    let reading = tokio::time::timeout(Duration::from_secs(10), linked.reading).await;
    let inbox = reading.expect("its stream has ended").unwrap();
    // Nor does one begin.
    let linked = link(&old, &b, inbox);
    let reading = tokio::time::timeout(Duration::from_secs(10), linked.reading).await;
    reading.expect("its stream has ended").unwrap();
}

#[tokio::test]
async fn one_stream_at_a_time_reads_for_an_inbox() {
    let (a, b) = (node("a"), node("b"));
    let outbox = outbox(&a);
    let mut events = subscribe(&b, Replay::None);
    let inbox = Inbox::new();
    let first = link(&outbox, &b, inbox.clone());
    publish(&a, 0);
    assert_eq!(until(&mut events, 0).await, numbers(0..1));
    // Another one does not say where the reader is before the first has ended.
    let (mut near, far) = duplex(4 << 10);
    let mut second = pin!(inbox.read(far, b.exchange()));
    let mut said = [0; 1];
    assert!(poll!(&mut second).is_pending());
    assert!(poll!(pin!(near.read(&mut said))).is_pending());
    first.cut().await;
    assert!(poll!(&mut second).is_pending());
    assert!(poll!(pin!(near.read(&mut said))).is_ready());
}

#[tokio::test]
async fn a_link_that_breaks_goes_on_where_it_was() {
    let (a, b) = (node("a"), node("b"));
    let outbox = outbox(&a);
    let mut events = subscribe(&b, Replay::None);
    let mut inbox = Inbox::new();
    for round in 0..20 {
        let linked = link(&outbox, &b, inbox);
        for number in round * 100..round * 100 + 100 {
            publish(&a, number);
            if number % 30 == 0 {
                tokio::task::yield_now().await;
            }
        }
        inbox = linked.cut().await;
    }
    let _last = link(&outbox, &b, inbox);
    assert_eq!(until(&mut events, 1_999).await, numbers(0..2_000));
}

#[tokio::test]
async fn what_a_peer_cannot_have_any_more_is_told_as_a_gap() {
    let (a, b) = (node("a"), node("b"));
    let outbox = outbox(&a);
    let mut events = subscribe(&b, Replay::None);
    let linked = link(&outbox, &b, Inbox::new());
    publish(&a, 0);
    assert_eq!(until(&mut events, 0).await, [Ok(0)]);
    let inbox = linked.cut().await;
    for number in 1..=20_000 {
        publish(&a, number);
    }
    let _again = link(&outbox, &b, inbox);
    let found = until(&mut events, 20_000).await;
    assert_eq!(found[0], Err(Some(20_000 - 16_384)));
    assert_eq!(found[1..], numbers(20_000 - 16_384 + 1..20_001));
}

/// What a reader gets when a peer writes this at once, after the beginning.
async fn read_at_once(frames: &[Link]) -> Vec<Result<u64, Option<u64>>> {
    let reader = node("b");
    let mut events = subscribe(&reader, Replay::None);
    let mut out = Vec::new();
    put_frame(&mut out, &Link::Begin { epoch: 7, next: 0 }.encode());
    for frame in frames {
        put_frame(&mut out, &frame.encode());
    }
    assert!(out.len() < 64 << 10, "it is read at once");
    let (mut near, far) = duplex(64 << 10);
    near.write_all(&out).await.unwrap();
    near.shutdown().await.unwrap();
    let inbox = Inbox::new();
    inbox.read(far, reader.exchange()).await.unwrap();
    publish(&reader, 999_999);
    until(&mut events, 999_999).await
}

#[tokio::test]
async fn gaps_that_are_many_are_told_as_few() {
    let writer = node("a");
    let frames = |count: u64| {
        let each = (0..count).flat_map(|number| {
            [
                Link::Gap(1),
                Link::Gap(1),
                Link::Event(publish(&writer, number)),
            ]
        });
        each.collect::<Vec<_>>()
    };
    let mut expected: Vec<_> = (0..8)
        .flat_map(|number| [Err(Some(2)), Ok(number)])
        .collect();
    expected.push(Ok(999_999));
    assert_eq!(read_at_once(&frames(8)).await, expected);
    // Of 200 losses between events those after the eighth are told with it, before what they were before.
    let found = read_at_once(&frames(200)).await;
    let gaps: Vec<_> = found.iter().filter_map(|came| came.err()).collect();
    assert_eq!(gaps[..7], [Some(2); 7]);
    assert_eq!(gaps[7..], [Some(2 * 193)]);
    assert_eq!(found[14..17], [Err(Some(2 * 193)), Ok(7), Ok(8)]);
    assert_eq!(found.len(), 8 + 200 + 1);
}

#[tokio::test]
async fn a_reader_resumes_in_the_order_in_which_events_came_to_its_node() {
    let (a, b) = (node("a"), node("b"));
    let early = publish(&a, 1);
    let here = publish(&b, 2);
    b.exchange().receive([early.clone()]);
    b.exchange().receive([early.clone()]);
    let mut late = subscribe(&b, Replay::After(here.id));
    assert_eq!(
        until(&mut late, 1).await,
        [Ok(1)],
        "it came after, though it is older"
    );
    publish(&b, 3);
    let mut later = subscribe(&b, Replay::After(early.id));
    assert_eq!(until(&mut later, 3).await, [Ok(3)]);
    let answer = publish(&b, 4);
    assert!(answer.id.time_ms() >= early.id.time_ms());
}

#[tokio::test]
async fn a_replay_has_what_each_node_has_kept_once_and_in_the_order_of_ids() {
    use super::replay::{self, gather, merge, wanted};
    let nodes = [node("a"), node("b"), node("c")];
    let mut events = Vec::new();
    for number in 0..30 {
        events.push(publish(&nodes[number as usize % 3], number));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The second had wanted what the first published.
    nodes[1]
        .exchange()
        .receive(events.iter().step_by(3).cloned());
    let asked = Subscribe {
        realm: realm(),
        pattern: Pattern::parse("home.**").unwrap(),
        replay: Replay::After(events[9].id),
        queue: Bounds::default(),
    };
    let mut subscription = nodes[2].subscribe(asked.clone()).unwrap();
    let ask = |mesh: &Mesh| {
        let (near, far) = duplex(1 << 10);
        let mesh = mesh.clone();
        tokio::spawn(async move { replay::answer(far, mesh.exchange()).await });
        let wanted = wanted(&asked).unwrap();
        async move { replay::ask(near, &wanted).await }
    };
    let found = gather(nodes[..2].iter().map(ask)).await;
    subscription.rewrite(|here| merge(asked.replay, here, found, nodes[2].exchange()));
    assert_eq!(subscription.backlog(), 20);
    // One of them was under way to this node as well, and another is new.
    nodes[2].exchange().receive([events[12].clone()]);
    publish(&nodes[2], 30);
    assert_eq!(until(&mut subscription, 30).await, numbers(10..31));
}

#[tokio::test]
async fn a_node_that_does_not_answer_a_replay_is_told_as_a_gap() {
    use super::replay::{gather, merge};
    let (here, silent) = (
        node("a"),
        std::future::ready(Err(std::io::ErrorKind::BrokenPipe.into())),
    );
    let first = publish(&here, 1);
    publish(&here, 2);
    let kept = here
        .exchange()
        .kept(&realm(), &Pattern::all(), Replay::After(first.id));
    let merged = merge(
        Replay::After(first.id),
        kept,
        gather([silent]).await,
        here.exchange(),
    );
    assert!(matches!(merged[0], Delivery::Gap(gap) if gap.reason == GapReason::OutsideWindow));
    assert_eq!(merged.len(), 2);
}
