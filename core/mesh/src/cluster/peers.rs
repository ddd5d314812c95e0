//! The peers that are connected, and the tasks that talk to each.

use std::{collections::HashMap, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use macula_engine::{ByteStream, Engine, Incoming, NodeId};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    boxes::{self, Inboxes},
    calls::{self, Pool},
    frames::{Frames, PLACE},
    link::{Inbox, Outbox},
    once, replay,
    turns::Turns,
};
use crate::{once::Store, pubsub::exchange::Exchange, rpc::providers::Providers};

/// The names of the streams between nodes; the number is the version.
pub(super) const LINK: &str = "link/1";
pub(super) const CALL: &str = "call/1";
pub(super) const REPLAY: &str = "replay/1";
pub(super) const ONCE: &str = "once/1";
pub(super) const GOSSIP: &str = "gossip/1";

/// Messages that may wait for one peer. Beyond, they are left out: gossip makes up for it.
const OUTGOING: usize = 256;
/// Messages of all peers that may wait for the state. Beyond, their streams wait.
const INCOMING: usize = 1_024;
/// Bytes of large frames that may be under way from one peer to this node, of calls and of what is kept, and of requests
/// that wait here for their answers: as many as it has streams, of a megabyte each, or five of the largest. Beyond, the
/// stream of a frame ends.
const ROOM: usize = 320 << 20;
/// Streams of one peer for events, gossip and replays, each, that are read at a time: one of each of the connections
/// that it may have, and more for replays, which are short. Further ones wait.
const STREAMS: usize = 4;
const REPLAYS: usize = 16;
/// How long a replay may take to write: four times as long as who asks for it waits.
const REPLAY_TIME: Duration = Duration::from_secs(8);
/// How long to wait before a stream that broke is opened again, while its peer is connected.
const REOPEN: Duration = Duration::from_millis(200);
/// How long the last that was said on a stream may take to be read, before the next stream is opened.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Peers of which it is remembered how far their events were read, 100 bytes each: far more than a cluster has, also of
/// nodes that have gone for good. Beyond, it is forgotten of all that are not connected.
const INBOXES: usize = 4_096;

/// What streams of peers reach on this node.
#[derive(Clone)]
pub(super) struct Here {
    pub(super) engine: Engine,
    pub(super) exchange: Arc<Exchange>,
    pub(super) providers: Arc<Providers>,
    pub(super) store: Store,
    /// Bytes of a message of gossip.
    pub(super) message_bytes: usize,
    /// Calls to one peer at a time.
    pub(super) calls: usize,
}

/// Where what waits for each peer is.
pub(super) type Outboxes = Arc<Mutex<boxes::Outboxes<NodeId>>>;

/// The peers that are connected, or were until a moment ago.
pub(super) struct Peers {
    here: Here,
    connected: HashMap<NodeId, Connected>,
    /// The queues of peers, kept for a while after the connection broke. Shared with the taker of links.
    outboxes: Outboxes,
    /// How far their events were read, also of nodes that were taken out of the state.
    inboxes: Inboxes<NodeId>,
    room: Turns,
    /// The takers of streams; they end with this.
    _takers: JoinSet<()>,
}

/// A peer and its tasks, which end with it.
struct Connected {
    gossip: mpsc::Sender<Vec<u8>>,
    calls: Arc<Pool<ByteStream>>,
    tasks: [AbortHandle; 2],
}

impl Drop for Connected {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Peers {
    /// Begins to take streams. Gossip comes out of the receiver, with who said it.
    pub(super) fn start(here: Here) -> (Self, mpsc::Receiver<(NodeId, Bytes)>) {
        let (heard, hearing) = mpsc::channel(INCOMING);
        let outboxes = Arc::new(Mutex::new(boxes::Outboxes::new()));
        let mut takers = JoinSet::new();
        let engine = &here.engine;
        let links = Arc::clone(&outboxes);
        let room = Turns::new(ROOM / PLACE);
        let turns = Turns::new(STREAMS);
        let connected = engine.clone();
        takers.spawn(take(engine.accept(LINK), move |from, stream| {
            let (links, engine) = (Arc::clone(&links), connected.clone());
            let places = turns.of(from);
            async move {
                let _turn = places.acquire().await;
                // A new run may open its link before the driver knows of it: that has to wait for an outbox of its own.
                let run = run_of(&engine, from);
                let outbox = run.and_then(|run| links.lock().of_run(&from, run));
                match outbox {
                    Some(outbox) => outbox.write(stream).await,
                    None => Err(io::ErrorKind::NotConnected.into()),
                }
            }
        }));
        let providers = Arc::clone(&here.providers);
        let large = room.clone();
        takers.spawn(take(engine.accept(CALL), move |from, stream| {
            let providers = Arc::clone(&providers);
            let stream = Frames::new(stream).within(large.of(from));
            async move { calls::answer(stream, &providers).await }
        }));
        let exchange = Arc::clone(&here.exchange);
        let turns = Turns::new(REPLAYS);
        takers.spawn(take(engine.accept(REPLAY), move |from, stream| {
            let exchange = Arc::clone(&exchange);
            let places = turns.of(from);
            async move {
                let _turn = places.acquire().await;
                timeout(REPLAY_TIME, replay::answer(stream, &exchange)).await?
            }
        }));
        let store = here.store.clone();
        let large = room.clone();
        takers.spawn(take(engine.accept(ONCE), move |from, stream| {
            let store = store.clone();
            let stream = Frames::new(stream).within(large.of(from));
            async move { once::answer(stream, &store).await }
        }));
        let turns = Turns::new(STREAMS);
        // A message, and the byte that says that it is one.
        let longest = here.message_bytes + 1;
        takers.spawn(take(engine.accept(GOSSIP), move |from, stream| {
            let heard = heard.clone();
            let places = turns.of(from);
            async move {
                let _turn = places.acquire().await;
                let mut frames = Frames::up_to(stream, longest);
                while let Some(message) = frames.next().await? {
                    if heard.send((from, message)).await.is_err() {
                        break;
                    }
                }
                Ok(())
            }
        }));
        let peers = Self {
            here,
            connected: HashMap::new(),
            outboxes,
            inboxes: Inboxes::new(INBOXES),
            room,
            _takers: takers,
        };
        (peers, hearing)
    }

    /// Whether what is kept for a peer is of another run of it than this one, which began when `boot` says.
    pub(super) fn keeps_for_another_run(&self, id: &NodeId, boot: u64) -> bool {
        self.outboxes.lock().is_of_another(id, boot)
    }

    /// A peer is connected, in the run that began when `boot` says: reads its events, and gives where ours for it go.
    pub(super) fn connect(&mut self, id: NodeId, boot: u64) -> Arc<Outbox> {
        let outbox = self.outboxes.lock().open(id, boot, rand::random());
        let (gossip, messages) = mpsc::channel(OUTGOING);
        let connected = &self.connected;
        let inbox = self.inboxes.open(id, |id| connected.contains_key(id));
        let reading = read(self.here.clone(), id, inbox);
        let calls = self.new_pool(id);
        let saying = say(self.here.engine.clone(), id, messages, Arc::clone(&calls));
        let tasks = [
            tokio::spawn(reading).abort_handle(),
            tokio::spawn(saying).abort_handle(),
        ];
        let connected = Connected {
            gossip,
            calls,
            tasks,
        };
        self.connected.insert(id, connected);
        outbox
    }

    /// A peer is not connected any more.
    pub(super) fn disconnect(&mut self, id: &NodeId) {
        self.connected.remove(id);
    }

    /// What waits for a peer is given up; it is told so if it comes back.
    pub(super) fn lapse(&mut self, id: &NodeId) {
        self.outboxes.lock().lapse(id);
    }

    /// A node has said goodbye: how far its events were read does not matter any more. It does of one that has just
    /// not been seen for long, as it may come back with what it has kept.
    pub(super) fn forget(&mut self, id: &NodeId) {
        self.inboxes.close(id);
    }

    pub(super) fn is_connected(&self, id: &NodeId) -> bool {
        self.connected.contains_key(id)
    }

    /// The peers that are connected.
    pub(super) fn connected(&self) -> impl Iterator<Item = NodeId> {
        self.connected.keys().copied()
    }

    /// Says something to a peer; false if it is not connected, or takes no more.
    pub(super) fn say(&self, to: &NodeId, message: Vec<u8>) -> bool {
        let peer = self.connected.get(to);
        peer.is_some_and(|peer| peer.gossip.try_send(message).is_ok())
    }

    /// Where what waits for each peer is.
    pub(super) fn outboxes(&self) -> Outboxes {
        Arc::clone(&self.outboxes)
    }

    /// What brings calls to a peer.
    pub(super) fn pool(&self, id: NodeId) -> Arc<Pool<ByteStream>> {
        let connected = self.connected.get(&id);
        connected.map_or_else(|| self.new_pool(id), |peer| Arc::clone(&peer.calls))
    }

    fn new_pool(&self, id: NodeId) -> Arc<Pool<ByteStream>> {
        let engine = self.here.engine.clone();
        let open = Arc::new(move || {
            let engine = engine.clone();
            let opening = async move { engine.open(id, CALL).await.map_err(io::Error::other) };
            Box::pin(opening) as BoxFuture<'static, _>
        });
        let lasts = |stream: &ByteStream| !stream.is_replaced();
        let (calls, room) = (self.here.calls, self.room.of(id));
        Arc::new(Pool::new(open, calls, room, lasts))
    }
}

/// Takes streams and answers each in a task of its own. The engine bounds how many there are.
async fn take<F, A>(mut incoming: Incoming, answer: F)
where
    F: Fn(NodeId, ByteStream) -> A,
    A: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            inbound = incoming.next() => {
                let Some(inbound) = inbound else { return };
                let from = inbound.from;
                let answered = answer(from, inbound.stream);
                tasks.spawn(async move {
                    if let Err(error) = answered.await {
                        tracing::debug!(%from, %error, "a stream of a peer has ended");
                    }
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// The run in which a peer is connected now.
fn run_of(engine: &Engine, peer: NodeId) -> Option<u64> {
    let peers = engine.peers();
    let found = peers.iter().find(|status| status.peer.node == peer);
    found.map(|status| status.peer.boot)
}

/// Reads the events of a peer for as long as it is connected. When another connection serves it goes on there, from
/// where it was.
async fn read(here: Here, id: NodeId, inbox: Inbox) {
    loop {
        match here.engine.open(id, LINK).await {
            Ok(stream) => {
                let replaced = stream.replaced();
                tokio::select! {
                    ended = inbox.read(stream, &here.exchange) => {
                        tracing::debug!(%id, ?ended, "the link has ended");
                    }
                    () = replaced => continue,
                }
            }
            Err(error) => tracing::debug!(%id, %error, "no link could be opened"),
        }
        sleep(REOPEN).await;
    }
}

/// Says to a peer what is to be said, in order, for as long as it is connected. When another connection serves it goes
/// on there, once what was said before is read; and so do calls.
async fn say(
    engine: Engine,
    id: NodeId,
    mut messages: mpsc::Receiver<Vec<u8>>,
    calls: Arc<Pool<ByteStream>>,
) {
    loop {
        let said = match engine.open(id, GOSSIP).await {
            Ok(stream) => say_on(stream, &mut messages).await,
            Err(error) => Err(io::Error::other(error)),
        };
        match said {
            Ok(stream) => {
                calls.sort_out();
                let _ = timeout(LAST_WORDS, stream.end()).await;
            }
            Err(_) => sleep(REOPEN).await,
        }
    }
}

/// Says it on one stream, until another connection serves: then gives the stream back.
async fn say_on(
    stream: ByteStream,
    messages: &mut mpsc::Receiver<Vec<u8>>,
) -> io::Result<Frames<ByteStream>> {
    let mut replaced = pin!(stream.replaced());
    let mut frames = Frames::new(stream);
    loop {
        tokio::select! {
            () = &mut replaced => return Ok(frames),
            message = messages.recv() => match message {
                Some(message) => frames.send(&message).await?,
                None => return Err(io::ErrorKind::NotConnected.into()),
            },
        }
    }
}
