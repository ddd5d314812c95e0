//! TLS over TCP, with HTTP/1.1 and HTTP/2.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::body::Body;
use http::{
    HeaderValue, Method, Request, Response, Version,
    header::{ALT_SVC, UPGRADE},
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    FAREWELL, Shared,
    activity::{ActiveBody, Activity},
    heads::Heads,
    limits::Place,
    linger::Lingering,
    unread::Unread,
};
use crate::{
    conn::{Conn, Hold, Protocol},
    metrics::{ConnectionGuard, Refusal},
};

/// How long to wait when the system has no more sockets, so that the loop does not spin.
const BACK_OFF: Duration = Duration::from_millis(100);
/// How often HTTP/2 asks whether the peer is there, and how long it waits for the answer.
const PING: Duration = Duration::from_secs(20);
/// How the kernel asks whether the peer is there while nothing is sent: HTTP/1.1 has no pings, and a
/// reader of events may be silent for ever.
const KEEP_ALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(15));
/// What HTTP/1.1 may hold of a request or response that is not passed on. The head has to fit.
const HTTP1_BUFFER_BYTES: usize = 32 << 10;
/// What one HTTP/2 request may send before it is read.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// What all requests of an HTTP/2 connection may send before they are read.
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// What one HTTP/2 response may hold that the connection has not sent.
const HTTP2_SEND_BUFFER_BYTES: usize = 16 << 10;

/// Accepts connections until the drain starts.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    port: u16,
    shared: Shared,
) {
    let acceptor = TlsAcceptor::from(tls);
    let alt_svc = HeaderValue::try_from(format!("h3=\":{port}\"; ma=86400"));
    let alt_svc = alt_svc.expect("digits are visible");
    let mut drain = shared.drain.clone();
    loop {
        let accepted = tokio::select! {
            () = drain.started() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // That one is gone already; others wait.
            Err(error) if is_of_one_connection(&error) => continue,
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
            place: Arc::new(place),
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
    place: Arc<Place>,
}

/// Whether an error of `accept` tells of the connection and not of the node (accept(2), Linux).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::Interrupted
    )
}

impl Connection {
    async fn run(self, stream: TcpStream, acceptor: TlsAcceptor) {
        // Neither can fail on an open socket, and without them it is only slower to answer and to
        // notice.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEP_ALIVE);
        let time = Duration::from_secs(self.shared.settings.handshake_seconds);
        // Each step is on the heap while it lasts: the task of an idle connection stays small.
        let handshake = Box::pin(timeout(time, acceptor.accept(stream)));
        let Ok(Ok(stream)) = handshake.await else {
            let metrics = &self.shared.metrics;
            metrics.connection_refused(Protocol::Http2, Refusal::Handshake);
            return;
        };
        // What was settled in the handshake is all that may be spoken.
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Box::pin(self.http2(stream)).await,
            _ => Box::pin(self.http1(stream)).await,
        }
    }

    async fn http1(self, stream: TlsStream<TcpStream>) {
        let open = self.shared.metrics.connection_opened(Protocol::Http1);
        let open = Arc::new(open);
        let settings = &self.shared.settings;
        let activity = Activity::default();
        let head = Duration::from_secs(settings.header_seconds);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // `Heads` has it.
            .header_read_timeout(None)
            .max_header_size(settings.max_header_bytes)
            .max_buf_size(HTTP1_BUFFER_BYTES.max(settings.max_header_bytes));
        let io = TokioIo::new(Heads::new(Lingering::new(stream), activity.clone(), head));
        let serving = builder.serve_connection(io, self.service(&activity, &open));
        let mut serving = pin!(serving.with_upgrades());
        let ending = self.ending(&activity);
        tokio::select! {
            result = serving.as_mut() => return log(result),
            () = ending => {}
        }
        serving.as_mut().graceful_shutdown();
        self.farewell(serving, &activity).await;
    }

    async fn http2(self, stream: TlsStream<TcpStream>) {
        let open = self.shared.metrics.connection_opened(Protocol::Http2);
        let open = Arc::new(open);
        let settings = &self.shared.settings;
        let activity = Activity::default();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .enable_connect_protocol()
            .max_concurrent_streams(settings.max_streams)
            .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let io = TokioIo::new(Lingering::new(stream));
        let serving = builder.serve_connection(io, self.service(&activity, &open));
        let mut serving = pin!(serving);
        let ending = self.ending(&activity);
        tokio::select! {
            result = serving.as_mut() => return log(result),
            () = ending => {}
        }
        serving.as_mut().graceful_shutdown();
        self.farewell(serving, &activity).await;
    }

    /// Returns when the connection has to end: the node drains, or nothing is asked any more.
    async fn ending(&self, activity: &Activity) {
        let idle = Duration::from_secs(self.shared.settings.idle_seconds);
        let mut drain = self.shared.drain.clone();
        tokio::select! {
            () = drain.started() => {}
            () = activity.idle(idle) => {}
        }
    }

    /// Lets what is in flight end. A peer that asks nothing and does not leave is left.
    async fn farewell(
        &self,
        serving: impl Future<Output = hyper::Result<()>>,
        activity: &Activity,
    ) {
        tokio::select! {
            result = serving => log(result),
            () = activity.idle(FAREWELL) => {}
        }
    }

    fn service(
        &self,
        activity: &Activity,
        open: &Arc<ConnectionGuard>,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<ActiveBody>,
        Error = Infallible,
        Future: Send + 'static,
    > + use<> {
        let answerer = Arc::new(Answerer {
            shared: self.shared.clone(),
            peer: self.peer,
            alt_svc: self.alt_svc.clone(),
            activity: activity.clone(),
            guards: (Arc::clone(&self.place), Arc::clone(open)),
        });
        service_fn(move |request| Arc::clone(&answerer).answer(request))
    }
}

fn log(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Hands a connection's requests to the stack.
struct Answerer {
    shared: Shared,
    peer: SocketAddr,
    alt_svc: HeaderValue,
    activity: Activity,
    /// Count the connection while they live.
    guards: (Arc<Place>, Arc<ConnectionGuard>),
}

impl Answerer {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ActiveBody>, Infallible> {
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
        let mut request = request.map(|body| match protocol {
            Protocol::Http2 => Body::new(Unread::new(body)),
            _ => Body::new(body),
        });
        if request.method() == Method::CONNECT || request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(self.hold());
        }
        let mut response = self.shared.stack.answer(conn, request).await;
        let headers = response.headers_mut();
        headers.insert(ALT_SVC, self.alt_svc.clone());
        Ok(response.map(|body| active.with(body)))
    }

    /// Keeps the connection for what a request becomes.
    fn hold(&self) -> Hold {
        let guards = self.guards.clone();
        let open = self.shared.connections.token();
        Hold::new(
            self.shared.cut.clone(),
            (self.activity.begin(), open, guards),
        )
    }
}
