//! Resident memory of an idle reader of Server-Sent Events, and of an idle live session.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{path::Path, time::Duration};

use clap::Parser;
use macula_benches::{
    http1, http2, http3,
    live::{self, Carrier},
    macula::Macula,
};
use tokio::time::sleep;

/// Measures each kind of reader on a fresh node.
#[derive(Parser)]
struct Arguments {
    /// Readers.
    #[arg(long, default_value_t = 1_000)]
    readers: usize,
}

const PATH: &str = "/v1/subscribe/dev/bench.idle";
/// How long the node may take to come to rest.
const REST: Duration = Duration::from_secs(3);
/// Readers that come and go before, so that what is made once is not counted.
const WARM_UP: usize = 50;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let readers = arguments.readers;
    println!("resident memory an idle reader, over {readers}:");
    own_tls(readers).await?;
    own_quic(readers).await?;
    one_more_http2(readers).await?;
    one_more_http3(readers).await?;
    println!("and an idle live session:");
    live("on WebTransport", Carrier::WebTransport, readers).await?;
    live("on WebSocket", Carrier::WebSocket, readers).await
}

async fn live(what: &str, carrier: Carrier, sessions: usize) -> anyhow::Result<()> {
    let macula = Macula::start()?;
    let client = live::Client::new(&macula.tls("ca.pem"), macula.port)?;
    let open = async |count| {
        let mut open = Vec::new();
        for _ in 0..count {
            open.push(client.open(carrier).await?);
        }
        Ok(open)
    };
    measure(what, &macula, sessions, open).await
}

async fn own_tls(readers: usize) -> anyhow::Result<()> {
    let macula = Macula::start()?;
    let target = http1::Target::new(&macula.tls("ca.pem"), macula.port)?;
    let open = async |count| {
        let mut open = Vec::new();
        for _ in 0..count {
            open.push(target.subscribe(PATH).await?);
        }
        Ok(open)
    };
    measure(
        "a TLS connection of its own, HTTP/1.1",
        &macula,
        readers,
        open,
    )
    .await
}

async fn own_quic(readers: usize) -> anyhow::Result<()> {
    let macula = Macula::start()?;
    let client = http3::Client::new(&macula.tls("ca.pem"), macula.port)?;
    let open = async |count| {
        let mut open = Vec::new();
        for _ in 0..count {
            let mut connection = client.connect().await?;
            let reader = connection.subscribe(PATH).await?;
            open.push((connection, reader));
        }
        Ok(open)
    };
    measure(
        "a QUIC connection of its own, HTTP/3",
        &macula,
        readers,
        open,
    )
    .await
}

async fn one_more_http2(readers: usize) -> anyhow::Result<()> {
    let macula = Macula::start()?;
    let authority = macula.tls("ca.pem");
    let authority: &Path = &authority;
    let open = async |count| {
        let mut connection = http2::Connection::open(authority, macula.port).await?;
        let mut open = Vec::new();
        for _ in 0..count {
            open.push(connection.subscribe(PATH).await?);
        }
        Ok((connection, open))
    };
    measure("one more on an HTTP/2 connection", &macula, readers, open).await
}

async fn one_more_http3(readers: usize) -> anyhow::Result<()> {
    let macula = Macula::start()?;
    let client = http3::Client::new(&macula.tls("ca.pem"), macula.port)?;
    let open = async |count| {
        let mut connection = client.connect().await?;
        let mut open = Vec::new();
        for _ in 0..count {
            open.push(connection.subscribe(PATH).await?);
        }
        Ok((connection, open))
    };
    measure("one more on an HTTP/3 connection", &macula, readers, open).await
}

/// Opens the readers, and tells by how much the node has grown once it rests.
async fn measure<T>(
    what: &str,
    macula: &Macula,
    readers: usize,
    open: impl AsyncFn(usize) -> anyhow::Result<T>,
) -> anyhow::Result<()> {
    drop(open(WARM_UP).await?);
    sleep(REST).await;
    let before = macula.process.memory();
    let opened = open(readers).await?;
    sleep(REST).await;
    let grown = macula.process.memory().saturating_sub(before);
    drop(opened);
    println!(
        "  {what}: {:.1} KiB",
        grown as f64 / 1024.0 / readers as f64
    );
    Ok(())
}
