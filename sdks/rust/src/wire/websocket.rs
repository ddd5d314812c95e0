//! WebSocket over TLS over TCP (RFC 6455).

use std::{future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL},
};
use macula_proto::{
    Encoding,
    frame::{ClientFrame, Frame, GatewayFrame},
};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message, Utf8Bytes,
        client::IntoClientRequest,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;

use super::{End, FAREWELL, Link, MAX_FRAME_BYTES, Refused, Reply, decode, failed};
use crate::{Error, config::Config, shared::Shared};

/// Frames that are written together.
const BATCH: usize = 64;

/// What is read of the socket at a time: as much as a record of TLS holds. All of it is cleared before each read.
const READ_BUFFER_BYTES: usize = 16 << 10;

type Stream = WebSocketStream<TlsStream<TcpStream>>;
type Sender = SplitSink<Stream, Message>;
type Receiver = SplitStream<Stream>;

/// An open WebSocket.
pub(crate) struct Socket {
    socket: Stream,
    encoding: Encoding,
    patience: Duration,
}

impl Socket {
    pub(super) async fn open(config: &Config) -> Result<Self, Refused> {
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
        let protocol = HeaderValue::from_static(match config.encoding {
            Encoding::MsgPack => "macula.v1.msgpack",
            Encoding::Json => "macula.v1.json",
        });
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        let bounds = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_frame_size(Some(MAX_FRAME_BYTES))
            .max_message_size(Some(MAX_FRAME_BYTES));
        let opened = tokio_tungstenite::client_async_with_config(request, tls, Some(bounds));
        match opened.await {
            Ok((socket, _)) => Ok(Self {
                socket,
                encoding: config.encoding,
                patience: config.patience,
            }),
            Err(WsError::Http(response)) => {
                let (head, body) = response.into_parts();
                Err(refused(head.status, &head.headers, body.as_deref()))
            }
            Err(error) => Err(failed("WebSocket")(&error).into()),
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Says a frame and hears the next.
    pub(super) async fn ask(&mut self, frame: Bytes) -> Result<GatewayFrame, Error> {
        let said = self.socket.send(message(frame, self.encoding)).await;
        said.map_err(|error| failed("WebSocket")(&error))?;
        while let Some(Ok(message)) = self.socket.next().await {
            if let Some(frame) = frame_of(&message) {
                return decode(frame, self.encoding);
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
        let Some(link) = shared.link() else {
            return End::Lost;
        };
        let (sender, receiver) = self.socket.split();
        let mut writing = Writing {
            sender,
            encoding: self.encoding,
            patience: self.patience,
        };
        let times = Times::new();
        tokio::select! {
            // What has come is read before anything is written, so that the answers go out together.
            biased;
            () = read(receiver, self.encoding, shared, &link, &times) => {}
            () = writing.run(outgoing, closing, &times) => {}
            () = times.silence(self.patience) => {}
        }
        match closing.is_cancelled() {
            true => End::Closing,
            false => End::Lost,
        }
    }
}

/// When the gateway was heard last, and when it was asked last whether it is there.
struct Times(Mutex<Heard>);

struct Heard {
    last: Instant,
    asked: Option<Instant>,
}

impl Times {
    fn new() -> Self {
        Self(Mutex::new(Heard {
            last: Instant::now(),
            asked: None,
        }))
    }

    fn heard(&self) {
        self.0.lock().last = Instant::now();
    }

    fn ask(&self) {
        self.0.lock().asked = Some(Instant::now());
    }

    /// How long it took to answer.
    fn answered(&self) -> Option<Duration> {
        Some(self.0.lock().asked.take()?.elapsed())
    }

    /// Ends when nothing was heard for so long.
    async fn silence(&self, patience: Duration) {
        loop {
            let end = self.0.lock().last + patience;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// Takes what the gateway says, until it says no more.
async fn read(
    mut receiver: Receiver,
    encoding: Encoding,
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    times: &Times,
) {
    while let Some(Ok(message)) = receiver.next().await {
        times.heard();
        match &message {
            Message::Close(_) => return,
            Message::Pong(_) => {
                if let Some(round_trip) = times.answered() {
                    link.measured(round_trip);
                }
            }
            _ => {}
        }
        let Some(frame) = frame_of(&message) else {
            continue;
        };
        match decode(frame, encoding) {
            Ok(frame) => {
                if let Some(invocation) = shared.heard(frame) {
                    shared.answer(invocation, Reply::Link(Arc::clone(link)));
                }
            }
            // A later gateway may say what this client does not know.
            Err(error) => tracing::debug!(%error, "a frame is passed over"),
        }
    }
}

/// What writes.
struct Writing {
    sender: Sender,
    encoding: Encoding,
    patience: Duration,
}

impl Writing {
    /// Says what there is to say, and asks from time to time whether the gateway is there.
    async fn run(
        &mut self,
        mut outgoing: mpsc::Receiver<ClientFrame>,
        closing: &CancellationToken,
        times: &Times,
    ) {
        let mut batch = Vec::new();
        let mut pings = interval(self.patience / 3);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let said = tokio::select! {
                _ = outgoing.recv_many(&mut batch, BATCH) => {
                    // Others that are ready go first: what they say goes out with this.
                    yield_now().await;
                    while batch.len() < BATCH && let Ok(frame) = outgoing.try_recv() {
                        batch.push(frame);
                    }
                    self.say(&mut batch).await
                }
                _ = pings.tick() => {
                    times.ask();
                    self.sender.send(Message::Ping(Bytes::new())).await
                }
                () = closing.cancelled() => return self.close(batch, outgoing).await,
            };
            if said.is_err() {
                return;
            }
        }
    }

    async fn say(&mut self, batch: &mut Vec<ClientFrame>) -> Result<(), WsError> {
        for frame in batch.drain(..) {
            let message = message(frame.encode(self.encoding), self.encoding);
            self.sender.feed(message).await?;
        }
        self.sender.flush().await
    }

    /// Says what was still to be said, and goodbye. The connection stands until the gateway has ended it: to
    /// break it off could take from it what it has not read yet.
    async fn close(
        &mut self,
        mut batch: Vec<ClientFrame>,
        mut outgoing: mpsc::Receiver<ClientFrame>,
    ) {
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let goodbye = async {
            while let Ok(frame) = outgoing.try_recv() {
                batch.push(frame);
            }
            self.say(&mut batch).await?;
            self.sender.send(Message::Close(Some(close))).await?;
            pending::<Result<(), WsError>>().await
        };
        // A gateway that does not take it notices the end of the connection.
        let _ = timeout(FAREWELL, goodbye).await;
    }
}

/// A frame as a message.
fn message(frame: Bytes, encoding: Encoding) -> Message {
    match encoding {
        Encoding::MsgPack => Message::Binary(frame),
        Encoding::Json => {
            let text = Utf8Bytes::try_from(frame);
            Message::Text(text.expect("JSON is UTF-8"))
        }
    }
}

/// The frame in a message, if there is one.
fn frame_of(message: &Message) -> Option<&[u8]> {
    match message {
        Message::Binary(frame) => Some(frame),
        Message::Text(frame) => Some(frame.as_bytes()),
        _ => None,
    }
}

/// Why a handshake was refused: the gateway's problem, or the status of whatever stands in front of it.
fn refused(status: StatusCode, headers: &HeaderMap, body: Option<&[u8]>) -> Refused {
    let report = body.and_then(|body| serde_json::from_slice(body).ok());
    let error = report.map_or_else(|| failed("WebSocket")(&status), Error::Problem);
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = seconds.and_then(|seconds| seconds.trim().parse().ok());
    Refused {
        error,
        retry_after: seconds.map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_problem_and_when_to_come_back() {
        let problem = br#"{"type":"/v1/errors/rate_limited","title":"t","status":429,"detail":"d","code":"rate_limited","retry":"later"}"#;
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        let told = refused(StatusCode::TOO_MANY_REQUESTS, &headers, Some(problem));
        assert_eq!(told.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(told.error.code(), Some("rate_limited"));
        assert!(!told.error.is_final());
        let proxy = refused(StatusCode::BAD_GATEWAY, &HeaderMap::new(), Some(b"<html>"));
        assert!(matches!(proxy.error, Error::Connect(_)) && proxy.retry_after.is_none());
    }
}
