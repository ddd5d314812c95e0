//! HTTP/1.1 over TLS, as little as a reader of events and a publisher need.

use std::{path::Path, sync::Arc};

use anyhow::{Context, ensure};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::events;

/// What a client reads at a time.
const READ_BYTES: usize = 16 << 10;

/// Where to connect.
#[derive(Clone)]
pub struct Target {
    tls: Arc<ClientConfig>,
    port: u16,
}

/// One connection.
pub struct Connection(TlsStream<TcpStream>);

impl Target {
    /// A server on this machine.
    ///
    /// # Errors
    /// The authority is no certificate.
    pub fn new(authority: &Path, port: u16) -> anyhow::Result<Self> {
        let tls = Arc::new(crate::tls(authority, "http/1.1")?);
        Ok(Self { tls, port })
    }

    /// Connects.
    ///
    /// # Errors
    /// The connection or its handshake fails.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        Ok(Connection(connector.connect(name, stream).await?))
    }

    /// Opens a stream of events; returns when its head and first event have come.
    ///
    /// # Errors
    /// The answer is not 200.
    pub async fn subscribe(&self, path: &str) -> anyhow::Result<Connection> {
        let mut connection = self.connect().await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
        connection.0.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        // Past the blank line something of the body has to come: the stream is open then.
        while head
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .is_none_or(|at| head.len() <= at + 4)
        {
            let count = connection.0.read_buf(&mut head).await?;
            ensure!(count > 0, "{path} was closed");
        }
        ensure!(
            head.starts_with(b"HTTP/1.1 200"),
            "{path}: {}",
            String::from_utf8_lossy(&head)
        );
        Ok(connection)
    }
}

impl Connection {
    /// Reads until so many events have come.
    ///
    /// # Errors
    /// The stream ends before.
    pub async fn read_events(&mut self, count: usize) -> anyhow::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut seen = 0;
        while seen < count {
            let read = self.0.read(&mut buffer).await?;
            ensure!(read > 0, "the stream ended after {seen} of {count} events");
            seen += events(&buffer[..read]);
        }
        Ok(())
    }

    /// Posts a body, and reads the answer, which must have a `Content-Length` or none.
    ///
    /// # Errors
    /// The answer is not 2xx.
    pub async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<()> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(1024);
        let body_at = loop {
            ensure!(self.0.read_buf(&mut answer).await? > 0, "{path} was closed");
            if let Some(at) = answer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = std::str::from_utf8(&answer[..body_at])?.to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 2"), "{path}: {head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(Ok(0), str::parse).context("content-length")?;
        while answer.len() < body_at + length {
            ensure!(self.0.read_buf(&mut answer).await? > 0, "{path} was closed");
        }
        Ok(())
    }
}
