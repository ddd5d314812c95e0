//! Nodes that stand still: what readers get when the one that comes back has kept more for the other, or less, than the
//! other knows.

use std::{
    sync::mpsc,
    time::{Duration, SystemTime},
};

use futures_util::StreamExt;
use macula_engine::{Authority, Membership, NodeId, NodeKey, Seed, Settings as Engines};
use macula_mesh::{
    Delivery, Gap, Identity, Mesh, Replay, Settings, Subscribe, Subscription,
    cluster::{self, Cluster},
    pubsub::Bounds,
};
use macula_proto::{GapReason, Pattern};
use tokio::runtime::{Builder, Runtime};

use crate::support::{eventually, publish, realm, soon};

/// Longer than a test.
const LONG_MS: u64 = 600_000;

/// A node with a thread of its own, on which all that it does happens.
struct Node {
    mesh: Mesh,
    cluster: Cluster,
    /// A reader, since before it has joined.
    events: Subscription,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Node {
    async fn start(
        authority: &Authority,
        key: NodeKey,
        seeds: Vec<Seed>,
        settings: cluster::Settings,
    ) -> Self {
        let ttl = Duration::from_secs(3_600);
        let certificate = authority.certify(key.id(), SystemTime::now(), ttl);
        let config = cluster::Config {
            membership: Membership::certified(certificate),
            key,
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            seeds,
            gateway: None,
        };
        let engine = Engines {
            keep_alive: Duration::from_millis(500),
            idle_timeout: Duration::from_secs(2),
            ..Engines::default()
        };
        let settings = cluster::Settings { engine, ..settings };
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let starting = runtime.spawn(async move {
            let identity = Identity {
                name: "somebody".into(),
                version: "0.0.0",
            };
            // No ring hides that something comes twice.
            let bounds = Settings {
                replay_events: 0,
                ..Settings::default()
            };
            let mesh = Mesh::start(identity, &bounds).unwrap();
            let events = mesh.subscribe(Subscribe {
                realm: realm(),
                pattern: Pattern::parse("home.**").unwrap(),
                replay: Replay::None,
                queue: Bounds::default(),
            });
            let cluster = mesh.join(config, settings).await.unwrap();
            (mesh, cluster, events.unwrap())
        });
        let (mesh, cluster, events) = starting.await.unwrap();
        Self {
            mesh,
            cluster,
            events,
            runtime: Some(runtime),
        }
    }

    fn seed(&self) -> Seed {
        self.cluster.addresses()[0].to_string().parse().unwrap()
    }

    /// Its only thread waits until what is returned goes.
    fn stand_still(&self) -> mpsc::Sender<()> {
        let (until, waiting) = mpsc::channel::<()>();
        let runtime = self.runtime.as_ref().unwrap();
        runtime.spawn(async move { waiting.recv() });
        until
    }

    /// Whether it has a node in its state, and is connected to it.
    fn sees(&self, node: NodeId) -> (bool, bool) {
        let members = self.cluster.members();
        let found = members.iter().find(|member| member.id == node);
        (
            found.is_some(),
            found.is_some_and(|member| member.connected),
        )
    }

    fn publish(&self, number: u64) {
        publish(&self.mesh, number.to_string());
    }

    /// Publishes numbers from `first` on, one after the other, until one of them is read; all that was read, and the
    /// number after the last.
    async fn publish_until_read(
        &self,
        first: u64,
        events: &mut Subscription,
    ) -> (Vec<Result<u64, Gap>>, u64) {
        let mut found = Vec::new();
        let reading = async {
            loop {
                found.push(read(events.next().await.unwrap()));
                if found.last().unwrap().is_ok_and(|number| number >= first) {
                    return;
                }
            }
        };
        let mut next = first;
        let publishing = async {
            loop {
                self.publish(next);
                next += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(async {
            tokio::select! {
                () = reading => {}
                () = publishing => {}
            }
        })
        .await;
        (found, next)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn read(delivery: Delivery) -> Result<u64, Gap> {
    match delivery {
        Delivery::Event(event) => {
            let number = std::str::from_utf8(&event.event.payload).unwrap();
            Ok(number.parse().unwrap())
        }
        Delivery::Gap(gap) => Err(gap),
    }
}

/// Two nodes that are connected, with such bounds.
async fn pair(
    authority: &Authority,
    home: cluster::Settings,
    guest: (NodeKey, cluster::Settings),
) -> (Node, Node) {
    let home = Node::start(authority, NodeKey::generate(), Vec::new(), home).await;
    let (key, settings) = guest;
    let guest = Node::start(authority, key, vec![home.seed()], settings).await;
    (home, guest)
}

/// Numbers from 0 that one publishes and another reads; the number after the last.
async fn exchange(from: &Node, to: &mut Node) -> u64 {
    let (_, next) = from.publish_until_read(0, &mut to.events).await;
    let last = next + 50;
    (next..=last).for_each(|number| from.publish(number));
    while read(soon(to.events.next()).await.unwrap()) != Ok(last) {}
    last + 1
}

/// What is read at a node that has taken another one out of its state, when that one goes on, which keeps for so long
/// what it has sent; and the number of the first event that was published then.
async fn back_from_standing_still(lapse_ms: u64) -> (Vec<Result<u64, Gap>>, u64) {
    let forgetting = cluster::Settings {
        lapse_ms: 100,
        forget_seconds: 1,
        ..cluster::Settings::default()
    };
    let keeping = cluster::Settings {
        lapse_ms,
        ..cluster::Settings::default()
    };
    let guest = (NodeKey::generate(), keeping);
    let (mut home, guest) = pair(&Authority::generate(), forgetting, guest).await;
    let next = exchange(&guest, &mut home).await;

    let still = guest.stand_still();
    let id = guest.cluster.node();
    eventually("it is taken out", async || home.sees(id) == (false, false)).await;
    drop(still);
    eventually("it is back", async || home.sees(id) == (true, true)).await;
    (
        guest.publish_until_read(next, &mut home.events).await.0,
        next,
    )
}

#[tokio::test]
async fn a_node_that_still_has_what_was_read_of_it_does_not_send_it_again() {
    let (found, first) = back_from_standing_still(LONG_MS).await;
    assert_eq!(found, [Ok(first)]);
}

#[tokio::test]
async fn a_node_that_has_given_up_what_it_kept_is_not_taken_for_a_new_one() {
    let (found, _) = back_from_standing_still(0).await;
    let lost = Gap {
        missed: None,
        reason: GapReason::Link,
    };
    assert_eq!(found[0], Err(lost));
}

#[tokio::test]
async fn a_new_run_gets_nothing_of_what_the_former_one_was_to_get() {
    let keeping = cluster::Settings {
        lapse_ms: LONG_MS,
        ..cluster::Settings::default()
    };
    let (authority, key) = (Authority::generate(), NodeKey::generate());
    let guest = (key.clone(), cluster::Settings::default());
    let (home, mut former) = pair(&authority, keeping, guest).await;
    let next = exchange(&home, &mut former).await;

    let _still = former.stand_still();
    let id = former.cluster.node();
    let connected = |home: &Node| home.sees(id).1;
    eventually("it is lost", async || !connected(&home)).await;
    (next..next + 50).for_each(|number| home.publish(number));
    let settings = cluster::Settings::default();
    let mut again = Node::start(&authority, key, vec![home.seed()], settings).await;
    eventually("it is back", async || connected(&home)).await;
    let first = next + 50;
    let (found, _) = home.publish_until_read(first, &mut again.events).await;
    assert!(
        matches!(found[..], [Ok(number)] if number >= first),
        "{found:?}"
    );
}
