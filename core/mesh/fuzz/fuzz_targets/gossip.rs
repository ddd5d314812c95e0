//! Whatever nodes do and whatever they are sent, their bounds hold, nothing is said in vain for ever, and
//! those that hear of each other come to agree.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use macula_mesh::gossip::{Change, Fault, Input, Machine, Now, Output, Settings};

type Id = [u8; 2];
type Gossip = Machine<Id, u8, Vec<u8>>;

const NODES: usize = 3;
/// Neither a node nor honest.
const LIAR: Id = [9, 9];

struct World {
    nodes: Vec<Gossip>,
    network: Vec<(usize, Id, Vec<u8>)>,
    now: Duration,
    wall_ms: u64,
}

// The first byte is the number of steps of four bytes; what follows them is what the liar sends.
fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (steps, lies) = rest.split_at((usize::from(count) * 4).min(rest.len()));
    let mut world = World::new();
    let mut lies = lies;
    for step in steps.chunks_exact(4) {
        let [what, node, much, key] = [step[0], step[1], step[2], step[3]];
        let at = usize::from(node) % NODES;
        match what % 10 {
            0 => world.change(at, Change::Add(key, vec![much])),
            1 => world.change(at, Change::Remove(key, vec![much])),
            2 => world.change(at, Change::Write(key, vec![much; usize::from(much)])),
            3 => world.change(at, Change::RemoveKey(key)),
            4 => {
                let incarnation = world.nodes[usize::from(key) % NODES].me().incarnation;
                let id = [0, key % NODES as u8];
                world.change(at, Change::Retire { id, incarnation });
            }
            5 => world.deliver(much, what > 127),
            6 => world.pass(Duration::from_millis(u64::from(much) * 10)),
            7 => {
                let (lie, left) = lies.split_at(usize::from(much).min(lies.len()));
                lies = left;
                world.receive(at, LIAR, lie.to_vec());
            }
            8 => {
                let lie = world.forged(usize::from(key) % NODES, much);
                world.receive(at, LIAR, lie);
            }
            _ => world.wall_ms = world.wall_ms.saturating_add_signed(i64::from(much as i8)),
        }
    }
    world.settle();
});

impl World {
    fn new() -> Self {
        let settings = Settings {
            max_entries: 64,
            max_actors: 32,
            max_ranges: 64,
            entry_bytes: 128,
            message_bytes: 17 << 10,
            ..Settings::default()
        };
        let (now, wall_ms) = (Duration::ZERO, 1_000_000);
        let at = Now {
            since: now,
            wall_ms,
        };
        let node =
            |id: u8| Gossip::new(settings.clone(), [0, id], id.into(), at).expect("settings");
        let nodes = (0..NODES as u8).map(node).collect();
        let mut world = Self {
            nodes,
            network: Vec::new(),
            now,
            wall_ms,
        };
        for node in 0..NODES {
            world.input(node, Input::PeerUp(LIAR));
            for peer in 0..NODES as u8 {
                world.input(node, Input::PeerUp([0, peer]));
            }
        }
        world
    }

    fn time(&self) -> Now {
        Now {
            since: self.now,
            wall_ms: self.wall_ms,
        }
    }

    fn change(&mut self, node: usize, change: Change<Id, u8, Vec<u8>>) {
        // It may be full, or retired for a moment.
        let now = self.time();
        let _ = self.nodes[node].change(change, now);
        self.drain(node);
    }

    fn input(&mut self, node: usize, input: Input<Id>) {
        let now = self.time();
        self.nodes[node].handle(input, now);
        self.drain(node);
    }

    fn receive(&mut self, node: usize, from: Id, bytes: Vec<u8>) {
        self.input(node, Input::Received { from, bytes });
    }

    /// A message that is right but for one byte.
    fn forged(&self, of: usize, place: u8) -> Vec<u8> {
        let message = self
            .network
            .iter()
            .rev()
            .find(|(_, from, _)| from[1] == of as u8);
        let mut bytes = message
            .map(|(_, _, bytes)| bytes.clone())
            .unwrap_or_default();
        let place = usize::from(place) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(place) {
            *byte = byte.wrapping_add(1);
        }
        bytes
    }

    fn deliver(&mut self, index: u8, twice: bool) {
        if self.network.is_empty() {
            return;
        }
        let index = usize::from(index) % self.network.len();
        let (to, from, bytes) = self.network[index].clone();
        if !twice {
            self.network.swap_remove(index);
        }
        self.receive(to, from, bytes);
    }

    fn pass(&mut self, by: Duration) {
        self.now += by;
        self.wall_ms += by.as_millis() as u64;
        for node in 0..NODES {
            if self.nodes[node].next_timeout() <= self.now {
                let now = self.time();
                self.nodes[node].handle_timeout(now);
                self.drain(node);
            }
        }
    }

    fn drain(&mut self, node: usize) {
        let mut outputs = 0;
        while let Some(output) = self.nodes[node].poll() {
            outputs += 1;
            assert!(outputs < 100, "one input has a bounded answer");
            match output {
                Output::Send { to: [0, to], bytes } => {
                    assert!(bytes.len() <= 17 << 10);
                    let from = [0, node as u8];
                    self.network.push((usize::from(to), from, bytes));
                }
                Output::Report { peer, fault } => {
                    // Others may pass on what the liar has said; nobody writes garbage.
                    let garbage = matches!(fault, Fault::Garbage(_) | Fault::Stranger);
                    assert!(!garbage || peer == LIAR, "{peer:?}: {fault}");
                }
                _ => {}
            }
        }
        // What nobody fetches is lost.
        if self.network.len() > 200 {
            self.network.drain(..100);
        }
        let state = self.nodes[node].state();
        assert!(state.len() <= 64 + 1);
        // Those that are connected have room for four lives each.
        assert!(state.actors().count() <= 32 + 4 * 4);
        assert!(state.actors().all(|(_, ranges)| ranges <= 64 + 3));
    }

    /// Everything arrives, for as long as three comparisons take, without the liar.
    fn settle(&mut self) {
        (0..NODES).for_each(|node| self.input(node, Input::PeerDown(LIAR)));
        for _ in 0..200 {
            self.pass(Duration::from_millis(500));
            for (to, from, bytes) in std::mem::take(&mut self.network) {
                self.receive(to, from, bytes);
            }
        }
        let full = self.nodes.iter().any(|node| {
            let state = node.state();
            let ranges = state.actors().map(|(_, ranges)| ranges).max();
            state.len() > 40
                || state.actors().count() > 12
                || ranges > Some(16)
                || state.retired_count() > 12
        });
        let first = self.nodes[0].fingerprint();
        let agree = (0..NODES).all(|node| self.nodes[node].fingerprint() == first);
        assert!(agree || full, "nodes that are not full agree");
    }
}
