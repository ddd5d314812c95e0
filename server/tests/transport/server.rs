//! A server with a small router.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::TRAILER;
use macula_mesh::{Identity, Mesh};
use macula_server::{
    api::{self, Gateway, context::Context},
    drain,
    metrics::Metrics,
    stack::Stack,
    tls::{self, Configs, Keeper},
    transport::{self, Bound, Settings},
    webtransport::Session,
};
use rustls::{RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use tempfile::TempDir;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::webtransport;

/// How long a test waits for what has to happen.
pub const SOON: Duration = Duration::from_secs(10);

/// What serves, and what its handlers tell.
pub struct Server {
    pub address: SocketAddr,
    pub authority: PathBuf,
    pub drain: drain::Trigger,
    /// Lets `/slow` answer.
    pub release: Arc<Notify>,
    /// Told when `/slow` is asked.
    pub asked: mpsc::UnboundedReceiver<()>,
    /// The sessions that were opened at `/session`.
    pub sessions: mpsc::UnboundedReceiver<Session>,
    /// How many bodies of `/events` are open.
    pub readers: watch::Receiver<usize>,
    pub serving: JoinHandle<()>,
    _directory: TempDir,
}

/// Counts a reader until its body is dropped.
struct Reader(watch::Sender<usize>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.send_modify(|readers| *readers -= 1);
    }
}

impl Server {
    pub fn start() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keeper = Keeper::start(&tls::Settings::default(), directory.path()).unwrap();
        let bound = Bound::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = bound.addresses()[0];
        let (trigger, signal) = drain::channel();
        let (asked, asks) = mpsc::unbounded_channel();
        let (opened, sessions) = mpsc::unbounded_channel();
        let (counting, readers) = watch::channel(0);
        let release = Arc::new(Notify::new());
        let identity = Identity {
            name: "test".to_owned(),
            version: "0",
        };
        let mesh = Mesh::start(identity, &macula_mesh::Settings::default()).unwrap();
        let metrics = Metrics::new();
        let gateway = Gateway::start(
            mesh,
            api::Settings::default(),
            metrics.clone(),
            signal.clone(),
        );
        let router = router(Arc::clone(&release), asked, counting)
            .merge(webtransport::router(Arc::clone(&release), opened));
        let stack = Stack::new(router, gateway);
        let tls = Configs::new(&keeper).unwrap();
        let serving = tokio::spawn(async move {
            transport::serve(bound, &tls, settings, stack, metrics, signal)
                .await
                .unwrap();
        });
        Self {
            address,
            authority: keeper.authority().unwrap(),
            drain: trigger,
            release,
            asked: asks,
            sessions,
            readers,
            serving,
            _directory: directory,
        }
    }

    /// Who trusts the server's authority and nobody else.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(&self.authority).unwrap();
        roots.add(authority).unwrap();
        roots
    }

    /// Waits until so many bodies of `/events` are open.
    pub async fn readers(&mut self, count: usize) {
        let waited = self.readers.wait_for(|&readers| readers == count);
        let waited = timeout(SOON, waited).await.is_ok();
        assert!(waited, "{} readers", *self.readers.borrow());
    }

    /// The next session that was opened at `/session`.
    pub async fn session(&mut self) -> Session {
        let session = timeout(SOON, self.sessions.recv()).await;
        session.unwrap().unwrap()
    }

    /// Waits until serving has ended; returns how long that took.
    pub async fn ended(&mut self) -> Duration {
        let start = Instant::now();
        timeout(SOON, &mut self.serving).await.unwrap().unwrap();
        start.elapsed()
    }
}

fn router(
    release: Arc<Notify>,
    asked: mpsc::UnboundedSender<()>,
    readers: watch::Sender<usize>,
) -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(echo))
        .route("/conn", get(conn).post(conn))
        .route("/events", get(move || events(readers.clone())))
        .route(
            "/slow",
            post(move || async move {
                asked.send(()).unwrap();
                release.notified().await;
                "x".repeat(100_000)
            }),
        )
        .route("/broken", get(broken))
        .route("/early", post(|| async { "no" }))
}

/// Sends a body and its trailers back as they come.
async fn echo(request: Request) -> Response {
    let trailer = request.headers().get(TRAILER).cloned();
    let mut response = Response::new(Body::new(request.into_body()));
    response
        .headers_mut()
        .extend(trailer.map(|name| (TRAILER, name)));
    response
}

async fn conn(Extension(context): Extension<Context>) -> String {
    format!("{} {}", context.protocol().label(), context.early_data())
}

/// One event, and then silence.
async fn events(readers: watch::Sender<usize>) -> Response {
    readers.send_modify(|readers| *readers += 1);
    let reader = Reader(readers);
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from("event"))]);
    let silence = stream::pending().inspect(move |_| {
        let _ = &reader;
    });
    Response::new(Body::from_stream(first.chain(silence)))
}

/// A body that fails in the middle.
async fn broken() -> Response {
    let half = [
        Ok(Bytes::from("half")),
        Err(std::io::Error::other("broken")),
    ];
    let later = stream::iter(half).then(|part| async {
        tokio::task::yield_now().await;
        part
    });
    Response::new(Body::from_stream(later))
}
