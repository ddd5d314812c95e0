//! What a node holds goes when its owner goes.

mod support;

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use macula_mesh::{
    Discover, Mesh, Registration, Replay, Reply, Settings, Subscription, discover::Kind,
};
use macula_proto::{Pattern, Realm};
use proptest::{prelude::*, sample::Index};
use support::*;

#[derive(Debug, Clone)]
enum Op {
    Subscribe(u8, u8, bool),
    Publish(u8, u8),
    Serve(Option<u8>, u8, bool),
    Call(u8, u8),
    /// Polls a reader or a call once.
    Poll(Index),
    Drop(Index),
    Advance(u16),
}

/// Something that has an owner.
enum Owned {
    Reader(Subscription),
    Call(Reply),
    Serves(#[allow(dead_code, reason = "it is kept to be dropped")] Registration),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..3_u8, 0..8_u8, any::<bool>()).prop_map(|(r, p, w)| Op::Subscribe(r, p, w)),
        4 => (0..3_u8, 0..8_u8).prop_map(|(r, t)| Op::Publish(r, t)),
        2 => (prop::option::of(0..3_u8), 0..8_u8, any::<bool>())
            .prop_map(|(r, p, quick)| Op::Serve(r, p, quick)),
        4 => (0..3_u8, 0..8_u8).prop_map(|(r, p)| Op::Call(r, p)),
        4 => any::<Index>().prop_map(Op::Poll),
        3 => any::<Index>().prop_map(Op::Drop),
        1 => (0..5_000_u16).prop_map(Op::Advance),
    ]
}

fn realm_of(number: u8) -> Realm {
    Realm::parse(&format!("org.example-{number}")).expect("a realm")
}

fn apply(op: Op, mesh: &Mesh, clock: &TestClock, owned: &mut Vec<Owned>) {
    match op {
        Op::Subscribe(realm, name, wild) => {
            let tail = if wild { "*" } else { "here" };
            let pattern = Pattern::parse(&format!("t.{name}.{tail}")).expect("a pattern");
            let wanted = macula_mesh::Subscribe {
                realm: realm_of(realm),
                pattern,
                replay: Replay::Last(5),
                queue: macula_mesh::pubsub::Bounds::default(),
            };
            owned.extend(mesh.subscribe(wanted).map(Owned::Reader));
        }
        Op::Publish(realm, name) => {
            let mut event = event(&format!("t.{name}.here"), "somebody", 1);
            event.realm = realm_of(realm);
            let _ = mesh.publish(event);
        }
        Op::Serve(realm, name, quick) => {
            let mut serve = serve(&format!("p.{name}"), "p");
            serve.realm = realm.map(realm_of);
            serve.concurrency = 2;
            let served = match quick {
                true => mesh.serve(serve, Arc::new(ready)),
                false => mesh.serve(serve, Arc::new(never)),
            };
            owned.extend(served.map(Owned::Serves));
        }
        Op::Call(realm, name) => {
            let mut call = call(&format!("p.{name}"));
            call.realm = realm_of(realm);
            owned.extend(mesh.call(call).map(Owned::Call));
        }
        Op::Poll(index) if !owned.is_empty() => match index.get_mut(owned.as_mut_slice()) {
            Owned::Reader(reader) => drop(reader.next().now_or_never()),
            Owned::Call(call) => drop(call.next().now_or_never()),
            Owned::Serves(_) => {}
        },
        Op::Drop(index) if !owned.is_empty() => {
            drop(owned.swap_remove(index.index(owned.len())));
        }
        Op::Advance(ms) => clock.advance(ms.into()),
        Op::Poll(_) | Op::Drop(_) => {}
    }
}

/// How many of each kind are owned.
fn counts(owned: &[Owned]) -> (usize, usize, usize) {
    let count = |is: fn(&Owned) -> bool| owned.iter().filter(|one| is(one)).count();
    (
        count(|one| matches!(one, Owned::Reader(_))),
        count(|one| matches!(one, Owned::Call(_))),
        count(|one| matches!(one, Owned::Serves(_))),
    )
}

/// Whether there is nothing but what a node has by itself.
fn is_empty(mesh: &Mesh) -> bool {
    let status = mesh.status();
    let owned = (status.subscriptions, status.calls, status.providers);
    let replay = (status.topics, status.replay_events, status.replay_bytes);
    owned == (0, 0, BUILTINS) && replay == (0, 0, 0)
}

async fn run(ops: Vec<Op>) {
    let (mesh, clock) = mesh_with(&Settings {
        max_subscriptions: 30,
        max_providers: BUILTINS + 20,
        max_calls: 40,
        max_waiting: 3,
        ..Settings::default()
    });
    let mut owned = Vec::new();
    for op in ops {
        apply(op, &mesh, &clock, &mut owned);
        let status = mesh.status();
        let expected = counts(&owned);
        let providers = status.providers - BUILTINS;
        assert_eq!((status.subscriptions, status.calls, providers), expected);
    }
    drop(owned);
    let status = mesh.status();
    assert_eq!((status.subscriptions, status.calls), (0, 0));
    assert_eq!(status.providers, BUILTINS);
    // Nobody publishes or subscribes any more: the node drops by itself what is too old, first the
    // events, then the memory of their topics.
    clock.advance(61_000);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(
        (mesh.status().replay_events, mesh.status().replay_bytes),
        (0, 0)
    );
    clock.advance(600_000);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(is_empty(&mesh), "{:?}", mesh.status());
    for number in 0..3 {
        let wanted = Discover {
            realm: realm_of(number),
            pattern: Pattern::parse("*.**").expect("a pattern"),
            kinds: vec![Kind::Procedure, Kind::Topic],
            limit: 100,
            cursor: None,
        };
        let found = mesh.discover(&wanted).expect("a valid question").items;
        assert_eq!(found.len(), BUILTINS, "{found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Lesson 3: after thousands of operations, and when all owners have gone, nothing is left.
    #[test]
    fn lesson_03_tables_return_to_empty(ops in prop::collection::vec(op(), 1..2_000)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime of this thread").block_on(run(ops));
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_stops_when_its_last_handle_goes() {
    let mesh = mesh();
    let runtime = tokio::runtime::Handle::current();
    tokio::task::yield_now().await;
    assert_eq!(runtime.metrics().num_alive_tasks(), 1, "the housekeeper");
    let other = mesh.clone();
    drop(mesh);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(runtime.metrics().num_alive_tasks(), 1);
    drop(other);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn a_call_that_was_refused_or_has_ended_leaves_nothing() {
    let mesh = mesh();
    let served = mesh.serve(serve("a", "p"), Arc::new(ready)).unwrap();
    assert!(mesh.call(call("nobody.serves.this")).is_err());
    assert!(mesh.call(call("a")).unwrap().result().await.is_ok());
    drop(served);
    assert!(is_empty(&mesh), "{:?}", mesh.status());
}
