//! Subscribed is subscribed, however much is said at a time.

use bytes::Bytes;
use futures_util::StreamExt;
use macula_engine::Authority;
use macula_mesh::{Delivery, Publish, Replay, Subscribe, cluster::Settings, pubsub::Bounds};
use macula_proto::{MediaType, Pattern, Topic};

use crate::support::{eventually, node_with, realm, soon};

const TOPICS: usize = 1_200;
const AT_A_TIME: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_elsewhere_after_subscribed_comes_though_gossip_may_say_little() {
    let mut settings = Settings {
        announce_ms: 30_000,
        ..Settings::default()
    };
    settings.gossip.messages_per_second = 50;
    let authority = Authority::generate();
    let reads = node_with("reads", &authority, Vec::new(), 1, settings.clone()).await;
    let writes = node_with("writes", &authority, vec![reads.seed()], 1, settings).await;
    eventually("the nodes have met", async || {
        reads.sees(writes.id()) && writes.sees(reads.id())
    })
    .await;
    let one = async |number: usize| {
        let name = format!("topic.n{number}");
        let subscribed = reads.mesh.subscribe_in_cluster(Subscribe {
            realm: realm(),
            pattern: Pattern::parse(&name).unwrap(),
            replay: Replay::None,
            queue: Bounds::default(),
        });
        let mut subscription = soon(subscribed).await.unwrap();
        let _id = writes.mesh.publish(Publish {
            realm: realm(),
            topic: Topic::parse(&name).unwrap(),
            publisher: "writer".into(),
            content_type: MediaType::JSON,
            headers: Vec::new(),
            payload: Bytes::from_static(b"1"),
        });
        let first = soon(subscription.next()).await.unwrap();
        assert!(matches!(first, Delivery::Event(_)), "{name}: {first:?}");
    };
    let one = &one;
    let several = (0..AT_A_TIME).map(|first| async move {
        for number in (first..TOPICS).step_by(AT_A_TIME) {
            one(number).await;
        }
    });
    futures_util::future::join_all(several).await;
}
