//! Clusters to test with.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use macula_engine::{
    Authority, Config, Engine, Event, Events, Gone, Membership, NodeId, NodeKey, Refusal, Seed,
    Settings, Stats,
};
use tokio::time::Instant;

/// How long anything may take that a test waits for: far longer than it does, on a machine that is busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// How long the certificates of tests are good.
pub(crate) const TTL: Duration = Duration::from_secs(3_600);

/// One running engine.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) events: Events,
}

pub(crate) fn config(key: NodeKey, membership: Membership, seeds: &[&Node]) -> Config {
    Config {
        key,
        membership,
        level: "cluster".to_owned(),
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        seeds: seeds.iter().map(|node| node.seed()).collect(),
        dns: None,
        settings: Settings::default(),
    }
}

pub(crate) fn member(authority: &Authority, key: &NodeKey) -> Membership {
    Membership::certified(authority.certify(key.id(), SystemTime::now(), TTL))
}

pub(crate) async fn start(config: Config) -> Node {
    let (engine, events) = Engine::start(config).await.unwrap();
    Node { engine, events }
}

/// A node with the authority, without seeds.
pub(crate) async fn founder(authority: &Authority) -> Node {
    let key = NodeKey::generate();
    let founding = Membership::founding(authority.clone(), key.id(), SystemTime::now());
    start(config(key, founding, &[])).await
}

pub(crate) async fn joiner(authority: &Authority, seeds: &[&Node]) -> Node {
    let key = NodeKey::generate();
    let membership = member(authority, &key);
    start(config(key, membership, seeds)).await
}

/// So many nodes that all know each other.
pub(crate) async fn cluster(size: usize) -> Vec<Node> {
    let authority = Authority::generate();
    let mut nodes = vec![founder(&authority).await];
    for _ in 1..size {
        let node = joiner(&authority, &[&nodes[0]]).await;
        nodes.push(node);
    }
    all_meet(&nodes).await;
    nodes
}

pub(crate) async fn all_meet(nodes: &[Node]) {
    eventually("all nodes are connected", async || {
        let others = nodes.len() - 1;
        nodes.iter().all(|node| node.engine.peers().len() == others)
    })
    .await;
}

impl Node {
    pub(crate) fn id(&self) -> NodeId {
        self.engine.node()
    }

    pub(crate) fn seed(&self) -> Seed {
        self.engine.addresses()[0].to_string().parse().unwrap()
    }

    pub(crate) fn knows(&self, node: NodeId) -> bool {
        let peers = self.engine.peers();
        peers.iter().any(|status| status.peer.node == node)
    }

    pub(crate) async fn event(&mut self) -> Event {
        soon(self.events.next()).await.unwrap()
    }

    /// Waits for the event that a node is connected.
    pub(crate) async fn connected(&mut self, node: NodeId) {
        loop {
            if matches!(self.event().await, Event::Connected(peer) if peer.node == node) {
                return;
            }
        }
    }

    /// Waits for the event that a node is gone, and says why it is.
    pub(crate) async fn gone(&mut self, who: NodeId) -> Gone {
        loop {
            if let Event::Disconnected { node, why } = self.event().await
                && node == who
            {
                return why;
            }
        }
    }

    pub(crate) async fn refused(&self, why: Refusal) -> u64 {
        self.engine.stats().refused[&why]
    }

    pub(crate) async fn refused_by_others(&self, why: Refusal) -> u64 {
        self.engine.stats().refused_by_others[&why]
    }

    pub(crate) async fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(DEADLINE, future).await;
    done.expect("done before the deadline")
}

/// Polls until it is so.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
