//! The simulator of gossip, by hand.
//!
//! `cargo run --release -p macula-mesh --example gossip -- steady NODES LOSS CHANGES [EVERY_MS [SEED]]` tells how
//! long changes take; `… -- chaos FIRST COUNT [NODES]` runs so many seeds, and ends at the first that fails.
#![allow(clippy::print_stdout, reason = "it tells what it has found")]

use std::{env, str::FromStr, time::Duration, time::Instant};

#[path = "../tests/simulator/mod.rs"]
mod simulator;

use simulator::{Plan, run};

fn argument<T: FromStr>(place: usize, otherwise: T) -> T {
    let given = env::args().nth(place);
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

fn main() {
    let begun = Instant::now();
    match env::args().nth(1).as_deref() {
        Some("steady") => {
            let (nodes, loss, changes) = (argument(2, 10), argument(3, 0.0), argument(4, 500));
            let every = Duration::from_millis(argument(5, 1_500));
            let report = run(Plan::steady(argument(6, 1), nodes, loss, changes, every));
            println!("{report}; {:.1} s", begun.elapsed().as_secs_f32());
        }
        Some("chaos") => {
            let (first, count, nodes) = (argument(2, 0), argument(3, 20_000), argument(4, 8));
            let mut settled = Vec::new();
            let (mut messages, mut bytes, mut reborn) = (0, 0, 0);
            for seed in first..first + count {
                let report = run(Plan::chaos(seed, nodes));
                settled.push(report.settled);
                messages += report.messages;
                bytes += report.bytes;
                reborn += report.reborn;
            }
            settled.sort_unstable();
            let at =
                |percent: usize| settled[(settled.len() * percent / 100).min(settled.len() - 1)];
            println!(
                "{count} seeds from {first}, 2 to {nodes} nodes: all agreed {:?} (p50), {:?} (p99), {:?} (all) after the \
                 last step; {messages} messages, {bytes} bytes, {reborn} reborn; {:.1} s",
                at(50),
                at(99),
                at(100),
                begun.elapsed().as_secs_f32(),
            );
        }
        _ => println!(
            "expected `steady NODES LOSS CHANGES [EVERY_MS [SEED]]` or `chaos FIRST COUNT [NODES]`"
        ),
    }
}
