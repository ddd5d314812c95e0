//! Two honest nodes, and a member that speaks raw bytes.

use std::{
    future::Future,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::StreamExt;
use macula_engine::{
    Authority, ByteStream, Engine, Events, Membership, NodeId, NodeKey, Seed, Settings as Engines,
};
use macula_mesh::{
    Call, Delivery, Failure, Identity, Invocation, Mesh, Payload, Publish, Registration, Replay,
    Serve, Settings, Subscribe, Subscription,
    cluster::{self, Cluster},
    pubsub::Bounds,
};
use macula_proto::{
    MediaType, Pattern, Procedure, Realm, Topic, frame::stream::put_frame, peer::call::Request,
};
use tokio::{io::AsyncWriteExt, time::Instant};

/// How long anything may take that a test waits for: far longer than it does, on a machine that is busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const TTL: Duration = Duration::from_secs(3_600);

/// One honest node.
pub(crate) struct Node {
    pub(crate) mesh: Mesh,
    pub(crate) cluster: Cluster,
}

/// A member by certificate, that says what it likes.
pub(crate) struct Liar {
    pub(crate) engine: Engine,
    _events: Events,
}

/// Two honest nodes that know each other. The first serves `demo.echo` and reads `home.**`.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) victim: Node,
    pub(crate) honest: Node,
    pub(crate) events: Subscription,
    _echo: Registration,
    published: AtomicU64,
}

fn membership(authority: &Authority, key: &NodeKey) -> Membership {
    Membership::certified(authority.certify(key.id(), SystemTime::now(), TTL))
}

async fn node(name: &str, authority: &Authority, seeds: Vec<Seed>) -> Node {
    node_with(name, authority, seeds, 1, cluster::Settings::default()).await
}

/// A node that listens at so many addresses.
pub(crate) async fn node_with(
    name: &str,
    authority: &Authority,
    seeds: Vec<Seed>,
    addresses: usize,
    settings: cluster::Settings,
) -> Node {
    let identity = Identity {
        name: name.into(),
        version: "0.0.0",
    };
    let mesh = Mesh::start(identity, &Settings::default()).unwrap();
    let key = NodeKey::generate();
    let config = cluster::Config {
        membership: membership(authority, &key),
        key,
        listen: vec!["127.0.0.1:0".parse().unwrap(); addresses],
        seeds,
        gateway: None,
    };
    let cluster = mesh.join(config, settings).await;
    Node {
        mesh,
        cluster: cluster.unwrap(),
    }
}

pub(crate) fn realm() -> Realm {
    Realm::parse("dev").unwrap()
}

pub(crate) fn serve(procedure: &str, concurrency: usize) -> Serve {
    Serve {
        realm: Some(realm()),
        procedure: Procedure::parse(procedure).unwrap(),
        provider: "somebody".into(),
        policy: None,
        concurrency,
        description: None,
        schema: None,
    }
}

pub(crate) fn call(procedure: &str, timeout: Duration) -> Call {
    Call {
        realm: realm(),
        procedure: Procedure::parse(procedure).unwrap(),
        caller: "tester".into(),
        argument: payload(b"7"),
        headers: Vec::new(),
        deadline: Instant::now() + timeout,
        wants_progress: false,
    }
}

pub(crate) fn payload(bytes: &'static [u8]) -> Payload {
    Payload {
        content_type: MediaType::JSON,
        bytes: Bytes::from_static(bytes),
    }
}

/// Publishes to `home.clock`.
pub(crate) fn publish(mesh: &Mesh, payload: String) {
    let _ = mesh.publish(Publish {
        realm: realm(),
        topic: Topic::parse("home.clock").unwrap(),
        publisher: "clock".into(),
        content_type: MediaType::JSON,
        headers: Vec::new(),
        payload: payload.into(),
    });
}

/// A reader of `home.**` for which much may wait.
pub(crate) fn subscribe(mesh: &Mesh) -> Subscription {
    let subscription = mesh.subscribe(Subscribe {
        realm: realm(),
        pattern: Pattern::parse("home.**").unwrap(),
        replay: Replay::None,
        queue: Bounds {
            events: 100_000,
            bytes: 1 << 30,
            ..Bounds::default()
        },
    });
    subscription.unwrap()
}

pub(crate) async fn echo(call: Invocation) -> Result<Payload, Failure> {
    Ok(call.argument)
}

impl Node {
    pub(crate) fn id(&self) -> NodeId {
        self.cluster.node()
    }

    pub(crate) fn seed(&self) -> Seed {
        self.cluster.addresses()[0].to_string().parse().unwrap()
    }

    /// Whether a call ends well, somewhere.
    pub(crate) async fn calls(&self, procedure: &str) -> bool {
        match self.mesh.call(call(procedure, DEADLINE)) {
            Ok(reply) => reply.result().await.is_ok(),
            Err(_) => false,
        }
    }

    pub(crate) fn sees(&self, node: NodeId) -> bool {
        let members = self.cluster.members();
        let found = members.iter().find(|member| member.id == node);
        found.is_some_and(|member| member.connected && member.version.is_some())
    }

    pub(crate) fn publish(&self, number: u64) {
        publish(&self.mesh, format!("honest {number}"));
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let authority = Authority::generate();
        let victim = node("victim", &authority, Vec::new()).await;
        let honest = node("honest", &authority, vec![victim.seed()]).await;
        let events = subscribe(&victim.mesh);
        let echo = victim.mesh.serve(serve("demo.echo", 1_000), Arc::new(echo));
        let world = Self {
            authority,
            victim,
            honest,
            events,
            _echo: echo.unwrap(),
            published: AtomicU64::new(0),
        };
        eventually("the nodes have met", async || {
            world.honest.sees(world.victim.id()) && world.victim.sees(world.honest.id())
        })
        .await;
        eventually("the service is known", async || {
            world.honest.calls("demo.echo").await
        })
        .await;
        world
    }

    /// A member that is connected to both.
    pub(crate) async fn liar(&self) -> Liar {
        let key = NodeKey::generate();
        let config = macula_engine::Config {
            membership: membership(&self.authority, &key),
            key,
            level: "cluster".to_owned(),
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            seeds: vec![self.victim.seed(), self.honest.seed()],
            dns: None,
            settings: Engines {
                max_streams: 65_536,
                ..Engines::default()
            },
        };
        let (engine, events) = Engine::start(config).await.unwrap();
        let liar = Liar {
            engine,
            _events: events,
        };
        eventually("the liar is in", async || liar.engine.peers().len() == 2).await;
        liar
    }

    /// A call and an event of the honest node reach the victim.
    pub(crate) async fn works(&mut self) {
        assert!(soon(self.honest.calls("demo.echo")).await, "a call");
        let number = self.published.fetch_add(1, Ordering::Relaxed);
        self.honest.publish(number);
        let expected = format!("honest {number}");
        loop {
            let delivery = soon(self.events.next()).await.unwrap();
            if let Delivery::Event(event) = delivery
                && event.event.payload == expected.as_bytes()
            {
                break;
            }
        }
    }
}

impl Liar {
    /// A stream with this written on it; it stays open.
    pub(crate) async fn says(
        &self,
        to: NodeId,
        protocol: &str,
        bytes: &[u8],
    ) -> Option<ByteStream> {
        let mut stream = self.engine.open(to, protocol).await.ok()?;
        stream.write_all(bytes).await.ok()?;
        stream.flush().await.ok()?;
        Some(stream)
    }
}

/// A frame with its length.
pub(crate) fn framed(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_frame(&mut out, frame);
    out
}

pub(crate) fn request(procedure: &str, timeout_ms: u64) -> Vec<u8> {
    request_with(procedure, timeout_ms, payload(b"7"))
}

/// A request with an argument of so many bytes, that waits for as long as one may.
pub(crate) fn large_request(procedure: &str, bytes: usize) -> Vec<u8> {
    let argument = Payload {
        content_type: MediaType::JSON,
        bytes: vec![b' '; bytes].into(),
    };
    request_with(procedure, u64::MAX, argument)
}

fn request_with(procedure: &str, timeout_ms: u64, argument: Payload) -> Vec<u8> {
    let request = Request {
        realm: realm(),
        procedure: Procedure::parse(procedure).unwrap(),
        provider: u64::MAX,
        caller: "liar".into(),
        headers: Vec::new(),
        timeout_ms,
        wants_progress: true,
        argument,
    };
    framed(&request.encode())
}

/// Bytes of memory that this process has.
pub(crate) fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
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
