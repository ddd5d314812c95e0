//! Streams of events on one HTTP/2 connection.

use std::{path::Path, sync::Arc};

use anyhow::ensure;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One connection.
pub struct Connection {
    sender: http2::SendRequest<Empty<Bytes>>,
    port: u16,
}

impl Connection {
    /// Connects to a server on this machine.
    ///
    /// # Errors
    /// The connection or its handshake fails.
    pub async fn open(authority: &Path, port: u16) -> anyhow::Result<Self> {
        let connector = TlsConnector::from(Arc::new(crate::tls(authority, "h2")?));
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let stream = connector
            .connect(ServerName::try_from("localhost")?, stream)
            .await?;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await?;
        tokio::spawn(connection);
        Ok(Self { sender, port })
    }

    /// Opens a stream of events; returns when its first frame has come.
    ///
    /// # Errors
    /// The answer is not 200.
    pub async fn subscribe(&mut self, path: &str) -> anyhow::Result<Incoming> {
        let uri = format!("https://localhost:{}{path}", self.port);
        let request = Request::get(uri).body(Empty::new())?;
        let mut body = self.sender.send_request(request).await?;
        ensure!(body.status() == 200, "{path}: {}", body.status());
        ensure!(body.body_mut().frame().await.is_some(), "{path} was closed");
        Ok(body.into_body())
    }
}
