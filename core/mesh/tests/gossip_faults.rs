//! What a node does with peers that lie, send garbage or ask too much, and with its own past lives.

use std::time::Duration;

use macula_mesh::gossip::{Change, ChangeError, Fault, Input, Machine, Now, Output, Settings};

type Gossip = Machine<u8, u64, Vec<u8>>;

const WALL_MS: u64 = 1_000_000;

/// Nodes that hear each other without loss, in virtual time.
struct Pair {
    nodes: Vec<Gossip>,
    now: Now,
    reports: Vec<Fault>,
    reborn: usize,
    sent: Vec<usize>,
}

impl Pair {
    fn new(nodes: Vec<Gossip>) -> Self {
        let now = Now {
            since: Duration::ZERO,
            wall_ms: WALL_MS,
        };
        let mut pair = Self {
            nodes,
            now,
            reports: Vec::new(),
            reborn: 0,
            sent: Vec::new(),
        };
        let ids: Vec<u8> = pair.nodes.iter().map(|node| node.me().id).collect();
        for node in 0..ids.len() {
            for peer in &ids {
                pair.nodes[node].handle(Input::PeerUp(*peer), now);
            }
        }
        pair
    }

    /// Lets time pass, in steps of 10 ms; what is sent in one arrives in the next.
    fn pass(&mut self, time: Duration) {
        let end = self.now.since + time;
        while self.now.since < end {
            self.now.since += Duration::from_millis(10);
            self.now.wall_ms += 10;
            let mut arriving = Vec::new();
            for node in &mut self.nodes {
                node.handle_timeout(self.now);
                let from = node.me().id;
                while let Some(output) = node.poll() {
                    match output {
                        Output::Send { to, bytes } => arriving.push((from, to, bytes)),
                        Output::Report { fault, .. } => self.reports.push(fault),
                        Output::Reborn(_) => self.reborn += 1,
                        Output::Changed(_) => {}
                    }
                }
            }
            for (from, to, bytes) in arriving {
                self.sent.push(bytes.len());
                let receivers = self.nodes.iter_mut().filter(|node| node.me().id == to);
                for node in receivers {
                    let bytes = bytes.clone();
                    node.handle(Input::Received { from, bytes }, self.now);
                }
            }
        }
    }

    fn change(&mut self, node: usize, change: Change<u8, u64, Vec<u8>>) {
        self.nodes[node]
            .change(change, self.now)
            .expect("there is room");
    }

    fn keys(&self, node: usize) -> Vec<u64> {
        self.nodes[node].state().keys().copied().collect()
    }
}

fn started(id: u8, settings: &Settings, wall_ms: u64) -> Gossip {
    let now = Now {
        since: Duration::ZERO,
        wall_ms,
    };
    Machine::new(settings.clone(), id, u64::from(id), now).expect("settings that work")
}

fn node(id: u8) -> Gossip {
    started(id, &Settings::default(), WALL_MS)
}

/// What a node that has just been asked has reported.
fn fault(node: &mut Gossip) -> Option<Fault> {
    while let Some(output) = node.poll() {
        if let Output::Report { fault, .. } = output {
            return Some(fault);
        }
    }
    None
}

fn received(node: &mut Gossip, from: u8, bytes: &[u8]) -> Option<Fault> {
    let now = Now {
        since: Duration::ZERO,
        wall_ms: WALL_MS,
    };
    node.handle(
        Input::Received {
            from,
            bytes: bytes.to_vec(),
        },
        now,
    );
    fault(node)
}

fn up(node: &mut Gossip, peer: u8) {
    let now = Now {
        since: Duration::ZERO,
        wall_ms: WALL_MS,
    };
    node.handle(Input::PeerUp(peer), now);
}

/// The first message of a node that has said something.
fn message(from: Gossip, wall_ms: u64) -> Vec<u8> {
    message_to(1, from, wall_ms)
}

fn message_to(peer: u8, mut from: Gossip, wall_ms: u64) -> Vec<u8> {
    let now = Now {
        since: Duration::ZERO,
        wall_ms,
    };
    from.handle(Input::PeerUp(peer), now);
    while from.poll().is_some() {}
    from.change(Change::Write(7, vec![7]), now)
        .expect("there is room");
    let since = Duration::from_millis(100);
    from.handle_timeout(Now { since, wall_ms });
    match from.poll() {
        Some(Output::Send { bytes, .. }) => bytes,
        other => panic!("expected a message, found {other:?}"),
    }
}

#[test]
fn garbage_is_reported_and_changes_nothing() {
    let mut ann = node(1);
    up(&mut ann, 2);
    let good = message(node(2), WALL_MS);
    let version = [&[9], &good[1..]].concat();
    let long = vec![0; (64 << 10) + 1];
    let cut = &good[..good.len() - 1];
    let before = ann.fingerprint();
    for bad in [&[][..], &version, &long, cut, b"GET / HTTP/1.1"] {
        let fault = received(&mut ann, 2, bad);
        assert!(matches!(fault, Some(Fault::Garbage(_))), "{fault:?}");
    }
    assert_eq!(ann.fingerprint(), before);
    assert_eq!((ann.status().received, ann.status().refused), (5, 5));
    assert_eq!(received(&mut ann, 2, &good), None);
    assert!(ann.state().contains(&7));
}

#[test]
fn who_is_not_connected_is_not_heard() {
    let mut ann = node(1);
    let good = message(node(2), WALL_MS);
    assert_eq!(received(&mut ann, 2, &good), Some(Fault::Stranger));
}

#[test]
fn lesson_27_a_flood_costs_no_more_than_its_bound() {
    let mut ann = node(1);
    up(&mut ann, 2);
    let good = message(node(2), WALL_MS);
    let refused = (0..3_000)
        .filter(|_| received(&mut ann, 2, &good) == Some(Fault::Flood))
        .count();
    assert_eq!(refused, 2_000);
}

#[test]
fn more_digests_than_four_a_second_are_not_answered() {
    let mut ann = node(1);
    up(&mut ann, 2);
    // Version, the kind of a pull, and a digest of one that has seen nothing.
    let faults: Vec<_> = (0..6)
        .map(|_| received(&mut ann, 2, &[1, 4, 0, 0]))
        .collect();
    assert!(faults[..4].iter().all(Option::is_none), "{faults:?}");
    assert!(faults[4..].iter().all(|fault| *fault == Some(Fault::Flood)));
}

#[test]
fn a_time_that_has_not_come_is_refused() {
    let mut ann = node(1);
    up(&mut ann, 2);
    let ahead = WALL_MS + 9_000;
    let settings = Settings::default();
    assert_eq!(
        received(&mut ann, 2, &message(started(2, &settings, ahead), ahead)),
        None
    );
    let ahead = WALL_MS + 11_000;
    let fault = received(&mut ann, 2, &message(started(2, &settings, ahead), ahead));
    assert!(matches!(fault, Some(Fault::Ahead(_))), "{fault:?}");
    // It started long ago, and its clock has jumped.
    let fault = received(&mut ann, 2, &message(node(2), ahead));
    assert!(matches!(fault, Some(Fault::Ahead(_))), "{fault:?}");
}

#[test]
fn there_is_a_bound_for_entries() {
    let settings = Settings {
        max_entries: 3,
        ..Settings::default()
    };
    let mut pair = Pair::new(vec![started(1, &settings, WALL_MS), node(2)]);
    for key in 0..3 {
        pair.change(0, Change::Add(key, vec![]));
    }
    let now = pair.now;
    let more = pair.nodes[0].change(Change::Add(3, vec![]), now);
    assert_eq!(more, Err(ChangeError::Full(3)));
    let large = pair.nodes[1].change(Change::Add(4, vec![0; 17 << 10]), now);
    assert_eq!(large, Err(ChangeError::TooLarge(16 << 10)));
    pair.change(1, Change::Add(4, vec![]));
    pair.pass(Duration::from_secs(5));
    assert_eq!(pair.keys(0), [0, 1, 2]);
    assert!(
        pair.reports
            .iter()
            .all(|fault| matches!(fault, Fault::Full { .. }))
    );
    assert!(!pair.reports.is_empty());
}

#[test]
fn who_is_connected_has_room_whatever_names_others_make_up() {
    let settings = Settings {
        max_actors: 8,
        ..Settings::default()
    };
    let mut ann = started(1, &settings, WALL_MS);
    up(&mut ann, 2);
    let made_up = |id| message(node(id), WALL_MS);
    let faults: Vec<_> = (10..40)
        .map(|id| received(&mut ann, 2, &made_up(id)))
        .collect();
    assert!(matches!(faults[29], Some(Fault::Full { .. })), "{faults:?}");
    assert!(ann.state().actors().count() <= 8);
    // Another one is connected, and then begins one life after the other.
    up(&mut ann, 3);
    let life = |more| {
        message(
            started(3, &Settings::default(), WALL_MS + more),
            WALL_MS + more,
        )
    };
    assert_eq!(received(&mut ann, 3, &life(0)), None);
    for more in 1..100 {
        let _ = received(&mut ann, 3, &life(more));
        assert!(ann.state().actors().count() <= 8 + 4 + 1);
        assert!(ann.state().retired_count() <= 8 + 2);
    }
}

#[test]
fn a_node_that_was_retired_comes_back_with_what_it_had_said() {
    let mut pair = Pair::new(vec![node(1), node(2)]);
    pair.change(0, Change::Add(1, vec![1]));
    pair.change(0, Change::Write(2, vec![2]));
    pair.pass(Duration::from_secs(1));
    let before = pair.nodes[0].me().incarnation;
    let retire = |incarnation| Change::Retire { id: 1, incarnation };
    pair.change(1, retire(before));
    assert!(pair.keys(1).is_empty());
    pair.pass(Duration::from_secs(1));
    assert_eq!(pair.reborn, 1);
    assert_eq!((pair.keys(0), pair.keys(1)), (vec![1, 2], vec![1, 2]));
    // Again at once: it goes on as it is for a while, so that who provokes it costs little.
    let again = pair.nodes[0].me().incarnation;
    assert!(again > before);
    pair.change(1, retire(again));
    pair.pass(Duration::from_secs(2));
    pair.change(0, Change::Add(3, vec![]));
    assert_eq!((pair.reborn, pair.keys(0)), (1, vec![1, 2, 3]));
    pair.pass(Duration::from_secs(10));
    assert_eq!((pair.reborn, pair.keys(1)), (2, vec![1, 2, 3]));
}

#[test]
fn the_others_go_on_with_a_connected_node_that_one_takes_for_gone() {
    let mut pair = Pair::new((1..=4).map(node).collect());
    pair.change(0, Change::Add(1, vec![1]));
    pair.pass(Duration::from_secs(2));
    for _ in 0..5 {
        let incarnation = pair.nodes[0].me().incarnation;
        let id = 1;
        pair.change(1, Change::Retire { id, incarnation });
        for _ in 0..300 {
            pair.pass(Duration::from_millis(10));
            assert_eq!(pair.keys(2), [1], "the member that is listened to is there");
        }
    }
    // Each time that it may it begins anew; in the end all agree.
    pair.pass(Duration::from_secs(12));
    assert!((1..=3).contains(&pair.reborn), "{}", pair.reborn);
    assert!((0..4).all(|node| pair.keys(node) == [1]));
    assert!(pair.nodes[2].status().hearsay > 0);
}

#[test]
fn what_one_removes_of_a_connected_nodes_words_is_for_that_node_to_say() {
    let mut pair = Pair::new((1..=4).map(node).collect());
    pair.change(0, Change::Add(1, vec![1]));
    pair.change(0, Change::Add(2, vec![2]));
    pair.pass(Duration::from_secs(2));
    // It does not contradict, so it is so; and all hear it.
    pair.change(1, Change::RemoveKey(1));
    pair.pass(Duration::from_secs(3));
    assert!((0..4).all(|node| pair.keys(node) == [2]));
    // Nobody asks one that is gone: what was heard of it counts.
    let (gone, now) = (pair.nodes.remove(0), pair.now);
    for node in &mut pair.nodes {
        node.handle(Input::PeerDown(1), now);
    }
    let incarnation = gone.me().incarnation;
    pair.change(0, Change::Retire { id: 1, incarnation });
    pair.pass(Duration::from_secs(1));
    assert!((0..3).all(|node| pair.keys(node).is_empty()));
}

#[test]
fn a_node_that_is_spoken_for_again_and_again_comes_back_each_time_that_it_may() {
    let mut pair = Pair::new(vec![node(1), node(2)]);
    pair.change(0, Change::Add(1, vec![1]));
    pair.pass(Duration::from_secs(1));
    for round in 0..4 {
        // Another node of this name, with a clock that is ahead, is heard by the second only.
        let wall_ms = pair.now.wall_ms + 5_000;
        let lie = message_to(2, started(1, &Settings::default(), wall_ms), wall_ms);
        pair.nodes[1].handle(
            Input::Received {
                from: 1,
                bytes: lie,
            },
            pair.now,
        );
        assert_eq!(pair.keys(1), [7], "the lie is believed");
        // A second or two after the lie, or ten after the last time. Then it is lied of again at once.
        let mut waited = 0;
        while pair.reborn == round {
            pair.pass(Duration::from_millis(10));
            waited += 10;
            assert!(waited <= 10_000, "round {round}");
        }
        pair.pass(Duration::from_millis(100));
        assert_eq!(pair.keys(1), [1], "round {round}");
    }
}

#[test]
fn a_node_whose_clock_was_ahead_in_its_last_life_goes_on_after_it() {
    let mut before = Pair::new(vec![
        started(1, &Settings::default(), WALL_MS + 8_000),
        node(2),
    ]);
    before.change(0, Change::Add(1, vec![1]));
    before.pass(Duration::from_secs(1));
    let bob = before.nodes.remove(1);
    let mut pair = Pair::new(vec![started(1, &Settings::default(), WALL_MS + 1_000), bob]);
    (pair.now.since, pair.now.wall_ms) = (before.now.since, before.now.wall_ms);
    pair.change(0, Change::Add(2, vec![2]));
    pair.pass(Duration::from_secs(5));
    assert_eq!(
        (pair.reborn, pair.keys(0), pair.keys(1)),
        (1, vec![2], vec![2])
    );
    assert!(pair.nodes[0].me().incarnation > WALL_MS + 8_000);
}

#[test]
fn a_peer_lags_from_when_it_says_something_else_until_both_have_the_same() {
    let mut pair = Pair::new(vec![node(1), node(2)]);
    let lags = |pair: &mut Pair| {
        pair.nodes[0]
            .lags()
            .map(|(_, since)| since)
            .collect::<Vec<_>>()
    };
    pair.pass(Duration::from_secs(3));
    assert_eq!(lags(&mut pair), []);
    // It says what it has before it has heard of the change here.
    let there = message(node(2), WALL_MS);
    pair.change(0, Change::Add(7, vec![7]));
    let since = pair.now.since;
    pair.nodes[0].handle(
        Input::Received {
            from: 2,
            bytes: there,
        },
        pair.now,
    );
    assert_eq!(lags(&mut pair), [since]);
    pair.pass(Duration::from_secs(3));
    assert_eq!(lags(&mut pair), []);
    assert_eq!(pair.nodes[0].status().agreeing, 1, "it is told so");
}

#[test]
fn one_that_always_has_something_else_keeps_nobody_from_being_asked() {
    let mut pair = Pair::new(vec![node(1), node(2), node(3)]);
    // More than is told unasked, so that the first has to ask the second for it.
    let now = pair.now;
    for other in [0, 2] {
        pair.nodes[other].handle(Input::PeerDown(2), now);
    }
    for key in 0..2_000 {
        pair.change(1, Change::Add(key, vec![5; 100]));
    }
    pair.pass(Duration::from_secs(15));
    assert!(pair.keys(0).is_empty());
    pair.nodes[0].handle(Input::PeerUp(2), pair.now);
    // A repetition that says nothing, with a fingerprint that nobody has.
    let lie = [&[1, 1][..], &[7; 8], &[0, 0]].concat();
    let mut waited = Duration::ZERO;
    while pair.keys(0).len() < 2_000 {
        let (from, bytes) = (3, lie.clone());
        pair.nodes[0].handle(Input::Received { from, bytes }, pair.now);
        pair.pass(Duration::from_millis(20));
        waited += Duration::from_millis(20);
        assert!(waited < Duration::from_secs(120), "it was never asked");
    }
}

#[test]
fn a_newcomer_gets_a_large_state_in_bounded_messages() {
    let mut pair = Pair::new(vec![node(1), node(2)]);
    for key in 0..20_000 {
        pair.change(0, Change::Add(key, vec![5; 100]));
    }
    pair.pass(Duration::from_secs(5));
    assert_eq!(pair.nodes[1].state().len(), 20_000);
    assert!(pair.nodes[0].fingerprint() == pair.nodes[1].fingerprint());
    let bytes: usize = pair.sent.iter().sum();
    assert!(pair.sent.iter().all(|bytes| *bytes <= 64 << 10));
    // The state once, and what it takes to ask for it.
    assert!(
        (20_000 * 100..20_000 * 125).contains(&bytes),
        "{bytes} bytes"
    );
}

#[test]
fn lesson_01_a_storm_cannot_start() {
    let mut pair = Pair::new((0..20).map(node).collect());
    pair.pass(Duration::from_secs(20));
    let before = pair.sent.len();
    // One node changes something every 10 ms for ten seconds.
    for key in 0..1_000 {
        pair.change(0, Change::Add(key % 50, vec![1]));
        pair.pass(Duration::from_millis(10));
    }
    let sent = pair.sent.len() - before;
    // Its 500 a second at most, and a few repetitions and questions of each.
    assert!(sent < 10 * 500 + 20 * 10 * 8, "{sent} messages");
    assert_eq!(pair.reports, []);
    pair.pass(Duration::from_secs(3));
    let first = pair.nodes[0].fingerprint();
    assert!((1..20).all(|node| pair.nodes[node].fingerprint() == first));
}
