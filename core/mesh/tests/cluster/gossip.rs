//! A member's gossip: an honest machine, and messages that no honest machine would send.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use macula_crdt::{Actor, Codec, Delta, Map, Value};
use macula_engine::{ByteStream, Engine, NodeId};
use macula_mesh::gossip::{Change, Input, Machine, Now, Output, Settings};
use macula_proto::frame::stream::Splitter;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, sync::mpsc};

use crate::support::{Liar, framed};

pub(crate) type Id = [u8; 32];
/// Who says it, and what it says.
pub(crate) type Saying = (Id, Arc<[u8]>);
pub(crate) type State = Map<Id, Saying, ()>;
pub(crate) type Gossip = Machine<Id, Saying, ()>;

/// What a node says of itself, as it is written.
#[derive(Serialize)]
pub(crate) enum Fact {
    Wants(String, String),
}

impl Fact {
    pub(crate) fn bytes(&self) -> Arc<[u8]> {
        rmp_serde::to_vec(self).unwrap().into()
    }
}

/// That the patterns of another realm are wanted, so that nothing that matters changes by it.
pub(crate) fn wants(number: usize) -> Arc<[u8]> {
    Fact::Wants("lie".to_owned(), format!("lie.n{number}")).bytes()
}

pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// A message that brings a delta, and has its receiver compare.
pub(crate) fn message(delta: &Delta<Id, Saying, Value<()>>) -> Vec<u8> {
    // Version, that it is a repetition, the fingerprint of a state.
    let mut out = vec![1, 1];
    out.extend([7; 8]);
    delta.encode(&mut out);
    out
}

/// The member's gossip. It hears the others, and is heard.
pub(crate) struct Talk {
    pub(crate) machine: Arc<Mutex<Gossip>>,
    started: Instant,
    out: mpsc::UnboundedSender<(Id, Vec<u8>)>,
}

impl Talk {
    pub(crate) fn start(liar: &Liar, peers: &[NodeId]) -> Self {
        let started = Instant::now();
        let now = now(started);
        let me = *liar.engine.node().as_bytes();
        let mut machine = Gossip::new(Settings::default(), me, 7, now).unwrap();
        for peer in peers {
            machine.handle(Input::PeerUp(*peer.as_bytes()), now);
        }
        let machine = Arc::new(Mutex::new(machine));
        let (out, outgoing) = mpsc::unbounded_channel();
        tokio::spawn(hear(liar.engine.clone(), Arc::clone(&machine), started));
        tokio::spawn(say(liar.engine.clone(), outgoing));
        let (driven, sends) = (Arc::downgrade(&machine), out.clone());
        tokio::spawn(async move {
            while let Some(machine) = driven.upgrade() {
                drive(&mut machine.lock(), self::now(started), &sends);
                drop(machine);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Self {
            machine,
            started,
            out,
        }
    }

    pub(crate) fn change(&self, change: Change<Id, Saying, ()>) {
        let now = now(self.started);
        self.machine.lock().change(change, now).unwrap();
    }

    /// Says what no machine has decided.
    pub(crate) fn forge(&self, to: NodeId, message: Vec<u8>) {
        let _ = self.out.send((*to.as_bytes(), message));
    }

    /// The last life of a node, as far as it was heard.
    pub(crate) fn life(&self, node: NodeId) -> Option<Actor<Id>> {
        let machine = self.machine.lock();
        let actors = machine.state().actors().map(|(actor, _)| actor);
        let lives = actors.filter(|actor| actor.id == *node.as_bytes());
        lives.max_by_key(|actor| actor.incarnation).cloned()
    }

    /// What a node says of itself, and with which number it said it.
    pub(crate) fn said(&self, node: NodeId) -> BTreeMap<Saying, (u64, u64)> {
        let machine = self.machine.lock();
        let state = machine.state();
        let keys = state.keys().filter(|(says, _)| says == node.as_bytes());
        let numbered = keys.filter_map(|key| {
            let (dot, _) = state.get(key).find(|(dot, _)| dot.actor.id == key.0)?;
            Some((key.clone(), (dot.actor.incarnation, dot.counter)))
        });
        numbered.collect()
    }
}

fn drive(machine: &mut Gossip, now: Now, out: &mpsc::UnboundedSender<(Id, Vec<u8>)>) {
    machine.handle_timeout(now);
    while let Some(output) = machine.poll() {
        if let Output::Send { to, bytes } = output {
            let _ = out.send((to, bytes));
        }
    }
}

fn now(started: Instant) -> Now {
    Now {
        since: started.elapsed(),
        wall_ms: wall_ms(),
    }
}

async fn hear(engine: Engine, machine: Arc<Mutex<Gossip>>, started: Instant) {
    let mut incoming = engine.accept("gossip/1");
    while let Some(inbound) = incoming.next().await {
        let (machine, mut stream) = (Arc::clone(&machine), inbound.stream);
        let from = *inbound.from.as_bytes();
        tokio::spawn(async move {
            let mut splitter = Splitter::new(1 << 20);
            let mut chunk = vec![0; 64 << 10];
            while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                splitter.push(&chunk[..read]);
                while let Ok(Some(frame)) = splitter.next_frame() {
                    // A byte says that it is gossip.
                    if let Some((0, bytes)) = frame.split_first() {
                        let bytes = bytes.to_vec();
                        let input = Input::Received { from, bytes };
                        machine.lock().handle(input, now(started));
                    }
                }
            }
        });
    }
}

async fn say(engine: Engine, mut outgoing: mpsc::UnboundedReceiver<(Id, Vec<u8>)>) {
    let mut streams = BTreeMap::<Id, ByteStream>::new();
    while let Some((to, bytes)) = outgoing.recv().await {
        if let std::collections::btree_map::Entry::Vacant(entry) = streams.entry(to)
            && let Ok(stream) = engine.open(NodeId::from_bytes(to), "gossip/1").await
        {
            entry.insert(stream);
        }
        if let Some(stream) = streams.get_mut(&to) {
            let frame = framed(&[&[0], &bytes[..]].concat());
            if stream.write_all(&frame).await.is_err() || stream.flush().await.is_err() {
                streams.remove(&to);
            }
        }
    }
}
