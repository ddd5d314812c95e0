//! One client for all transports. It speaks JSON, so that tests read as the protocol does.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Version, header::SEC_WEBSOCKET_PROTOCOL};
use http_body_util::Empty;
use hyper::{client::conn::http2, ext::Protocol, upgrade};
use hyper_util::rt::{TokioExecutor, TokioIo};
use macula_proto::frame::stream::{Splitter, put_frame};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Duration, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::Role},
};

use crate::node::{Node, soon};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// WebSocket over HTTP/1.1.
    WebSocket1,
    /// WebSocket over HTTP/2.
    WebSocket2,
    WebTransport,
}

pub const ALL: [Carrier; 3] = [
    Carrier::WebSocket1,
    Carrier::WebSocket2,
    Carrier::WebTransport,
];

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

enum Wire {
    WebSocket(WebSocketStream<Box<dyn Io>>),
    WebTransport {
        send: wtransport::SendStream,
        recv: wtransport::RecvStream,
        splitter: Splitter,
    },
}

/// How a transport ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Code(u16, String),
    /// With a code that the client does not tell.
    Untold,
    Broken,
}

pub struct Client {
    wire: Wire,
    /// There on WebTransport.
    pub connection: Option<wtransport::Connection>,
}

async fn tcp(node: &Node, alpn: &[u8]) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(node.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = TlsConnector::from(Arc::new(node.tls(alpn)));
    soon(tls.connect(name, tcp)).await.unwrap()
}

impl Client {
    /// Connects, and says nothing yet.
    pub async fn connect(node: &Node, transport: Carrier) -> Self {
        match transport {
            Carrier::WebSocket1 => Self::websocket(node, Some("macula.v1.json")).await.unwrap(),
            Carrier::WebSocket2 => Self::websocket2(node).await,
            Carrier::WebTransport => Self::webtransport(node).await,
        }
    }

    pub async fn websocket(node: &Node, protocol: Option<&'static str>) -> Result<Self, Error> {
        let mut request = "wss://localhost/v1/connect".into_client_request().unwrap();
        if let Some(protocol) = protocol {
            let protocol = http::HeaderValue::from_static(protocol);
            request
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let io: Box<dyn Io> = Box::new(tcp(node, b"http/1.1").await);
        let opening = tokio_tungstenite::client_async(request, io);
        let (socket, _) = soon(opening).await?;
        Ok(Self {
            wire: Wire::WebSocket(socket),
            connection: None,
        })
    }

    async fn websocket2(node: &Node) -> Self {
        let io = TokioIo::new(tcp(node, b"h2").await);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (mut sender, connection) = soon(handshake).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(Method::CONNECT)
            .version(Version::HTTP_2)
            .uri("https://localhost/v1/connect")
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "macula.v1.json");
        let asked = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap());
        let response = soon(asked).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "macula.v1.json");
        let io = TokioIo::new(upgrade::on(response).await.unwrap());
        let io: Box<dyn Io> = Box::new(io);
        let socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        Self {
            wire: Wire::WebSocket(socket),
            connection: None,
        }
    }

    async fn webtransport(node: &Node) -> Self {
        let config = wtransport::ClientConfig::builder()
            .with_bind_default()
            .with_custom_tls(node.tls(b"h3"))
            .build();
        let endpoint = wtransport::Endpoint::client(config).unwrap();
        let url = format!("https://127.0.0.1:{}/v1/connect", node.address.port());
        let connection = soon(endpoint.connect(url)).await.unwrap();
        let (send, recv) = connection.open_bi().await.unwrap().await.unwrap();
        Self {
            wire: Wire::WebTransport {
                send,
                recv,
                splitter: Splitter::new(4 << 20),
            },
            connection: Some(connection),
        }
    }

    /// Connects and opens a session in the open realm; `welcome` comes with it.
    pub async fn open(node: &Node, transport: Carrier) -> (Self, Value) {
        let mut client = Self::connect(node, transport).await;
        let welcome = client.ask(json!({"type": "hello"})).await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (client, welcome)
    }

    /// Comes back to a session; `welcome` comes with it.
    pub async fn back(
        node: &Node,
        transport: Carrier,
        welcome: &Value,
        resume: Value,
    ) -> (Self, Value) {
        let mut client = Self::connect(node, transport).await;
        let mut resume = resume;
        resume["session"] = welcome["session"].clone();
        let hello = json!({"type": "hello", "token": welcome["token"], "resume": resume});
        let welcome = client.ask(hello).await;
        (client, welcome)
    }

    pub async fn say(&mut self, frame: Value) {
        self.say_text(frame.to_string()).await;
    }

    pub async fn say_text(&mut self, text: String) {
        match &mut self.wire {
            Wire::WebSocket(socket) => socket.send(Message::text(text)).await.unwrap(),
            Wire::WebTransport { send, .. } => {
                let mut bytes = Vec::new();
                put_frame(&mut bytes, text.as_bytes());
                send.write_all(&bytes).await.unwrap();
            }
        }
    }

    /// Sends bytes as they are: a message, or on the control stream.
    pub async fn say_bytes(&mut self, bytes: Vec<u8>) {
        match &mut self.wire {
            Wire::WebSocket(socket) => socket.send(Message::binary(bytes)).await.unwrap(),
            Wire::WebTransport { send, .. } => send.write_all(&bytes).await.unwrap(),
        }
    }

    /// The next frame.
    pub async fn hear(&mut self) -> Value {
        soon(self.next()).await.expect("the transport has ended")
    }

    /// Whether nothing is said for a moment.
    pub async fn hears_nothing(&mut self) -> bool {
        timeout(Duration::from_millis(150), self.next())
            .await
            .is_err()
    }

    /// Says and hears.
    pub async fn ask(&mut self, frame: Value) -> Value {
        self.say(frame).await;
        self.hear().await
    }

    /// The next frame, or the end.
    async fn next(&mut self) -> Result<Value, End> {
        match &mut self.wire {
            Wire::WebSocket(socket) => loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Ok(serde_json::from_str(&text).unwrap());
                    }
                    Some(Ok(Message::Binary(bytes))) => {
                        return Ok(rmp_serde::from_slice(&bytes).unwrap());
                    }
                    Some(Ok(Message::Close(Some(close)))) => {
                        return Err(End::Code(close.code.into(), close.reason.to_string()));
                    }
                    Some(Ok(Message::Close(None)) | Err(_)) | None => {
                        return Err(End::Broken);
                    }
                    Some(Ok(_)) => {}
                }
            },
            Wire::WebTransport { recv, splitter, .. } => loop {
                if let Some(frame) = splitter.next_frame().unwrap() {
                    return Ok(match frame[0] {
                        b'{' => serde_json::from_slice(&frame).unwrap(),
                        _ => rmp_serde::from_slice(&frame).unwrap(),
                    });
                }
                let mut piece = [0; 4096];
                match recv.read(&mut piece).await {
                    Ok(Some(len)) => splitter.push(&piece[..len]),
                    Ok(None) | Err(_) => {
                        let connection = self.connection.as_ref().unwrap();
                        connection.closed().await;
                        // This client does not tell the code.
                        return Err(End::Untold);
                    }
                }
            },
        }
    }

    /// Reads on until the end.
    pub async fn end(&mut self) -> End {
        let end = async {
            loop {
                if let Err(end) = self.next().await {
                    return end;
                }
            }
        };
        soon(end).await
    }

    /// Reads on until the end, which has this code and reason.
    pub async fn ends_with(&mut self, code: u16, reason: &str) {
        match self.end().await {
            End::Untold => {}
            end => assert_eq!(end, End::Code(code, reason.to_owned())),
        }
    }

    /// Goes, and says so.
    pub async fn close(mut self) {
        match &mut self.wire {
            Wire::WebSocket(socket) => socket
                .close(Some(tokio_tungstenite::tungstenite::protocol::CloseFrame {
                    code: 1000.into(),
                    reason: "".into(),
                }))
                .await
                .unwrap(),
            Wire::WebTransport { send, .. } => send.finish().await.unwrap(),
        }
        self.end().await;
    }

    /// Loses the transport.
    pub fn cut(mut self) {
        // To drop a stream would end it, as if it were meant.
        if let Some(connection) = self.connection.take() {
            connection.close(wtransport::VarInt::from_u32(1), b"");
        }
    }
}

/// An invocation: on a stream of its own, or among all other frames.
pub struct Invoked {
    pub frame: Value,
    stream: Option<(wtransport::SendStream, wtransport::RecvStream)>,
}

impl Client {
    /// The next invocation.
    pub async fn invoked(&mut self) -> Invoked {
        let Some(connection) = &self.connection else {
            let frame = self.hear().await;
            return Invoked {
                frame,
                stream: None,
            };
        };
        let (send, mut recv) = soon(connection.accept_bi()).await.unwrap();
        let frame = soon(read_frame(&mut recv)).await.unwrap();
        Invoked {
            frame,
            stream: Some((send, recv)),
        }
    }
}

impl Invoked {
    /// Answers where it was asked.
    pub async fn answer(&mut self, client: &mut Client, answer: Value) {
        match &mut self.stream {
            None => client.say(answer).await,
            Some((send, _)) => write_frame(send, &answer).await,
        }
    }

    /// Waits until it is told that no answer is wanted.
    pub async fn revoked(self, client: &mut Client) {
        match self.stream {
            None => {
                let id = &self.frame["id"];
                assert_eq!(client.hear().await, json!({"type": "cancel", "id": id}));
            }
            Some((_, mut recv)) => {
                let read = soon(recv.read(&mut [0; 1])).await;
                let reset = matches!(read, Err(wtransport::error::StreamReadError::Reset(_)));
                assert!(reset, "{read:?}");
            }
        }
    }
}

/// Writes a frame with its length.
pub async fn write_frame(send: &mut wtransport::SendStream, frame: &Value) {
    let mut bytes = Vec::new();
    put_frame(&mut bytes, frame.to_string().as_bytes());
    send.write_all(&bytes).await.unwrap();
}

/// The next frame of a stream; none when it ends.
pub async fn read_frame(recv: &mut wtransport::RecvStream) -> Option<Value> {
    let mut head = [0; 2];
    recv.read_exact(&mut head[..1]).await.ok()?;
    let length = match head[0] >> 6 {
        0 => usize::from(head[0]),
        _ => {
            recv.read_exact(&mut head[1..]).await.ok()?;
            usize::from(u16::from_be_bytes(head) & 0x3FFF)
        }
    };
    let mut frame = vec![0; length];
    recv.read_exact(&mut frame).await.ok()?;
    Some(serde_json::from_slice(&frame).unwrap())
}
