//! One request and its response.

use std::{net::SocketAddr, pin::pin, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use h3::{
    error::{Code, StreamError},
    server::{RequestResolver, RequestStream},
};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::{
    body::RequestBody,
    date,
    streams::{Accepted, Bidi, Connection, Send},
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
    pub(super) active: Active,
    pub(super) header_time: Duration,
}

/// The peer does not read the response any more.
struct Gone;

impl Exchange {
    /// Reads the request's head, has it answered and writes the response.
    pub(super) async fn run(self, resolver: RequestResolver<Connection, Bytes>) {
        // A head that is malformed, too large or too late ends its stream and no other; h3 has
        // told the peer why.
        let resolved = timeout(self.header_time, resolver.resolve_request()).await;
        let Ok(Ok((request, stream))) = resolved else {
            return;
        };
        if let Err(error) = self.answer(request, stream).await {
            tracing::debug!(%error, "a response was not written to its end");
        }
    }

    async fn answer(
        self,
        request: Request<()>,
        stream: RequestStream<Bidi, Bytes>,
    ) -> Result<(), StreamError> {
        let (mut send, recv) = stream.split();
        if expects_continue(&request) {
            let mut go_on = Response::new(());
            *go_on.status_mut() = StatusCode::CONTINUE;
            send.send_response(go_on).await?;
        }
        let (head, ()) = request.into_parts();
        let body = Body::new(RequestBody::new(recv, &head.headers));
        let request = Request::from_parts(head, body);
        let conn = Conn {
            protocol: Protocol::Http3,
            peer: self.peer,
            early_data: self.stream.early_data,
        };
        let answered = self.stack.answer(conn, request);
        let mut gone = self.stream.gone;
        let Ok(response) = unless_gone(&mut gone, answered).await else {
            send.stop_stream(Code::H3_REQUEST_CANCELLED);
            return Ok(());
        };
        let written = write(send, response, &mut gone).await;
        drop(self.active);
        written
    }
}

async fn write(
    mut send: RequestStream<Send, Bytes>,
    response: Response<Body>,
    gone: &mut BoxFuture<'static, ()>,
) -> Result<(), StreamError> {
    let (mut head, mut body) = response.into_parts();
    let headers = &mut head.headers;
    headers.entry(header::DATE).or_insert_with(date::now);
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

async fn unless_gone<T>(
    gone: &mut BoxFuture<'static, ()>,
    work: impl Future<Output = T>,
) -> Result<T, Gone> {
    match select(pin!(work), gone).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(Gone),
    }
}

/// RFC 9110 §10.1.1.
fn expects_continue(request: &Request<()>) -> bool {
    let expect = request.headers().get(header::EXPECT);
    expect.is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
