//! Calls: how they end, and what a handler sees of it.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use macula_mesh::{Call, Failure, Handler, Invocation, Payload, Serve};
use macula_proto::{ErrorCode, HandlerError, Problem};
use support::*;
use tokio::time::Instant;

/// The end of a call of a procedure that this handler serves.
async fn check(handler: impl Handler, expected: Result<Payload, ErrorCode>) {
    let mesh = mesh();
    let served = mesh.serve(serve("a.b", "p"), Arc::new(handler));
    let _served = served.expect("room for a provider");
    let reply = mesh.call(call("a.b")).expect("somebody serves it");
    assert_eq!(&*reply.served_by(), "p");
    assert_eq!(code(reply.result().await), expected);
    assert_eq!(mesh.status().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_answers_at_once_or_later() {
    check(ready, Ok(payload("\"done\""))).await;
    let later = async |call: Invocation| {
        tokio::time::sleep(Duration::from_secs(4)).await;
        Ok(call.argument)
    };
    check(move |call| Box::pin(later(call)), Ok(payload("1"))).await;
}

#[tokio::test]
async fn a_handlers_own_error_is_inside_of_handler_failed() {
    let mesh = mesh();
    let fail = |_| std::future::ready(Err(Failure::new("no_such_room", "there is no attic")));
    let _served = mesh.serve(serve("a", "p"), Arc::new(fail)).unwrap();
    let problem = mesh.call(call("a")).unwrap().result().await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::HandlerFailed);
    let error = HandlerError {
        code: "no_such_room".into(),
        detail: "there is no attic".into(),
        data: None,
    };
    assert_eq!(problem.handler, Some(error));
}

#[tokio::test]
async fn a_problem_of_the_mesh_passes_through_a_handler() {
    let busy = |_| {
        let problem = Problem::new(ErrorCode::Overloaded, "too many rooms");
        std::future::ready(Err(problem.into()))
    };
    check(busy, Err(ErrorCode::Overloaded)).await;
}

#[tokio::test]
async fn nobody_serves_it() {
    let problem = mesh().call(call("a")).unwrap_err();
    assert_eq!(problem.code, ErrorCode::ProcedureNotFound);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_call() {
    let begin = Instant::now();
    check(never, Err(ErrorCode::Timeout)).await;
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_call_that_waits_for_a_place() {
    let mesh = mesh();
    let one = Serve {
        concurrency: 1,
        ..serve("a", "p")
    };
    let _served = mesh.serve(one, Arc::new(never)).unwrap();
    let late = Call {
        deadline: Instant::now() + Duration::from_secs(60),
        ..call("a")
    };
    let first = tokio::spawn(mesh.call(late).unwrap().result());
    tokio::task::yield_now().await;
    let second = mesh.call(call("a")).unwrap().result().await;
    assert_eq!(code(second), Err(ErrorCode::Timeout));
    assert_eq!(code(first.await.unwrap()), Err(ErrorCode::Timeout));
}

/// Counts up when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A handler that never answers, how often it began, and how often it was dropped.
fn counted() -> (Arc<dyn Handler>, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (begun, dropped) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let counts = (Arc::clone(&begun), Arc::clone(&dropped));
    let handler = move |_: Invocation| {
        begun.fetch_add(1, Ordering::Relaxed);
        let guard = Dropped(Arc::clone(&dropped));
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    };
    (Arc::new(handler), counts.0, counts.1)
}

#[tokio::test]
async fn dropping_the_reply_drops_the_handler_and_frees_its_place() {
    let mesh = mesh();
    let (handler, begun, dropped) = counted();
    let one = Serve {
        concurrency: 1,
        ..serve("a", "p")
    };
    let _served = mesh.serve(one, handler).unwrap();
    for n in 1..=3 {
        let reply = begin(&mesh, call("a"));
        let waiting = begin(&mesh, call("a"));
        assert_eq!(mesh.status().calls, 2);
        drop(waiting);
        drop(reply);
        assert_eq!(begun.load(Ordering::Relaxed), n);
        assert_eq!(dropped.load(Ordering::Relaxed), n);
        assert_eq!(mesh.status().calls, 0);
    }
}

#[tokio::test]
async fn a_call_is_lazy_until_its_reply_is_polled() {
    let mesh = mesh();
    let (handler, begun, _) = counted();
    let _served = mesh.serve(serve("a", "p"), handler).unwrap();
    drop(mesh.call(call("a")).unwrap());
    assert_eq!(begun.load(Ordering::Relaxed), 0);
}

/// Lesson 21: a provider that goes ends its calls, whether they run, wait or have not begun; none of
/// them is sent to another provider.
#[tokio::test]
async fn lesson_21_a_call_is_not_sent_elsewhere_when_its_provider_goes() {
    let mesh = mesh();
    let (handler, begun, dropped) = counted();
    let one = Serve {
        concurrency: 1,
        policy: Some(macula_mesh::Policy::First),
        ..serve("a", "first")
    };
    let first = mesh.serve(one, handler).unwrap();
    let running = begin(&mesh, call("a"));
    let waiting = begin(&mesh, call("a"));
    let fresh = mesh.call(call("a")).unwrap();
    let (second_handler, sent_elsewhere, _) = counted();
    let _second = mesh.serve(serve("a", "second"), second_handler).unwrap();
    drop(first);
    for reply in [running, waiting, fresh] {
        assert_eq!(&*reply.served_by(), "first");
        let problem = reply.result().await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::ProviderUnavailable);
    }
    assert_eq!(begun.load(Ordering::Relaxed), 1);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(sent_elsewhere.load(Ordering::Relaxed), 0);
    assert_eq!(&*begin(&mesh, call("a")).served_by(), "second");
}

#[tokio::test]
async fn a_provider_that_has_gone_is_not_asked_even_if_it_would_answer_at_once() {
    let mesh = mesh();
    let served = mesh.serve(serve("a", "p"), Arc::new(ready)).unwrap();
    let reply = mesh.call(call("a")).unwrap();
    drop(served);
    assert_eq!(
        code(reply.result().await),
        Err(ErrorCode::ProviderUnavailable)
    );
}

#[tokio::test]
async fn a_waiting_caller_is_woken_when_the_provider_goes() {
    let mesh = mesh();
    let served = mesh.serve(serve("a", "p"), Arc::new(never)).unwrap();
    let reply = tokio::spawn(mesh.call(call("a")).unwrap().result());
    tokio::task::yield_now().await;
    drop(served);
    assert_eq!(
        code(reply.await.unwrap()),
        Err(ErrorCode::ProviderUnavailable)
    );
}

#[tokio::test]
async fn a_panic_ends_the_call_and_nothing_else() {
    let mesh = mesh();
    let at_once = |_: Invocation| -> std::future::Ready<_> { panic!("in the call") };
    let later = |_: Invocation| async {
        tokio::task::yield_now().await;
        panic!("in the future")
    };
    let handlers: [Arc<dyn Handler>; 2] = [Arc::new(at_once), Arc::new(later)];
    for handler in handlers {
        let one = Serve {
            concurrency: 1,
            ..serve("a", "p")
        };
        let _served = mesh.serve(one, handler).unwrap();
        // The place of a handler that panicked is free again.
        for _ in 0..3 {
            let problem = mesh.call(call("a")).unwrap().result().await.unwrap_err();
            assert_eq!(problem.code, ErrorCode::Internal);
            assert!(!problem.detail.contains("in the"), "the log's matter");
        }
    }
    assert_eq!(mesh.status().calls, 0);
}

#[tokio::test]
async fn the_caller_and_the_deadline_are_told_to_the_handler() {
    let mesh = mesh();
    let call = call("a");
    let expected = (call.caller.clone(), call.deadline, call.argument.clone());
    let handler = move |call: Invocation| {
        assert_eq!((call.caller, call.deadline, call.argument), expected);
        assert!(!call.progress.wanted());
        std::future::ready(Ok(payload("1")))
    };
    let _served = mesh.serve(serve("a", "p"), Arc::new(handler)).unwrap();
    assert_eq!(
        code(mesh.call(call).unwrap().result().await),
        Ok(payload("1"))
    );
}
