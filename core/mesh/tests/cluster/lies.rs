//! What a member can say of others, and how long it lasts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use macula_crdt::{Actor, Time};
use macula_mesh::{cluster::NodeId, gossip::Change};

use crate::{
    gossip::{Saying, State, Talk, message, wall_ms, wants},
    support::{Liar, World, echo, eventually, serve},
};

async fn talk(world: &World) -> (Liar, Talk) {
    let liar = world.liar().await;
    let talk = Talk::start(&liar, &[world.victim.id(), world.honest.id()]);
    eventually("the liar knows what the victim says", async || {
        // Who it is, what its readers want, what it serves.
        talk.said(world.victim.id()).len() >= 3
    })
    .await;
    (liar, talk)
}

/// All that the victim had said stands in the state again, said anew.
async fn said_anew(talk: &Talk, victim: NodeId, before: &[(Saying, (u64, u64))]) -> Duration {
    let began = Instant::now();
    eventually("the victim has said it again", async || {
        let now = talk.said(victim);
        before
            .iter()
            .all(|(key, dot)| now.get(key).is_some_and(|anew| anew > dot))
    })
    .await;
    began.elapsed()
}

/// What the victim serves can be called all the time at who is connected to it.
async fn meanwhile<T>(world: &World, happens: impl Future<Output = T>) -> T {
    let mut happens = std::pin::pin!(happens);
    loop {
        tokio::select! {
            done = &mut happens => return done,
            answered = world.honest.calls("demo.echo") => assert!(answered, "it is served all the time"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_removes_of_anothers_words_is_said_again() {
    let mut world = World::new().await;
    let (_liar, talk) = talk(&world).await;
    let victim = world.victim.id();
    for _ in 0..3 {
        let before: Vec<_> = talk.said(victim).into_iter().collect();
        for (key, _) in &before {
            talk.change(Change::RemoveKey(key.clone()));
        }
        let took = meanwhile(&world, said_anew(&talk, victim, &before)).await;
        println!("said again after {took:?}");
        assert!(world.honest.sees(victim));
    }
    world.works().await;
}

/// A life of the victim that comes after its own, which nobody lives.
fn later_life(victim: NodeId, ahead_ms: u64) -> Vec<u8> {
    let mut state = State::default();
    let actor = Actor {
        id: *victim.as_bytes(),
        incarnation: wall_ms() + ahead_ms,
    };
    let since = Time::from_ms(wall_ms());
    state.retire(&actor.id, actor.incarnation - 1, since);
    state.add(&actor, (actor.id, wants(0)), ()).unwrap();
    message(&state.whole())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_speaks_for_another_ends_its_life_and_it_begins_a_new_one() {
    let mut world = World::new().await;
    let (_liar, talk) = talk(&world).await;
    let victim = world.victim.id();
    // Only the honest node is lied to; the victim hears of it from there. Twice, as the second time it waits.
    for round in 0..2 {
        let before: Vec<_> = talk.said(victim).into_iter().collect();
        let ahead_ms = 5_000 + 2_000 * round;
        talk.forge(world.honest.id(), later_life(victim, ahead_ms));
        let took = meanwhile(&world, said_anew(&talk, victim, &before)).await;
        println!("lie {round}: said again after {took:?}");
    }
    world.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_taken_for_gone_is_there_for_those_that_are_connected_to_it() {
    let world = World::new().await;
    let (_liar, talk) = talk(&world).await;
    let victim = world.victim.id();
    let words = talk.said(victim);
    for _ in 0..2 {
        let said = talk.said(victim).into_iter();
        let before: Vec<_> = said.filter(|(key, _)| words.contains_key(key)).collect();
        let life = talk.life(victim).unwrap();
        let (id, incarnation) = (life.id, life.incarnation);
        talk.change(Change::Retire { id, incarnation });
        // The second time the liar takes it for gone for ten seconds, as the only one.
        let more = world
            .victim
            .mesh
            .serve(serve("demo.more", 8), Arc::new(echo));
        let more = more.unwrap();
        eventually("the new service is known", async || {
            world.honest.calls("demo.more").await
        })
        .await;
        meanwhile(&world, said_anew(&talk, victim, &before)).await;
        drop(more);
        eventually("it is served no more", async || {
            !world.honest.calls("demo.more").await
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_claims_what_another_will_say_does_not_keep_it_from_being_heard() {
    let mut world = World::new().await;
    let (_liar, talk) = talk(&world).await;
    let victim = world.victim.id();
    let life = talk.life(victim).unwrap();
    let before: Vec<_> = talk.said(victim).into_iter().collect();
    // A thousand words of it that have come and gone: its own are among them, and its next ones.
    let mut state = State::default();
    for _ in 0..1_000 {
        state.add(&life, (life.id, wants(0)), ()).unwrap();
    }
    state.remove_key(&(life.id, wants(0)));
    talk.forge(world.honest.id(), message(&state.whole()));
    let took = meanwhile(&world, said_anew(&talk, victim, &before)).await;
    println!("said again after {took:?}");
    world.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_far_in_the_future_are_refused() {
    let mut world = World::new().await;
    let (liar, talk) = talk(&world).await;
    let victim = world.victim.id();
    let before = talk.life(victim);
    for ahead_ms in [60_000, 3_600_000, u64::MAX / 4] {
        for node in [victim, world.honest.id()] {
            talk.forge(node, later_life(victim, ahead_ms));
        }
    }
    world.works().await;
    // What is said after it has been heard behind it.
    talk.change(Change::Add((*liar.engine.node().as_bytes(), wants(1)), ()));
    eventually("the liar is heard", async || {
        let members = world.victim.cluster.members();
        members.iter().any(|member| member.id == liar.engine.node())
    })
    .await;
    assert_eq!(talk.life(victim), before, "it lives the same life");
    world.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_gossip_cost_what_they_may() {
    let mut world = World::new().await;
    let (liar, _talk) = talk(&world).await;
    let victim = world.victim.id();
    let message = [&[0], &later_life(victim, 3_600_000)[..]].concat();
    let flood = crate::support::framed(&message).repeat(20_000);
    let flooding: Vec<_> = (0..8)
        .map(|_| {
            let (engine, flood) = (liar.engine.clone(), flood.clone());
            tokio::spawn(async move {
                use tokio::io::AsyncWriteExt;
                let mut stream = engine.open(victim, "gossip/1").await.ok()?;
                stream.write_all(&flood).await.ok()?;
                stream.shutdown().await.ok()
            })
        })
        .collect();
    let mut rounds = 0;
    while flooding.iter().any(|flood| !flood.is_finished()) && rounds < 500 {
        world.works().await;
        rounds += 1;
    }
    println!("{rounds} rounds beside 160,000 messages");
    let served = world
        .victim
        .mesh
        .serve(serve("demo.more", 8), Arc::new(echo));
    let _served = served.unwrap();
    eventually("what is new is heard", async || {
        world.honest.calls("demo.more").await
    })
    .await;
}
