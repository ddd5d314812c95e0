//! What the mesh asks of its cluster.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use macula_engine::{
    ByteStream, ClusterId, DhtError, Engine, Membership, NodeId, NodeKey, OpenError, Seed,
    StartError, Stats,
};
use macula_proto::{
    ErrorCode, Problem, Procedure, Realm,
    peer::once::{Ask, Told},
};
use parking_lot::RwLock;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    absent::Absent,
    directory::{Directory, Tables},
    driver::{Command, Driver, Gossip, Seen},
    fact::About,
    once,
    peers::{Here, ONCE, Outboxes, Peers, REPLAY},
    records, replay,
    settings::Settings,
    shares::Shares,
    turns::Turns,
};
use crate::{
    Mesh, Subscribe,
    gossip::{self, Now, SettingsError},
    once::{Begin, Begun, Claim, Digest, Held, Key},
};

/// The lowest level, as streams are named by it.
const LEVEL: &str = "cluster";
/// Orders that may wait for the driver. At the bound who orders waits.
const COMMANDS: usize = 1_024;

/// Where a node stands in its cluster.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who the node is.
    pub key: NodeKey,
    /// What it is a member of.
    pub membership: Membership,
    /// The UDP addresses at which other nodes reach it. Port 0 is one that is free.
    pub listen: Vec<SocketAddr>,
    /// Other nodes to join.
    pub seeds: Vec<Seed>,
    /// Where its gateway is, for others to know.
    pub gateway: Option<String>,
}

/// A node's cluster. A clone is the same; the node says goodbye when the last one goes.
#[derive(Debug, Clone)]
pub struct Cluster {
    engine: Engine,
    commands: mpsc::Sender<Command>,
    seen: Arc<RwLock<Seen>>,
    outboxes: Outboxes,
    settings: Arc<Settings>,
    /// What this node may ask one other of keys and of replays at a time.
    keys: Turns,
    replays: Turns,
}

/// Why a node does not join a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings of gossip cannot work.
    #[error(transparent)]
    Gossip(#[from] SettingsError),
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] StartError),
}

/// A node of the cluster, as this one sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its id.
    pub id: NodeId,
    /// Its name; its id until that is known.
    pub name: Arc<str>,
    /// The version of its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Arc<str>>,
    /// Whether it is connected. One that is not is left out after a while.
    pub connected: bool,
    /// When this run of it began, in milliseconds since the Unix epoch by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Where its gateway is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Arc<str>>,
    /// The round trip to it, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// Streams to it that are open now.
    pub streams: usize,
    /// Events that wait for it.
    pub waiting: usize,
    /// For how long it has said that it has another state than this node, in milliseconds; 0 if it does not.
    pub lag_ms: u64,
}

/// What a node counts of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// This node.
    pub id: NodeId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Other nodes that were heard of, connected or not.
    pub nodes: usize,
    /// Gossip, and the state that it keeps.
    pub gossip: gossip::Status,
    /// Connections, streams, refusals and the DHT.
    pub engine: Stats,
}

impl Cluster {
    pub(crate) async fn start(
        mesh: &Mesh,
        config: Config,
        settings: Settings,
    ) -> Result<Self, Error> {
        let identity = mesh.identity();
        let about = About {
            name: identity.name.as_str().into(),
            version: identity.version.into(),
            since_ms: mesh.now_ms(),
            gateway: config.gateway.map(Into::into),
        };
        let now = Now {
            since: Duration::ZERO,
            wall_ms: mesh.now_ms(),
        };
        let started = Instant::now();
        let node = *config.key.id().as_bytes();
        let machine = Gossip::new(settings.gossip.clone(), node, rand::random(), now)?;
        let (engine, events) = Engine::start(macula_engine::Config {
            key: config.key,
            membership: config.membership,
            level: LEVEL.to_owned(),
            listen: config.listen,
            seeds: config.seeds,
            dns: None,
            settings: settings.engine.clone(),
        })
        .await?;
        let tables = Tables {
            exchange: mesh.exchange_arc(),
            providers: mesh.providers_arc(),
        };
        let shares = Shares::of(settings.engine.max_streams);
        let (peers, heard) = Peers::start(Here {
            engine: engine.clone(),
            exchange: Arc::clone(&tables.exchange),
            providers: Arc::clone(&tables.providers),
            store: mesh.store().clone(),
            message_bytes: settings.gossip.message_bytes,
            calls: shares.calls,
        });
        let outboxes = peers.outboxes();
        let (commands, ordered) = mpsc::channel(COMMANDS);
        let seen = Arc::<RwLock<Seen>>::default();
        let (served, serving) = watch::channel(BTreeSet::new());
        tokio::spawn(records::keep(engine.clone(), serving));
        let driver = Driver {
            engine: engine.clone(),
            events,
            settings: settings.clone(),
            machine,
            directory: Directory::new(tables.clone()),
            tables,
            peers,
            heard,
            commands: ordered,
            changed: mesh.changed(),
            seen: Arc::clone(&seen),
            started,
            said: Default::default(),
            offers: HashMap::new(),
            served,
            absent: Absent::new(settings.lapse(), settings.forget()),
            lives: HashMap::new(),
            announcements: Default::default(),
            questions: Default::default(),
            complaints: Default::default(),
        };
        tokio::spawn(driver.run(about));
        Ok(Self {
            engine,
            commands,
            seen,
            outboxes,
            settings: Arc::new(settings),
            keys: Turns::new(shares.keys),
            replays: Turns::new(shares.replays),
        })
    }

    /// Who this node is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.engine.node()
    }

    /// Where other nodes reach this one.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.engine.addresses()
    }

    /// What this node is a member of.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        self.engine.membership()
    }

    /// The other members that were heard of, by their ids.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let reached: HashMap<_, _> = self
            .engine
            .peers()
            .into_iter()
            .map(|status| (status.peer.node, status))
            .collect();
        let outboxes = self.outboxes.lock();
        let seen = self.seen.read();
        let lag_ms =
            |since: &Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let members = seen.members.iter().map(|(id, (about, connected))| {
            let status = reached.get(id);
            let about = about.as_ref();
            Member {
                id: *id,
                name: about.map_or_else(|| id.to_string().into(), |about| Arc::clone(&about.name)),
                version: about.map(|about| Arc::clone(&about.version)),
                connected: *connected,
                since_ms: about.map(|about| about.since_ms),
                gateway: about.and_then(|about| about.gateway.clone()),
                round_trip_us: status
                    .map(|status| u64::try_from(status.round_trip.as_micros()).unwrap_or(u64::MAX)),
                streams: status.map_or(0, |status| status.streams),
                waiting: outboxes.get(id).map_or(0, |outbox| outbox.queue.len()),
                lag_ms: seen.behind.get(id).map_or(0, lag_ms),
            }
        });
        members.collect()
    }

    /// How many other nodes are connected.
    #[must_use]
    pub fn size(&self) -> usize {
        self.connected().len()
    }

    /// What is counted.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let seen = self.seen.read();
        Figures {
            id: self.node(),
            cluster: self.membership().cluster(),
            nodes: seen.members.len(),
            gossip: seen.gossip,
            engine: self.engine.stats(),
        }
    }

    /// Waits until the connected nodes know what has changed here, for half a second at most.
    pub async fn announced(&self) {
        let (reply, heard) = oneshot::channel();
        let announce = async {
            if self.commands.send(Command::Announce(reply)).await.is_ok() {
                let _ = heard.await;
            }
        };
        // They learn of it later, then.
        let _ = timeout(self.settings.announce(), announce).await;
    }

    /// Says goodbye: the others know at once that this node has gone.
    pub async fn leave(&self) {
        let (reply, left) = oneshot::channel();
        if self.commands.send(Command::Leave(reply)).await.is_ok() {
            let _ = left.await;
        }
    }

    fn connected(&self) -> Vec<NodeId> {
        let seen = self.seen.read();
        let members = seen.members.iter();
        members
            .filter(|(_, (_, connected))| *connected)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The nodes that serve a procedure, as the DHT says: some time after the state does, and others may tell of one
    /// for up to half an hour after it has ceased to.
    ///
    /// # Errors
    /// Nobody answered in time.
    pub async fn find_providers(
        &self,
        realm: &Realm,
        procedure: &Procedure,
    ) -> Result<BTreeSet<NodeId>, DhtError> {
        let key = records::key(realm, procedure);
        self.engine.find_providers(&key).await
    }

    /// What the other nodes have kept of the events that a subscription wants of the past.
    pub(crate) async fn past(&self, subscribe: &Subscribe) -> Vec<replay::Found> {
        let Some(wanted) = replay::wanted(subscribe) else {
            return Vec::new();
        };
        let asked = self.connected().into_iter().map(|id| {
            let wanted = &wanted;
            let turns = self.replays.of(id);
            async move {
                let _turn = turns.acquire().await;
                let stream = self.engine.open(id, REPLAY).await;
                replay::ask(stream.map_err(std::io::Error::other)?, wanted).await
            }
        });
        replay::gather(asked).await
    }

    /// Claims a key at the nodes that it belongs to.
    pub(crate) async fn claim(
        &self,
        key: Key,
        digest: Digest,
        here: impl Fn() -> Result<Begun, Problem>,
    ) -> Result<Begin, Problem> {
        let me = self.engine.node();
        let nodes = self.connected().into_iter().chain([me]);
        let mut held = Vec::new();
        for owner in once::owners(&key, nodes.map(|id| *id.as_bytes())) {
            let owner = NodeId::from_bytes(owner);
            if owner == me {
                match here()? {
                    Begun::First(running) => held.push(Held::Here(running)),
                    Begun::Again(kept) => return Ok(Begin::Again(kept)),
                }
                continue;
            }
            let ask = Ask { key: key.0, digest };
            let Some((turn, stream)) = self.to_owner(owner).await? else {
                continue;
            };
            match once::ask(stream, turn, ask).await {
                Ok((Told::First, there)) => held.extend(there),
                Ok((Told::Again(kept), _)) => return Ok(Begin::Again(kept.into())),
                Ok((Told::Refused(problem), _)) => return Err(problem),
                Err(error) => tracing::debug!(%owner, %error, "a key is claimed without its owner"),
            }
        }
        Ok(Begin::First(Claim(held)))
    }

    /// A stream on which a node is asked for a key that belongs to it; none if it has gone.
    ///
    /// # Errors
    /// `overloaded`, when none can be opened in time: the node may know the key, so without it the request could be
    /// carried out again.
    async fn to_owner(
        &self,
        owner: NodeId,
    ) -> Result<Option<(OwnedSemaphorePermit, ByteStream)>, Problem> {
        let turns = self.keys.of(owner);
        let opening = async {
            let turn = turns.acquire_owned().await.expect("nobody closes it");
            Ok((turn, self.engine.open(owner, ONCE).await?))
        };
        let opened = timeout(once::WAIT, opening).await;
        match opened.unwrap_or(Err(OpenError::TooSlow)) {
            Ok(opened) => Ok(Some(opened)),
            Err(OpenError::NotConnected) => Ok(None),
            Err(OpenError::TooSlow) => {
                let detail = "expected fewer requests with idempotency keys at a time";
                Err(Problem::new(ErrorCode::Overloaded, detail))
            }
        }
    }
}
