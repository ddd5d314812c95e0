//! WebSocket over TLS over TCP (RFC 6455).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use macula_proto::frame::{ClientFrame, Frame, GatewayFrame};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;

use super::{ENCODING, End, MAX_FRAME_BYTES, Reply, decode, failed};
use crate::{Error, config::Config, shared::Shared};

const PROTOCOL: &str = "macula.v1.msgpack";
/// Frames that are written together.
const BATCH: usize = 64;

type Stream = WebSocketStream<TlsStream<TcpStream>>;
type Sender = SplitSink<Stream, Message>;
type Receiver = SplitStream<Stream>;

/// An open WebSocket.
pub(crate) struct Socket {
    socket: Stream,
    patience: Duration,
}

impl Socket {
    pub(super) async fn open(config: &Config) -> Result<Self, Error> {
        let (host, port) = (config.host.as_str(), config.port);
        let bare = host.trim_matches(['[', ']']);
        let tcp = TcpStream::connect((bare, port)).await;
        let tcp = tcp.map_err(|error| failed("TCP")(&error))?;
        // It is only slower without.
        let _ = tcp.set_nodelay(true);
        let name = ServerName::try_from(bare.to_owned());
        let name = name.map_err(|error| Error::Invalid(error.to_string()))?;
        let tls = TlsConnector::from(Arc::new(config.trust.tls(b"http/1.1")?));
        let tls = tls.connect(name, tcp).await;
        let tls = tls.map_err(|error| failed("TLS")(&error))?;
        let url = format!("wss://{host}:{port}/v1/connect");
        let request = url.into_client_request();
        let mut request = request.map_err(|error| Error::Invalid(error.to_string()))?;
        let protocol = HeaderValue::from_static(PROTOCOL);
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        let bounds = WebSocketConfig::default()
            .max_frame_size(Some(MAX_FRAME_BYTES))
            .max_message_size(Some(MAX_FRAME_BYTES));
        let opened = tokio_tungstenite::client_async_with_config(request, tls, Some(bounds));
        match opened.await {
            Ok((socket, _)) => Ok(Self {
                socket,
                patience: config.patience,
            }),
            Err(WsError::Http(response)) => Err(refused(response.body().as_deref())),
            Err(error) => Err(failed("WebSocket")(&error)),
        }
    }

    /// Says a frame and hears the next.
    pub(super) async fn ask(&mut self, frame: Bytes) -> Result<GatewayFrame, Error> {
        let said = self.socket.send(Message::Binary(frame)).await;
        said.map_err(|error| failed("WebSocket")(&error))?;
        while let Some(Ok(message)) = self.socket.next().await {
            if let Message::Binary(frame) = message {
                return decode(&frame);
            }
        }
        Err(failed("WebSocket")(&"closed before `welcome`"))
    }

    pub(super) async fn run(
        self,
        outgoing: mpsc::Receiver<ClientFrame>,
        shared: &Arc<Shared>,
        closing: &CancellationToken,
    ) -> End {
        let (sender, receiver) = self.socket.split();
        let heard = Mutex::new(Instant::now());
        tokio::select! {
            // What has come is read before anything is written, so that the answers go out together.
            biased;
            end = read(receiver, shared, &heard) => end,
            end = write(sender, outgoing, closing, self.patience, &heard) => end,
        }
    }
}

/// Takes what the gateway says.
async fn read(mut receiver: Receiver, shared: &Arc<Shared>, heard: &Mutex<Instant>) -> End {
    let link = shared.link();
    while let Some(Ok(message)) = receiver.next().await {
        *heard.lock() = Instant::now();
        match message {
            Message::Binary(frame) => match decode(&frame) {
                Ok(frame) => {
                    if let Some((invoke, handler)) = shared.heard(frame)
                        && let Some(link) = &link
                    {
                        shared.answer(invoke, handler, Reply::Link(Arc::clone(link)));
                    }
                }
                // A later gateway may say what this client does not know.
                Err(error) => tracing::debug!(%error, "a frame is passed over"),
            },
            Message::Close(_) => break,
            _ => {}
        }
    }
    End::Lost
}

/// Says what there is to say, and asks from time to time whether the gateway is there.
async fn write(
    mut sender: Sender,
    mut outgoing: mpsc::Receiver<ClientFrame>,
    closing: &CancellationToken,
    patience: Duration,
    heard: &Mutex<Instant>,
) -> End {
    let mut batch = Vec::new();
    let mut pings = interval(patience / 3);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = outgoing.recv_many(&mut batch, BATCH) => {
                // Others that are ready go first: what they say goes out with this.
                yield_now().await;
                while batch.len() < BATCH && let Ok(frame) = outgoing.try_recv() {
                    batch.push(frame);
                }
                for frame in batch.drain(..) {
                    let message = Message::Binary(frame.encode(ENCODING));
                    if sender.feed(message).await.is_err() {
                        return End::Lost;
                    }
                }
                if sender.flush().await.is_err() {
                    return End::Lost;
                }
            }
            _ = pings.tick() => {
                let asked = sender.send(Message::Ping(Bytes::new())).await;
                if asked.is_err() || heard.lock().elapsed() > patience {
                    return End::Lost;
                }
            }
            () = closing.cancelled() => {
                let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                // A gateway that does not take it notices the end of the connection.
                let _ = sender.send(Message::Close(Some(close))).await;
                return End::Closing;
            }
        }
    }
}

/// The problem of a refused handshake.
fn refused(body: Option<&[u8]>) -> Error {
    let report = body.and_then(|body| serde_json::from_slice(body).ok());
    report.map_or_else(|| failed("WebSocket")(&"refused"), Error::Problem)
}
