//! WebTransport sessions: with a client that people use, and with frames written by hand.

mod early;
mod ends;
mod limits;
mod raw;
mod sessions;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::Path,
    response::IntoResponse,
    routing::{any, get},
};
use bytes::Bytes;
use http::{StatusCode, header::CONTENT_TYPE};
use macula_server::webtransport::{RecvStream, SendStream, Session, Upgrade};
use tokio::sync::{Notify, mpsc};

/// Routes for sessions: the test has those of `/session`; `/session/echo` sends all back;
/// `/session/slow` waits before it answers; `/session/refused/{status}` answers what it is told.
pub fn router(release: Arc<Notify>, opened: mpsc::UnboundedSender<Session>) -> Router {
    let given = opened.clone();
    Router::new()
        .route(
            "/session",
            any(move |Extension(upgrade): Extension<Upgrade>| async move { give(upgrade, given) }),
        )
        .route(
            "/session/slow",
            any(move |Extension(upgrade): Extension<Upgrade>| async move {
                release.notified().await;
                give(upgrade, opened);
            }),
        )
        .route("/session/echo", any(echoed))
        .route("/session/refused/{status}", any(refused))
        .route(
            "/session/none",
            get(|| async { "no session" }).connect(|| async {}),
        )
}

fn give(upgrade: Upgrade, to: mpsc::UnboundedSender<Session>) {
    tokio::spawn(async move {
        if let Ok(session) = upgrade.accepted().await {
            // A test that has ended wants none.
            let _ = to.send(session);
        }
    });
}

async fn refused(Path(status): Path<u16>) -> impl IntoResponse {
    // With a type of its own the answer stays as it is.
    let media_type = [(CONTENT_TYPE, "application/octet-stream")];
    (StatusCode::from_u16(status).unwrap(), media_type)
}

async fn echoed(Extension(upgrade): Extension<Upgrade>) {
    tokio::spawn(async move {
        if let Ok(session) = upgrade.accepted().await {
            echo(session).await;
        }
    });
}

/// Sends everything back until the session ends.
pub async fn echo(session: Session) {
    let bidirectional = async {
        while let Ok((send, recv)) = session.accept_bi().await {
            tokio::spawn(copy(recv, send));
        }
    };
    let unidirectional = async {
        while let Ok(recv) = session.accept_uni().await {
            let session = session.clone();
            tokio::spawn(async move {
                if let Ok(send) = session.open_uni().await {
                    copy(recv, send).await;
                }
            });
        }
    };
    let datagrams = async {
        while let Ok(datagram) = session.read_datagram().await {
            // One that does not fit is lost, as datagrams are.
            let _ = session.send_datagram(datagram);
        }
    };
    tokio::join!(bidirectional, unidirectional, datagrams);
}

async fn copy(mut recv: RecvStream, mut send: SendStream) {
    while let Ok(Some(chunk)) = recv.read_chunk().await {
        if send.write_chunks(&mut [chunk]).await.is_err() {
            return;
        }
    }
    let _ = send.finish();
}

/// All that comes on a stream.
pub async fn all(recv: &mut RecvStream) -> Result<Vec<u8>, macula_server::webtransport::ReadError> {
    let mut all = Vec::new();
    while let Some(chunk) = recv.read_chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// What a test waits for has to come soon.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(crate::server::SOON, what).await;
    came.expect("it did not come in time")
}

pub fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
