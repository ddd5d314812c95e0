//! `system.echo` over HTTP/3 against a bare responder of the same bytes.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use clap::Parser;
use futures_util::future::try_join_all;
use macula_benches::{
    http3::Client,
    macula::{Macula, sibling},
    process::Process,
    table::compare,
};

/// Compares rounds that are taken one after the other, ours and the bare one's in turn.
#[derive(Parser)]
struct Arguments {
    /// Rounds of each.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of a round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Connections.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests in flight on each connection.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
}

const PATH: &str = "/v1/rpc/dev/system.echo";
const BODY: Bytes = Bytes::from_static(br#"{"sensor":"kitchen-1","celsius":21.5,"humidity":40}"#);

/// The fields of Macula's answer, with values of the same length.
const HEAD: &str = "content-type: application/json
macula-served-by: vm
x-request-id: 3b1f5a5e36a1c0de
content-length: 51
date: Mon, 23 Nov 2026 12:00:00 GMT
";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let macula = Macula::start()?;
    let head = tempfile::NamedTempFile::new()?;
    fs::write(head.path(), HEAD)?;
    let mut command = Command::new(sibling("bare-h3")?);
    command.args([
        macula.tls("cert.pem"),
        macula.tls("key.pem"),
        head.path().to_owned(),
    ]);
    command.stdout(Stdio::piped());
    let mut bare = command.spawn()?;
    let mut port = String::new();
    BufReader::new(bare.stdout.take().context("no output")?).read_line(&mut port)?;
    let bare = Process::from(bare);
    let port = port.trim().parse()?;

    let authority = macula.tls("ca.pem");
    let ours = Client::new(&authority, macula.port)?;
    let theirs = Client::new(&authority, port)?;
    let mut figures = [const { (Vec::new(), Vec::new()) }; 2];
    for _ in 0..arguments.rounds {
        for (i, (client, process)) in [(&ours, &macula.process), (&theirs, &bare)]
            .into_iter()
            .enumerate()
        {
            let (per_second, cpu) = round(client, process, &arguments).await?;
            figures[i].0.push(per_second);
            figures[i].1.push(cpu);
        }
    }
    let [ours, theirs] = figures;
    println!(
        "{} rounds of {} s, ours and theirs in turn",
        arguments.rounds, arguments.seconds
    );
    compare("requests a second", &ours.0, &theirs.0);
    compare("processor time a request, µs", &ours.1, &theirs.1);
    Ok(())
}

/// Requests a second, and microseconds of the server's processor time each.
async fn round(
    client: &Client,
    process: &Process,
    arguments: &Arguments,
) -> anyhow::Result<(f64, f64)> {
    let time = Duration::from_secs(arguments.seconds);
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..arguments.connections {
        let mut connection = client.connect().await?;
        connection.post(PATH, BODY).await?;
        connections.push(connection);
    }
    let (start, busy) = (Instant::now(), process.time());
    for connection in connections {
        for _ in 0..arguments.in_flight {
            let (mut connection, done) = (connection.clone(), Arc::clone(&done));
            tasks.push(tokio::spawn(async move {
                while start.elapsed() < time {
                    let length = connection.post(PATH, BODY).await?;
                    anyhow::ensure!(length == BODY.len(), "{length} bytes came back");
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
    }
    for result in try_join_all(tasks).await? {
        result?;
    }
    let (took, busy) = (start.elapsed(), process.time() - busy);
    let done = done.load(Ordering::Relaxed) as f64;
    Ok((done / took.as_secs_f64(), busy.as_secs_f64() * 1e6 / done))
}
