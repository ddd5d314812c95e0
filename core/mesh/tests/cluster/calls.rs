//! What calls that take long, or that nobody reads, keep from others.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::StreamExt;
use macula_mesh::{Answer, Failure, Invocation, Payload};

use crate::support::{DEADLINE, World, call, eventually, payload, serve, soon};

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
