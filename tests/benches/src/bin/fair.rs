//! How long a quiet session waits for its calls, alone and while another session floods the node.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use macula_benches::{
    live::{self, Carrier, Client},
    macula::Macula,
    process::Process,
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
    /// Be the flood of the node at this port.
    #[arg(long, hide = true, requires = "authority")]
    flood: Option<u16>,
    /// The node's authority.
    #[arg(long, hide = true)]
    authority: Option<PathBuf>,
    /// Flood over WebSocket.
    #[arg(long, hide = true)]
    websocket: bool,
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
    if let (Some(port), Some(authority)) = (arguments.flood, &arguments.authority) {
        return be_flood(port, authority, arguments.websocket, arguments.in_flight);
    }
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
                let flood = flood(&macula, carrier, arguments.in_flight)?;
                thread::sleep(MOMENT);
                beside.push(quiet(&macula, carrier, time)?);
                drop(flood);
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

/// A session that calls as fast as it can, and takes no for an answer: this program once more, with the
/// lowest priority, so that it is the node that has to share itself out and not the machine.
fn flood(macula: &Macula, carrier: Carrier, in_flight: u64) -> anyhow::Result<Process> {
    let mut command = Command::new("nice");
    command
        .args(["-n", "19"])
        .arg(env::current_exe()?)
        .args(["--in-flight", &in_flight.to_string()])
        .args(["--flood", &macula.port.to_string()])
        .arg("--authority")
        .arg(macula.tls("ca.pem"));
    if carrier == Carrier::WebSocket {
        command.arg("--websocket");
    }
    Process::start(&mut command)
}

/// Floods until it is killed.
fn be_flood(port: u16, authority: &Path, websocket: bool, in_flight: u64) -> anyhow::Result<()> {
    let carrier = match websocket {
        true => Carrier::WebSocket,
        false => Carrier::WebTransport,
    };
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let session = Client::new(authority, port)?.open(carrier).await?;
        let calls = session.call_and(PROCEDURE, in_flight, || true, |_| Ok(()));
        calls.await.map(drop)
    })
}
