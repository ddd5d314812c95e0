//! What a peer may not have.

use futures_util::FutureExt;
use macula_server::transport::Settings;

use super::{
    all,
    raw::{self, Raw},
    soon,
};
use crate::server::Server;

const BUFFERED_STREAM_REJECTED: u64 = 0x3994_bd84;
const REQUEST_REJECTED: u64 = 0x10b;

#[tokio::test]
async fn a_connection_has_sixteen_sessions() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push((raw.session("/session").await, server.session().await));
    }
    let mut refused = raw.ask("/session").await;
    assert_eq!(raw::reset(&mut refused.recv).await, REQUEST_REJECTED);
    let (mut connect, session) = open.pop().unwrap();
    session.close(0, "");
    connect.frame(0).await;
    let _connect = raw.session("/session").await;
    server.session().await;
}

#[tokio::test]
async fn streams_that_nobody_accepts_are_bounded() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let connect = raw.session("/session").await;
    let session = server.session().await;
    let mut streams = Vec::new();
    for _ in 0..256 {
        streams.push(raw.bidirectional(&connect.head(0x41)).await);
    }
    let (_send, mut recv) = raw.bidirectional(&connect.head(0x41)).await;
    assert_eq!(raw::reset(&mut recv).await, BUFFERED_STREAM_REJECTED);
    for _ in 0..256 {
        soon(session.accept_bi()).await.unwrap();
    }
    let (_send, _recv) = raw.bidirectional(&connect.head(0x41)).await;
    soon(session.accept_bi()).await.unwrap();
}

#[tokio::test]
async fn of_datagrams_that_nobody_reads_the_last_stay() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let _connect = raw.session("/session").await;
    let session = server.session().await;
    for number in 0..200u8 {
        raw.quic.send_datagram(vec![0, number].into()).unwrap();
        if number % 50 == 0 {
            // All of them have come when this is answered.
            raw.ask("/nowhere").await.status().await;
        }
    }
    let mut last = soon(session.read_datagram()).await.unwrap()[0];
    while last < 199 {
        let next = soon(session.read_datagram()).await.unwrap()[0];
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}

#[tokio::test]
async fn streams_in_use_make_room_for_more_up_to_the_limit() {
    const MAX: usize = 200;
    let mut server = Server::with(Settings {
        max_streams: 200,
        ..Settings::default()
    });
    let raw = Raw::connect(&server).await;
    let connect = raw.session("/session").await;
    let session = server.session().await;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    // The first is the request's.
    while theirs.len() < MAX - 1 {
        theirs.push(raw.bidirectional(&connect.head(0x41)).await);
        ours.push(soon(session.accept_bi()).await.unwrap());
    }
    let more = raw.quic.open_bi().now_or_never();
    assert!(more.is_none(), "there is a limit");
    let mut one_way = Vec::new();
    for _ in 0..MAX / 2 {
        let send = raw.unidirectional(&connect.head(0x54)).await;
        one_way.push((send, soon(session.accept_uni()).await.unwrap()));
    }
    // What has ended makes room.
    ours.truncate(MAX / 2);
    theirs.truncate(MAX / 2);
    raw.bidirectional(&connect.head(0x41)).await;
}

#[tokio::test]
async fn many_short_streams_pass() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let connect = raw.session("/session").await;
    let session = server.session().await;
    let serves = tokio::spawn(async move {
        for _ in 0..5_000 {
            let (mut send, mut recv) = session.accept_bi().await.unwrap();
            let frame = all(&mut recv).await.unwrap();
            send.write_all(&frame).await.unwrap();
            send.finish().unwrap();
        }
    });
    let head = connect.head(0x41);
    let frame = [&head[..], b"frame"].concat();
    for _ in 0..50 {
        let calls = (0..100).map(|_| async {
            let (mut send, mut recv) = raw.bidirectional(&frame).await;
            send.finish().unwrap();
            assert_eq!(raw::all(&mut recv).await, b"frame");
        });
        futures_util::future::join_all(calls).await;
    }
    soon(serves).await.unwrap();
}

#[tokio::test]
async fn garbage_harms_nobody() {
    let server = Server::start();
    let raw = Raw::connect(&server).await;
    let connect = raw.session("/session/echo").await;
    // Numbers that look random, and are the same each time (Numerical Recipes' generator).
    let mut seed = 1u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    for _ in 0..300 {
        let kind = if random() % 2 == 0 { 0x41 } else { 0x54 };
        // Of this session or one that does not exist.
        let id = u8::try_from(random() % 3 * 4).unwrap();
        let mut bytes = vec![0x40, kind, id];
        bytes.extend((0..random() % 40).map(|_| random() as u8));
        bytes.truncate(random() as usize % 43);
        let datagram = [&[id / 4], &bytes[..]].concat();
        raw.quic.send_datagram(datagram.into()).unwrap();
        let mut send = if kind == 0x41 {
            raw.bidirectional(&bytes).await.0
        } else {
            raw.unidirectional(&bytes).await
        };
        match random() % 3 {
            0 => send.finish().unwrap(),
            1 => send.reset(random().into()).unwrap(),
            _ => drop(send),
        }
    }
    let bytes = [&connect.head(0x41)[..], b"sense"].concat();
    let (mut send, mut recv) = raw.bidirectional(&bytes).await;
    send.finish().unwrap();
    assert_eq!(raw::all(&mut recv).await, b"sense");
}
