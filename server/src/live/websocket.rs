//! A live session on a WebSocket (RFC 6455), over HTTP/1.1 or HTTP/2 alike.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use macula_proto::{
    Encoding, ErrorCode, Problem,
    frame::{Frame, GatewayFrame},
};
use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::tungstenite;

use super::{
    ending::{Ending, farewell},
    hello::{self, Begun, Guest, refusal},
    link::{Closing, Link, Out},
    outlet::Outlet,
    session::Live,
    settings::decode,
    turns::Turns,
};
use crate::{api::Gateway, conn::Hold};

/// The subprotocols, the preferred one first.
pub const PROTOCOLS: [&str; 2] = ["macula.v1.msgpack", "macula.v1.json"];
/// How often the gateway asks whether the client is there.
const PING: Duration = Duration::from_secs(15);
/// After so many pings without anything from the client it is gone.
const MAX_SILENT_PINGS: u32 = 3;
/// How long the client may take for what it is sent.
const WRITE: Duration = Duration::from_secs(30);
/// Frames that are written together.
const BATCH: usize = 64;

type Sender = SplitSink<WebSocket, Message>;
type Receiver = SplitStream<WebSocket>;

/// The encoding that a subprotocol stands for.
#[must_use]
pub fn encoding_of(protocol: &str) -> Option<Encoding> {
    match protocol {
        "macula.v1.msgpack" => Some(Encoding::MsgPack),
        "macula.v1.json" => Some(Encoding::Json),
        _ => None,
    }
}

/// Serves a live session on the WebSocket until one of the two ends. `settled` is the encoding of
/// the subprotocol, if there is one.
pub async fn serve(
    socket: WebSocket,
    settled: Option<Encoding>,
    gateway: Arc<Gateway>,
    guest: Guest,
    hold: Hold,
) {
    let (mut sender, mut receiver) = socket.split();
    let serving = async {
        let seconds = gateway.settings.live.hello_seconds;
        let first = timeout(Duration::from_secs(seconds), message(&mut receiver)).await;
        let Ok(first) = first else {
            let detail = format!("expected `hello` within {seconds} s");
            let problem = Problem::new(ErrorCode::Timeout, detail);
            return refuse(&mut sender, settled.unwrap_or(Encoding::Json), &problem).await;
        };
        let Ok((encoding, frame)) = first else {
            return;
        };
        if settled.is_some_and(|settled| settled != encoding) {
            let detail = "expected text for macula.v1.json, bytes for macula.v1.msgpack";
            let problem = Problem::new(ErrorCode::InvalidRequest, detail);
            return refuse(&mut sender, encoding, &problem).await;
        }
        let (link, outgoing) = Link::new(encoding, None);
        let frame = decode(&gateway, &frame, encoding);
        match hello::begin(&gateway, &guest, frame, &link) {
            Ok(begun) => run(begun, &link, outgoing, &mut sender, &mut receiver).await,
            Err(problem) => refuse(&mut sender, encoding, &problem).await,
        }
    };
    tokio::select! {
        () = serving => {}
        () = hold.cut.cancelled() => {}
    }
}

/// Why nothing more comes.
enum NoMore {
    /// The client has closed, and meant it.
    Closed,
    /// The connection broke off.
    Lost,
    /// A message is longer than a frame may be.
    TooLong,
}

/// The next message with a frame.
async fn message(receiver: &mut Receiver) -> Result<(Encoding, Bytes), NoMore> {
    loop {
        return match receiver.next().await {
            Some(Ok(Message::Text(text))) => Ok((Encoding::Json, text.into())),
            Some(Ok(Message::Binary(bytes))) => Ok((Encoding::MsgPack, bytes)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(Some(CloseFrame {
                code: close_code::NORMAL | close_code::AWAY,
                ..
            })))) => Err(NoMore::Closed),
            Some(Err(error)) if is_too_long(&error) => Err(NoMore::TooLong),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(NoMore::Lost),
        };
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    matches!(source, Some(tungstenite::Error::Capacity(_)))
}

/// Says why there is no session, and closes.
async fn refuse(sender: &mut Sender, encoding: Encoding, problem: &Problem) {
    let error = refusal(problem).encode(encoding);
    let told = async {
        sender.feed(written(error, encoding)).await?;
        sender.send(closing(Closing::of(problem.code))).await
    };
    // A client that does not take it has gone.
    let _ = timeout(WRITE, told).await;
}

async fn run(
    begun: Begun,
    link: &Arc<Link>,
    outgoing: mpsc::Receiver<Out>,
    sender: &mut Sender,
    receiver: &mut Receiver,
) {
    let Begun { live, first } = begun;
    let heard = AtomicBool::new(true);
    let ending = tokio::select! {
        ending = read(&live, link, receiver, &heard) => ending,
        ending = write(link, first, outgoing, sender, &heard) => ending,
        () = farewell(&live, link) => Ending::Closed,
    };
    ending.carry_out(&live, link);
}

/// Handles what the client says.
async fn read(
    live: &Arc<Live>,
    link: &Arc<Link>,
    receiver: &mut Receiver,
    heard: &AtomicBool,
) -> Ending {
    let mut turns = Turns::default();
    loop {
        let (_, frame) = match message(receiver).await {
            Ok(message) => message,
            Err(NoMore::Closed) => return Ending::Closed,
            Err(NoMore::Lost) => return Ending::Lost,
            Err(NoMore::TooLong) => {
                link.close(Closing::of(ErrorCode::PayloadTooLarge));
                link.lost().await;
                return Ending::Lost;
            }
        };
        heard.store(true, Ordering::Relaxed);
        let decoded = decode(&live.gateway, &frame, link.encoding());
        let outlet = Outlet::main(Arc::clone(link));
        // On the heap while it lasts: most sessions are idle most of the time.
        Box::pin(live.handle(decoded, frame.len(), outlet)).await;
        turns.one_more().await;
    }
}

/// Sends what there is to say, and asks from time to time whether the client is there.
async fn write(
    link: &Link,
    first: Vec<GatewayFrame>,
    mut outgoing: mpsc::Receiver<Out>,
    sender: &mut Sender,
    heard: &AtomicBool,
) -> Ending {
    let encoding = link.encoding();
    let first = first.iter().map(|frame| Out::Frame(frame.encode(encoding)));
    let mut batch: Vec<Out> = first.collect();
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent = 0;
    loop {
        let mut sent = Ok(());
        let sending = async {
            for out in batch.drain(..) {
                match out {
                    Out::Frame(frame) => sender.feed(written(frame, encoding)).await?,
                    Out::Close(close) => {
                        sender.send(closing(close)).await?;
                        return Ok(Some(close));
                    }
                }
            }
            sender.flush().await?;
            Ok::<_, axum::Error>(None)
        };
        match timeout(WRITE, sending).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(close))) => {
                link.lose();
                return match close.ends_session() {
                    true => Ending::Closed,
                    false => Ending::Lost,
                };
            }
            Ok(Err(_)) | Err(_) => return Ending::Lost,
        }
        tokio::select! {
            count = outgoing.recv_many(&mut batch, BATCH) => if count == 0 {
                return Ending::Lost;
            } else {
                // Others that are ready go first: what they say goes out with this.
                yield_now().await;
                while batch.len() < BATCH && let Ok(out) = outgoing.try_recv() {
                    batch.push(out);
                }
            },
            () = link.lost() => return Ending::Lost,
            _ = pings.tick() => {
                silent = if heard.swap(false, Ordering::Relaxed) { 0 } else { silent + 1 };
                if silent > MAX_SILENT_PINGS {
                    return Ending::Lost;
                }
                sent = sender.feed(Message::Ping(Bytes::new())).await;
            }
        }
        if sent.is_err() {
            return Ending::Lost;
        }
    }
}

fn written(frame: Bytes, encoding: Encoding) -> Message {
    match encoding {
        Encoding::MsgPack => Message::Binary(frame),
        Encoding::Json => {
            let text = Utf8Bytes::try_from(frame);
            Message::Text(text.expect("JSON is UTF-8"))
        }
    }
}

fn closing(closing: Closing) -> Message {
    Message::Close(Some(CloseFrame {
        code: closing.code,
        reason: Utf8Bytes::from_static(closing.reason),
    }))
}
