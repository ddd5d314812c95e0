//! HTTP/3 by h3 and quinn.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use bytes::{Buf, Bytes};
use h3::client::{RequestStream, SendRequest};
use http::Request;
use quinn::{ClientConfig, Endpoint, TransportConfig, crypto::rustls::QuicClientConfig};

use crate::events;

/// A socket from which connections are made.
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    server: SocketAddr,
}

/// One connection.
#[derive(Clone)]
pub struct Connection {
    sender: SendRequest<h3_quinn::OpenStreams, Bytes>,
    port: u16,
}

/// A stream of events.
pub struct Subscription(RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>);

impl Client {
    /// A client of a server on this machine.
    ///
    /// # Errors
    /// The authority is no certificate, or there is no socket.
    pub fn new(authority: &Path, port: u16) -> anyhow::Result<Self> {
        let crypto = QuicClientConfig::try_from(crate::tls(authority, "h3")?)?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(TransportConfig::default()));
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
        endpoint.set_default_client_config(config);
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self { endpoint, server })
    }

    /// Connects.
    ///
    /// # Errors
    /// The handshake fails.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let quic = self.endpoint.connect(self.server, "localhost")?.await?;
        let (mut driver, sender) = h3::client::new(h3_quinn::Connection::new(quic)).await?;
        tokio::spawn(async move { driver.wait_idle().await });
        let port = self.server.port();
        Ok(Connection { sender, port })
    }
}

impl Connection {
    /// Posts a body and reads the whole answer; gives its length.
    ///
    /// # Errors
    /// The answer is not 200.
    pub async fn post(&mut self, path: &str, body: Bytes) -> anyhow::Result<usize> {
        let request = Request::post(format!("https://localhost:{}{path}", self.port))
            .header("content-type", "application/json")
            .body(())?;
        let mut stream = self.sender.send_request(request).await?;
        stream.send_data(body).await?;
        stream.finish().await?;
        let response = stream.recv_response().await?;
        ensure!(response.status() == 200, "{path}: {}", response.status());
        let mut length = 0;
        while let Some(data) = stream.recv_data().await? {
            length += data.remaining();
        }
        Ok(length)
    }

    /// Opens a stream of events; returns when its first bytes have come.
    ///
    /// # Errors
    /// The answer is not 200.
    pub async fn subscribe(&mut self, path: &str) -> anyhow::Result<Subscription> {
        let request = Request::get(format!("https://localhost:{}{path}", self.port))
            .header("accept", "text/event-stream")
            .body(())?;
        let mut stream = self.sender.send_request(request).await?;
        // A server that has answered already may not want the end any more (RFC 9114 §4.1).
        let _ = stream.finish().await;
        let response = stream.recv_response().await?;
        ensure!(response.status() == 200, "{path}: {}", response.status());
        stream
            .recv_data()
            .await?
            .with_context(|| format!("{path} was closed"))?;
        Ok(Subscription(stream))
    }
}

impl Subscription {
    /// Reads until so many events have come.
    ///
    /// # Errors
    /// The stream ends before.
    pub async fn read_events(&mut self, count: usize) -> anyhow::Result<()> {
        let mut seen = 0;
        while seen < count {
            let data = self.0.recv_data().await?;
            let mut data = data.with_context(|| format!("ended after {seen} of {count} events"))?;
            while data.has_remaining() {
                let chunk = data.chunk();
                let length = chunk.len();
                seen += events(chunk);
                data.advance(length);
            }
        }
        Ok(())
    }
}
