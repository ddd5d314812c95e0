//! How long a quiet session waits for its calls, alone and while another session floods the node.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Parser;
use macula_benches::{
    live::{self, Carrier, Client},
    macula::Macula,
    table::median,
};
use tokio::{runtime, time::sleep};

/// Measures in rounds: alone, and beside the flood.
#[derive(Parser)]
struct Arguments {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each half of a round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Calls that the greedy session has in flight.
    #[arg(long, default_value_t = 256)]
    in_flight: u64,
}

const PROCEDURE: &str = "system.echo";
/// Between two calls of the quiet session.
const PAUSE: Duration = Duration::from_millis(2);
/// How long the flood may take to come up, and to run off.
const MOMENT: Duration = Duration::from_millis(300);

/// The times of one round, in microseconds.
struct Times {
    middle: f64,
    p99: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let time = Duration::from_secs(arguments.seconds);
    println!(
        "a quiet session's calls, alone and beside one with {} calls in flight; medians of {} rounds",
        arguments.in_flight, arguments.rounds
    );
    for (quotas, of_node) in [(true, "with the quotas"), (false, "without quotas")] {
        for (carrier, name) in [
            (Carrier::WebTransport, "WebTransport"),
            (Carrier::WebSocket, "WebSocket"),
        ] {
            let macula = Macula::start_with(quotas)?;
            let (mut alone, mut beside) = (Vec::new(), Vec::new());
            for _ in 0..arguments.rounds {
                alone.push(quiet(&macula, carrier, time)?);
                let flood = Flood::start(&macula, carrier, arguments.in_flight);
                thread::sleep(MOMENT);
                let times = quiet(&macula, carrier, time);
                flood.end()?;
                beside.push(times?);
                thread::sleep(MOMENT);
            }
            let of = |times: &[Times], value: fn(&Times) -> f64| {
                median(&times.iter().map(value).collect::<Vec<_>>())
            };
            let (p99, flooded) = (of(&alone, |t| t.p99), of(&beside, |t| t.p99));
            println!(
                "  {name}, {of_node}: median {:.0} and {:.0} µs, p99 {p99:.0} and {flooded:.0} µs, ratio {:.2}",
                of(&alone, |t| t.middle),
                of(&beside, |t| t.middle),
                flooded / p99
            );
        }
    }
    Ok(())
}

/// One call after the other, each timed.
fn quiet(macula: &Macula, carrier: Carrier, time: Duration) -> anyhow::Result<Times> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = Client::new(&macula.tls("ca.pem"), macula.port)?;
        let mut session = client.open(carrier).await?;
        let mut times = Vec::new();
        let begun = Instant::now();
        for id in 1.. {
            if begun.elapsed() > time {
                break;
            }
            let asked = Instant::now();
            live::result(session.ask(live::called(id, PROCEDURE.parse()?)).await?)?;
            times.push(asked.elapsed().as_secs_f64() * 1e6);
            sleep(PAUSE).await;
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Ok(Times {
            middle: at(0.5),
            p99: at(0.99),
        })
    })
}

/// A session on a thread of its own that calls as fast as it can, and takes no for an answer.
struct Flood {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<anyhow::Result<usize>>,
}

impl Flood {
    fn start(macula: &Macula, carrier: Carrier, in_flight: u64) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (authority, port, ending): (PathBuf, _, _) =
            (macula.tls("ca.pem"), macula.port, Arc::clone(&over));
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let session = Client::new(&authority, port)?.open(carrier).await?;
                let go_on = || !ending.load(Ordering::Relaxed);
                session
                    .call_and(PROCEDURE, in_flight, go_on, |_| Ok(()))
                    .await
            })
        });
        Self { over, thread }
    }

    fn end(self) -> anyhow::Result<usize> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("the flood panicked")?
    }
}
