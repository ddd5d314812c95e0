//! Two servers of NATS with a route between them, and a client that costs less than async-nats: it writes many
//! messages at once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, ensure};
use async_nats::Client;
use bytes::{Buf, Bytes, BytesMut};
use rcgen::generate_simple_self_signed;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    cluster::Cluster,
    free_port,
    load::{Load, Round},
    nats,
    process::Process,
};

/// What a client reads at a time.
const READ_BYTES: usize = 64 << 10;

/// Two servers. Clients speak TLS with them as with Macula, and so do they with each other.
pub struct Routes {
    /// The servers.
    pub processes: [Process; 2],
    ports: [u16; 2],
    authority: PathBuf,
    _directory: TempDir,
}

impl Routes {
    /// Starts two `nats-server` with a node's certificate for clients. Their own for the route is made here:
    /// there each is a client too, which a node's certificate is not good for.
    ///
    /// # Errors
    /// It is not there.
    pub fn start(binary: &Path, cluster: &Cluster) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let own = generate_simple_self_signed(["localhost".to_owned()])?;
        fs::write(directory.path().join("route.pem"), own.cert.pem())?;
        fs::write(
            directory.path().join("route.key"),
            own.signing_key.serialize_pem(),
        )?;
        let ports = [free_port()?, free_port()?];
        let between = [free_port()?, free_port()?];
        let start = |i: usize| -> anyhow::Result<Process> {
            let config = directory.path().join(format!("{i}.conf"));
            let text = settings(
                directory.path(),
                cluster,
                ports[i],
                between[i],
                between[1 - i],
            );
            fs::write(&config, text)?;
            let mut command = Command::new(binary);
            command.arg("--config").arg(config);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            Process::start(&mut command)
        };
        Ok(Self {
            processes: [start(0)?, start(1)?],
            ports,
            authority: cluster.authority().to_owned(),
            _directory: directory,
        })
    }

    /// A client at each server.
    ///
    /// # Errors
    /// They do not listen in time.
    pub async fn connect(&self) -> anyhow::Result<(Client, Client)> {
        let [first, second] = self.ports;
        Ok((
            nats::connect(&self.authority, first).await?,
            nats::connect(&self.authority, second).await?,
        ))
    }

    /// Publishes at the first server what is read at the second: `many` messages in one write.
    ///
    /// # Errors
    /// An event is lost or comes twice, or a connection has ended.
    pub async fn events(&self, load: &Load, many: usize) -> anyhow::Result<Round> {
        // The servers know of each other's readers of the topic as long as there is one.
        let (publisher, reader) = self.connect().await?;
        let known = nats::subscribe(&publisher, &reader, load.topic).await?;
        let mut publisher = raw(&self.authority, self.ports[0]).await?;
        let mut reader = raw(&self.authority, self.ports[1]).await?;
        let subscribe = format!("SUB {} 1\r\n", load.topic);
        ask(&mut reader, subscribe.as_bytes()).await?;
        ask(&mut publisher, b"").await?;
        drop(known);
        let (window, mut seen) = load.begin();
        let ours = load.clone();
        let publishing = tokio::spawn(async move {
            let mut out = Vec::new();
            for piece in ours.pieces(many) {
                let wanted = u32::try_from(piece.end - piece.start)?;
                window.acquire_many(wanted).await?.forget();
                for n in piece {
                    let bytes = (ours.body.write)(n)?;
                    let head = format!("PUB {} {}\r\n", ours.topic, bytes.len());
                    out.extend_from_slice(head.as_bytes());
                    out.extend_from_slice(&bytes);
                    out.extend_from_slice(b"\r\n");
                }
                publisher.write_all(&out).await?;
                publisher.flush().await?;
                out.clear();
            }
            // The other side goes on until all has come.
            anyhow::Ok(publisher)
        });
        let reading = async {
            let mut held = BytesMut::with_capacity(READ_BYTES);
            while seen.left() > 0 {
                while let Some(payload) = message(&mut held)? {
                    seen.add(&payload)?;
                }
                if seen.left() > 0 {
                    let read = async { Some(reader.read_buf(&mut held).await) };
                    ensure!(seen.next(read).await?? > 0, "the connection has ended");
                }
            }
            Ok(())
        };
        let (_publisher, ()) = tokio::try_join!(async { publishing.await? }, reading)?;
        Ok(seen.over())
    }
}

fn settings(directory: &Path, cluster: &Cluster, port: u16, here: u16, there: u16) -> String {
    let (certificate, key) = (cluster.tls("cert.pem"), cluster.tls("key.pem"));
    let (certificate, key, root) = (certificate.display(), key.display(), directory.display());
    format!(
        r#"listen: "127.0.0.1:{port}"
tls {{ cert_file: "{certificate}", key_file: "{key}" }}
cluster {{
  name: bench
  listen: "127.0.0.1:{here}"
  routes: ["nats://localhost:{there}"]
  tls {{ cert_file: "{root}/route.pem", key_file: "{root}/route.key", ca_file: "{root}/route.pem" }}
}}
"#
    )
}

/// A connection that has said who it is: the server speaks first, and TLS begins after that.
async fn raw(authority: &Path, port: u16) -> anyhow::Result<TlsStream<TcpStream>> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.get_ref().set_nodelay(true)?;
    let mut info = String::new();
    stream.read_line(&mut info).await?;
    ensure!(info.starts_with("INFO"), "expected `INFO`, found {info:?}");
    let mut tls = crate::tls(authority, "")?;
    tls.alpn_protocols.clear();
    let connector = TlsConnector::from(Arc::new(tls));
    let name = ServerName::try_from("localhost")?;
    let mut stream = connector.connect(name, stream.into_inner()).await?;
    stream
        .write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":true}\r\n")
        .await?;
    Ok(stream)
}

/// Says something, and waits until the server has taken it.
async fn ask(stream: &mut TlsStream<TcpStream>, what: &[u8]) -> anyhow::Result<()> {
    stream.write_all(what).await?;
    stream.write_all(b"PING\r\n").await?;
    stream.flush().await?;
    let mut said = Vec::new();
    while !said.ends_with(b"PONG\r\n") {
        ensure!(
            stream.read_buf(&mut said).await? > 0,
            "the connection has ended"
        );
    }
    Ok(())
}

/// The payload of the next message, if it has come whole: `MSG topic sid bytes`, and the bytes.
fn message(held: &mut BytesMut) -> anyhow::Result<Option<Bytes>> {
    let Some(end) = held.windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    let line = std::str::from_utf8(&held[..end])?;
    ensure!(line.starts_with("MSG "), "expected `MSG`, found {line:?}");
    let length = line.rsplit(' ').next().context("no length")?;
    let length: usize = length.parse().context("no length")?;
    if held.len() < end + length + 4 {
        return Ok(None);
    }
    held.advance(end + 2);
    let payload = held.split_to(length).freeze();
    held.advance(2);
    Ok(Some(payload))
}
