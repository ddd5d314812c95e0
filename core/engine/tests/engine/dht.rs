//! Providers and values.

use std::collections::BTreeSet;

use macula_engine::DhtError;

use crate::support::{cluster, eventually, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_of_five_provides_the_others_find() {
    let nodes = cluster(5).await;
    soon(nodes[1].engine.provide(b"demo.add")).await.unwrap();
    soon(nodes[2].engine.provide(b"demo.add")).await.unwrap();
    let expected: BTreeSet<_> = [nodes[1].id(), nodes[2].id()].into();
    for node in &nodes {
        // A provider record is sent without an answer, so it may be a moment under way.
        eventually("both are found", async || {
            node.engine.find_providers(b"demo.add").await == Ok(expected.clone())
        })
        .await;
    }
    let none = soon(nodes[0].engine.find_providers(b"other")).await;
    assert_eq!(none, Ok(BTreeSet::new()));
    eventually("its table has the others", async || {
        nodes[3].stats().await.dht_peers >= 4
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_one_puts_the_others_get() {
    let nodes = cluster(5).await;
    let put = nodes[4].engine.put(b"key", b"value".to_vec());
    soon(put).await.unwrap();
    for node in &nodes {
        let got = soon(node.engine.get(b"key")).await;
        assert_eq!(got, Ok(Some(b"value".to_vec())));
    }
    assert_eq!(soon(nodes[0].engine.get(b"none")).await, Ok(None));
    let large = nodes[0].engine.put(b"large", vec![0; 10_000]);
    assert_eq!(soon(large).await, Err(DhtError::Full));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_keeps_what_it_puts() {
    let nodes = cluster(1).await;
    let engine = &nodes[0].engine;
    soon(engine.provide(b"key")).await.unwrap();
    soon(engine.put(b"key", b"value".to_vec())).await.unwrap();
    let providers = soon(engine.find_providers(b"key")).await;
    assert_eq!(providers, Ok([nodes[0].id()].into()));
    assert_eq!(soon(engine.get(b"key")).await, Ok(Some(b"value".to_vec())));
    engine.stop_providing(b"key").await.unwrap();
    let providers = soon(engine.find_providers(b"key")).await;
    assert_eq!(providers, Ok(BTreeSet::new()));
}
