//! Calls of a procedure that a live session serves, by another session.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::time::{Duration, Instant};

use clap::Parser;
use macula_benches::{
    live::{Carrier, Client},
    macula::Macula,
    table::median,
};

/// Measures calls a second in rounds.
#[derive(Parser)]
struct Arguments {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Calls in flight.
    #[arg(long, default_value_t = 32)]
    in_flight: u64,
}

const PROCEDURE: &str = "bench.echo";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let macula = Macula::start()?;
    let client = Client::new(&macula.tls("ca.pem"), macula.port)?;
    let carriers = [Carrier::WebTransport, Carrier::WebSocket];
    let mut figures = [const { (Vec::new(), Vec::new()) }; 2];
    for _ in 0..arguments.rounds {
        for (carrier, figures) in carriers.iter().zip(&mut figures) {
            let provider = client.open(*carrier).await?;
            let serving = tokio::spawn(provider.serve(PROCEDURE));
            let caller = client.open(*carrier).await?;
            let time = Duration::from_secs(arguments.seconds);
            // It serves in a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let (start, busy) = (Instant::now(), macula.process.time());
            let done = caller
                .call(PROCEDURE, arguments.in_flight, || start.elapsed() < time)
                .await?;
            let (took, busy) = (start.elapsed(), macula.process.time() - busy);
            figures.0.push(done as f64 / took.as_secs_f64());
            figures.1.push(busy.as_secs_f64() * 1e6 / done as f64);
            serving.abort();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    println!(
        "{} rounds of {} s, {} calls in flight",
        arguments.rounds, arguments.seconds, arguments.in_flight
    );
    for (carrier, (per_second, cost)) in carriers.iter().zip(&figures) {
        println!(
            "  {carrier:?}: {:.0} calls a second, {:.1} µs of the node's processor time each",
            median(per_second),
            median(cost)
        );
    }
    Ok(())
}
