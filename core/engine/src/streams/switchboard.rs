//! Which peers are connected, by which connections, and who takes which protocol's streams.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use libp2p::{StreamProtocol, swarm::ConnectionId};
use parking_lot::RwLock;
use quinn::VarInt;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::{ByteStream, Inbound, Incoming, OpenError, byte_stream::Open, upgrade::Offer};
use crate::{admission::Facts, event, id::NodeId, settings::Settings, stats::Counters};

/// Orders that may wait for a connection's task: it takes them at once, so more means that it is overloaded,
/// and who opens a stream waits.
const ORDERS: usize = 64;

/// What a connection's task is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Open a stream.
    Open(StreamProtocol, oneshot::Sender<libp2p::Stream>),
    /// Look whether another connection serves in its place.
    Look,
}

/// One connection to a peer.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) id: ConnectionId,
    pub(crate) facts: Arc<Facts>,
    orders: mpsc::Sender<Order>,
    permits: Arc<Semaphore>,
    /// Streams that the peer has opened: it is alive.
    pub(crate) heard: Arc<AtomicU64>,
    /// What `heard` was at the last probe.
    heard_before: Arc<AtomicU64>,
    /// The last answered probe's time, in microseconds; 0 before the first.
    pub(crate) round_trip: Arc<AtomicU64>,
    /// Why it was closed here; nothing while it is open, and if the peer or the network has ended it.
    closed: Arc<OnceLock<event::Gone>>,
    /// Whether another connection to the peer serves in its place. It is closed once its streams have ended then.
    replaced: Arc<watch::Sender<bool>>,
}

impl Line {
    pub(super) fn new(
        id: ConnectionId,
        facts: Arc<Facts>,
        settings: &Settings,
    ) -> (Self, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let line = Self {
            id,
            facts,
            orders,
            permits: Arc::new(Semaphore::new(settings.max_streams as usize)),
            heard: Arc::default(),
            heard_before: Arc::default(),
            round_trip: Arc::default(),
            closed: Arc::default(),
            replaced: Arc::default(),
        };
        (line, receiver)
    }

    /// The time of the last answered probe.
    pub(crate) fn probe(&self) -> Option<Duration> {
        let micros = self.round_trip.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Notes a probe's result. Whether the peer was heard of since the one before.
    pub(crate) fn heard_at_probe(&self) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        self.heard_before.swap(heard, Ordering::Relaxed) < heard
    }

    /// Closes the connection, and notes why.
    pub(crate) fn close(&self, why: event::Gone, code: VarInt, said: &str) {
        let _ = self.closed.set(why);
        macula_quic::close(&self.facts.connection, code, said.as_bytes());
    }

    /// Why it was closed here, if it was.
    pub(crate) fn closed(&self) -> Option<event::Gone> {
        self.closed.get().copied()
    }

    pub(super) fn is_replaced(&self) -> bool {
        *self.replaced.borrow()
    }

    /// Serves from now on, or does not; its streams and its task are told.
    fn replace(&self, replaced: bool) {
        if self.replaced.send_replace(replaced) != replaced {
            // Where there is no room its task has orders before it, and looks after these.
            let _ = self.orders.try_send(Order::Look);
        }
    }
}

#[derive(Debug)]
struct Taker {
    protocol: StreamProtocol,
    queue: mpsc::Sender<Inbound>,
}

/// Shared by the engine's handle, the swarm and every connection's task.
#[derive(Debug)]
pub(crate) struct Switchboard {
    lines: RwLock<HashMap<NodeId, Vec<Line>>>,
    takers: RwLock<Vec<Taker>>,
    /// The takers' protocols, ready for each new stream.
    offer: RwLock<Offer>,
    open: Arc<AtomicUsize>,
    pub(crate) counters: Arc<Counters>,
    timeout: Duration,
}

/// What came of a connection that has ended.
#[derive(Debug)]
pub(crate) enum Gone {
    /// It was replaced before.
    Unknown,
    /// There is another one to the peer.
    OneOfMany,
    /// It was the last one to the peer.
    Last(Line),
}

/// What came of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// The peer was not connected.
    First,
    /// The peer was connected before it started anew.
    Restarted,
    /// The peer is connected twice, for as long as that takes to settle.
    Another,
}

impl Switchboard {
    pub(crate) fn new(settings: &Settings, counters: Arc<Counters>) -> Self {
        Self {
            lines: RwLock::default(),
            takers: RwLock::default(),
            offer: RwLock::new(Offer(Arc::new([]))),
            open: Arc::default(),
            counters,
            timeout: settings.open_timeout,
        }
    }

    /// Opens a stream to a peer.
    pub(crate) async fn open(
        &self,
        peer: NodeId,
        protocol: StreamProtocol,
    ) -> Result<ByteStream, OpenError> {
        let line = self.line(peer).ok_or(OpenError::NotConnected)?;
        let opening = async {
            let permit = line.permits.clone().acquire_owned().await;
            let permit = permit.map_err(|_| OpenError::NotConnected)?;
            let (reply, stream) = oneshot::channel();
            let sent = line.orders.send(Order::Open(protocol, reply)).await;
            sent.map_err(|_| OpenError::NotConnected)?;
            let stream = stream.await.map_err(|_| OpenError::NotConnected)?;
            self.counters.streams_opened.add();
            let open = Open::new(self.open.clone(), Some(permit));
            Ok(ByteStream::new(stream, open).over(line.replaced.subscribe()))
        };
        let opened = tokio::time::timeout(self.timeout, opening).await;
        opened.unwrap_or(Err(OpenError::TooSlow))
    }

    /// Begins to take a protocol's streams. Who took them before takes them no longer.
    pub(crate) fn take(&self, protocol: StreamProtocol, bound: usize) -> Incoming {
        let (queue, receiver) = mpsc::channel(bound);
        let mut takers = self.takers.write();
        takers.retain(|taker| taker.protocol != protocol && !taker.queue.is_closed());
        takers.push(Taker { protocol, queue });
        let protocols = takers.iter().map(|taker| taker.protocol.clone());
        *self.offer.write() = Offer(protocols.collect());
        Incoming { receiver }
    }

    pub(super) fn offer(&self) -> Offer {
        self.offer.read().clone()
    }

    /// Gives a stream to its taker.
    pub(super) fn deliver(&self, from: NodeId, protocol: &StreamProtocol, stream: libp2p::Stream) {
        let open = Open::new(self.open.clone(), None);
        let stream = ByteStream::new(stream, open);
        let takers = self.takers.read();
        let taker = takers.iter().find(|taker| taker.protocol == *protocol);
        // Where there is no room it is dropped here, and so reset.
        let room = taker.and_then(|taker| taker.queue.try_reserve().ok());
        let Some(room) = room else {
            self.counters.streams_unclaimed.add();
            return;
        };
        room.send(Inbound { from, stream });
        self.counters.streams_accepted.add();
    }

    /// The connection to a peer that both ends prefer.
    pub(crate) fn line(&self, peer: NodeId) -> Option<Line> {
        let lines = self.lines.read();
        lines.get(&peer)?.first().cloned()
    }

    /// The preferred connection to every peer.
    pub(crate) fn each(&self) -> Vec<Line> {
        let lines = self.lines.read();
        lines
            .values()
            .filter_map(|lines| lines.first())
            .cloned()
            .collect()
    }

    /// Every connection.
    pub(crate) fn all(&self) -> Vec<Line> {
        self.lines.read().values().flatten().cloned().collect()
    }

    /// The peer that is connected and known to be at an address.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<NodeId> {
        let here = |line: &Line| {
            (line.facts.dialed && line.facts.address == address)
                || line.facts.listens.contains(&address)
        };
        let lines = self.lines.read();
        let found = lines.iter().find(|(_, lines)| lines.iter().any(here));
        found.map(|(node, _)| *node)
    }

    pub(super) fn add(&self, line: Line) -> Came {
        let mut all = self.lines.write();
        let lines = all.entry(line.facts.node).or_default();
        let before = lines.len();
        lines.retain(|old| {
            let dead = old.facts.boot != line.facts.boot;
            if dead {
                let superseded = crate::transport::code::SUPERSEDED;
                macula_quic::close(&old.facts.connection, superseded, b"restarted");
            }
            !dead
        });
        let came = match (before, lines.len()) {
            (0, _) => Came::First,
            (_, 0) => Came::Restarted,
            _ => Came::Another,
        };
        lines.push(line);
        // Both ends know the same marks, so both keep the same one.
        lines.sort_by_key(|line| line.facts.mark);
        prefer_first(lines);
        came
    }

    pub(super) fn remove(&self, node: NodeId, id: ConnectionId) -> Gone {
        let mut all = self.lines.write();
        let Some(lines) = all.get_mut(&node) else {
            return Gone::Unknown;
        };
        let Some(index) = lines.iter().position(|line| line.id == id) else {
            return Gone::Unknown;
        };
        let line = lines.remove(index);
        line.permits.close();
        if lines.is_empty() {
            all.remove(&node);
            return Gone::Last(line);
        }
        // One that was replaced serves again when what replaced it has gone.
        prefer_first(lines);
        Gone::OneOfMany
    }

    /// Whether a peer may be connected: it is already, or there are fewer than so many.
    pub(super) fn has_room_for(&self, peer: NodeId, max_peers: u32) -> bool {
        let lines = self.lines.read();
        lines.contains_key(&peer) || lines.len() < max_peers as usize
    }

    pub(crate) fn connections(&self) -> (usize, usize) {
        let lines = self.lines.read();
        (lines.len(), lines.values().map(Vec::len).sum())
    }

    pub(crate) fn streams(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn waiting(&self) -> usize {
        let takers = self.takers.read();
        let queues = takers.iter().map(|taker| &taker.queue);
        queues
            .map(|queue| queue.max_capacity() - queue.capacity())
            .sum()
    }

    /// Streams that callers have open on a connection, opened here.
    pub(crate) fn opened_on(&self, line: &Line, max_streams: u32) -> usize {
        (max_streams as usize).saturating_sub(line.permits.available_permits())
    }
}

/// The first of the connections to a peer serves, and the others do not.
fn prefer_first(lines: &[Line]) {
    for (index, line) in lines.iter().enumerate() {
        line.replace(index > 0);
    }
}
