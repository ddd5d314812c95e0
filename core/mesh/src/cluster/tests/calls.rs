//! Calls to the node that serves, over a pipe.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use macula_proto::{ErrorCode, MediaType, Payload, Problem, Procedure};
use tokio::{
    io::{DuplexStream, duplex},
    sync::Semaphore,
    time::Instant,
};

use super::{node, realm};
use crate::{
    Answer, Call, Failure, Invocation, Mesh, Serve,
    cluster::{
        calls::{self, Pool, Remote},
        frames::Frames,
    },
};

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
            2,
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

fn payload(bytes: impl Into<Bytes>) -> Payload {
    Payload {
        content_type: MediaType::JSON,
        bytes: bytes.into(),
    }
}

fn call(mesh: &Mesh, argument: &'static str, timeout: Duration) -> crate::Reply {
    let call = Call {
        realm: realm(),
        procedure: Procedure::parse("demo.add").unwrap(),
        caller: "tester".into(),
        argument: payload(argument),
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
async fn calls_take_turns_and_one_that_waits_for_long_is_refused() {
    let server = node("server");
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let waits = move |_: Invocation| {
        let _ = started.send(());
        std::future::pending::<Result<Payload, Failure>>()
    };
    let (caller, _at_server, _elsewhere) = served(&server, waits);
    let call = || tokio::spawn(call(&caller, "1", LONG * 6).result());
    let (first, _second) = (call(), call());
    for _ in 0..2 {
        starts.recv().await.unwrap();
    }
    let third = call();
    // Nothing but the time is waited for.
    tokio::time::pause();
    let refused = third.await.unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
    let fourth = call();
    first.abort();
    starts.recv().await.expect("the fourth begins");
    assert_eq!(caller.status().calls, 2);
    assert!(!fourth.is_finished());
}

#[tokio::test]
async fn a_caller_that_reads_nothing_keeps_its_provider_from_nothing() {
    let server = node("server");
    let talks = |call: Invocation| async move {
        for number in 0..5_000_u32 {
            call.progress.send(payload(number.to_string())).await;
        }
        Ok(call.argument)
    };
    let (caller, _at_server, _elsewhere) = served(&server, talks);
    let mut reply = call(&caller, "1", LONG);
    let first = reply.next().await;
    assert!(matches!(first, Some(Answer::Progress(told)) if &*told.bytes == b"0"));
    let ended = async {
        while server.status().calls > 0 {
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(LONG, ended).await;
    ended.expect("the provider has answered");
    // What was told first is there, in order and before the end, however late it is read.
    let mut next = 1;
    loop {
        match reply.next().await.unwrap() {
            Answer::Progress(told) if next < 1_000 => {
                assert_eq!(told.bytes, next.to_string().as_bytes());
                next += 1;
            }
            Answer::Progress(_) => next += 1,
            Answer::Done(result) => break assert_eq!(&*result.unwrap().bytes, b"1"),
        }
    }
    assert!((1_000..5_000).contains(&next), "{next}");
}
