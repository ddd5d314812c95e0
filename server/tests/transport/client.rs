//! One client for all three protocols, each on one connection.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Buf, Bytes};
use futures_util::stream;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use macula_server::conn::Protocol;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::server::Server;

pub const ALL: [Protocol; 3] = [Protocol::Http1, Protocol::Http2, Protocol::Http3];

type Outgoing = UnsyncBoxBody<Bytes, std::convert::Infallible>;
type H3Sender = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;

/// One connection.
pub enum Client {
    Http1(http1::SendRequest<Outgoing>),
    Http2(http2::SendRequest<Outgoing>),
    Http3 {
        sender: H3Sender,
        quic: quinn::Connection,
    },
}

/// A request whose body is written as the test likes; dropping `body` ends it.
pub struct Asking {
    pub body: mpsc::Sender<Frame<Bytes>>,
    answer: tokio::task::JoinHandle<Result<Answer, String>>,
}

/// A response that is read as the test likes.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Reading,
}

pub enum Reading {
    Hyper(Incoming),
    H3(h3::client::RequestStream<h3_quinn::RecvStream, Bytes>),
}

impl Client {
    pub async fn connect(server: &Server, protocol: Protocol) -> Self {
        Self::try_connect(server, protocol).await.unwrap()
    }

    pub async fn try_connect(server: &Server, protocol: Protocol) -> Result<Self, String> {
        match protocol {
            Protocol::Http1 => {
                let io = TokioIo::new(tls(server, b"http/1.1").await?);
                let (sender, connection) = http1::handshake(io).await.map_err(text)?;
                tokio::spawn(connection);
                Ok(Self::Http1(sender))
            }
            Protocol::Http2 => {
                let io = TokioIo::new(tls(server, b"h2").await?);
                let executor = TokioExecutor::new();
                let (sender, connection) = http2::handshake(executor, io).await.map_err(text)?;
                tokio::spawn(connection);
                Ok(Self::Http2(sender))
            }
            Protocol::Http3 => {
                let endpoint = endpoint(server);
                let connecting = endpoint
                    .connect(server.address, "localhost")
                    .map_err(text)?;
                Self::over(connecting.await.map_err(text)?).await
            }
        }
    }

    /// HTTP/3 over a connection that is there.
    pub async fn over(quic: quinn::Connection) -> Result<Self, String> {
        let connection = h3_quinn::Connection::new(quic.clone());
        let (mut driver, sender) = h3::client::new(connection).await.map_err(text)?;
        tokio::spawn(async move { driver.wait_idle().await });
        Ok(Self::Http3 { sender, quic })
    }

    pub fn quic(&self) -> &quinn::Connection {
        match self {
            Self::Http3 { quic, .. } => quic,
            _ => panic!("it is not on QUIC"),
        }
    }

    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Asking {
        let (body, frames) = mpsc::channel(4);
        let uri = match self {
            Self::Http1(_) => path.to_owned(),
            _ => format!("https://localhost{path}"),
        };
        let mut request = Request::builder().method(method).uri(uri);
        if let Self::Http1(_) = self {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match self {
            Self::Http1(sender) => {
                let answer = sender.send_request(request.body(outgoing(frames)).unwrap());
                tokio::spawn(async { answer.await.map(hyper_answer).map_err(text) })
            }
            Self::Http2(sender) => {
                let answer = sender.send_request(request.body(outgoing(frames)).unwrap());
                tokio::spawn(async { answer.await.map(hyper_answer).map_err(text) })
            }
            Self::Http3 { sender, .. } => {
                let sender = sender.clone();
                tokio::spawn(h3_answer(sender, request.body(()).unwrap(), frames))
            }
        };
        Asking { body, answer }
    }

    /// Asks for a WebTransport session; its status and stream.
    pub async fn connect_session(
        &mut self,
        path: &str,
    ) -> (
        StatusCode,
        h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>,
    ) {
        let Self::Http3 { sender, .. } = self else {
            panic!("it is not on QUIC");
        };
        let request = Request::builder()
            .method("CONNECT")
            .uri(format!("https://localhost{path}"))
            .extension(h3::ext::Protocol::WEB_TRANSPORT);
        let request = request.body(()).unwrap();
        let mut stream = sender.send_request(request).await.unwrap();
        let answer = stream.recv_response().await.unwrap();
        (answer.status(), stream)
    }

    /// Asks without a body.
    pub async fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.ask("GET", path, &[]).end().await
    }
}

impl Asking {
    pub async fn send(&self, data: &'static str) {
        let frame = Frame::data(Bytes::from(data));
        self.body.send(frame).await.unwrap();
    }

    /// What is answered, while the body stays open.
    pub async fn answer(&mut self) -> Result<Answer, String> {
        (&mut self.answer).await.unwrap()
    }

    /// Ends the body and waits for the answer.
    pub async fn end(self) -> Result<Answer, String> {
        drop(self.body);
        self.answer.await.unwrap()
    }
}

impl Answer {
    /// The next piece of the body; none at its end.
    pub async fn data(&mut self) -> Result<Option<Bytes>, String> {
        match &mut self.body {
            Reading::Hyper(body) => match body.frame().await {
                Some(Ok(frame)) => Ok(frame.into_data().ok()),
                Some(Err(error)) => Err(error.to_string()),
                None => Ok(None),
            },
            Reading::H3(stream) => {
                let data = stream.recv_data().await.map_err(text)?;
                Ok(data.map(|mut data| data.copy_to_bytes(data.remaining())))
            }
        }
    }

    /// The rest of the body, and its trailers.
    pub async fn rest(mut self) -> Result<(Vec<u8>, HeaderMap), String> {
        let mut all = Vec::new();
        if let Reading::Hyper(body) = self.body {
            let body = body.collect().await.map_err(text)?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            return Ok((body.to_bytes().to_vec(), trailers));
        }
        while let Some(data) = self.data().await? {
            all.extend_from_slice(&data);
        }
        let Reading::H3(mut stream) = self.body else {
            unreachable!("the other kind returned")
        };
        let trailers = stream.recv_trailers().await.map_err(text)?;
        Ok((all, trailers.unwrap_or_default()))
    }

    pub async fn text(self) -> Result<String, String> {
        let (body, _) = self.rest().await?;
        Ok(String::from_utf8(body).unwrap())
    }
}

/// A TLS connection that speaks this protocol.
pub async fn tls(server: &Server, alpn: &[u8]) -> Result<TlsStream<TcpStream>, String> {
    let tcp = TcpStream::connect(server.address).await.map_err(text)?;
    let connector = TlsConnector::from(Arc::new(config(server, alpn)));
    let name = ServerName::try_from("localhost").unwrap();
    connector.connect(name, tcp).await.map_err(text)
}

/// An endpoint that trusts the server, and sends early data when it resumes.
pub fn endpoint(server: &Server) -> quinn::Endpoint {
    let mut tls = config(server, b"h3");
    tls.enable_early_data = true;
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut endpoint = quinn::Endpoint::client(any).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
    endpoint
}

pub fn config(server: &Server, alpn: &[u8]) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(macula_server::tls::provider());
    let mut config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(server.roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

fn outgoing(frames: mpsc::Receiver<Frame<Bytes>>) -> Outgoing {
    let frames = stream::unfold(frames, |mut frames| async {
        frames.recv().await.map(|frame| (Ok(frame), frames))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

fn hyper_answer(response: http::Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: Reading::Hyper(body),
    }
}

async fn h3_answer(
    mut sender: H3Sender,
    request: Request<()>,
    mut frames: mpsc::Receiver<Frame<Bytes>>,
) -> Result<Answer, String> {
    let stream = sender.send_request(request).await.map_err(text)?;
    let (mut send, mut recv) = stream.split();
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            let sent = match frame.into_data() {
                Ok(data) => send.send_data(data).await,
                Err(frame) => send.send_trailers(frame.into_trailers().unwrap()).await,
            };
            if sent.is_err() {
                return;
            }
        }
        // The server may have stopped reading, which is for the test to see in the answer.
        let _ = send.finish().await;
    });
    let response = recv.recv_response().await.map_err(text)?;
    let (head, ()) = response.into_parts();
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: Reading::H3(recv),
    })
}

pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
