//! A CONNECT request of WebTransport's (draft-ietf-webtrans-http3-02 §3.3), and the session that comes of
//! it.
//!
//! The stack answers the request as any other. Its stream carries capsules instead of content, so the
//! handler sees no body.

use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use futures_util::{
    TryFutureExt,
    future::{BoxFuture, Either, ready},
};
use h3::{
    error::{Code, StreamError},
    ext::Protocol,
    server::RequestStream,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::timeout;

use super::{
    date,
    exchange::{complete, unless_gone, write},
    sessions::{Place, Sessions},
    streams::{Bidi, Recv, Send},
};
use crate::{
    conn::Conn,
    stack::Stack,
    webtransport::{
        Closed,
        capsule::{self, Capsules},
        upgrade,
    },
};

/// Tells which draft is spoken (§3.3); browsers look for it.
const DRAFT: HeaderName = HeaderName::from_static("sec-webtransport-http3-draft");
/// How long a peer may take to read a session's end and to end its side.
const FAREWELL: Duration = Duration::from_secs(3);

/// Whether a request asks for a session.
pub(super) fn asked_for(request: &Request<()>) -> bool {
    request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>() == Some(&Protocol::WEB_TRANSPORT)
}

/// A request for a session, and its stream.
pub(super) struct Tunnel {
    pub(super) conn: Conn,
    pub(super) request: Request<()>,
    pub(super) stream: RequestStream<Bidi, Bytes>,
    pub(super) gone: BoxFuture<'static, ()>,
}

/// Serves a session until one side ends it.
type Serving = BoxFuture<'static, Result<(), StreamError>>;

/// Who ended a session.
enum End {
    /// The session's owner here.
    Here(Closed),
    /// The peer, or the connection is lost.
    There(Closed),
    /// The peer, with bytes that are no capsule.
    Malformed,
}

impl Tunnel {
    /// Has the request answered, and serves the session that comes of it. Each step is on the heap while
    /// it lasts.
    pub(super) fn run<'a>(
        self,
        stack: &'a Stack,
        sessions: &'a Sessions,
    ) -> BoxFuture<'a, Result<(), StreamError>> {
        let answered = Box::pin(self.answered(stack, sessions));
        Box::pin(answered.and_then(|session| match session {
            Some(serving) => Either::Left(serving),
            None => Either::Right(ready(Ok(()))),
        }))
    }

    /// Gives the session if the answer opened one.
    async fn answered(
        self,
        stack: &Stack,
        sessions: &Sessions,
    ) -> Result<Option<Serving>, StreamError> {
        let Self {
            conn,
            mut request,
            stream,
            mut gone,
        } = self;
        let id = stream.id().into_inner();
        let (mut send, recv) = stream.split();
        let Some(place) = sessions.begin(id) else {
            send.stop_stream(Code::H3_REQUEST_REJECTED);
            return Ok(None);
        };
        let (offer, upgrade) = upgrade::offer();
        request.extensions_mut().insert(upgrade);
        let request = request.map(|()| Body::empty());
        let answer = Box::pin(stack.answer(conn, request));
        let Ok(response) = unless_gone(&mut gone, answer).await else {
            send.stop_stream(Code::H3_REQUEST_CANCELLED);
            return Ok(None);
        };
        if response.status() != StatusCode::OK || !offer.taken() {
            drop(place);
            let response = complete(&Method::CONNECT, response);
            write(&mut send, response, &mut gone).await?;
            return Ok(None);
        }
        send.send_response(accepted(response)).await?;
        place.link.accept();
        offer.give(&place.link);
        Ok(Some(serving(place, send, recv, gone)))
    }
}

/// Serves a session until one side ends it. A block has its captures once, where a function would have
/// them twice: this is most of what an idle session costs.
fn serving(
    place: Place,
    mut send: RequestStream<Send, Bytes>,
    mut recv: RequestStream<Recv, Bytes>,
    mut gone: BoxFuture<'static, ()>,
) -> Serving {
    Box::pin(async move {
        let end = tokio::select! {
            closed = place.link.ended() => End::Here(closed.clone()),
            end = told(&place, &mut recv) => end,
            () = &mut gone => End::There(place.link.end_of_connection()),
        };
        match end {
            End::Here(closed) => {
                drop(place);
                let farewell = say(&mut send, &mut recv, capsule::close(&closed));
                // A peer that reads nothing is not waited for.
                timeout(FAREWELL, farewell).await.unwrap_or(Ok(()))
            }
            End::There(closed) => {
                place.link.end(closed);
                drop(place);
                timeout(FAREWELL, send.finish()).await.unwrap_or(Ok(()))
            }
            End::Malformed => {
                drop(place);
                send.stop_stream(Code::H3_MESSAGE_ERROR);
                Ok(())
            }
        }
    })
}

/// The head of a response that opens a session. It has no content, and says no length (RFC 9110 §9.3.6).
fn accepted(response: Response<Body>) -> Response<()> {
    let mut response = response.map(drop);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(DRAFT, HeaderValue::from_static("draft02"));
    headers.entry(header::DATE).or_insert_with(date::now);
    response
}

/// Reads capsules until the peer ends the session.
async fn told(place: &Place, recv: &mut RequestStream<Recv, Bytes>) -> End {
    let mut capsules = Capsules::new();
    loop {
        let mut data = match recv.recv_data().await {
            Ok(Some(data)) => data,
            Ok(None) => return End::There(Closed::without_words()),
            Err(_) => return End::There(place.link.end_of_connection()),
        };
        match capsules.read(data.copy_to_bytes(data.remaining())) {
            Ok(None) => {}
            Ok(Some(closed)) => return End::There(closed),
            Err(_) => return End::Malformed,
        }
    }
}

/// Tells the peer the end, and lets it end its side: to stop it at once might hide from it what it is
/// told.
async fn say(
    send: &mut RequestStream<Send, Bytes>,
    recv: &mut RequestStream<Recv, Bytes>,
    end: Bytes,
) -> Result<(), StreamError> {
    send.send_data(end).await?;
    send.finish().await?;
    while let Ok(Some(_)) = recv.recv_data().await {}
    Ok(())
}
