//! What the engine tells of peers, over real QUIC.

use std::time::Duration;

use quinn::TransportConfig;

use super::*;
use crate::{Authority, Events, NodeKey, Settings, admission::raw};

const DEADLINE: Duration = Duration::from_secs(30);

async fn gone(events: &mut Events) -> Gone {
    let gone = async {
        loop {
            if let Event::Disconnected { why, .. } = events.next().await.unwrap() {
                return why;
            }
        }
    };
    let gone = tokio::time::timeout(DEADLINE, gone).await;
    gone.expect("an event before the deadline")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_system_answers_and_whose_program_does_not_is_silent() {
    let authority = Authority::generate();
    let settings = Settings {
        probe: Duration::from_millis(100),
        ..Settings::default()
    };
    let (engine, mut events) = raw::engine(&authority, settings).await;
    let key = NodeKey::generate();
    let _silent = raw::member(&authority, &key, &engine, TransportConfig::default()).await;
    assert_eq!(gone(&mut events).await, Gone::Silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_refuses_a_node_is_not_taken_for_one_that_was_refused() {
    let authority = Authority::generate();
    let (engine, mut events) = raw::engine(&authority, Settings::default()).await;
    let key = NodeKey::generate();
    let peer = raw::member(&authority, &key, &engine, TransportConfig::default()).await;
    let (_endpoint, connection) = peer;
    // Before that it would not have been let in.
    let connected = tokio::time::timeout(DEADLINE, events.next()).await;
    let connected = connected.expect("an event before the deadline");
    assert!(matches!(connected, Some(Event::Connected(_))));
    let why = Refusal::Revoked;
    connection.close(code::refusal(why), b"");
    assert_eq!(gone(&mut events).await, Gone::RefusedUs(why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_are_bounded_and_not_connections() {
    let authority = Authority::generate();
    let settings = Settings {
        max_peers: 2,
        ..Settings::default()
    };
    let (engine, mut events) = raw::engine(&authority, settings).await;
    let [twice, once, late] = [(); 3].map(|()| NodeKey::generate());
    let member = |key| raw::member(&authority, key, &engine, TransportConfig::default());
    let _first = member(&twice).await;
    let _second = member(&twice).await;
    let _third = member(&once).await;
    let came = async {
        let mut came = Vec::new();
        while came.len() < 2 {
            if let Event::Connected(peer) = events.next().await.unwrap() {
                came.push(peer.node);
            }
        }
        came
    };
    let came = tokio::time::timeout(DEADLINE, came).await;
    assert_eq!(came.expect("both come"), [twice.id(), once.id()]);
    let (_endpoint, refused) = member(&late).await;
    let closed = tokio::time::timeout(DEADLINE, refused.closed()).await;
    closed.expect("there is no room for another");
    assert_eq!(engine.stats().peers, 2);
}
