//! Progress of a call: in order, bounded, and over with the call.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use macula_mesh::{Answer, Call, Invocation};
use macula_proto::ErrorCode;
use support::*;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn progress_comes_in_order_then_one_end_and_nothing_after() {
    const STEPS: usize = 100;
    let mesh = mesh();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let handler = move |call: Invocation| {
        let count = Arc::clone(&count);
        async move {
            for n in 0..STEPS {
                call.progress.send(payload(&n.to_string())).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(payload("end"))
        }
    };
    let _served = mesh.serve(serve("a", "p"), Arc::new(handler)).unwrap();
    let wanting = Call {
        wants_progress: true,
        ..call("a")
    };
    let mut reply = mesh.call(wanting).unwrap();
    for n in 0..STEPS {
        let Some(Answer::Progress(told)) = reply.next().await else {
            panic!("expected progress {n}");
        };
        assert_eq!(told, payload(&n.to_string()));
        let ahead = sent.load(Ordering::Relaxed) - n;
        assert!(ahead <= 32, "a handler does not run away: {ahead}");
    }
    let end = reply.next().await;
    assert!(
        matches!(&end, Some(Answer::Done(Ok(p))) if *p == payload("end")),
        "{end:?}"
    );
    assert!(reply.next().await.is_none());
    // Without the wish it is dropped where it is made.
    let result = mesh.call(call("a")).unwrap().result().await;
    assert_eq!(code(result), Ok(payload("end")));
}

#[tokio::test]
async fn a_handler_that_has_answered_tells_no_more() {
    let mesh = mesh();
    let (give, kept) = std::sync::mpsc::channel();
    let handler = move |call: Invocation| {
        let give = give.clone();
        async move {
            call.progress.send(payload("0")).await;
            call.progress.send(payload("1")).await;
            give.send(call.progress).unwrap();
            Ok(payload("end"))
        }
    };
    let _served = mesh.serve(serve("a", "p"), Arc::new(handler)).unwrap();
    let wanting = Call {
        wants_progress: true,
        ..call("a")
    };
    let mut reply = mesh.call(wanting).unwrap();
    assert!(matches!(reply.next().await, Some(Answer::Progress(_))));
    kept.recv().unwrap().send(payload("late")).await;
    assert!(matches!(reply.next().await, Some(Answer::Progress(told)) if told == payload("1")));
    assert!(matches!(reply.next().await, Some(Answer::Done(Ok(_)))));
    assert!(reply.next().await.is_none());
}

/// A handler that tells progress without a pause must not outlive its deadline by it. The time is
/// the machine's here: a stopped clock would stand still while the handler is busy.
#[tokio::test]
async fn the_deadline_ends_a_call_that_floods_progress() {
    let mesh = mesh();
    let flood = async |call: Invocation| loop {
        call.progress.send(payload("1")).await;
    };
    let flood =
        move |call| -> futures_util::future::BoxFuture<'static, _> { Box::pin(flood(call)) };
    let _served = mesh.serve(serve("a", "p"), Arc::new(flood)).unwrap();
    let call = Call {
        deadline: Instant::now() + Duration::from_millis(20),
        wants_progress: true,
        ..call("a")
    };
    let result = tokio::time::timeout(Duration::from_secs(20), mesh.call(call).unwrap().result());
    assert_eq!(code(result.await.unwrap()), Err(ErrorCode::Timeout));
}
