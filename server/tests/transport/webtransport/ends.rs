//! How sessions end.

use std::time::Duration;

use macula_server::{
    transport::Settings,
    webtransport::{ReadError, Undeliverable, WriteError},
};
use tokio::time::Instant;
use wtransport::VarInt;

use super::{
    bytes,
    raw::{self, Raw},
    soon,
};
use crate::server::Server;

const SESSION_GONE: u64 = 0x170d_7b68;
const MESSAGE_ERROR: u64 = 0x10e;

#[tokio::test]
async fn the_server_says_why_it_ends_a_session() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.session("/session").await;
    let session = server.session().await;
    let (theirs, mut answer) = raw.bidirectional(&connect.head(0x41)).await;
    let (mut send, mut recv) = soon(session.accept_bi()).await.unwrap();
    let (reads, ()) = tokio::join!(recv.read_chunk(), async {
        tokio::task::yield_now().await;
        session.close(0x0102_0304, "that is enough");
        session.close(5, "only the first end counts");
    });
    assert_eq!(reads, Err(ReadError::Closed));
    assert_eq!(send.write_all(b"late").await, Err(WriteError::Closed));
    drop((send, recv));
    let capsule = connect.frame(0).await;
    assert_eq!(capsule, b"\x68\x43\x12\x01\x02\x03\x04that is enough");
    connect.send.finish().unwrap();
    connect.ended().await.unwrap();
    assert_eq!(raw::reset(&mut answer).await, SESSION_GONE);
    assert_eq!(raw::stopped(&theirs).await, SESSION_GONE);
    let closed = soon(session.closed()).await;
    assert_eq!(
        (closed.code, &*closed.reason),
        (0x0102_0304, "that is enough")
    );
}

#[tokio::test]
async fn the_client_says_why_it_ends_a_session() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.session("/session").await;
    let session = server.session().await;
    // An unknown capsule goes before, and the frame is cut in the middle.
    connect.capsules(b"\x21\x03abc\x68\x43\x07\0\0").await;
    connect.capsules(b"\0\x07bye").await;
    let closed = soon(session.closed()).await;
    assert_eq!((closed.code, &*closed.reason), (7, "bye"));
    assert_eq!(soon(session.accept_bi()).await.unwrap_err(), closed);
    assert_eq!(soon(session.accept_uni()).await.unwrap_err(), closed);
    assert_eq!(soon(session.open_bi()).await.unwrap_err(), closed);
    assert_eq!(soon(session.open_uni()).await.unwrap_err(), closed);
    assert_eq!(soon(session.read_datagram()).await.unwrap_err(), closed);
    let late = session.send_datagram(bytes("late"));
    assert_eq!(late, Err(Undeliverable::Closed));
    connect.ended().await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_requests_stream_ends_the_session() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    for how in ["finish", "reset", "stop"] {
        let mut connect = raw.session("/session").await;
        let session = server.session().await;
        let (_theirs, _answer) = raw.bidirectional(&connect.head(0x41)).await;
        let (_send, mut recv) = soon(session.accept_bi()).await.unwrap();
        match how {
            "finish" => connect.send.finish().unwrap(),
            "reset" => connect.send.reset(0x10cu32.into()).unwrap(),
            _ => connect.recv.stop(0x10cu32.into()).unwrap(),
        }
        assert_eq!(
            soon(recv.read_chunk()).await,
            Err(ReadError::Closed),
            "{how}"
        );
        let closed = soon(session.closed()).await;
        assert_eq!((closed.code, &*closed.reason), (0, ""), "{how}");
    }
}

#[tokio::test]
async fn a_capsule_that_cannot_be_ends_the_session_and_no_other() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let _other = raw.session("/session").await;
    let other = server.session().await;
    for capsule in [&b"\x68\x43\x01"[..], b"\x68\x43\xbf\xff\xff\xff"] {
        let mut connect = raw.session("/session").await;
        let session = server.session().await;
        connect.capsules(capsule).await;
        soon(session.closed()).await;
        assert_eq!(raw::reset(&mut connect.recv).await, MESSAGE_ERROR);
    }
    assert!(other.send_datagram(bytes("still there")).is_ok());
    raw.datagram().await;
}

#[tokio::test]
async fn who_drops_a_session_ends_it() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.session("/session").await;
    let session = server.session().await;
    let clone = session.clone();
    drop(session);
    assert!(clone.send_datagram(bytes("one clone lives")).is_ok());
    drop(clone);
    assert_eq!(connect.frame(0).await, b"\x68\x43\x04\0\0\0\0");
}

#[tokio::test]
async fn a_lost_connection_ends_all_of_its_sessions() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let (_one, two) = (raw.session("/session").await, raw.session("/session").await);
    let (first, second) = (server.session().await, server.session().await);
    let (_theirs, _answer) = raw.bidirectional(&two.head(0x41)).await;
    let (send, mut recv) = soon(second.accept_bi()).await.unwrap();
    let closes = async {
        tokio::task::yield_now().await;
        raw.quic.close(0x100u32.into(), b"");
    };
    let (read, stopped, accepted, _, ()) = soon(async {
        tokio::join!(
            recv.read_chunk(),
            send.stopped(),
            first.accept_bi(),
            first.closed(),
            closes
        )
    })
    .await;
    assert_eq!(read, Err(ReadError::Closed));
    assert_eq!(stopped, Err(WriteError::Closed));
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_client_that_goes_before_the_answer_leaves_no_session() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.ask("/session/slow").await;
    let (_theirs, mut early) = raw.bidirectional(&connect.head(0x41)).await;
    connect.recv.stop(0x10cu32.into()).unwrap();
    assert_eq!(raw::reset(&mut early).await, SESSION_GONE);
    server.release.notify_one();
    let _next = raw.session("/session").await;
    server.session().await;
    assert!(server.sessions.try_recv().is_err());
}

#[tokio::test]
async fn a_session_keeps_its_connection_and_a_drain_cuts_it() {
    let mut server = Server::with(Settings {
        idle_seconds: 1,
        drain_seconds: 1,
        ..Settings::default()
    });
    let raw = Raw::connect(&server).await;
    let idle = Raw::connect(&server).await;
    let _connect = raw.session("/session").await;
    let session = server.session().await;
    // The other connection is ended for idleness, after at least two looks.
    assert_eq!(idle.closed().await, 0x100);
    assert!(session.send_datagram(bytes("still there")).is_ok());
    raw.datagram().await;
    let start = Instant::now();
    server.drain.start();
    assert_eq!(raw.closed().await, 0x100);
    soon(session.closed()).await;
    assert!(start.elapsed() > Duration::from_millis(900));
    server.ended().await;
}

#[tokio::test]
async fn a_draining_server_opens_no_session_and_ends_with_the_last() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.session("/session").await;
    let session = server.session().await;
    server.drain.start();
    let mut refused = raw.ask("/v1/session").await;
    assert_eq!(refused.status().await, 503);
    // What is open goes on.
    let (_theirs, _answer) = raw.bidirectional(&connect.head(0x41)).await;
    soon(session.accept_bi()).await.unwrap();
    session.close(3, "draining");
    assert_eq!(connect.frame(0).await, b"\x68\x43\x0c\0\0\0\x03draining");
    connect.send.finish().unwrap();
    let took = server.ended().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_library_hears_of_the_end() {
    let mut server = Server::start();
    let client = super::sessions::connect(&server, "/session").await.unwrap();
    let session = server.session().await;
    client.close(VarInt::from_u32(9), b"gone");
    soon(session.closed()).await;
    let client = super::sessions::connect(&server, "/session").await.unwrap();
    let session = server.session().await;
    session.close(9, "enough");
    soon(client.closed()).await;
}
