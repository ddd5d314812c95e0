//! Providers: who is asked, and how many calls they and the node take.

mod support;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use futures_util::{FutureExt, StreamExt};
use macula_mesh::{Mesh, Policy, Registration, Serve, Settings};
use macula_proto::{ErrorCode, Realm};
use support::*;
use tokio::sync::Semaphore;

fn served_by(mesh: &Mesh) -> String {
    let reply = mesh.call(call("a")).expect("somebody serves it");
    reply.served_by().to_string()
}

/// Providers `0`, `1`, … of one procedure, each for `concurrency` calls, that never answer.
fn providers(mesh: &Mesh, count: usize, policy: Policy, concurrency: usize) -> Vec<Registration> {
    let provider = |n: usize| {
        let serve = Serve {
            policy: Some(policy),
            concurrency,
            ..serve("a", &n.to_string())
        };
        let served = mesh.serve(serve, Arc::new(never));
        served.expect("room for a provider")
    };
    (0..count).map(provider).collect()
}

#[tokio::test]
async fn round_robin_asks_one_after_the_other() {
    let mesh = mesh();
    let _served = providers(&mesh, 3, Policy::RoundRobin, 8);
    let asked: Vec<_> = (0..6).map(|_| served_by(&mesh)).collect();
    assert_eq!(asked, ["0", "1", "2", "0", "1", "2"]);
}

#[tokio::test]
async fn random_asks_everyone_about_equally_often() {
    let mesh = mesh();
    let _served = providers(&mesh, 4, Policy::Random, 8);
    let mut asked = BTreeMap::<String, u32>::new();
    for _ in 0..4_000 {
        *asked.entry(served_by(&mesh)).or_default() += 1;
    }
    // A thousand each; fewer than 800 is seven standard deviations away.
    assert!(
        asked.len() == 4 && asked.values().all(|&n| n > 800),
        "{asked:?}"
    );
}

#[tokio::test]
async fn first_asks_the_oldest_while_it_has_a_place() {
    let mesh = mesh();
    let mut served = providers(&mesh, 3, Policy::First, 2);
    let calls: Vec<_> = (0..5).map(|_| begin(&mesh, call("a"))).collect();
    let asked: Vec<_> = calls
        .iter()
        .map(|reply| reply.served_by().to_string())
        .collect();
    assert_eq!(asked, ["0", "0", "1", "1", "2"]);
    drop(calls);
    served.remove(0);
    assert_eq!(served_by(&mesh), "1");
}

#[tokio::test]
async fn least_busy_asks_the_one_with_the_fewest_calls() {
    let mesh = mesh();
    let _served = providers(&mesh, 3, Policy::LeastBusy, 8);
    let mut calls: Vec<_> = (0..7).map(|_| begin(&mesh, call("a"))).collect();
    let asked: Vec<_> = calls
        .iter()
        .map(|reply| reply.served_by().to_string())
        .collect();
    assert_eq!(asked, ["0", "1", "2", "0", "1", "2", "0"]);
    calls.remove(2);
    assert_eq!(&*begin(&mesh, call("a")).served_by(), "2");
}

#[tokio::test]
async fn a_realms_own_provider_comes_before_one_of_every_realm() {
    let mesh = mesh();
    let everywhere = Serve {
        realm: None,
        ..serve("a", "everywhere")
    };
    let _everywhere = mesh.serve(everywhere, Arc::new(ready)).unwrap();
    assert_eq!(served_by(&mesh), "everywhere");
    let own = mesh.serve(serve("a", "own"), Arc::new(ready)).unwrap();
    assert_eq!(served_by(&mesh), "own");
    let mut elsewhere = call("a");
    elsewhere.realm = Realm::parse("org.other").unwrap();
    assert_eq!(&*mesh.call(elsewhere).unwrap().served_by(), "everywhere");
    drop(own);
    assert_eq!(served_by(&mesh), "everywhere");
}

/// Lesson 22: who serves a procedure that others serve already joins by their policy, said or
/// unsaid; another policy is refused and changes nothing.
#[tokio::test]
async fn lesson_22_a_policy_is_not_changed_by_a_late_comer() {
    let mesh = mesh();
    let served = providers(&mesh, 1, Policy::First, 8);
    let late = |policy| Serve {
        policy,
        ..serve("a", "late")
    };
    for policy in [Policy::RoundRobin, Policy::Random, Policy::LeastBusy] {
        let refused = mesh.serve(late(Some(policy)), Arc::new(ready)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRequest);
    }
    assert_eq!(mesh.status().providers, BUILTINS + 1);
    let _said = mesh
        .serve(late(Some(Policy::First)), Arc::new(ready))
        .unwrap();
    let unsaid = mesh.serve(late(None), Arc::new(ready)).unwrap();
    assert_eq!(served_by(&mesh), "0");
    // Once all have gone, the procedure is free for another policy.
    drop((served, _said, unsaid));
    let _other = mesh
        .serve(late(Some(Policy::Random)), Arc::new(ready))
        .unwrap();
}

#[tokio::test]
async fn calls_over_a_providers_concurrency_wait_in_order() {
    let mesh = mesh();
    let gate = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&gate);
    let handler = move |_| {
        let gate = Arc::clone(&inside);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(payload("1"))
        }
    };
    let one = Serve {
        concurrency: 1,
        ..serve("a", "p")
    };
    let _served = mesh.serve(one, Arc::new(handler)).unwrap();
    let mut calls: VecDeque<_> = (0..6).map(|_| begin(&mesh, call("a"))).collect();
    while !calls.is_empty() {
        gate.add_permits(1);
        // The last is polled first, and must not push in.
        let ended = calls.iter_mut().map(|call| call.next()).rev();
        let ended: Vec<_> = ended.map(|next| next.now_or_never().is_some()).collect();
        let (first, others) = ended.split_last().unwrap();
        assert!(*first && !others.contains(&true), "{ended:?}");
        calls.pop_front();
    }
}

#[tokio::test]
async fn more_waiting_calls_than_the_bound_are_refused() {
    let (mesh, _) = mesh_with(&Settings {
        max_waiting: 3,
        ..Settings::default()
    });
    let _served = providers(&mesh, 1, Policy::First, 2);
    let mut calls: Vec<_> = (0..5).map(|_| begin(&mesh, call("a"))).collect();
    for _ in 0..3 {
        let refused = mesh.call(call("a")).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Overloaded);
    }
    assert_eq!(mesh.status().calls, 5, "a refused call is not counted");
    calls.pop();
    drop(begin(&mesh, call("a")));
}

#[tokio::test]
async fn calls_in_flight_are_bounded_over_all_procedures() {
    let (mesh, _) = mesh_with(&Settings {
        max_calls: 4,
        ..Settings::default()
    });
    let _served = providers(&mesh, 2, Policy::RoundRobin, 8);
    let mut calls: Vec<_> = (0..4).map(|_| begin(&mesh, call("a"))).collect();
    for procedure in ["a", "system.echo"] {
        let refused = mesh.call(call(procedure)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Overloaded);
    }
    calls.pop();
    assert!(
        mesh.call(call("system.echo"))
            .unwrap()
            .result()
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn providers_and_subscriptions_are_bounded() {
    let (mesh, _) = mesh_with(&Settings {
        max_providers: BUILTINS + 1,
        max_subscriptions: 1,
        ..Settings::default()
    });
    let served = mesh.serve(serve("a", "p"), Arc::new(ready)).unwrap();
    let refused = mesh.serve(serve("b", "p"), Arc::new(ready)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
    drop(served);
    let _served = mesh.serve(serve("b", "p"), Arc::new(ready)).unwrap();

    let wanted = macula_mesh::Subscribe {
        realm: realm(),
        pattern: macula_proto::Pattern::all(),
        replay: macula_mesh::Replay::None,
        queue: macula_mesh::pubsub::Bounds::default(),
    };
    let reader = mesh.subscribe(wanted.clone()).unwrap();
    let refused = mesh.subscribe(wanted.clone()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
    drop(reader);
    assert!(mesh.subscribe(wanted).is_ok());
}

#[tokio::test]
async fn a_node_without_room_for_its_own_procedures_does_not_start() {
    let settings = Settings {
        max_providers: BUILTINS - 1,
        ..Settings::default()
    };
    let refused = Mesh::start(identity(), &settings).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
}

#[tokio::test]
async fn a_provider_that_is_away_is_passed_over_and_alone_is_unavailable() {
    for policy in Policy::ALL.iter().copied() {
        let mesh = mesh();
        let served = providers(&mesh, 3, policy, 1);
        served[0].set_away(true);
        served[2].set_away(true);
        // The second time its only place is taken, and it is still the one that can be asked.
        let asked = [served_by(&mesh), served_by(&mesh)];
        assert_eq!(asked, ["1", "1"], "{policy}");
        served[1].set_away(true);
        let refused = mesh.call(call("a")).expect_err("all are away");
        assert_eq!(refused.code, ErrorCode::ProviderUnavailable, "{policy}");
        served[2].set_away(false);
        assert_eq!(served_by(&mesh), "2", "{policy}");
    }
}
