//! What happens in a run.

use std::time::Duration;

use macula_mesh::gossip::Settings;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Keys from here on are registers.
pub(crate) const REGISTERS: u64 = 1 << 40;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Add {
        node: usize,
        key: u64,
    },
    Remove {
        node: usize,
        key: u64,
    },
    Write {
        node: usize,
        key: u64,
        value: u64,
    },
    /// The network is cut in two; nodes notice soon, or not at all.
    Cut {
        noticed: bool,
    },
    Heal {
        noticed: bool,
    },
    Crash(usize),
    Restart(usize),
    /// One says that one has left for good; it has crashed before.
    Retire {
        at: usize,
        gone: usize,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) settings: Settings,
    /// The chance that a message is lost.
    pub(crate) loss: f64,
    /// The chance that it comes twice.
    pub(crate) double: f64,
    /// How long it takes, so that messages overtake each other.
    pub(crate) delay: (Duration, Duration),
    /// How far a clock is ahead or behind at most.
    pub(crate) skew_ms: i64,
    pub(crate) steps: Vec<(Duration, Step)>,
    /// How long after the last step the nodes may take to agree.
    pub(crate) patience: Duration,
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Plan {
    /// Changes one after another, evenly spread over nodes, with a calm network of so much loss.
    pub(crate) fn steady(
        seed: u64,
        nodes: usize,
        loss: f64,
        changes: u64,
        every: Duration,
    ) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 1);
        let start = ms(5_000);
        let add = |key| {
            let at = start + every * u32::try_from(key).expect("a few changes");
            (
                at,
                Step::Add {
                    node: rng.random_range(0..nodes),
                    key,
                },
            )
        };
        Self {
            seed,
            nodes,
            settings: Settings::default(),
            loss,
            double: 0.0,
            delay: (ms(1), ms(10)),
            skew_ms: 0,
            steps: (0..changes).map(add).collect(),
            patience: ms(120_000),
        }
    }

    /// Everything at once.
    pub(crate) fn chaos(seed: u64, most_nodes: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 2);
        let nodes = rng.random_range(2..=most_nodes);
        let noticed = rng.random();
        let mut steps = Vec::new();
        let moment = |rng: &mut StdRng| ms(rng.random_range(500..15_000));
        for key in 0..rng.random_range(5..40) {
            let (at, node) = (moment(&mut rng), rng.random_range(0..nodes));
            steps.push((at, Step::Add { node, key }));
            if rng.random_bool(0.4) {
                let node = rng.random_range(0..nodes);
                let later = at + ms(rng.random_range(0..5_000));
                steps.push((later, Step::Remove { node, key }));
            }
        }
        for value in 0..rng.random_range(0..10) {
            let (node, key) = (rng.random_range(0..nodes), REGISTERS + value % 3);
            steps.push((moment(&mut rng), Step::Write { node, key, value }));
        }
        if rng.random_bool(0.6) {
            let at = moment(&mut rng);
            steps.push((at, Step::Cut { noticed }));
            steps.push((
                at + ms(rng.random_range(500..12_000)),
                Step::Heal { noticed },
            ));
        }
        for node in 0..nodes {
            if !rng.random_bool(0.2) {
                continue;
            }
            let at = moment(&mut rng);
            let later = at + ms(rng.random_range(500..8_000));
            steps.push((at, Step::Crash(node)));
            let witness = (node + 1) % nodes;
            steps.push((
                later,
                match rng.random_bool(0.7) {
                    true => Step::Restart(node),
                    false => Step::Retire {
                        at: witness,
                        gone: node,
                    },
                },
            ));
        }
        // Somebody must be there to say what has become of those that are not.
        let end = ms(25_000);
        steps.push((end, Step::Heal { noticed: true }));
        for node in 0..nodes {
            steps.push((end, Step::Restart(node)));
        }
        Self {
            seed,
            nodes,
            settings: Settings::default(),
            loss: [0.0, 0.1, 0.3, 0.5][rng.random_range(0..4)],
            double: [0.0, 0.2][rng.random_range(0..2)],
            delay: (ms(1), ms([5, 100, 1_500][rng.random_range(0..3)])),
            skew_ms: [0, 500, 4_500][rng.random_range(0..3)],
            steps,
            patience: ms(300_000),
        }
    }

    /// When the last step is taken.
    pub(crate) fn end(&self) -> Duration {
        self.steps
            .iter()
            .map(|(at, _)| *at)
            .max()
            .unwrap_or_default()
    }
}
