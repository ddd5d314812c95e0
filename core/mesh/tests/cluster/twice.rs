//! Nodes that are connected more than once at first.

use std::sync::Arc;

use futures_util::StreamExt;
use macula_engine::Authority;
use macula_mesh::{Delivery, cluster::Settings};

use crate::support::{DEADLINE, Node, echo, eventually, node_with, serve, soon, subscribe};

/// Addresses that a node tells others.
const TOLD: usize = 8;
/// Connections to one peer that there may be at a time.
const CONNECTIONS: usize = 4;
const OTHERS: usize = 4;

/// A node knows several addresses of another that are not told, dials them all at once, and gets a connection at each.
/// One of them is left, whichever it is, and nothing is lost or comes twice while streams move to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_connections_one_is_left_and_events_go_on() {
    let authority = Authority::generate();
    let hub = node_with(
        "hub",
        &authority,
        Vec::new(),
        TOLD + CONNECTIONS,
        Settings::default(),
    )
    .await;
    let echo = hub.mesh.serve(serve("demo.echo", 1_000), Arc::new(echo));
    let _echo = echo.unwrap();
    let untold = hub.cluster.addresses().split_off(TOLD);
    let seeds: Vec<_> = untold
        .iter()
        .map(|address| address.to_string().parse().unwrap())
        .collect();
    let mut others = Vec::new();
    for number in 0..OTHERS {
        let name = format!("node-{number}");
        let other = node_with(&name, &authority, seeds.clone(), 1, Settings::default()).await;
        let mut events = subscribe(&other.mesh);
        eventually("it is known what it wants", async || {
            hub.sees(other.id()) && other.calls("demo.echo").await
        })
        .await;
        let mut expected = None;
        let left = |node: &Node, peers| node.cluster.figures().engine.connections == peers;
        let began = tokio::time::Instant::now();
        let mut published = 0;
        // While connections are settled, and a while after.
        let mut rest = 100;
        while rest > 0 {
            hub.publish(published);
            published += 1;
            assert!(other.calls("demo.echo").await, "a call");
            match left(&hub, number + 1) && left(&other, number + 1) {
                true => rest -= 1,
                false => assert!(began.elapsed() < DEADLINE, "not one connection a peer"),
            }
        }
        while expected != Some(published) {
            let Delivery::Event(event) = soon(events.next()).await.unwrap() else {
                panic!("a gap");
            };
            let text = std::str::from_utf8(&event.event.payload)
                .unwrap()
                .to_owned();
            let got: u64 = text.strip_prefix("honest ").unwrap().parse().unwrap();
            assert!(
                expected.is_none_or(|expected| expected == got),
                "{text}, not {expected:?}"
            );
            expected = Some(got + 1);
        }
        others.push(other);
    }
}
