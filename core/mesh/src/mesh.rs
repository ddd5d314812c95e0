//! The one handle through which everything else uses the mesh.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use macula_proto::Problem;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    Call, Discover, Handler, Page, Publish, Published, Registration, Reply, Serve, Settings,
    Status, Subscribe, Subscription, builtin,
    clock::Clock,
    cluster::{self, Cluster, replay},
    discover,
    once::{self, Store},
    pubsub::exchange::Exchange,
    rpc::providers::Providers,
};

/// How often old events are dropped when nobody publishes.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Who the node is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The node's name: a name of one segment or more.
    pub name: String,
    /// The version of the program.
    pub version: &'static str,
}

/// A node of the mesh: publish, subscribe, call, serve, discover. Cheap to clone.
///
/// The node lives as long as a handle, a subscription or a registration does.
#[derive(Debug, Clone)]
pub struct Mesh(Arc<Node>);

/// A handle that does not keep the node alive.
#[derive(Debug, Clone)]
pub(crate) struct Weak(std::sync::Weak<Node>);

#[derive(Debug)]
struct Node {
    identity: Identity,
    started: Instant,
    exchange: Arc<Exchange>,
    providers: Arc<Providers>,
    store: Store,
    clock: Clock,
    /// Told when what is served or wanted here has changed.
    changed: Arc<Notify>,
    cluster: OnceLock<Cluster>,
    builtins: parking_lot::Mutex<Vec<Registration>>,
}

impl Mesh {
    /// Starts a node that reads the system's clock. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// The settings leave no room for the node's own procedures.
    pub fn start(identity: Identity, settings: &Settings) -> Result<Self, Problem> {
        Self::start_at(identity, settings, Clock::system())
    }

    /// As [`start`](Self::start), with a clock of the caller's.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_at(
        identity: Identity,
        settings: &Settings,
        clock: Clock,
    ) -> Result<Self, Problem> {
        let changed = Arc::new(Notify::new());
        let exchange = Arc::new(Exchange::new(settings, clock.clone(), Arc::clone(&changed)));
        let mesh = Self(Arc::new(Node {
            identity,
            started: Instant::now(),
            exchange: Arc::clone(&exchange),
            providers: Arc::new(Providers::new(settings, Arc::clone(&changed))),
            store: Store::new(settings),
            clock: clock.clone(),
            changed,
            cluster: OnceLock::new(),
            builtins: parking_lot::Mutex::default(),
        }));
        *mesh.0.builtins.lock() = builtin::serve(&mesh, clock)?;
        tokio::spawn(housekeep(Arc::downgrade(&exchange)));
        Ok(mesh)
    }

    /// Publishes an event to everybody who subscribes to its topic. Never waits: a slow reader has
    /// a bounded queue of its own.
    #[must_use]
    pub fn publish(&self, publish: Publish) -> Arc<Published> {
        self.0.exchange.publish(publish)
    }

    /// Subscribes; every event that is published at this node from now on is delivered, or told as missed. Those
    /// of other nodes come as soon as they know of it.
    ///
    /// # Errors
    /// `overloaded` when the node has its limit of subscriptions.
    pub fn subscribe(&self, wanted: Subscribe) -> Result<Subscription, Problem> {
        self.0.exchange.subscribe(wanted)
    }

    /// The same for the whole cluster: waits until the connected nodes know of it, so that it holds for what is
    /// published there too, and begins with what they have kept.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn subscribe_in_cluster(&self, wanted: Subscribe) -> Result<Subscription, Problem> {
        let mut subscription = self.subscribe(wanted.clone())?;
        if let Some(cluster) = self.cluster() {
            cluster.announced().await;
            let found = cluster.past(&wanted).await;
            if !found.is_empty() {
                let exchange = &self.0.exchange;
                subscription.rewrite(|here| replay::merge(wanted.replay, here, found, exchange));
            }
        }
        Ok(subscription)
    }

    /// Waits until the connected nodes of the cluster know what is served and wanted here, for half a second at
    /// most.
    pub async fn announced(&self) {
        if let Some(cluster) = self.cluster() {
            cluster.announced().await;
        }
    }

    /// Makes the node one of a cluster, once.
    ///
    /// # Errors
    /// The settings cannot work, or the network cannot be used.
    ///
    /// # Panics
    /// If it is one of a cluster already.
    pub async fn join(
        &self,
        config: cluster::Config,
        settings: cluster::Settings,
    ) -> Result<Cluster, cluster::Error> {
        let cluster = Cluster::start(self, config, settings).await?;
        let first = self.0.cluster.set(cluster.clone());
        first.expect("a node is of one cluster");
        Ok(cluster)
    }

    /// The cluster that the node is one of.
    #[must_use]
    pub fn cluster(&self) -> Option<&Cluster> {
        self.0.cluster.get()
    }

    /// Calls a procedure. The handler runs while the reply is polled, and is dropped with it.
    ///
    /// # Errors
    /// `procedure_not_found` when nobody serves it, `overloaded` at a limit of the node.
    pub fn call(&self, call: Call) -> Result<Reply, Problem> {
        self.0.providers.call(call)
    }

    /// Serves a procedure until the registration is dropped.
    ///
    /// # Errors
    /// `invalid_request` when others serve it by another policy, `overloaded` when the node has
    /// its limit of providers.
    pub fn serve(&self, serve: Serve, handler: Arc<dyn Handler>) -> Result<Registration, Problem> {
        self.0.providers.serve(serve, handler)
    }

    /// Claims the key of a request that is to be carried out once, in the whole cluster.
    ///
    /// # Errors
    /// `idempotency_in_flight` while the first request with the key runs, `idempotency_mismatch` when it was
    /// another request.
    pub async fn once(&self, key: once::Key, digest: once::Digest) -> Result<once::Begin, Problem> {
        let here = || self.0.store.begin(key, digest);
        if let Some(cluster) = self.cluster() {
            return cluster.claim(key, digest, here).await;
        }
        Ok(match here()? {
            once::Begun::Again(kept) => once::Begin::Again(kept),
            once::Begun::First(running) => {
                once::Begin::First(once::Claim(vec![once::Held::Here(running)]))
            }
        })
    }

    /// Finds procedures, topics and nodes by name.
    ///
    /// # Errors
    /// `invalid_request` when the limit or the cursor is none.
    pub fn discover(&self, wanted: &Discover) -> Result<Page, Problem> {
        discover::discover(self, wanted)
    }

    /// What the node has and has done.
    #[must_use]
    pub fn status(&self) -> Status {
        use std::sync::atomic::Ordering::Relaxed;
        let node = &self.0;
        let size = node.exchange.size();
        let counters = &node.exchange.counters;
        Status {
            node: node.identity.name.clone(),
            version: node.identity.version,
            uptime_ms: u64::try_from(node.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            subscriptions: size.subscriptions,
            topics: size.topics,
            replay_events: size.replay_events,
            replay_bytes: size.replay_bytes,
            providers: node.providers.count(),
            calls: node.providers.calls.load(Relaxed),
            members: self.cluster().map_or(0, Cluster::size),
            published: counters.published.load(Relaxed),
            forwarded: counters.forwarded.load(Relaxed),
            received: counters.received.load(Relaxed),
            delivered: counters.delivered.load(Relaxed),
            dropped: counters.dropped.load(Relaxed),
            gaps: counters.gaps.load(Relaxed),
        }
    }

    /// Who the node is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.0.providers
    }

    pub(crate) fn exchange_arc(&self) -> Arc<Exchange> {
        Arc::clone(&self.0.exchange)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.0.changed)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.clock.now_ms()
    }

    pub(crate) fn providers_arc(&self) -> Arc<Providers> {
        Arc::clone(&self.0.providers)
    }

    pub(crate) fn downgrade(&self) -> Weak {
        Weak(Arc::downgrade(&self.0))
    }
}

impl Weak {
    pub(crate) fn upgrade(&self) -> Option<Mesh> {
        self.0.upgrade().map(Mesh)
    }
}

/// Drops old events while the node lives.
async fn housekeep(exchange: std::sync::Weak<Exchange>) {
    let mut ticks = interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match exchange.upgrade() {
            Some(exchange) => exchange.expire(),
            None => return,
        }
    }
}
