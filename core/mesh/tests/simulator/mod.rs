//! A cluster in virtual time: machines of `gossip` over a network that delays, loses, doubles and mixes
//! messages, is cut and healed, while nodes crash and come back with clocks that differ. One seed gives one
//! run, always the same.
#![allow(dead_code, reason = "each program takes what it needs")]

mod expected;
mod plan;
mod report;

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use macula_mesh::gossip::{Change, Fault, Input, Machine, Now, Output, Settings};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use expected::Expected;
pub(crate) use plan::{Plan, Step};
pub(crate) use report::Report;

pub(crate) type Id = [u8; 32];
pub(crate) type Gossip = Machine<Id, u64, Vec<u8>>;

/// The wall clock at the start of the run.
const EPOCH_MS: u64 = 1_700_000_000_000;

pub(crate) fn id(node: usize) -> Id {
    let mut id = [0xab; 32];
    id[..8].copy_from_slice(&(node as u64).to_be_bytes());
    id
}

fn node_of(id: &Id) -> usize {
    usize::from_be_bytes(id[..8].try_into().expect("eight bytes"))
}

struct Node {
    /// Nothing while it is down.
    machine: Option<Gossip>,
    /// How far its wall clock is ahead.
    skew_ms: i64,
    /// Which side of a cut it is on.
    side: bool,
    /// Counts its starts, so that what belongs to an earlier life is dropped.
    life: u32,
    /// The earliest wake-up that is planned.
    wake: Option<Duration>,
}

enum Event {
    Arrive {
        from: usize,
        to: usize,
        life: u32,
        bytes: Vec<u8>,
    },
    Wake(usize),
    Step(Step),
    /// A node learns whether another is there.
    Notice {
        at: usize,
        peer: usize,
    },
}

/// A moment, and a number so that what was planned first happens first.
type Moment = Reverse<(Duration, u64)>;

pub(crate) struct World {
    plan: Plan,
    rng: StdRng,
    now: Duration,
    nodes: Vec<Node>,
    moments: BinaryHeap<Moment>,
    events: std::collections::BTreeMap<u64, Event>,
    planned: u64,
    cut: bool,
    expected: Expected,
    report: Report,
}

/// Runs a plan. Panics, telling the seed, if the nodes do not agree on what they should in time.
pub(crate) fn run(plan: Plan) -> Report {
    let end = plan.end();
    let mut world = World::new(plan);
    world.run_until(end);
    world.settle(end);
    world.report
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let skew = plan.skew_ms;
        let node = |_| Node {
            machine: None,
            skew_ms: if skew == 0 {
                0
            } else {
                rng.random_range(-skew..=skew)
            },
            side: rng.random(),
            life: 0,
            wake: None,
        };
        let nodes = (0..plan.nodes).map(node).collect();
        let mut world = Self {
            expected: Expected::default(),
            report: Report::new(plan.seed, plan.nodes),
            now: Duration::ZERO,
            moments: BinaryHeap::new(),
            events: Default::default(),
            planned: 0,
            cut: false,
            nodes,
            rng,
            plan,
        };
        (0..world.nodes.len()).for_each(|node| world.start(node));
        for (at, step) in std::mem::take(&mut world.plan.steps) {
            world.plan_event(at, Event::Step(step));
        }
        world
    }

    fn plan_event(&mut self, at: Duration, event: Event) {
        self.planned += 1;
        self.moments.push(Reverse((at, self.planned)));
        self.events.insert(self.planned, event);
    }

    fn time_of(&self, node: usize) -> Now {
        let wall = EPOCH_MS + self.now.as_millis() as u64;
        Now {
            since: self.now,
            wall_ms: wall.saturating_add_signed(self.nodes[node].skew_ms),
        }
    }

    fn start(&mut self, node: usize) {
        let seed = self.rng.random();
        let now = self.time_of(node);
        let settings = Settings {
            max_entries: 100_000,
            ..self.plan.settings.clone()
        };
        let machine = Machine::new(settings, id(node), seed, now).expect("settings that work");
        self.nodes[node].machine = Some(machine);
        self.nodes[node].life += 1;
        self.nodes[node].wake = None;
        for peer in 0..self.nodes.len() {
            if peer != node {
                self.notice_soon(node, peer);
                self.notice_soon(peer, node);
            }
        }
        self.drain(node);
    }

    fn crash(&mut self, node: usize) {
        if let Some(mut machine) = self.nodes[node].machine.take() {
            self.report.count(&mut machine);
            self.expected.crashed(node);
            for peer in 0..self.nodes.len() {
                self.notice_soon(peer, node);
            }
        }
    }

    fn notice_soon(&mut self, at: usize, peer: usize) {
        let after = self.now + Duration::from_millis(self.rng.random_range(1..200));
        self.plan_event(after, Event::Notice { at, peer });
    }

    fn reachable(&self, a: usize, b: usize) -> bool {
        let apart = self.cut && self.nodes[a].side != self.nodes[b].side;
        !apart && self.nodes[a].machine.is_some() && self.nodes[b].machine.is_some()
    }

    fn run_until(&mut self, end: Duration) {
        while let Some(&Reverse((at, number))) = self.moments.peek() {
            if at > end {
                break;
            }
            self.moments.pop();
            self.now = at;
            let event = self.events.remove(&number).expect("each is planned once");
            self.happen(event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive {
                from,
                to,
                life,
                bytes,
            } => {
                if self.nodes[to].life == life && self.reachable(from, to) {
                    self.input(
                        to,
                        Input::Received {
                            from: id(from),
                            bytes,
                        },
                    );
                }
            }
            Event::Wake(node) => {
                if self.nodes[node].wake == Some(self.now) {
                    self.nodes[node].wake = None;
                    let now = self.time_of(node);
                    if let Some(machine) = &mut self.nodes[node].machine {
                        machine.handle_timeout(now);
                    }
                    self.drain(node);
                }
            }
            Event::Notice { at, peer } => {
                let input = match self.reachable(at, peer) {
                    true => Input::PeerUp(id(peer)),
                    false => Input::PeerDown(id(peer)),
                };
                self.input(at, input);
            }
            Event::Step(step) => self.step(step),
        }
    }

    fn input(&mut self, node: usize, input: Input<Id>) {
        let now = self.time_of(node);
        if let Some(machine) = &mut self.nodes[node].machine {
            machine.handle(input, now);
            self.drain(node);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Add { node, key } => {
                let value = key.to_be_bytes().repeat(5);
                if self.change(node, Change::Add(key, value)) {
                    self.expected.added(node, key);
                    self.report.changed(key, node, self.now);
                }
            }
            Step::Remove { node, key } => {
                let machine = self.nodes[node].machine.as_ref();
                let there = machine.is_some_and(|machine| machine.state().contains(&key));
                if there && self.change(node, Change::RemoveKey(key)) {
                    self.expected.removed(node, key);
                }
            }
            Step::Write { node, key, value } => {
                self.change(node, Change::Write(key, value.to_be_bytes().to_vec()));
            }
            Step::Cut { noticed } => {
                self.cut = true;
                self.notice_all(noticed);
            }
            Step::Heal { noticed } => {
                self.cut = false;
                self.notice_all(noticed);
            }
            Step::Crash(node) => self.crash(node),
            Step::Restart(node) => {
                if self.nodes[node].machine.is_none() {
                    self.start(node);
                }
            }
            Step::Retire { at, gone } => {
                let wall_ms = self.time_of(at).wall_ms;
                if self.nodes[gone].machine.is_none() {
                    let incarnation = wall_ms;
                    self.change(
                        at,
                        Change::Retire {
                            id: id(gone),
                            incarnation,
                        },
                    );
                }
            }
        }
    }

    fn notice_all(&mut self, noticed: bool) {
        for at in 0..self.nodes.len() {
            for peer in 0..self.nodes.len() {
                if noticed && self.nodes[at].side != self.nodes[peer].side {
                    self.notice_soon(at, peer);
                }
            }
        }
    }

    fn change(&mut self, node: usize, change: Change<Id, u64, Vec<u8>>) -> bool {
        let now = self.time_of(node);
        let Some(machine) = &mut self.nodes[node].machine else {
            return false;
        };
        machine.change(change, now).expect("there is room");
        self.drain(node);
        true
    }

    /// Does what a machine says, and plans when it is woken.
    fn drain(&mut self, node: usize) {
        while let Some(machine) = &mut self.nodes[node].machine {
            match machine.poll() {
                None => break,
                Some(Output::Send { to, bytes }) => self.send(node, node_of(&to), bytes),
                Some(Output::Changed(changes)) => {
                    for change in changes.added {
                        self.report.arrived(*change.entry.key, self.now);
                    }
                }
                Some(Output::Reborn(_)) => self.report.reborn += 1,
                // One side of a connection knows of it before the other.
                Some(Output::Report {
                    fault: Fault::Stranger,
                    ..
                }) => {}
                Some(Output::Report { peer, fault }) => {
                    panic!(
                        "seed {}: {} reports {}: {fault}",
                        self.plan.seed,
                        node,
                        node_of(&peer)
                    )
                }
            }
        }
        let Some(machine) = &self.nodes[node].machine else {
            return;
        };
        let next = machine.next_timeout().max(self.now);
        if self.nodes[node].wake.is_none_or(|wake| wake > next) {
            self.nodes[node].wake = Some(next);
            self.plan_event(next, Event::Wake(node));
        }
    }

    fn send(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let (shortest, longest) = self.plan.delay;
        let copies = 1 + usize::from(self.rng.random_bool(self.plan.double));
        for _ in 0..copies {
            if !self.rng.random_bool(self.plan.loss) {
                let delay = self.rng.random_range(shortest..=longest);
                let life = self.nodes[to].life;
                let bytes = bytes.clone();
                self.plan_event(
                    self.now + delay,
                    Event::Arrive {
                        from,
                        to,
                        life,
                        bytes,
                    },
                );
            }
        }
    }

    /// Lets the nodes come to agree.
    fn settle(&mut self, end: Duration) {
        let deadline = end + self.plan.patience;
        while !self.agree() {
            let seed = self.plan.seed;
            assert!(
                self.now < deadline,
                "seed {seed}: no agreement {:?} after the end",
                self.plan.patience
            );
            self.run_until(self.now + Duration::from_millis(100));
        }
        self.report.settled = self.now - end;
        let seed = self.plan.seed;
        for node in &mut self.nodes {
            if let Some(machine) = &mut node.machine {
                self.expected.check(machine.state(), seed);
                self.report.count(machine);
            }
        }
    }

    fn agree(&mut self) -> bool {
        let machines = self
            .nodes
            .iter_mut()
            .filter_map(|node| node.machine.as_mut());
        let fingerprints: std::collections::BTreeSet<u64> =
            machines.map(Machine::fingerprint).collect();
        fingerprints.len() <= 1
    }
}
