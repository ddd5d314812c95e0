//! What each stage of `macula doctor` does. A probe keeps what the next ones need.

use std::{fmt::Display, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use macula_client::{Connect, Mesh, Transport, Trust};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509_parser::parse_x509_certificate;

use crate::commands::{failure::Failure, remote::Remote};

/// A node, and how far the way to it is known.
pub(super) struct Target {
    host: String,
    port: u16,
    trust: Trust,
    connect: Connect,
    addresses: Vec<SocketAddr>,
    tcp: Option<TcpStream>,
    tls: Option<TlsStream<TcpStream>>,
    quic: Option<quinn::Connection>,
}

fn text(error: impl Display) -> String {
    error.to_string()
}

impl Target {
    pub(super) fn new(remote: &Remote) -> Result<Self, Failure> {
        let expected = || {
            Failure::Usage(format!(
                "expected https://HOST[:PORT], found {}",
                remote.url
            ))
        };
        let uri: Uri = remote.url.parse().map_err(|_| expected())?;
        let host = uri.host().ok_or_else(expected)?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(443),
            trust: remote.trust()?,
            connect: remote.session(None)?,
            addresses: Vec::new(),
            tcp: None,
            tls: None,
            quic: None,
        })
    }

    pub(super) async fn resolve(&mut self) -> Result<String, String> {
        let found = lookup_host((self.host.as_str(), self.port)).await;
        self.addresses = found.map_err(text)?.collect();
        let all: Vec<_> = self.addresses.iter().map(|a| a.ip().to_string()).collect();
        match all.is_empty() {
            true => Err("no address".to_owned()),
            false => Ok(all.join(", ")),
        }
    }

    pub(super) async fn tcp(&mut self) -> Result<String, String> {
        let stream = TcpStream::connect(&self.addresses[..])
            .await
            .map_err(text)?;
        let peer = stream.peer_addr().map_err(text)?;
        self.tcp = Some(stream);
        Ok(format!("connected to {peer}"))
    }

    pub(super) async fn tls(&mut self) -> Result<String, String> {
        let tcp = self.tcp.take().ok_or("no connection")?;
        let config = self.trust.tls(b"h2").map_err(text)?;
        let name = ServerName::try_from(self.host.clone()).map_err(text)?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await;
        let stream = stream.map_err(text)?;
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let until = certificate.and_then(|certificate| {
            let (_, certificate) = parse_x509_certificate(certificate).ok()?;
            Some(certificate.validity().not_after.to_string())
        });
        let found = format!(
            "{:?}, certificate until {}",
            session.protocol_version().ok_or("no version")?,
            until.unwrap_or_default()
        );
        self.tls = Some(stream);
        Ok(found)
    }

    pub(super) async fn http2(&mut self) -> Result<String, String> {
        let tls = self.tls.take().ok_or("no connection")?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("the node does not agree on HTTP/2".to_owned());
        }
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await;
        let (mut sender, connection) = handshake.map_err(text)?;
        tokio::spawn(connection);
        let response = sender.send_request(self.request()?.map(|()| Empty::<Bytes>::new()));
        status(response.await.map_err(text)?.status())
    }

    pub(super) async fn quic(&mut self) -> Result<String, String> {
        let tls = self.trust.tls(b"h3").map_err(text)?;
        let crypto = Arc::new(QuicClientConfig::try_from(tls).map_err(text)?);
        let mut last = "no address".to_owned();
        for address in &self.addresses {
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
            };
            let mut endpoint = quinn::Endpoint::client(any).map_err(text)?;
            let client = quinn::ClientConfig::new(Arc::clone(&crypto) as _);
            endpoint.set_default_client_config(client);
            let connecting = endpoint.connect(*address, &self.host).map_err(text)?;
            match connecting.await {
                Ok(connection) => {
                    let rtt = connection.rtt().as_secs_f64() * 1e3;
                    self.quic = Some(connection);
                    return Ok(format!("QUIC with {address}, round trip {rtt:.1} ms"));
                }
                Err(error) => last = text(error),
            }
        }
        Err(last)
    }

    pub(super) async fn http3(&mut self) -> Result<String, String> {
        let connection = h3_quinn::Connection::new(self.quic.take().ok_or("no connection")?);
        let (mut driver, mut sender) = h3::client::new(connection).await.map_err(text)?;
        tokio::spawn(async move { driver.wait_idle().await });
        let mut stream = sender.send_request(self.request()?).await.map_err(text)?;
        stream.finish().await.map_err(text)?;
        status(stream.recv_response().await.map_err(text)?.status())
    }

    pub(super) async fn live(&mut self, transport: Transport) -> Result<String, String> {
        let mesh = self.connect.clone().transports([transport]).await;
        match mesh {
            Ok(mesh) => {
                mesh.close().await;
                Ok("a session was opened".to_owned())
            }
            // The transport is there; that the session is refused is told in its own stage.
            Err(error) if error.code().is_some() => Ok("it is there".to_owned()),
            Err(error) => Err(text(error)),
        }
    }

    pub(super) async fn session(&mut self) -> Result<String, String> {
        let mesh = self.connect.clone().await.map_err(text)?;
        let echo: Value = mesh.call("system.echo", &"hello").await.map_err(text)?;
        let found = match echo == "hello" {
            true => Ok(self.found(&mesh)),
            false => Err(format!("expected an echo of \"hello\", found {echo}")),
        };
        mesh.close().await;
        found
    }

    fn found(&self, mesh: &Mesh) -> String {
        let welcome = mesh.welcome();
        let (node, realm, subject) = (welcome.node, welcome.realm, welcome.subject);
        format!("{subject} in realm {realm} at node {node}")
    }

    fn request(&self) -> Result<Request<()>, String> {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        let uri = format!("https://{host}:{}/healthz", self.port);
        Request::get(uri).body(()).map_err(text)
    }
}

fn status(status: StatusCode) -> Result<String, String> {
    match status {
        StatusCode::OK => Ok("/healthz answers 200".to_owned()),
        other => Err(format!("/healthz answers {other}")),
    }
}
