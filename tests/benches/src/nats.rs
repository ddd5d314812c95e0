//! NATS: a server as a process, and what its own client does with it.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    free_port,
    load::{Load, Round},
    macula::Macula,
    process::Process,
};

/// How long a start may take, and a subscription to be known at the other server.
const START: Duration = Duration::from_secs(10);
/// How often what takes its time is tried.
const AGAIN: Duration = Duration::from_millis(50);
/// Where a publisher asks whether a reader hears it.
const READY: &str = "bench.ready";

/// A running server, with TLS as Macula has it.
pub struct Nats {
    /// The process.
    pub process: Process,
    port: u16,
    authority: std::path::PathBuf,
}

impl Nats {
    /// Starts `nats-server` with a node's certificate.
    ///
    /// # Errors
    /// It is not there.
    pub fn start(binary: &Path, macula: &Macula) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(binary);
        command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--tls"]);
        command.arg("--tlscert").arg(macula.tls("cert.pem"));
        command.arg("--tlskey").arg(macula.tls("key.pem"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self {
            process: Process::start(&mut command)?,
            port,
            authority: macula.tls("ca.pem"),
        })
    }

    /// Connects, as soon as it listens.
    ///
    /// # Errors
    /// It does not listen in time.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.authority, self.port).await
    }
}

/// Connects to a server on this machine, as soon as it listens.
///
/// # Errors
/// It does not listen in time.
pub async fn connect(authority: &Path, port: u16) -> anyhow::Result<Client> {
    let started = Instant::now();
    loop {
        let options = ConnectOptions::new()
            .require_tls(true)
            .add_root_certificates(authority.to_owned());
        match options.connect(format!("localhost:{port}")).await {
            Ok(client) => return Ok(client),
            Err(_) if started.elapsed() < START => sleep(AGAIN).await,
            Err(error) => return Err(error).context("nats-server"),
        }
    }
}

/// Subscribes, and waits until the publisher is heard: a subscription has no answer, and its way to another
/// server takes a moment.
///
/// # Errors
/// The publisher is not heard in time.
pub async fn subscribe(
    publisher: &Client,
    reader: &Client,
    topic: &'static str,
) -> anyhow::Result<Subscriber> {
    let messages = reader.subscribe(topic).await?;
    // What comes behind a subscription is known when that is.
    let mut ready = reader.subscribe(READY).await?;
    let started = Instant::now();
    while started.elapsed() < START {
        publisher.publish(READY, Bytes::new()).await?;
        if let Ok(heard) = timeout(AGAIN, ready.next()).await {
            heard.context("the connection has ended")?;
            return Ok(messages);
        }
    }
    bail!("the reader does not hear the publisher")
}

/// Publishes by one connection what another reads.
///
/// # Errors
/// An event is lost or comes twice, or a connection has ended.
pub async fn events((publisher, reader): (Client, Client), load: &Load) -> anyhow::Result<Round> {
    let mut messages = subscribe(&publisher, &reader, load.topic).await?;
    let (window, mut seen) = load.begin();
    let ours = load.clone();
    let publishing = tokio::spawn(async move {
        for n in 0..ours.events {
            window.acquire().await?.forget();
            publisher.publish(ours.topic, (ours.body.write)(n)?).await?;
        }
        publisher.flush().await?;
        anyhow::Ok(())
    });
    let reading = async {
        while seen.left() > 0 {
            seen.add(&seen.next(messages.next()).await?.payload)?;
        }
        Ok(())
    };
    tokio::try_join!(async { publishing.await? }, reading)?;
    Ok(seen.over())
}

/// Gives each request's payload back.
///
/// # Errors
/// The connection has ended.
pub async fn serve(client: Client, subject: &'static str) -> anyhow::Result<()> {
    let mut requests = client.subscribe(subject).await?;
    while let Some(request) = requests.next().await {
        let reply = request.reply.context("a request wants a reply")?;
        client.publish(reply, request.payload).await?;
    }
    Ok(())
}

/// Requests again and again, with so many in flight, as long as it is said; how many replies came.
///
/// # Errors
/// A request fails.
pub async fn call(
    client: Client,
    subject: &'static str,
    in_flight: u64,
    go_on: impl Fn() -> bool,
) -> anyhow::Result<usize> {
    let one = async || {
        let mut done = 0;
        while go_on() {
            let reply = client
                .request(subject, Bytes::from_static(&[0x92, 1, 2]))
                .await?;
            anyhow::ensure!(reply.payload.len() == 3, "another payload came back");
            done += 1;
        }
        anyhow::Ok(done)
    };
    let mut all: FuturesUnordered<_> = (0..in_flight).map(|_| one()).collect();
    let mut done = 0;
    while let Some(count) = all.next().await {
        done += count?;
    }
    Ok(done)
}
