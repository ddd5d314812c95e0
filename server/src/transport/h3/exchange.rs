//! One request and its response.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use h3::{
    error::{Code, StreamError},
    server::{RequestResolver, RequestStream},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::{
    Headless,
    body::RequestBody,
    connection::{Accepted, Connection},
    date,
    sessions::Sessions,
    streams::{Bidi, Recv, Send},
    tunnel::{self, Tunnel},
};
use crate::{
    conn::{Conn, Protocol},
    stack::Stack,
    transport::activity::Active,
};

/// What a request's task needs.
pub(super) struct Exchange {
    pub(super) stack: Stack,
    pub(super) peer: SocketAddr,
    pub(super) stream: Accepted,
    /// Keeps the connection from being idle.
    pub(super) _active: Active,
    pub(super) header_time: Duration,
    pub(super) headless: Arc<Headless>,
    pub(super) sessions: Sessions,
}

/// The peer does not read the response any more.
pub(super) struct Gone;

/// A request whose head has come, its stream, and whether it asks for a WebTransport session.
type Resolved = (Request<()>, RequestStream<Bidi, Bytes>, bool);

/// Reads the request's head. A head that is malformed, too large or too late ends its stream and
/// no other; h3 has told the peer why.
async fn resolve(resolver: RequestResolver<Connection, Bytes>, time: Duration) -> Option<Resolved> {
    let resolved = timeout(time, resolver.resolve_request()).await;
    let (request, stream) = resolved.ok()?.ok()?;
    let tunnel = tunnel::asked_for(&request);
    Some((request, stream, tunnel))
}

impl Exchange {
    /// Reads the request's head, has it answered and writes the response.
    ///
    /// Each step is on the heap while it lasts: the task itself stays small, and most tasks that
    /// last are streams in their third step.
    pub(super) async fn run(self, resolver: RequestResolver<Connection, Bytes>) {
        let Some((request, stream, tunnel)) = Box::pin(resolve(resolver, self.header_time)).await
        else {
            self.headless.one_more();
            return;
        };
        let Accepted {
            early_data,
            mut gone,
        } = self.stream;
        let conn = Conn {
            protocol: Protocol::Http3,
            peer: self.peer,
            early_data,
        };
        if tunnel {
            let tunnel = Tunnel {
                conn,
                request,
                stream,
                gone,
            };
            return told(tunnel.run(&self.stack, &self.sessions).await);
        }
        let (mut send, recv) = stream.split();
        let answer = Box::pin(answer(&self.stack, conn, request, &mut send, recv));
        let result = match unless_gone(&mut gone, answer).await {
            Ok(Ok(response)) => write(&mut send, response, &mut gone).await,
            Ok(Err(error)) => Err(error),
            Err(Gone) => {
                send.stop_stream(Code::H3_REQUEST_CANCELLED);
                Ok(())
            }
        };
        told(result);
    }
}

fn told(result: Result<(), StreamError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a response was not written to its end");
    }
}

/// Has the request answered.
async fn answer(
    stack: &Stack,
    conn: Conn,
    request: Request<()>,
    send: &mut RequestStream<Send, Bytes>,
    recv: RequestStream<Recv, Bytes>,
) -> Result<Response<Body>, StreamError> {
    if expects_continue(&request) {
        let mut go_on = Response::new(());
        *go_on.status_mut() = StatusCode::CONTINUE;
        send.send_response(go_on).await?;
    }
    let body = Body::new(RequestBody::new(recv, request.headers()));
    let method = request.method().clone();
    let response = stack.answer(conn, request.map(|()| body)).await;
    Ok(complete(&method, response))
}

/// Adds what every response has, as hyper does for HTTP/1.1 and HTTP/2. Where no content may be
/// (RFC 9110 §6.4.1), there is none.
pub(super) fn complete(method: &Method, mut response: Response<Body>) -> Response<Body> {
    let bodiless = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    let length = response.body().size_hint().exact();
    // An answer to HEAD may have left out the content whose length is not known here.
    let length = length.filter(|&length| !bodiless && (length > 0 || method != Method::HEAD));
    if bodiless || method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    let headers = response.headers_mut();
    if let Some(length) = length {
        let entry = headers.entry(header::CONTENT_LENGTH);
        entry.or_insert_with(|| HeaderValue::from(length));
    }
    headers.entry(header::DATE).or_insert_with(date::now);
    response
}

/// Writes the response, to its end or until the peer does not read it any more.
pub(super) async fn write(
    send: &mut RequestStream<Send, Bytes>,
    response: Response<Body>,
    gone: &mut BoxFuture<'static, ()>,
) -> Result<(), StreamError> {
    let (head, mut body) = response.into_parts();
    send.send_response(Response::from_parts(head, ())).await?;
    loop {
        let frame = match unless_gone(gone, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            // An end that is none has to be told from one.
            Ok(Some(Err(_))) => {
                send.stop_stream(Code::H3_INTERNAL_ERROR);
                return Ok(());
            }
            Err(Gone) => {
                send.stop_stream(Code::H3_REQUEST_CANCELLED);
                return Ok(());
            }
        };
        match frame.into_data() {
            Ok(data) => send.send_data(data).await?,
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    send.send_trailers(trailers).await?;
                }
            }
        }
    }
    send.finish().await
}

pub(super) async fn unless_gone<T>(
    gone: &mut BoxFuture<'static, ()>,
    work: impl Future<Output = T> + Unpin,
) -> Result<T, Gone> {
    match select(work, gone).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(Gone),
    }
}

/// RFC 9110 §10.1.1.
fn expects_continue(request: &Request<()>) -> bool {
    let expect = request.headers().get(header::EXPECT);
    expect.is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
