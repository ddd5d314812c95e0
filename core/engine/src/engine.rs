//! The handle of an engine.

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use libp2p::TransportError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    admission::Admission,
    config::{Config, Protocols, StartError},
    dht::DhtError,
    driver::{Ask, Command, Driver, MAX_EVENTS},
    event::{Events, Peer, PeerStatus},
    id::NodeId,
    membership::Membership,
    renewal,
    seeds::{self, Names, Seed},
    shared::{DialError, Shared},
    stats::{Counters, Stats},
    streams::{ByteStream, Incoming, OpenError, switchboard::Switchboard},
    swarm,
    transport::{Quic, address::to_multiaddr, ledger::Ledger},
};

/// Orders that may wait for the engine's task. At the bound who orders waits.
const MAX_COMMANDS: usize = 256;
/// How long a start waits until its sockets are bound.
const LISTENING: Duration = Duration::from_secs(5);

/// A running engine: one swarm of one level. A clone is the same engine; it ends, and says goodbye, when the
/// last one is dropped or at [`Engine::leave`].
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// Dropped with the last handle, which the engine's task notices.
    _alive: Arc<oneshot::Sender<()>>,
}

impl Engine {
    /// Starts an engine in the current tokio runtime. When it returns, its sockets are bound.
    ///
    /// # Errors
    /// The configuration contradicts itself, or an address cannot be listened at.
    pub async fn start(config: Config) -> Result<(Self, Events), StartError> {
        let now = SystemTime::now();
        config.check(now)?;
        let counters = Arc::new(Counters::default());
        let protocols = Protocols::new(&config);
        let admission = Arc::new(Admission {
            node: config.key.id(),
            level: config.level.clone(),
            membership: config.membership.clone(),
            boot: milliseconds(now),
            deadline: config.settings.greeting_timeout,
            listens: Default::default(),
            doorman: Default::default(),
            counters: counters.clone(),
        });
        let ledger = Ledger::default();
        let settings = &config.settings;
        let transport = Quic::new(&config.key, settings, admission.clone(), ledger.clone());
        let transport = transport.map_err(|error| StartError::Tls(error.to_string()))?;
        let switchboard = Arc::new(Switchboard::new(settings, counters));
        let board = switchboard.clone();
        let mut swarm = swarm::build(&config, &protocols, transport, ledger, board)?;
        for address in &config.listen {
            let listening = swarm.listen_on(to_multiaddr(*address));
            listening.map_err(|error| StartError::Listen {
                address: *address,
                error: match error {
                    TransportError::Other(error) => error.to_string(),
                    other => other.to_string(),
                },
            })?;
        }
        let (commands, command_receiver) = mpsc::channel(MAX_COMMANDS);
        let (events, event_receiver) = mpsc::channel(MAX_EVENTS);
        let (changes, change_receiver) = watch::channel(0);
        let (alive, handles) = oneshot::channel();
        let driver = Driver {
            swarm,
            admission: admission.clone(),
            switchboard: switchboard.clone(),
            commands: command_receiver,
            handles,
            events,
            unsent: VecDeque::new(),
            changes,
            dials: Default::default(),
            queries: Default::default(),
            redial: Default::default(),
            lookups: Default::default(),
            recheck: Instant::now(),
            max_peers: settings.max_peers as usize,
        };
        tokio::spawn(driver.run());
        let shared = Arc::new(Shared {
            commands,
            switchboard,
            admission,
            protocols,
            names: Names::new(config.dns),
            settings: config.settings.clone(),
            changes: change_receiver,
            node: config.key.id(),
        });
        let sockets = config.listen.len();
        let bound = shared.until(|shared| shared.admission.listens.read().len() >= sockets);
        let _ = tokio::time::timeout(LISTENING, bound).await;
        renewal::start(&shared);
        for seed in config.seeds {
            tokio::spawn(seeds::keep(shared.clone(), seed));
        }
        let engine = Self {
            shared,
            _alive: Arc::new(alive),
        };
        Ok((engine, Events(event_receiver)))
    }

    /// Who this node is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.shared.node
    }

    /// What this node is a member of. To revoke nodes, revoke them here.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.shared.admission.membership
    }

    /// Where this node listens: the addresses of its machine if it listens at all of them.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.admission.listens.read().clone()
    }

    /// Connects to a node. If one is connected that is known to be there, that is it. The setting
    /// `dial_timeout` bounds the time, with the lookup of the name.
    ///
    /// # Errors
    /// Says why nobody was reached.
    pub async fn dial(&self, to: &Seed) -> Result<NodeId, DialError> {
        seeds::dial(&self.shared, to).await
    }

    /// Opens a stream to a connected peer. The protocol's name is 1–64 bytes. Waits for its turn if as many
    /// are open as may be, at most for the setting `open_timeout`.
    ///
    /// # Errors
    /// The peer is not connected, or there was no turn in time.
    pub async fn open(&self, to: NodeId, protocol: &str) -> Result<ByteStream, OpenError> {
        self.shared.open(to, protocol).await
    }

    /// Takes the streams that peers open for a protocol, from now on. Who took them before takes them no
    /// longer. At most `inbound_queue` wait; further ones are reset and counted.
    #[must_use]
    pub fn accept(&self, protocol: &str) -> Incoming {
        self.shared.accept(protocol)
    }

    /// The peers that are connected now.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerStatus> {
        let Shared {
            switchboard,
            settings,
            ..
        } = &*self.shared;
        let status = |line| PeerStatus {
            peer: Peer::of(&line),
            round_trip: line.facts.connection.rtt(),
            probe: line.probe(),
            streams: switchboard.opened_on(&line, settings.max_streams),
            heard: line.heard.load(Ordering::Relaxed),
        };
        let mut peers: Vec<_> = switchboard.each().into_iter().map(status).collect();
        peers.sort_by_key(|status| status.peer.node);
        peers
    }

    /// Tells the DHT that this node provides a key, now and again before the record ends, until
    /// [`Engine::stop_providing`]. Keys are hashed: any bytes will do.
    ///
    /// # Errors
    /// This node provides as much as it may, or the others did not answer in time; it is tried again then.
    pub async fn provide(&self, key: &[u8]) -> Result<(), DhtError> {
        self.ask(key, Ask::Provide).await
    }

    /// Provides a key no longer. Others may tell of it until the record ends.
    ///
    /// # Errors
    /// The engine has ended.
    pub async fn stop_providing(&self, key: &[u8]) -> Result<(), DhtError> {
        self.order(Command::StopProviding(key.to_vec())).await
    }

    /// Who provides a key, as this node and those closest to the key know.
    ///
    /// # Errors
    /// Nobody answered in time.
    pub async fn find_providers(&self, key: &[u8]) -> Result<BTreeSet<NodeId>, DhtError> {
        self.ask(key, Ask::Providers).await
    }

    /// Has a value kept by the nodes closest to its key, until [`Engine::remove`]. The last to be put
    /// replaces what was there; values are not signed, and every member may put any.
    ///
    /// # Errors
    /// The value is too large, or there are as many as may be, or nobody answered in time.
    pub async fn put(&self, key: &[u8], value: Vec<u8>) -> Result<(), DhtError> {
        self.ask(key, |reply| Ask::Put(value, reply)).await
    }

    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// Nobody answered in time.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DhtError> {
        self.ask(key, Ask::Get).await
    }

    /// Renews a value that this node has put no longer. Others may tell of it until it ends.
    ///
    /// # Errors
    /// The engine has ended.
    pub async fn remove(&self, key: &[u8]) -> Result<(), DhtError> {
        self.order(Command::Remove(key.to_vec())).await
    }

    /// Looks for a node in the DHT, and dials it if it is found.
    ///
    /// # Errors
    /// The engine has ended.
    pub async fn seek(&self, node: NodeId) -> Result<(), DhtError> {
        self.order(Command::Seek(node)).await
    }

    /// Takes a node that will not come back out of the tables of the DHT here, unless it is connected.
    ///
    /// # Errors
    /// The engine has ended.
    pub async fn forget(&self, node: NodeId) -> Result<(), DhtError> {
        self.order(Command::Forget(node)).await
    }

    /// The figures of this engine. The sizes of the DHT's tables are a second old at most.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let board = &self.shared.switchboard;
        let counters = &board.counters;
        let (peers, connections) = board.connections();
        Stats {
            peers,
            connections,
            streams: board.streams(),
            waiting: board.waiting(),
            streams_opened: counters.streams_opened.value(),
            streams_accepted: counters.streams_accepted.value(),
            streams_unclaimed: counters.streams_unclaimed.value(),
            connected: counters.connected.value(),
            disconnected: counters.disconnected.value(),
            probes_missed: counters.probes_missed.value(),
            probed_out: counters.probed_out.value(),
            refused: counters.refused(),
            refused_by_others: counters.refused_by_others(),
            dht_peers: counters.dht_peers.value(),
            dht_records: counters.dht_records.value(),
            dht_providers: counters.dht_providers.value(),
            dht_refused: counters.dht_refused.value(),
        }
    }

    /// Says goodbye to all peers and ends, within a second.
    pub async fn leave(&self) {
        let (reply, left) = oneshot::channel();
        if self.order(Command::Leave(reply)).await.is_ok() {
            let _ = left.await;
        }
    }

    async fn order(&self, command: Command) -> Result<(), DhtError> {
        let sent = self.shared.commands.send(command).await;
        sent.map_err(|_| DhtError::Ended)
    }

    /// Asks the DHT, and waits at most a little longer than the DHT itself does.
    async fn ask<T>(
        &self,
        key: &[u8],
        ask: impl FnOnce(oneshot::Sender<Result<T, DhtError>>) -> Ask,
    ) -> Result<T, DhtError> {
        let (reply, answer) = oneshot::channel();
        self.order(Command::Ask(key.to_vec(), ask(reply))).await?;
        let deadline = self.shared.settings.query_timeout * 2;
        match tokio::time::timeout(deadline, answer).await {
            Ok(answered) => answered.unwrap_or(Err(DhtError::TooSlow)),
            Err(_) => Err(DhtError::TooSlow),
        }
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
