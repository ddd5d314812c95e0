//! A zenoh router, and a client of two of them: events from one to the other.
//!
//! Calls are left out: with 32 queries in flight zenoh 1.10.2 gave many of them no reply, and a router ended by
//! an illegal instruction.
//!
//! A router is a session in the mode `router`, which is what the program `zenohd` is without its plugins.
#![allow(clippy::print_stdout, reason = "it says what it found")]

#[allow(dead_code, reason = "shared with the benchmarks of the main tree")]
#[path = "../../src/load.rs"]
mod load;
#[allow(dead_code, reason = "shared with the benchmarks of the main tree")]
#[path = "../../src/process.rs"]
mod process;

use std::{
    future::pending,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use clap::{Args, Parser};
use load::{Load, Round};
use serde_json::{Value, json};
use tokio::time::timeout;
use zenoh::{Config, Session, qos::CongestionControl};

const TOPIC: &str = "bench/events";
/// Where a publisher asks whether a reader hears it.
const READY: &str = "bench/ready";
/// How long a reader may take to be known at the other router.
const START: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Parser)]
enum Command {
    /// Routes until it is ended.
    Router {
        /// Where it listens.
        #[arg(long)]
        listen: String,
        /// Another router.
        #[arg(long)]
        connect: Option<String>,
        /// Its certificate, a PEM file.
        #[arg(long)]
        certificate: PathBuf,
        /// The certificate's key, a PEM file.
        #[arg(long)]
        key: PathBuf,
        /// The authority, a PEM file.
        #[arg(long)]
        authority: PathBuf,
    },
    /// Publishes at the first what is read at the second.
    Events {
        /// How many events.
        #[arg(long)]
        events: u64,
        /// How many may be on the way.
        #[arg(long)]
        window: usize,
        #[command(flatten)]
        places: Places,
    },
}

#[derive(Args)]
struct Places {
    #[arg(long)]
    authority: PathBuf,
    first: String,
    second: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let round = match Command::parse() {
        Command::Router {
            listen,
            connect,
            certificate,
            key,
            authority,
        } => {
            let tls = json!({
                "root_ca_certificate": authority,
                "listen_certificate": certificate,
                "listen_private_key": key,
            });
            let connect: Vec<_> = connect.into_iter().collect();
            let _router = open("router", &[listen], &connect, &tls).await?;
            return pending().await;
        }
        Command::Events {
            events,
            window,
            places,
        } => {
            let (publisher, reader) = places.open().await?;
            let load = Load {
                topic: TOPIC,
                events,
                window,
                body: load::BLOCK,
            };
            by_events(publisher, reader, load).await?
        }
    };
    let (seconds, busy) = (round.took.as_secs_f64(), round.busy.as_secs_f64());
    println!(
        "{}",
        json!({"done": round.done, "seconds": seconds, "busy_seconds": busy})
    );
    Ok(())
}

impl Places {
    async fn open(&self) -> anyhow::Result<(Session, Session)> {
        let tls = json!({"root_ca_certificate": self.authority});
        let at = async |place: &String| open("client", &[], &[place.clone()], &tls).await;
        Ok((at(&self.first).await?, at(&self.second).await?))
    }
}

async fn open(
    mode: &str,
    listen: &[String],
    connect: &[String],
    tls: &Value,
) -> anyhow::Result<Session> {
    let mut config = Config::default();
    let settings = [
        ("mode", json!(mode)),
        ("listen/endpoints", json!(listen)),
        ("connect/endpoints", json!(connect)),
        // The other router, or ours, may not listen yet.
        ("connect/timeout_ms", json!(START.as_millis() as u64)),
        ("scouting/multicast/enabled", json!(false)),
        ("transport/link/tls", tls.clone()),
    ];
    for (name, value) in settings {
        let set = config.insert_json5(name, &value.to_string());
        set.map_err(|error| anyhow!("{name}: {error}"))?;
    }
    zenoh::open(config).await.map_err(|error| anyhow!(error))
}

/// A publisher waits for its routers when they are slow, so that nothing is dropped; messages are batched, which
/// is zenoh's default.
async fn by_events(publisher: Session, reader: Session, load: Load) -> anyhow::Result<Round> {
    let messages = reader.declare_subscriber(TOPIC).await;
    let messages = messages.map_err(|error| anyhow!(error))?;
    let ready = reader.declare_subscriber(READY).await;
    let ready = ready.map_err(|error| anyhow!(error))?;
    let started = Instant::now();
    loop {
        let put = publisher.put(READY, "").await;
        put.map_err(|error| anyhow!(error))?;
        if timeout(AGAIN, ready.recv_async()).await.is_ok() {
            break;
        }
        ensure!(started.elapsed() < START, "the publisher is not heard");
    }
    let (window, mut seen) = load.begin();
    let publishing = tokio::spawn(async move {
        let declared = publisher.declare_publisher(TOPIC);
        let declared = declared.congestion_control(CongestionControl::Block).await;
        let declared = declared.map_err(|error| anyhow!(error))?;
        for n in 0..load.events {
            window.acquire().await?.forget();
            let put = declared.put(&(load.body.write)(n)?[..]).await;
            put.map_err(|error| anyhow!(error))?;
        }
        drop(declared);
        anyhow::Ok(publisher)
    });
    while seen.left() > 0 {
        let next = async { messages.recv_async().await.ok() };
        let message = seen.next(next).await?;
        seen.add(&message.payload().to_bytes().into_owned().into())?;
    }
    let round = seen.over();
    publishing.await??;
    Ok(round)
}
