//! Many idle readers and a steady trickle of requests: no error, and memory that stays flat.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::time::{Duration, Instant};

use clap::Parser;
use macula_benches::{http1, macula::Macula};
use tokio::time::{MissedTickBehavior, interval};

/// Idle readers, each on a connection of its own, and requests beside them.
#[derive(Parser)]
struct Arguments {
    /// Readers.
    #[arg(long, default_value_t = 10_000)]
    readers: usize,
    /// Requests a second.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

const IDLE: &str = "/v1/subscribe/dev/bench.idle";
const ECHO: &str = "/v1/rpc/dev/system.echo";
/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let macula = Macula::start()?;
    let target = http1::Target::new(&macula.tls("ca.pem"), macula.port)?;
    let mut readers = Vec::new();
    for _ in 0..arguments.readers {
        let mut reader = target.subscribe(IDLE).await?;
        // Reads heartbeats; ends only with an error, as no event is published.
        readers.push(tokio::spawn(async move { reader.read_events(1).await }));
    }
    println!(
        "{} readers are there: {} MiB",
        readers.len(),
        mebibytes(&macula)
    );

    let mut connection = target.connect().await?;
    let mut ticks = interval(Duration::from_secs(1) / arguments.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (start, mut looked) = (Instant::now(), Instant::now());
    let (mut requests, mut slowest) = (0, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(arguments.seconds) {
        ticks.tick().await;
        let asked = Instant::now();
        connection.post(ECHO, r#"{"celsius":21.5}"#).await?;
        slowest = slowest.max(asked.elapsed());
        requests += 1;
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            println!(
                "  after {:>3} s: {} MiB",
                start.elapsed().as_secs(),
                mebibytes(&macula)
            );
        }
    }
    let lost = readers.iter().filter(|reader| reader.is_finished()).count();
    println!(
        "{requests} requests in {:.1} s without an error, the slowest took {slowest:.1?}; \
         {lost} of {} readers were lost",
        start.elapsed().as_secs_f64(),
        readers.len(),
    );
    anyhow::ensure!(lost == 0, "{lost} readers were lost");
    Ok(())
}

fn mebibytes(macula: &Macula) -> u64 {
    macula.process.memory() >> 20
}
