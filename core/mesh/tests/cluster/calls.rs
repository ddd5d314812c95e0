//! What calls that take long, or that nobody reads, keep from others.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::StreamExt;
use macula_mesh::{
    Answer, Failure, Invocation, Payload,
    once::{Begin, Claim, Digest, Kept, Key},
};
use macula_proto::{ErrorCode, EventId, Problem};
use tokio::task::JoinSet;

use crate::support::{DEADLINE, Node, World, call, eventually, payload, serve, soon};

/// What the streams of a few such calls may have unread is all that a connection may have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_read_no_progress_keep_nothing_from_coming() {
    const CALLS: usize = 8;
    const EACH: usize = 64;
    static MESSAGE: [u8; 64 << 10] = [b' '; 64 << 10];
    let mut world = World::new().await;
    let count = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&count);
    let talks = move |call: Invocation| {
        let told = Arc::clone(&told);
        async move {
            for _ in 0..EACH {
                call.progress.send(payload(&MESSAGE)).await;
                told.fetch_add(1, Ordering::Relaxed);
            }
            std::future::pending::<Result<Payload, Failure>>().await
        }
    };
    let served = world
        .victim
        .mesh
        .serve(serve("demo.talk", CALLS), Arc::new(talks));
    let _served = served.unwrap();
    world.victim.cluster.announced().await;
    let mut unread = Vec::new();
    for _ in 0..CALLS {
        let mut call = call("demo.talk", DEADLINE);
        call.wants_progress = true;
        let mut reply = world.honest.mesh.call(call).unwrap();
        let first = soon(reply.next()).await;
        assert!(matches!(first, Some(Answer::Progress(_))));
        unread.push(reply);
    }
    eventually("all is told", async || {
        count.load(Ordering::Relaxed) == CALLS * EACH
    })
    .await;
    for _ in 0..20 {
        world.works().await;
    }
    drop(unread);
    eventually("the calls are given up", async || {
        world.victim.mesh.status().calls == 0
    })
    .await;
}

/// An answer that never comes.
async fn wait(_: Invocation) -> Result<Payload, Failure> {
    std::future::pending().await
}

const DIGEST: Digest = [7; 32];

/// Claims a key, and gives what keeps it if it is new.
async fn claim(node: &Node, key: u8) -> Result<Option<Claim>, Problem> {
    let begun = soon(node.mesh.once(Key([key; 32]), DIGEST)).await?;
    Ok(match begun {
        Begin::First(claim) => Some(claim),
        Begin::Again(_) => None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_claimed_at_its_owners_while_as_many_calls_run_as_may() {
    let world = World::new().await;
    let served = world
        .victim
        .mesh
        .serve(serve("demo.wait", 1_000), Arc::new(wait));
    let _served = served.unwrap();
    world.victim.cluster.announced().await;
    let mut calls = JoinSet::new();
    for _ in 0..300 {
        let reply = world.honest.mesh.call(call("demo.wait", DEADLINE));
        calls.spawn(reply.unwrap().result());
    }
    eventually("many run", async || world.victim.mesh.status().calls >= 160).await;
    let first = claim(&world.honest, 1).await.unwrap();
    let id = EventId::from_u128(1);
    first.expect("it is new").keep(Kept::Published(id));
    let refused = soon(calls.join_next()).await.unwrap().unwrap();
    // The other owner knows the key when this one has gone.
    world.honest.cluster.leave().await;
    eventually("it has gone", async || {
        !world.victim.sees(world.honest.id())
    })
    .await;
    let again = claim(&world.victim, 1).await.unwrap();
    assert!(again.is_none(), "it is carried out a second time");
    // A call that had no turn was not sent, and may be repeated.
    assert_eq!(refused.unwrap_err().code, ErrorCode::Overloaded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_key_cannot_be_claimed_is_refused_and_others_go_on() {
    let mut world = World::new().await;
    let mut held = Vec::new();
    let refused = loop {
        let key = u8::try_from(held.len()).unwrap();
        match claim(&world.honest, key).await {
            Ok(claim) => held.push(claim.expect("it is new")),
            Err(problem) => break problem,
        }
    };
    assert_eq!(refused.code, ErrorCode::Overloaded);
    assert_eq!(held.len(), 64);
    world.works().await;
    held.pop();
    eventually("there is a turn", async || {
        claim(&world.honest, 64)
            .await
            .is_ok_and(|claim| claim.is_some())
    })
    .await;
}
