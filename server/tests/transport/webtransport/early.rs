//! Streams and datagrams that come before their session, or for none.

use http::StatusCode;
use macula_server::{conn::Protocol, transport::Settings};

use super::{
    all,
    raw::{self, Raw},
    soon,
};
use crate::{client::Client, server::Server};

const SESSION_GONE: u64 = 0x170d_7b68;
const BUFFERED_STREAM_REJECTED: u64 = 0x3994_bd84;
const ID_ERROR: u64 = 0x108;
const DATAGRAM_ERROR: u64 = 0x33;
const REQUEST_INCOMPLETE: u64 = 0x10d;

#[tokio::test]
async fn what_comes_before_the_answer_waits_for_it() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.ask("/session/slow").await;
    let bytes = [&connect.head(0x41)[..], b"two ways"].concat();
    let (mut send, _recv) = raw.bidirectional(&bytes).await;
    send.finish().unwrap();
    let bytes = [&connect.head(0x54)[..], b"one way"].concat();
    raw.unidirectional(&bytes).await.finish().unwrap();
    raw.quic
        .send_datagram(b"\x00datagram".as_slice().into())
        .unwrap();
    server.release.notify_one();
    assert_eq!(connect.status().await, 200);
    let session = server.session().await;
    let (_send, mut recv) = soon(session.accept_bi()).await.unwrap();
    assert_eq!(soon(all(&mut recv)).await.unwrap(), b"two ways");
    let mut recv = soon(session.accept_uni()).await.unwrap();
    assert_eq!(soon(all(&mut recv)).await.unwrap(), b"one way");
    assert_eq!(soon(session.read_datagram()).await.unwrap(), "datagram");
}

#[tokio::test]
async fn what_comes_before_the_request_waits_for_it() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut kept = Vec::new();
    // With a session there already, datagrams are read as they come.
    for _ in 0..2 {
        let mut connect = raw.reserve().await;
        let quarter = u8::try_from(connect.id / 4).unwrap();
        let datagram = [&[quarter], &b"datagram"[..]].concat();
        raw.quic.send_datagram(datagram.into()).unwrap();
        let bytes = [&connect.head(0x41)[..], b"early"].concat();
        let (_send, _recv) = raw.bidirectional(&bytes).await;
        let _uni = raw.unidirectional(&connect.head(0x54)).await;
        // Both have come when the server answers what was asked behind them.
        let mut other = raw.ask("/nowhere").await;
        assert_eq!(other.status().await, 404);
        connect.ask("/session").await;
        assert_eq!(connect.status().await, 200);
        let session = server.session().await;
        let (_back, mut recv) = soon(session.accept_bi()).await.unwrap();
        assert_eq!(soon(recv.read_chunk()).await.unwrap().unwrap(), "early");
        soon(session.accept_uni()).await.unwrap();
        assert_eq!(soon(session.read_datagram()).await.unwrap(), "datagram");
        kept.push((session, connect));
    }
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.session("/session").await;
    let session = server.session().await;
    // A slow head keeps nobody waiting.
    let (mut slow, _recv) = raw.bidirectional(b"\x80").await;
    let (_quick, _back) = raw.bidirectional(&connect.head(0x41)).await;
    soon(session.accept_bi()).await.unwrap();
    let mut other = raw.ask("/nowhere").await;
    assert_eq!(other.status().await, 404);
    let id = u8::try_from(connect.id).unwrap();
    for byte in [0, 0, 0x41, 0xc0, 0, 0, 0, 0, 0, 0, id, b'!'] {
        slow.write_all(&[byte]).await.unwrap();
        // The server answers this behind it.
        let mut other = raw.ask("/nowhere").await;
        assert_eq!(other.status().await, 404);
    }
    let (_send, mut recv) = soon(session.accept_bi()).await.unwrap();
    assert_eq!(soon(recv.read_chunk()).await.unwrap().unwrap(), "!");
    connect.send.finish().unwrap();
}

#[tokio::test]
async fn a_head_that_does_not_come_on_ends_its_stream_in_time() {
    let server = Server::with(Settings {
        header_seconds: 1,
        ..Settings::default()
    });
    let raw = Raw::connect(&server).await;
    for bytes in [&b"\x40"[..], b"\x40\x41", b"\x40\x41\x80"] {
        let (_send, mut recv) = raw.bidirectional(bytes).await;
        assert_eq!(raw::reset(&mut recv).await, REQUEST_INCOMPLETE);
        let send = raw.unidirectional(bytes).await;
        drop(send);
    }
    let uni = raw.unidirectional(b"\x40\x54").await;
    assert_eq!(raw::stopped(&uni).await, 0x100);
}

#[tokio::test]
async fn a_stream_whose_session_does_not_come_is_refused() {
    let server = Server::with(Settings {
        header_seconds: 1,
        ..Settings::default()
    });
    let mut client = Client::connect(&server, Protocol::Http3).await;
    let quic = client.quic().clone();
    let (mut send, mut recv) = quic.open_bi().await.unwrap();
    send.write_all(b"\x40\x41\x7f\xfc").await.unwrap();
    let mut uni = quic.open_uni().await.unwrap();
    uni.write_all(b"\x40\x54\x7f\xfc").await.unwrap();
    assert_eq!(raw::reset(&mut recv).await, BUFFERED_STREAM_REJECTED);
    assert_eq!(raw::stopped(&send).await, BUFFERED_STREAM_REJECTED);
    assert_eq!(raw::stopped(&uni).await, BUFFERED_STREAM_REJECTED);
    assert_eq!(client.get("/").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn only_a_few_streams_wait_for_a_session() {
    let server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(raw.bidirectional(b"\x40\x41\x7f\xfc").await);
    }
    let (_send, mut recv) = raw.bidirectional(b"\x40\x41\x7f\xfc").await;
    assert_eq!(raw::reset(&mut recv).await, BUFFERED_STREAM_REJECTED);
    let mut other = raw.ask("/nowhere").await;
    assert_eq!(other.status().await, 404);
}

#[tokio::test]
async fn a_session_that_has_ended_takes_nothing() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut connect = raw.session("/session").await;
    server.session().await.close(0, "");
    connect.frame(0).await;
    let (send, mut recv) = raw.bidirectional(&connect.head(0x41)).await;
    assert_eq!(raw::reset(&mut recv).await, SESSION_GONE);
    assert_eq!(raw::stopped(&send).await, SESSION_GONE);
    let uni = raw.unidirectional(&connect.head(0x54)).await;
    assert_eq!(raw::stopped(&uni).await, SESSION_GONE);
    raw.quic
        .send_datagram(b"\x00late".as_slice().into())
        .unwrap();
    let mut other = raw.ask("/nowhere").await;
    assert_eq!(other.status().await, 404);
}

#[tokio::test]
async fn what_names_no_request_ends_the_connection() {
    let server = Server::start();
    for id in 1..4 {
        let raw = Raw::connect(&server).await;
        let _stream = raw.bidirectional(&[0x40, 0x41, id]).await;
        assert_eq!(raw.closed().await, ID_ERROR);
        let raw = Raw::connect(&server).await;
        let _stream = raw.unidirectional(&[0x40, 0x54, id]).await;
        assert_eq!(raw.closed().await, ID_ERROR);
    }
    for datagram in [&b""[..], b"\x40", b"\xd0\0\0\0\0\0\0\0"] {
        let raw = Raw::connect(&server).await;
        let _connect = raw.session("/session/echo").await;
        raw.quic.send_datagram(datagram.into()).unwrap();
        assert_eq!(raw.closed().await, DATAGRAM_ERROR, "{datagram:?}");
    }
}
