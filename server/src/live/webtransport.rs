//! A live session on WebTransport: a control stream, a stream for each operation, and datagrams.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use macula_proto::{
    Encoding, ErrorCode, Problem,
    frame::{ClientFrame, Frame, GatewayFrame, encoding_of, stream::put_frame},
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    ending::{Ending, farewell},
    hello::{self, Begun, Guest, refusal},
    link::{Closing, Link, Out},
    outlet::Outlet,
    session::Live,
    settings::{decode, limits},
    streams::{Frames, NoFrame, framed},
    turns::Turns,
};
use crate::{
    api::Gateway,
    webtransport::{RecvStream, SendStream, Session},
};

/// How long the client may take for what it is sent on the control stream.
const WRITE: Duration = Duration::from_secs(30);
/// How long it may take to hear why the session ends.
const FAREWELL: Duration = Duration::from_secs(1);
/// Frames that are written together.
const BATCH: usize = 64;

/// The stream with `hello` and what has no other, from the gateway's side.
struct Control {
    send: SendStream,
    frames: Frames,
}

/// Serves a live session on the WebTransport session until one of the two ends.
pub async fn serve(session: Session, gateway: Arc<Gateway>, guest: Guest) {
    let seconds = gateway.settings.live.hello_seconds;
    let first = timeout(Duration::from_secs(seconds), first(&session, &gateway));
    let first = Box::pin(first).await;
    let (mut control, encoding, frame) = match first {
        Ok(Some(first)) => first,
        Ok(None) => return,
        Err(_) => return close(&session, Closing::of(ErrorCode::Timeout)),
    };
    let Some(encoding) = encoding else {
        let detail = "expected a frame, a map in MessagePack or JSON";
        let problem = Problem::new(ErrorCode::InvalidRequest, detail);
        return Box::pin(refuse(
            &session,
            &mut control.send,
            Encoding::Json,
            &problem,
        ))
        .await;
    };
    let (link, outgoing) = Link::new(encoding, Some(session.clone()));
    let hello = decode(&gateway, &frame, encoding);
    match hello::begin(&gateway, &guest, hello, &link) {
        Ok(begun) => run(&session, begun, &link, outgoing, control).await,
        Err(problem) => {
            Box::pin(refuse(&session, &mut control.send, encoding, &problem)).await;
        }
    }
}

/// The control stream and its first frame; none when the client has gone.
async fn first(session: &Session, gateway: &Gateway) -> Option<(Control, Option<Encoding>, Bytes)> {
    let (send, recv) = session.accept_bi().await.ok()?;
    let mut frames = Frames::new(recv, limits(gateway).bytes);
    let first = frames.next().await;
    let control = Control { send, frames };
    match first {
        Ok(frame) => Some((control, encoding_of(&frame), frame)),
        Err(no_frame) => {
            close(session, closing(no_frame));
            None
        }
    }
}

/// Why the session ends when nothing more comes on the control stream.
fn closing(no_frame: NoFrame) -> Closing {
    Closing::of(match no_frame {
        NoFrame::TooLong => ErrorCode::PayloadTooLarge,
        NoFrame::Ended { .. } | NoFrame::Reset | NoFrame::Lost => ErrorCode::InvalidRequest,
    })
}

fn close(session: &Session, closing: Closing) {
    session.close(closing.code.into(), closing.reason);
}

/// Says why there is no session, and closes.
async fn refuse(session: &Session, send: &mut SendStream, encoding: Encoding, problem: &Problem) {
    let error = refusal(problem).encode(encoding);
    // A client that does not take it has gone.
    if send.write_chunks(&mut framed(error)).await.is_ok() {
        heard(send).await;
    }
    close(session, Closing::of(problem.code));
}

/// Ends the control stream, and waits until the client has all of it.
async fn heard(send: &mut SendStream) {
    if send.finish().is_ok() {
        let _ = timeout(FAREWELL, send.stopped()).await;
    }
}

async fn run(
    session: &Session,
    begun: Begun,
    link: &Arc<Link>,
    outgoing: mpsc::Receiver<Out>,
    control: Control,
) {
    let Begun { live, first } = begun;
    let Control { mut send, frames } = control;
    let ending = tokio::select! {
        ending = read(session, &live, link, frames) => ending,
        ending = write(session, link, &first, outgoing, &mut send) => ending,
        () = operations(session, &live, link) => Ending::Lost,
        () = datagrams(session, &live, link) => Ending::Lost,
        () = unwanted(session) => Ending::Lost,
        () = farewell(&live, link) => Ending::Closed,
    };
    // What ended first may have been any of these, and a stream may tell a loss before the session tells that
    // its client meant to end it.
    let told = match ending {
        Ending::Closed => session.closed().now_or_never(),
        Ending::Lost => timeout(FAREWELL, session.closed()).await.ok(),
    };
    let ending = match told {
        Some(closed) if !closed.broken && closed.code == 0 => Ending::Closed,
        _ => ending,
    };
    ending.carry_out(&live, link);
    session.close(0, "");
}

/// Handles what the client says on the control stream.
async fn read(session: &Session, live: &Arc<Live>, link: &Arc<Link>, mut frames: Frames) -> Ending {
    let mut turns = Turns::default();
    loop {
        match frames.next().await {
            Ok(frame) => {
                handle(live, link, &frame, Outlet::main(Arc::clone(link))).await;
                turns.one_more().await;
            }
            Err(NoFrame::Lost) => return Ending::Lost,
            Err(NoFrame::Ended { whole: true }) => return Ending::Closed,
            Err(no_frame) => {
                close(session, closing(no_frame));
                return Ending::Lost;
            }
        }
    }
}

async fn handle(live: &Arc<Live>, link: &Link, frame: &[u8], outlet: Outlet) {
    let decoded = decode(&live.gateway, frame, link.encoding());
    // On the heap while it lasts: most sessions are idle most of the time.
    Box::pin(live.handle(decoded, frame.len(), outlet)).await;
}

/// Sends what there is to say on the control stream.
async fn write(
    session: &Session,
    link: &Link,
    first: &[GatewayFrame],
    mut outgoing: mpsc::Receiver<Out>,
    send: &mut SendStream,
) -> Ending {
    let mut bytes = Vec::new();
    for frame in first {
        put_frame(&mut bytes, &frame.encode(link.encoding()));
    }
    let mut batch = Vec::new();
    loop {
        let written = Box::pin(timeout(WRITE, send.write_chunks(&mut [bytes.into()]))).await;
        if !matches!(written, Ok(Ok(()))) {
            return Ending::Lost;
        }
        bytes = Vec::new();
        let count = tokio::select! {
            count = outgoing.recv_many(&mut batch, BATCH) => count,
            () = link.lost() => 0,
        };
        if count == 0 {
            return Ending::Lost;
        }
        for out in batch.drain(..) {
            match out {
                Out::Frame(frame) => put_frame(&mut bytes, &frame),
                Out::Close(closing) => {
                    let mut last = [bytes.into()];
                    let _ = Box::pin(timeout(WRITE, send.write_chunks(&mut last))).await;
                    Box::pin(heard(send)).await;
                    close(session, closing);
                    link.lose();
                    return match closing.ends_session() {
                        true => Ending::Closed,
                        false => Ending::Lost,
                    };
                }
            }
        }
        // An idle session holds no buffer.
        batch = Vec::new();
    }
}

/// Handles the operations that have streams of their own, until the session ends.
async fn operations(session: &Session, live: &Arc<Live>, link: &Arc<Link>) {
    // Those whose first frame has not come; the transport bounds how many a client opens.
    let mut waiting = FuturesUnordered::new();
    let mut turns = Turns::default();
    loop {
        tokio::select! {
            biased;
            Some(()) = waiting.next() => {}
            stream = session.accept_bi() => {
                let Ok(stream) = stream else {
                    return;
                };
                // Most often the frame came with the stream.
                let mut operation = Box::pin(operation(live, link, stream));
                if (&mut operation).now_or_never().is_none() {
                    waiting.push(operation);
                }
                turns.one_more().await;
            }
        }
    }
}

/// Reads the frame of a stream, and does what it asks for.
async fn operation(live: &Arc<Live>, link: &Arc<Link>, (mut send, recv): (SendStream, RecvStream)) {
    let mut frames = Frames::new(recv, limits(&live.gateway).bytes);
    let time = Duration::from_secs(live.gateway.settings.live.hello_seconds);
    let first = tokio::select! {
        biased;
        first = frames.next() => Some(first),
        () = sleep(time) => None,
    };
    let frame = match first {
        Some(Ok(frame)) => frame,
        Some(Err(no_frame)) => {
            let code = closing(no_frame).code.into();
            frames.stop(code);
            return send.reset(code);
        }
        None => {
            let code = Closing::of(ErrorCode::Timeout).code.into();
            frames.stop(code);
            return send.reset(code);
        }
    };
    let (recv, whole) = frames.into_stream();
    let outlet = Outlet::stream(Arc::clone(link), (send, recv));
    match whole {
        true => handle(live, link, &frame, outlet).await,
        false => refuse_one(live, outlet, "expected one frame on a stream").await,
    }
}

/// Refuses a frame that nothing can be done with.
async fn refuse_one(live: &Live, outlet: Outlet, detail: &str) {
    let problem = Problem::new(ErrorCode::InvalidRequest, detail);
    // A client that has gone needs no answer.
    let _ = outlet.finish(&live.error(None, &problem)).await;
}

/// Handles what comes in datagrams.
async fn datagrams(session: &Session, live: &Arc<Live>, link: &Arc<Link>) {
    let mut turns = Turns::default();
    while let Ok(datagram) = session.read_datagram().await {
        Box::pin(self::datagram(live, link, &datagram)).await;
        turns.one_more().await;
    }
}

/// Publishes the event of a datagram.
async fn datagram(live: &Arc<Live>, link: &Arc<Link>, datagram: &[u8]) {
    let outlet = Outlet::main(Arc::clone(link));
    match decode(&live.gateway, datagram, link.encoding()) {
        Ok(ClientFrame::Publish(publish)) if publish.id.is_none() => {
            let publish = Ok(publish.into());
            live.handle(publish, datagram.len(), outlet).await;
        }
        _ => {
            refuse_one(
                live,
                outlet,
                "expected `publish` without `id` in a datagram",
            )
            .await;
        }
    }
}

/// Refuses streams in one direction, of which there are none in the protocol.
async fn unwanted(session: &Session) {
    while let Ok(mut stream) = session.accept_uni().await {
        stream.stop(Closing::of(ErrorCode::InvalidRequest).code.into());
    }
}
