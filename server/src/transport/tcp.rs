//! TLS over TCP, with HTTP/1.1 and HTTP/2.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use http::{HeaderValue, Request, Response, Version, header::ALT_SVC};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Shared,
    activity::{ActiveBody, Activity},
    limits::Place,
};
use crate::{
    conn::{Conn, Protocol},
    metrics::Refusal,
    stack::Stack,
};

/// How long to wait when the system has no more sockets, so that the loop does not spin.
const BACK_OFF: Duration = Duration::from_millis(100);
/// How often HTTP/2 asks whether the peer is there, and how long it waits for the answer.
const PING: Duration = Duration::from_secs(20);
/// What HTTP/1.1 may hold of a request or response that is not passed on. The head has to fit.
const HTTP1_BUFFER_BYTES: usize = 32 << 10;
/// The most header fields of an HTTP/1.1 request.
const HTTP1_MAX_HEADERS: usize = 100;
/// What one HTTP/2 request may send before it is read.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// What all requests of an HTTP/2 connection may send before they are read.
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// What one HTTP/2 response may hold that the connection has not sent.
const HTTP2_SEND_BUFFER_BYTES: usize = 64 << 10;

/// Accepts connections until the drain starts.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    port: u16,
    shared: Shared,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let acceptor = TlsAcceptor::from(tls);
    let alt_svc = HeaderValue::try_from(format!("h3=\":{port}\"; ma=86400"));
    let alt_svc = alt_svc.expect("digits are visible");
    let mut drain = shared.drain.clone();
    loop {
        let accepted = tokio::select! {
            () = drain.started() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(BACK_OFF).await;
                continue;
            }
        };
        let place = match shared.limits.admit(peer.ip()) {
            Ok(place) => place,
            Err(refusal) => {
                shared.metrics.connection_refused(Protocol::Http2, refusal);
                continue;
            }
        };
        let connection = Connection {
            peer,
            alt_svc: alt_svc.clone(),
            shared: shared.clone(),
            _place: place,
        };
        let serving = connection.run(stream, acceptor.clone());
        let cut = shared.cut.clone();
        shared.connections.spawn(async move {
            tokio::select! {
                () = serving => {}
                () = cut.cancelled() => {}
            }
        });
    }
}

/// One TCP connection.
struct Connection {
    peer: SocketAddr,
    alt_svc: HeaderValue,
    shared: Shared,
    _place: Place,
}

impl Connection {
    async fn run(self, stream: TcpStream, acceptor: TlsAcceptor) {
        let _ = stream.set_nodelay(true);
        let time = Duration::from_secs(self.shared.settings.handshake_seconds);
        let Ok(Ok(stream)) = timeout(time, acceptor.accept(stream)).await else {
            let metrics = &self.shared.metrics;
            metrics.connection_refused(Protocol::Http2, Refusal::Handshake);
            return;
        };
        self.serve(stream).await;
    }

    async fn serve(self, stream: TlsStream<TcpStream>) {
        let alpn = stream.get_ref().1.alpn_protocol();
        let protocol = match alpn {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let _open = self.shared.metrics.connection_opened(protocol);
        let activity = Activity::default();
        let answerer = Answerer {
            stack: self.shared.stack.clone(),
            peer: self.peer,
            alt_svc: self.alt_svc.clone(),
            activity: activity.clone(),
        };
        let service = service_fn(move |request| answerer.clone().answer(request));
        let builder = self.builder(protocol);
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut drain = self.shared.drain.clone();
        let idle = Duration::from_secs(self.shared.settings.idle_seconds);
        tokio::select! {
            result = serving.as_mut() => return log(result),
            () = drain.started() => {}
            () = activity.idle(idle) => {}
        }
        serving.as_mut().graceful_shutdown();
        log(serving.await);
    }

    fn builder(&self, protocol: Protocol) -> auto::Builder<TokioExecutor> {
        let settings = &self.shared.settings;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(settings.header_seconds))
            .max_headers(HTTP1_MAX_HEADERS)
            .max_buf_size(HTTP1_BUFFER_BYTES.max(settings.max_header_bytes));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_streams)
            .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        // What was settled in the TLS handshake is all that may be spoken.
        match protocol {
            Protocol::Http2 => builder.http2_only(),
            _ => builder.http1_only(),
        }
    }
}

fn log(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Hands a connection's requests to the stack.
#[derive(Clone)]
struct Answerer {
    stack: Stack,
    peer: SocketAddr,
    alt_svc: HeaderValue,
    activity: Activity,
}

impl Answerer {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<ActiveBody>, Infallible> {
        let active = self.activity.begin();
        let protocol = match request.version() {
            Version::HTTP_2 => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let conn = Conn {
            protocol,
            peer: self.peer,
            early_data: false,
        };
        let mut response = self.stack.answer(conn, request.map(Body::new)).await;
        response.headers_mut().insert(ALT_SVC, self.alt_svc);
        Ok(response.map(|body| active.with(body)))
    }
}
