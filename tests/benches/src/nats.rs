//! NATS: a server as a process, and request/reply by its own client.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep};

use crate::{free_port, macula::Macula, process::Process};

/// How long a start may take.
const START: Duration = Duration::from_secs(10);

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
        let started = Instant::now();
        loop {
            let options = ConnectOptions::new()
                .require_tls(true)
                .add_root_certificates(self.authority.clone());
            match options.connect(format!("localhost:{}", self.port)).await {
                Ok(client) => return Ok(client),
                Err(_) if started.elapsed() < START => sleep(Duration::from_millis(50)).await,
                Err(error) => return Err(error).context("nats-server"),
            }
        }
    }
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
