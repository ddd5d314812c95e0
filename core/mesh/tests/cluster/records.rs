//! Provider records in the DHT.

use std::collections::BTreeSet;

use macula_mesh::cluster::NodeId;
use macula_proto::Procedure;

use crate::support::{World, echo, eventually, realm, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dht_knows_who_serves_a_procedure_for_as_long_as_it_does() {
    let world = World::new().await;
    let procedure = Procedure::parse("demo.record").unwrap();
    let found = async |expected: &[NodeId]| {
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        eventually("the DHT knows just these", async || {
            let asked = [&world.victim, &world.honest];
            let mut same = true;
            for node in asked {
                let found = node.cluster.find_providers(&realm(), &procedure).await;
                same &= found == Ok(expected.clone());
            }
            same
        })
        .await;
    };
    found(&[]).await;
    let (one, other) = (&world.victim, &world.honest);
    let first = one
        .mesh
        .serve(serve("demo.record", 1), std::sync::Arc::new(echo))
        .unwrap();
    found(&[one.id()]).await;
    // Two providers of a node are one record.
    let second = one
        .mesh
        .serve(serve("demo.record", 1), std::sync::Arc::new(echo))
        .unwrap();
    let third = other
        .mesh
        .serve(serve("demo.record", 1), std::sync::Arc::new(echo))
        .unwrap();
    found(&[one.id(), other.id()]).await;
    drop(first);
    found(&[one.id(), other.id()]).await;
    other.cluster.leave().await;
    drop((second, third));
    let found = async || one.cluster.find_providers(&realm(), &procedure).await;
    eventually("nobody serves it", async || {
        found().await == Ok(BTreeSet::new())
    })
    .await;
}
