//! Links and calls between two nodes, over a pipe.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use macula_proto::{
    ErrorCode, Event, GapReason, MediaType, Pattern, Payload, Problem, Procedure, Realm, Topic,
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::Semaphore,
    task::JoinHandle,
    time::Instant,
};

use super::{
    calls::{self, Pool, Remote},
    frames::Frames,
    link::{Inbox, Outbox},
};
use crate::{
    Answer, Call, Delivery, Failure, Identity, Invocation, Mesh, Publish, Replay, Serve, Settings,
    Subscribe, Subscription, pubsub::Bounds,
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

/// A caller's mesh with a procedure that is served at `server`.
fn served(
    server: &Mesh,
    handler: impl crate::Handler,
) -> (Mesh, crate::Registration, crate::Registration) {
    let caller = node("caller");
    let serve = || Serve {
        realm: Some(realm()),
        procedure: Procedure::parse("demo.add").unwrap(),
        provider: "somebody".into(),
        policy: None,
        concurrency: 1_000,
        description: None,
        schema: None,
    };
    let registration = server.serve(serve(), Arc::new(handler)).unwrap();
    let (id, _) = server.providers().take_offers().pop().unwrap();
    let far = server.clone();
    let open =
        move || -> futures_util::future::BoxFuture<'static, std::io::Result<DuplexStream>> {
            let (near, stream) = duplex(4 << 10);
            let far = far.clone();
            tokio::spawn(async move { calls::answer(Frames::new(stream), far.providers()).await });
            Box::pin(std::future::ready(Ok(near)))
        };
    let remote = Remote {
        pool: Arc::new(Pool::new(
            Arc::new(open),
            Arc::new(Semaphore::new(1 << 17)),
            |_| true,
        )),
        provider: id,
    };
    let elsewhere =
        caller
            .providers_arc()
            .serve_elsewhere(serve(), Arc::new(remote), "server".into());
    (caller, registration, elsewhere)
}

fn call(mesh: &Mesh, argument: &'static str, timeout: Duration) -> crate::Reply {
    let call = Call {
        realm: realm(),
        procedure: Procedure::parse("demo.add").unwrap(),
        caller: "tester".into(),
        argument: Payload {
            content_type: MediaType::JSON,
            bytes: Bytes::from_static(argument.as_bytes()),
        },
        headers: Vec::new(),
        deadline: Instant::now() + timeout,
        wants_progress: true,
    };
    mesh.call(call).unwrap()
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_call_goes_to_the_node_that_serves_and_comes_back() {
    let server = node("server");
    let echo = |call: Invocation| async move {
        assert_eq!(&*call.caller, "tester");
        for _ in 0..3 {
            call.progress.send(call.argument.clone()).await;
        }
        match &*call.argument.bytes {
            b"1" => Ok(call.argument),
            _ => Err(Failure::new("odd", "expected 1")),
        }
    };
    let (caller, _at_server, _elsewhere) = served(&server, echo);
    for _ in 0..100 {
        let mut reply = call(&caller, "1", LONG);
        let mut progress = 0;
        loop {
            match reply.next().await.unwrap() {
                Answer::Progress(_) => progress += 1,
                Answer::Done(result) => break assert_eq!(&*result.unwrap().bytes, b"1"),
            }
        }
        assert_eq!(progress, 3);
    }
    let problem = call(&caller, "2", LONG).result().await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::HandlerFailed);
    assert_eq!(problem.handler.unwrap().code, "odd");
}

#[tokio::test]
async fn giving_a_call_up_cancels_its_handler_at_the_other_node() {
    let server = node("server");
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let (dropped, mut drops) = tokio::sync::mpsc::unbounded_channel::<()>();
    let handler = move |_: Invocation| {
        let _ = started.send(());
        let dropped = dropped.clone();
        async move {
            let _held = dropped;
            std::future::pending::<Result<Payload, Failure>>().await
        }
    };
    let (caller, at_server, elsewhere) = served(&server, handler);
    let mut reply = call(&caller, "1", LONG);
    tokio::select! {
        _ = reply.next() => panic!("it never answers"),
        _ = starts.recv() => {}
    }
    assert_eq!(server.status().calls, 1);
    drop(reply);
    let gone = async {
        while server.status().calls > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone)
        .await
        .expect("the handler is dropped");
    let late = call(&caller, "1", Duration::from_millis(20)).result().await;
    assert_eq!(late.unwrap_err().code, ErrorCode::Timeout);
    let waiting = call(&caller, "1", LONG);
    let ended = tokio::spawn(waiting.result());
    starts.recv().await;
    drop(at_server);
    assert_eq!(
        ended.await.unwrap().unwrap_err().code,
        ErrorCode::ProviderUnavailable
    );
    let (again, later) = (call(&caller, "1", LONG), call(&caller, "1", LONG));
    let problem: Problem = again.result().await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::ProviderUnavailable, "{problem}");
    drop(elsewhere);
    assert_eq!(
        later.result().await.unwrap_err().code,
        ErrorCode::ProviderUnavailable
    );
    assert_eq!(caller.status().calls, 0);
    assert!(drops.try_recv().is_err());
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
