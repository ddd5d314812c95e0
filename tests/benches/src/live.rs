//! A client of live sessions that costs little: MessagePack, and nothing kept of what was said.

use std::{net::UdpSocket, path::Path, sync::Arc};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, stream::FuturesUnordered};
use macula_proto::{
    Encoding, Limits, MediaType, Overflow, Pattern, Payload, Procedure, Topic,
    frame::{
        Call, CallResult, ClientFrame, Flag, Frame, GatewayFrame, Hello, Invoke, Publish, Returned,
        Serve, Subscribe, Welcome,
        stream::{Splitter, put_frame},
    },
};
use rustls::{ClientConfig, pki_types::ServerName};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use wtransport::{Connection, Endpoint, RecvStream, SendStream, endpoint::endpoint_side};

use crate::load::{Load, Round};

const ENCODING: Encoding = Encoding::MsgPack;
const URL: &str = "wss://localhost/v1/connect";
/// What a client reads at a time.
const READ_BYTES: usize = 4 << 10;
/// What may wait in the socket of all WebTransport sessions.
const UDP_BUFFER_BYTES: usize = 4 << 20;
/// The longest frame that is expected.
const FRAME_BYTES: usize = 64 << 10;

/// What a session is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// WebSocket over HTTP/1.1.
    WebSocket,
    /// WebTransport.
    WebTransport,
}

/// Connects to one node.
pub struct Client {
    tls: Arc<ClientConfig>,
    endpoint: Endpoint<endpoint_side::Client>,
    port: u16,
}

/// A session.
pub enum Session {
    /// On a WebSocket.
    WebSocket(Box<WebSocketStream<TlsStream<TcpStream>>>),
    /// On WebTransport, with its control stream.
    WebTransport(Connection, SendStream, Frames),
}

/// The frames that come on a stream.
pub struct Frames {
    recv: RecvStream,
    splitter: Splitter,
}

/// A socket for many connections at once, which in life would be as many clients: what comes for all of
/// them has to find room.
fn socket() -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    SockRef::from(&socket).set_recv_buffer_size(UDP_BUFFER_BYTES)?;
    Ok(socket)
}

impl Client {
    /// For a node on this machine.
    ///
    /// # Errors
    /// The authority is no certificate, or there is no socket.
    pub fn new(authority: &Path, port: u16) -> anyhow::Result<Self> {
        let config = wtransport::ClientConfig::builder()
            .with_bind_socket(socket()?)
            .with_custom_tls(crate::tls(authority, "h3")?)
            .build();
        Ok(Self {
            tls: Arc::new(crate::tls(authority, "http/1.1")?),
            endpoint: Endpoint::client(config)?,
            port,
        })
    }

    /// Opens a session in the open realm.
    ///
    /// # Errors
    /// The connection fails, or the gateway does not welcome it.
    pub async fn open(&self, carrier: Carrier) -> anyhow::Result<Session> {
        let hello = Hello {
            token: None,
            realm: None,
            subject: None,
            resume: None,
        };
        Ok(self.open_with(carrier, hello).await?.0)
    }

    /// Opens or resumes a session.
    ///
    /// # Errors
    /// The connection fails, or the gateway does not welcome it.
    pub async fn open_with(
        &self,
        carrier: Carrier,
        hello: Hello,
    ) -> anyhow::Result<(Session, Welcome)> {
        let mut session = match carrier {
            Carrier::WebSocket => self.websocket().await?,
            Carrier::WebTransport => {
                let url = format!("https://127.0.0.1:{}/v1/connect", self.port);
                let connection = self.endpoint.connect(url).await?;
                let (send, recv) = connection.open_bi().await?.await?;
                Session::WebTransport(connection, send, Frames::new(recv))
            }
        };
        match session.ask(hello.into()).await? {
            GatewayFrame::Welcome(welcome) => Ok((session, welcome)),
            other => bail!("expected `welcome`, found {other:?}"),
        }
    }

    async fn websocket(&self) -> anyhow::Result<Session> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector
            .connect(ServerName::try_from("localhost")?, stream)
            .await?;
        let (socket, _) = tokio_tungstenite::client_async(URL, stream).await?;
        Ok(Session::WebSocket(Box::new(socket)))
    }
}

impl Session {
    /// Says a frame on the control stream or the WebSocket, and hears the next.
    ///
    /// # Errors
    /// The transport has ended.
    pub async fn ask(&mut self, frame: ClientFrame) -> anyhow::Result<GatewayFrame> {
        match self {
            Self::WebSocket(socket) => {
                socket.send(Message::binary(frame.encode(ENCODING))).await?;
            }
            Self::WebTransport(_, send, _) => write(send, &frame).await?,
        }
        self.hear().await
    }

    /// The next frame on the control stream or the WebSocket.
    ///
    /// # Errors
    /// The transport has ended.
    pub async fn hear(&mut self) -> anyhow::Result<GatewayFrame> {
        match self {
            Self::WebSocket(socket) => hear(socket).await,
            Self::WebTransport(_, _, frames) => frames.next().await,
        }
    }

    /// Loses the transport, without a word of the session's end.
    pub fn cut(self) {
        if let Self::WebTransport(connection, ..) = &self {
            connection.close(1_u32.into(), b"");
        }
    }

    /// Serves a procedure that gives its argument back, until the session ends.
    ///
    /// # Errors
    /// It is not served, or the transport has ended.
    pub async fn serve(mut self, procedure: &str) -> anyhow::Result<()> {
        let serve = Serve {
            id: 1,
            realm: None,
            procedure: Procedure::parse(procedure)?,
            policy: None,
            concurrency: None,
            description: None,
            argument_schema: None,
            result_schema: None,
        };
        let served = self.ask(serve.into()).await?;
        ensure!(matches!(served, GatewayFrame::Served(_)), "{served:?}");
        match self {
            Self::WebSocket(mut socket) => loop {
                let GatewayFrame::Invoke(invoke) = hear(&mut socket).await? else {
                    continue;
                };
                socket
                    .feed(Message::binary(returned(invoke).encode(ENCODING)))
                    .await?;
                socket.flush().await?;
            },
            Self::WebTransport(connection, _send, _recv) => loop {
                let (mut send, recv) = connection.accept_bi().await?;
                tokio::spawn(async move {
                    if let GatewayFrame::Invoke(invoke) = read(recv).await? {
                        write(&mut send, &returned(invoke)).await?;
                        // It would wait until all of it is acknowledged.
                        let _ = send.finish().now_or_never();
                    }
                    anyhow::Ok(())
                });
            },
        }
    }

    /// Calls a procedure again and again, with so many calls in flight, as long as it is said; how many
    /// results came.
    ///
    /// # Errors
    /// A call fails.
    pub async fn call(
        self,
        procedure: &str,
        in_flight: u64,
        go_on: impl Fn() -> bool,
    ) -> anyhow::Result<usize> {
        self.call_and(procedure, in_flight, go_on, result).await
    }

    /// The same, with any answers that `check` takes.
    ///
    /// # Errors
    /// `check` takes an answer for a failure, or the transport has ended.
    pub async fn call_and(
        self,
        procedure: &str,
        in_flight: u64,
        go_on: impl Fn() -> bool,
        check: fn(GatewayFrame) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let procedure = Procedure::parse(procedure)?;
        let call = |id| called(id, procedure.clone());
        let mut done = 0;
        match self {
            Self::WebSocket(mut socket) => {
                for id in 0..in_flight {
                    socket
                        .feed(Message::binary(call(id).encode(ENCODING)))
                        .await?;
                }
                socket.flush().await?;
                let mut next = in_flight;
                let mut left = in_flight;
                while left > 0 {
                    check(hear(&mut socket).await?)?;
                    done += 1;
                    if go_on() {
                        socket
                            .send(Message::binary(call(next).encode(ENCODING)))
                            .await?;
                        next += 1;
                    } else {
                        left -= 1;
                    }
                }
            }
            Self::WebTransport(connection, _send, _recv) => {
                let next = std::sync::atomic::AtomicU64::new(0);
                let one = async || {
                    let mut done = 0;
                    while go_on() {
                        let id = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let (mut send, recv) = connection.open_bi().await?.await?;
                        write(&mut send, &call(id)).await?;
                        // It would wait until all of it is acknowledged.
                        let _ = send.finish().now_or_never();
                        check(read(recv).await?)?;
                        done += 1;
                    }
                    anyhow::Ok(done)
                };
                let mut all: FuturesUnordered<_> = (0..in_flight).map(|_| one()).collect();
                while let Some(count) = all.next().await {
                    done += count?;
                }
            }
        }
        Ok(done)
    }
}

/// Publishes by one session what another reads, both on WebSockets: `many` events in one write, and none
/// acknowledged.
///
/// # Errors
/// An event is lost or comes twice, or a session has ended or is on WebTransport.
pub async fn events(
    (publisher, mut reader): (Session, Session),
    load: &Load,
    many: usize,
) -> anyhow::Result<Round> {
    let subscribe = Subscribe {
        id: 1,
        realm: None,
        pattern: Pattern::parse(load.topic)?,
        replay: None,
        after: None,
        overflow: Some(Overflow::DropOldest),
        delivery: None,
    };
    let subscribed = reader.ask(subscribe.into()).await?;
    ensure!(
        matches!(subscribed, GatewayFrame::Subscribed(_)),
        "{subscribed:?}"
    );
    let (window, mut seen) = load.begin();
    let ours = load.clone();
    let publishing = tokio::spawn(async move {
        let Session::WebSocket(mut socket) = publisher else {
            bail!("expected a WebSocket");
        };
        let topic = Topic::parse(ours.topic)?;
        for piece in ours.pieces(many) {
            let wanted = u32::try_from(piece.end - piece.start)?;
            window.acquire_many(wanted).await?.forget();
            for n in piece {
                let frame = published(topic.clone(), (ours.body.write)(n)?);
                socket.feed(Message::binary(frame.encode(ENCODING))).await?;
            }
            socket.flush().await?;
        }
        // The other side goes on until all has come.
        Ok(socket)
    });
    let reading = async {
        while seen.left() > 0 {
            match seen.next(reader.hear().map(Some)).await?? {
                GatewayFrame::EventFrame(event) => seen.add(&event.event.payload)?,
                other => bail!("expected an event, found {other:?}"),
            }
        }
        Ok(())
    };
    let (_publisher, ()) = tokio::try_join!(async { publishing.await? }, reading)?;
    Ok(seen.over())
}

fn published(topic: Topic, bytes: Bytes) -> ClientFrame {
    let payload = Payload {
        content_type: MediaType::MSGPACK,
        bytes,
    };
    Publish {
        id: None,
        realm: None,
        topic,
        idempotency_key: None,
        headers: Vec::new(),
        payload,
    }
    .into()
}

/// A call with a small argument.
#[must_use]
pub fn called(id: u64, procedure: Procedure) -> ClientFrame {
    let call = Call {
        id,
        realm: None,
        procedure,
        timeout_ms: None,
        progress: Flag(false),
        idempotency_key: None,
        headers: Vec::new(),
        // [1, 2] in MessagePack.
        argument: Payload {
            content_type: MediaType::MSGPACK,
            bytes: Bytes::from_static(&[0x92, 1, 2]),
        },
    };
    call.into()
}

fn returned(invoke: Invoke) -> ClientFrame {
    let payload = invoke.argument;
    Returned {
        id: invoke.id,
        payload,
    }
    .into()
}

/// Checks that a call has its argument for a result.
///
/// # Errors
/// It has not.
pub fn result(frame: GatewayFrame) -> anyhow::Result<()> {
    match frame {
        GatewayFrame::CallResult(CallResult { payload, .. }) if payload.bytes.len() == 3 => Ok(()),
        other => bail!("expected a result of three bytes, found {other:?}"),
    }
}

async fn hear(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> anyhow::Result<GatewayFrame> {
    loop {
        if let Message::Binary(frame) = socket.next().await.context("the end")?? {
            return decode(&frame);
        }
    }
}

async fn write(send: &mut SendStream, frame: &ClientFrame) -> anyhow::Result<()> {
    let mut bytes = Vec::with_capacity(64);
    put_frame(&mut bytes, &frame.encode(ENCODING));
    Ok(send.write_all(&bytes).await?)
}

async fn read(recv: RecvStream) -> anyhow::Result<GatewayFrame> {
    Frames::new(recv).next().await
}

impl Frames {
    fn new(recv: RecvStream) -> Self {
        let splitter = Splitter::new(FRAME_BYTES);
        Self { recv, splitter }
    }

    async fn next(&mut self) -> anyhow::Result<GatewayFrame> {
        let mut piece = [0; READ_BYTES];
        loop {
            if let Some(frame) = self.splitter.next_frame()? {
                return decode(&frame);
            }
            let len = self.recv.read(&mut piece).await?.context("the end")?;
            self.splitter.push(&piece[..len]);
        }
    }
}

fn decode(frame: &[u8]) -> anyhow::Result<GatewayFrame> {
    Ok(GatewayFrame::decode(frame, ENCODING, &Limits::default())?)
}
