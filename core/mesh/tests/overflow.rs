//! A slow reader: what its queue holds, and how a loss is told.

mod support;

use futures_util::{FutureExt, StreamExt};
use macula_mesh::{
    Delivery, GapReason, Replay,
    pubsub::{Bounds, Overflow},
};
use support::*;

fn lost(count: u64) -> Seen {
    Seen::Gap(Some(count), GapReason::SlowReader)
}

fn bounds(events: usize, overflow: Overflow) -> Bounds {
    Bounds {
        events,
        overflow,
        ..Bounds::default()
    }
}

/// What a reader with these bounds sees, in batches of `batch`, that reads only once `count` events
/// were published.
async fn check(queue: Bounds, count: u64, batch: usize, expected: &[Seen]) {
    let mesh = mesh();
    let mut reader = subscribe_with(&mesh, "a", Replay::None, queue);
    publish_all(&mesh, "a", 0..count);
    let seen = drain_by(&mut reader, batch);
    assert_eq!(seen, expected, "{queue:?}, {count} events by {batch}");
}

#[tokio::test]
async fn a_full_queue_keeps_the_newest_and_tells_how_many_went() {
    for batch in [1, 2, 3, 100] {
        let queue = bounds(3, Overflow::DropOldest);
        check(queue, 3, batch, &events(0..3)).await;
        let mut expected = vec![lost(7)];
        expected.extend(events(7..10));
        check(queue, 10, batch, &expected).await;
    }
}

#[tokio::test]
async fn a_queue_that_closes_gives_what_waits_then_the_gap_then_ends() {
    for batch in [1, 2, 3, 4, 100] {
        let queue = bounds(3, Overflow::Close);
        check(queue, 3, batch, &events(0..3)).await;
        let mut expected = events(0..3);
        expected.extend([lost(7), Seen::End]);
        check(queue, 10, batch, &expected).await;
    }
}

#[tokio::test]
async fn a_closed_subscription_ends_although_publishing_goes_on() {
    let mesh = mesh();
    let mut reader = subscribe_with(&mesh, "a", Replay::None, bounds(1, Overflow::Close));
    publish_all(&mesh, "a", 0..2);
    assert_eq!(drain(&mut reader), [Seen::Event(0), lost(1), Seen::End]);
    publish(&mesh, "a", 2);
    assert_eq!(drain(&mut reader), [Seen::End]);
    let status = mesh.status();
    assert_eq!((status.delivered, status.dropped, status.gaps), (1, 1, 1));
}

#[tokio::test]
async fn the_stream_gives_each_delivery_of_a_closing_queue() {
    let mesh = mesh();
    let reader = subscribe_with(&mesh, "a", Replay::None, bounds(2, Overflow::Close));
    publish_all(&mesh, "a", 0..5);
    let all = reader.collect::<Vec<Delivery>>().now_or_never();
    let all: Vec<_> = all.unwrap().iter().map(Seen::from).collect();
    assert_eq!(all, [Seen::Event(0), Seen::Event(1), lost(3)]);
}

#[tokio::test]
async fn a_loss_is_told_where_it_was() {
    let mesh = mesh();
    let queue = bounds(2, Overflow::DropOldest);
    let mut reader = subscribe_with(&mesh, "a", Replay::None, queue);
    publish_all(&mesh, "a", 0..3);
    let first = take(&mut reader, 2);
    let first: Vec<_> = first.iter().map(Seen::from).collect();
    assert_eq!(first, [lost(1), Seen::Event(1)]);
    publish_all(&mesh, "a", 3..7);
    assert_eq!(
        drain(&mut reader),
        [lost(3), Seen::Event(5), Seen::Event(6)]
    );
}

/// What an event counts for, as the node's figures say.
fn cost() -> usize {
    let mesh = mesh();
    publish(&mesh, "a", 0);
    mesh.status().replay_bytes
}

#[tokio::test]
async fn a_queue_is_bounded_in_bytes() {
    let of_bytes = |bytes| Bounds {
        bytes,
        ..Bounds::default()
    };
    let mut expected = vec![lost(6)];
    expected.extend(events(6..10));
    check(of_bytes(4 * cost()), 10, 100, &expected).await;
    check(of_bytes(5 * cost() - 1), 10, 100, &expected).await;
}

#[tokio::test]
async fn one_event_is_taken_even_if_it_alone_is_larger_than_the_queue() {
    let tiny = Bounds {
        bytes: 1,
        ..Bounds::default()
    };
    check(tiny, 1, 100, &events([0])).await;
    check(tiny, 2, 100, &[lost(1), Seen::Event(1)]).await;
}

#[tokio::test]
async fn a_batch_is_bounded_in_bytes_and_has_at_least_one_event() {
    let mesh = mesh();
    let mut reader = subscribe(&mesh, "a", Replay::None);
    publish_all(&mesh, "a", 0..4);
    let mut later = subscribe(&mesh, "a", Replay::Last(4));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    // A payload has 8 bytes.
    for (max_bytes, expected) in [(1, 1), (16, 2), (15, 1)] {
        for reader in [&mut reader, &mut later] {
            let mut batch = Vec::new();
            assert!(
                reader
                    .poll_batch(&mut cx, 100, max_bytes, &mut batch)
                    .is_ready()
            );
            assert_eq!(batch.len(), expected, "{max_bytes}");
        }
    }
}

/// Lesson 23: a slow reader costs what its bound says, loses the rest, is told, and is counted.
#[tokio::test]
async fn lesson_23_a_slow_reader_is_bounded_told_and_counted() {
    const EVENTS: u64 = 50_000;
    let mesh = mesh();
    let mut slow = subscribe(&mesh, "a", Replay::None);
    let mut quick = subscribe(&mesh, "a", Replay::None);
    let mut read = 0;
    for n in 0..EVENTS {
        publish(&mesh, "a", n);
        read += take(&mut quick, 10).len() as u64;
    }
    assert_eq!(read, EVENTS, "a slow reader does not touch a quick one");
    let seen = drain(&mut slow);
    let Some(Seen::Gap(Some(missed), GapReason::SlowReader)) = seen.first() else {
        panic!("expected a gap first, got {:?}", seen.first());
    };
    assert_eq!(missed + seen.len() as u64 - 1, EVENTS);
    assert!(seen.len() <= Bounds::default().events + 1, "{}", seen.len());
    let status = mesh.status();
    assert_eq!((status.dropped, status.gaps), (*missed, 1));
    assert_eq!(status.delivered, 2 * EVENTS);
}
