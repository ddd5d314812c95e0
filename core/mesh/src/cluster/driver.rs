//! The task that keeps the state of the cluster: it moves what happens into the machine of gossip and the
//! directory, and what they decide to the peers.

mod absence;
pub(super) mod announce;
mod own;
mod revocations;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use announce::{Announcements, Questions};
use bytes::Bytes;
use futures_util::FutureExt;
use macula_crdt::{Change as Entry, Changes, Value};
use macula_engine::{Engine, Event, Events, Gone, NodeId, Refusal};
use parking_lot::RwLock;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::sleep_until,
};

use super::{
    absent::Absent,
    calls::Remote,
    complaints::Complaints,
    directory::{Directory, Route, Tables},
    fact::{About, Fact},
    peers::Peers,
    say::Said,
    settings::Settings,
};
use crate::gossip::{self, Change, Fault, Input, Machine, Now, Output};

/// The id of a node in the state.
pub(super) type Key = [u8; 32];
/// What a node says of itself: who says it, and a [`Fact`] as bytes.
type Saying = (Key, Arc<[u8]>);
pub(super) type Gossip = Machine<Key, Saying, ()>;

/// What the handle orders.
pub(super) enum Command {
    /// Tells when the connected nodes know what has changed here.
    Announce(oneshot::Sender<()>),
    /// Says goodbye and ends.
    Leave(oneshot::Sender<()>),
}

/// What the handle sees.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Each member that was heard of, this one left out, and whether it is connected.
    pub(super) members: BTreeMap<NodeId, (Option<About>, bool)>,
    /// Since when peers say that they have another state than this node.
    pub(super) behind: HashMap<NodeId, Instant>,
    pub(super) gossip: gossip::Status,
}

pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) events: Events,
    pub(super) settings: Settings,
    pub(super) machine: Gossip,
    pub(super) directory: Directory<NodeId>,
    pub(super) tables: Tables,
    pub(super) peers: Peers,
    pub(super) heard: mpsc::Receiver<(NodeId, Bytes)>,
    pub(super) commands: mpsc::Receiver<Command>,
    /// Told when something here has changed.
    pub(super) changed: Arc<Notify>,
    pub(super) seen: Arc<RwLock<Seen>>,
    pub(super) started: Instant,
    /// What this node says of itself, to be said again when somebody has removed it, which nobody but it may do.
    pub(super) said: HashSet<Arc<[u8]>>,
    /// What this node says of its providers, by their numbers, and where the DHT has them.
    pub(super) offers: HashMap<u64, (Arc<[u8]>, Vec<u8>)>,
    /// What the DHT is to say that this node serves.
    pub(super) served: watch::Sender<BTreeSet<Vec<u8>>>,
    /// Nodes that are in the state and not connected.
    pub(super) absent: Absent<NodeId>,
    /// The last life of each node in the state.
    pub(super) lives: HashMap<NodeId, u64>,
    pub(super) announcements: Announcements,
    pub(super) questions: Questions,
    pub(super) complaints: Complaints,
}

impl Driver {
    /// Drives until the node leaves, or nobody holds its handle.
    pub(super) async fn run(mut self, about: About) {
        self.say(encode(&Fact::Node(about)));
        self.tell_changes();
        self.tell_revocations();
        let mut revocations = self.engine.membership().revocations();
        loop {
            self.act();
            self.measure();
            let timer = self.next_timer();
            let changed = Arc::clone(&self.changed);
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => self.peer(event),
                    None => return,
                },
                Some((from, message)) = self.heard.recv() => {
                    // Who is connected is known before what they say.
                    while let Some(Some(event)) = self.events.next().now_or_never() {
                        self.peer(event);
                    }
                    self.hear(from, &message);
                }
                command = self.commands.recv() => match command {
                    Some(Command::Announce(reply)) => self.announce(reply),
                    Some(Command::Leave(reply)) => {
                        self.engine.leave().await;
                        let _ = reply.send(());
                        return;
                    }
                    None => return self.engine.leave().await,
                },
                () = changed.notified() => self.tell_changes(),
                Ok(()) = revocations.changed() => self.tell_revocations(),
                () = sleep_until(timer.into()) => self.timer(),
            }
        }
    }

    fn me(&self) -> Key {
        *self.engine.node().as_bytes()
    }

    fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = since.unwrap_or_default().as_millis();
        Now {
            since: self.started.elapsed(),
            wall_ms: u64::try_from(wall).unwrap_or(u64::MAX),
        }
    }

    fn next_timer(&self) -> Instant {
        let gossip = self.started + self.machine.next_timeout();
        self.absent.next().map_or(gossip, |away| away.min(gossip))
    }

    fn timer(&mut self) {
        let now = self.now();
        self.machine.handle_timeout(now);
        let instant = Instant::now();
        self.announcements.expire(instant);
        self.look_after_absent(instant);
    }

    /// A peer has come or gone.
    fn peer(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Connected(peer) => {
                let id = peer.node;
                tracing::info!(%id, address = %peer.address, "a node is connected");
                self.absent.remove(&id);
                if self.peers.keeps_for_another_run(&id, peer.boot) {
                    self.lapse(&id);
                }
                let outbox = self.peers.connect(id, peer.boot);
                let pool = self.peers.pool(id);
                let remote = move |provider| {
                    let pool = Arc::clone(&pool);
                    Arc::new(Remote { pool, provider }) as Arc<dyn crate::Handler>
                };
                let route = Route {
                    outbox,
                    remote: Box::new(remote),
                };
                self.directory.connected(id, route);
                self.machine.handle(Input::PeerUp(*id.as_bytes()), now);
            }
            Event::Disconnected { node: id, why } => {
                tracing::info!(%id, ?why, "a node is not connected any more");
                self.peers.disconnect(&id);
                self.directory.disconnected(&id);
                self.machine.handle(Input::PeerDown(*id.as_bytes()), now);
                self.announcements.lost(&id);
                self.questions.lost(&id);
                match why {
                    Gone::Left => {
                        self.peers.forget(&id);
                        self.retire(&id);
                    }
                    Gone::Refused(Refusal::Revoked) => self.retire(&id),
                    // Another run of it follows, which says what of this one is over.
                    Gone::Restarted => self.lapse(&id),
                    _ => self.is_absent(id),
                }
            }
        }
        self.show();
    }

    fn change(&mut self, change: Change<Key, Saying, ()>) {
        let now = self.now();
        if let Err(error) = self.machine.change(change, now) {
            tracing::warn!(%error, "the cluster is not told of a change");
        }
    }

    /// A peer has said something.
    fn hear(&mut self, from: NodeId, message: &[u8]) {
        match Said::decode(message) {
            Some(Said::Gossip(bytes)) => {
                let (from, bytes) = (*from.as_bytes(), bytes.to_vec());
                let now = self.now();
                self.machine.handle(Input::Received { from, bytes }, now);
            }
            Some(Said::Ask(ask)) => self.questions.add(from, ask),
            Some(Said::Miss(node)) => {
                let id = NodeId::from_bytes(node);
                if self.peers.is_connected(&id) {
                    self.peers.say(&from, Said::See(node).encode());
                }
            }
            Some(Said::See(node)) => {
                let id = NodeId::from_bytes(node);
                self.absent.is_seen(&id, Instant::now());
            }
            Some(Said::Heard(number)) => self.announcements.heard(number, &from),
            None => {
                if let Some(more) = self.complaints.worth_a_line(from, Instant::now()) {
                    tracing::warn!(%from, more, "a peer said what is no message");
                }
            }
        }
    }

    /// Does what the machine has decided.
    fn act(&mut self) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send { to, bytes } => {
                    let to = NodeId::from_bytes(to);
                    self.peers.say(&to, Said::Gossip(&bytes).encode());
                }
                Output::Changed(changes) => self.changed(changes),
                Output::Reborn(actor) => {
                    tracing::warn!(
                        incarnation = actor.incarnation,
                        "this node begins a new life"
                    );
                    self.say_again();
                }
                // It is faster than the news of its connection, or slower than that of its end. What it said is
                // made up for.
                Output::Report {
                    fault: Fault::Stranger,
                    ..
                } => {}
                Output::Report { peer, fault } => {
                    let id = NodeId::from_bytes(peer);
                    if let Some(more) = self.complaints.worth_a_line(id, Instant::now()) {
                        tracing::warn!(%id, %fault, more, "a message of a peer was refused");
                    }
                }
            }
        }
        self.answer_questions();
    }

    /// Others have changed the state.
    fn changed(&mut self, changes: Changes<Key, Saying, Value<()>>) {
        self.correct(&changes.removed);
        let gone = changes.removed.iter();
        let gone = gone.filter_map(|entry| self.of_another(entry));
        let (former, gone): (Vec<_>, Vec<_>) =
            gone.partition(|(_, fact)| matches!(fact, Fact::Node(_)));
        for (id, fact) in former {
            self.directory.remove(&id, &fact);
        }
        self.hear_revocations(&changes);
        let mut added: Vec<_> = changes
            .added
            .iter()
            .filter_map(|entry| Some((self.of_another(entry)?, entry.dot.actor.incarnation)))
            .collect();
        // A node's name is known before what it serves.
        added.sort_by_key(|((_, fact), _)| !matches!(fact, Fact::Node(_)));
        for ((id, fact), incarnation) in added {
            let life = self.lives.entry(id).or_default();
            *life = (*life).max(incarnation);
            self.directory.add(id, fact);
            self.is_absent(id);
        }
        // What was said anew in the same breath stays where it is.
        for (id, fact) in gone {
            self.directory.remove(&id, &fact);
        }
        self.show();
    }

    /// What a node says of itself; nothing if it is this one, if it speaks for another, or of what only a later
    /// version knows.
    fn of_another(&self, entry: &Entry<Key, Saying, Value<()>>) -> Option<(NodeId, Fact)> {
        let (said_of, fact) = &*entry.entry.key;
        let says = entry.dot.actor.id;
        if says == self.me() || says != *said_of {
            return None;
        }
        Some((NodeId::from_bytes(says), decode(fact)?))
    }

    /// Lets the handle see who is there.
    fn show(&mut self) {
        let members = self.directory.nodes().map(|(id, connected)| {
            let about = self.directory.facts_of(id).find_map(|fact| match fact {
                Fact::Node(about) => Some(about.clone()),
                _ => None,
            });
            (*id, (about, connected))
        });
        self.seen.write().members = members.collect();
    }

    /// Lets the handle see how gossip does.
    fn measure(&mut self) {
        let mut seen = self.seen.write();
        seen.gossip = self.machine.status();
        seen.behind.clear();
        let lags = self.machine.lags();
        let behind = lags.map(|(id, since)| (NodeId::from_bytes(*id), self.started + since));
        seen.behind.extend(behind);
    }
}

fn encode(fact: &Fact) -> Arc<[u8]> {
    let bytes = rmp_serde::to_vec(fact);
    bytes
        .expect("our own types serialise without failure")
        .into()
}

fn decode(bytes: &[u8]) -> Option<Fact> {
    rmp_serde::from_slice(bytes).ok()
}
