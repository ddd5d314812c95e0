//! What a member may write on streams.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use macula_mesh::{Failure, Invocation, Payload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    World, eventually, framed, large_request, payload, request, resident, serve, soon,
};

const PROTOCOLS: [&str; 5] = ["link/1", "call/1", "replay/1", "once/1", "gossip/1"];

/// That a node ends the stream, whatever it says before.
async fn ended(mut stream: impl tokio::io::AsyncRead + Unpin) {
    let mut said = Vec::new();
    let _ = soon(stream.read_to_end(&mut said)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_ends_its_stream_and_nothing_else() {
    let mut world = World::new().await;
    let liar = world.liar().await;
    let victim = world.victim.id();
    let noise: Vec<u8> = (0..2_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let garbage = [
        // No kind; kinds that there are not; a length beyond every bound; members that are none.
        framed(&[]),
        framed(&[9, 0x90]),
        framed(&[0xFF; 40]),
        vec![0xFF; 8],
        vec![0x84, 0x10, 0x00, 0x01, 1],
        framed(&[0, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF]),
        framed(&noise),
        framed(&[0, 0xC1]),
    ];
    for protocol in PROTOCOLS {
        for bytes in &garbage {
            let stream = liar.says(victim, protocol, bytes).await;
            let Some(mut stream) = stream else {
                continue;
            };
            // What is no message of gossip is refused without an end of the stream.
            if protocol == "gossip/1" {
                let _ = stream.shutdown().await;
            }
            ended(stream).await;
        }
        world.works().await;
    }
    assert!(world.victim.sees(world.honest.id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_never_end_take_bounded_memory() {
    const BEGUN: usize = 300;
    let mut world = World::new().await;
    let liar = world.liar().await;
    let victim = world.victim.id();
    let before = resident();
    // Each says that it has 60 MiB, and brings 3 of them: 900 MiB if all were held.
    let begin = [&[0x83, 0xC0, 0x00, 0x00][..], &[0; 1 << 20]].concat();
    let streams = (0..BEGUN).map(|_| {
        let (engine, begin) = (liar.engine.clone(), begin.clone());
        tokio::spawn(async move {
            let mut stream = engine.open(victim, "call/1").await.ok()?;
            for _ in 0..3 {
                stream.write_all(&begin).await.ok()?;
            }
            Some(stream)
        })
    });
    let mut held = Vec::new();
    for stream in streams.collect::<Vec<_>>() {
        held.extend(soon(stream).await.unwrap());
    }
    for _ in 0..20 {
        world.works().await;
    }
    // What the liar itself holds of it is in this process too.
    let grown = resident().saturating_sub(before);
    println!("{} streams are left, {} MiB", held.len(), grown >> 20);
    assert!(grown < 400 << 20, "{} MiB", grown >> 20);
    let left = async |mut stream: macula_engine::ByteStream| {
        let read = tokio::time::timeout(Duration::from_millis(50), stream.read_u8());
        read.await.is_err()
    };
    let mut open = 0;
    for stream in held {
        open += usize::from(left(stream).await);
    }
    assert!(open <= 5, "{open} frames of 60 MiB are waited for");
}

/// A request is whole long before it is answered, if the procedure is busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_requests_that_wait_take_bounded_memory() {
    const BYTES: usize = 20 << 20;
    const ASKED: usize = 24;
    // So many fit into what one member may have.
    const FIT: usize = 15;
    let mut world = World::new().await;
    let liar = world.liar().await;
    let victim = world.victim.id();
    let waits = |_: Invocation| std::future::pending::<Result<Payload, Failure>>();
    let served = world
        .victim
        .mesh
        .serve(serve("demo.wait", 1), Arc::new(waits));
    let _served = served.unwrap();
    let request = Bytes::from(large_request("demo.wait", BYTES));
    let mut held = Vec::new();
    for _ in 0..ASKED {
        let mut stream = liar.engine.open(victim, "call/1").await.unwrap();
        // One that is refused is written in part.
        let _ = soon(stream.write_all(&request)).await;
        let _ = stream.flush().await;
        held.push(stream);
    }
    eventually("those that fit wait", async || {
        world.victim.mesh.status().calls >= FIT
    })
    .await;
    world.works().await;
    let mut ends = held.split_off(FIT);
    for stream in &mut ends {
        let _ = soon(stream.read_to_end(&mut Vec::new())).await;
    }
    assert_eq!(world.victim.mesh.status().calls, FIT);
    // What is given up makes room.
    drop((held, ends));
    eventually("they are given up", async || {
        world.victim.mesh.status().calls == 0
    })
    .await;
    let again = liar.says(victim, "call/1", &request).await;
    eventually("there is room for another", async || {
        world.victim.mesh.status().calls == 1
    })
    .await;
    drop(again);
    world.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_trickle_or_stay_silent_keep_nobody_waiting() {
    let mut world = World::new().await;
    let liar = world.liar().await;
    let victim = world.victim.id();
    let mut held = Vec::new();
    for protocol in PROTOCOLS {
        for _ in 0..50 {
            // The length of a frame, and no more of it than a byte a round.
            held.extend(liar.says(victim, protocol, &[0x7F, 0xFF]).await);
        }
    }
    assert!(held.len() >= 200, "{}", held.len());
    for round in 0..20_u8 {
        for stream in &mut held {
            let _ = stream.write_all(&[round]).await;
        }
        world.works().await;
    }
}

/// Without a deadline for reading it, eight such calls of a provider that has eight places would be its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_reads_no_answer_holds_no_place_for_long() {
    let mut world = World::new().await;
    let liar = world.liar().await;
    let talks = |call: Invocation| async move {
        static LARGE: [u8; 256 << 10] = [b' '; 256 << 10];
        for _ in 0..16 {
            call.progress.send(payload(&LARGE)).await;
        }
        Ok::<Payload, Failure>(call.argument)
    };
    let served = world
        .victim
        .mesh
        .serve(serve("demo.talk", 1), Arc::new(talks));
    let _served = served.unwrap();
    let stream = liar
        .says(world.victim.id(), "call/1", &request("demo.talk", 1_000))
        .await;
    let _unread = stream.unwrap();
    eventually("the call runs", async || {
        world.victim.mesh.status().calls > 0
    })
    .await;
    eventually("the service is known and free", async || {
        world.honest.calls("demo.talk").await
    })
    .await;
    world.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_gaps_of_a_member_that_lies_reach_readers_and_break_nothing() {
    use macula_proto::{Event, EventId, MediaType, Topic, peer::link::Link};
    let mut world = World::new().await;
    let liar = world.liar().await;
    let mut links = liar.engine.accept("link/1");
    // Ids of any time, topics that nobody wants, gaps of any number.
    let mut said = framed(
        &Link::Begin {
            epoch: u64::MAX,
            next: u64::MAX,
        }
        .encode(),
    );
    for number in 0..2_000_u128 {
        let event = Event {
            id: EventId::from_u128(u128::MAX - number * (u128::MAX / 2_000)),
            realm: crate::support::realm(),
            topic: Topic::parse(["home.lie", "work.lie"][number as usize % 2]).unwrap(),
            publisher: "clock".into(),
            content_type: MediaType::JSON,
            headers: Vec::new(),
            payload: vec![b' '; 100].into(),
        };
        said.extend(framed(&Link::Event(event).encode()));
        said.extend(framed(&Link::Gap(u64::MAX).encode()));
    }
    tokio::spawn(async move {
        while let Some(inbound) = links.next().await {
            let said = said.clone();
            tokio::spawn(async move {
                let mut stream = inbound.stream;
                let _ = stream.write_all(&said).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    for _ in 0..20 {
        world.works().await;
    }
    eventually("its events have come", async || {
        world.victim.mesh.status().received >= 2_000
    })
    .await;
    world.works().await;
}
