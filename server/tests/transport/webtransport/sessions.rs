//! Sessions as they should be.

use http::StatusCode;
use macula_server::{
    conn::Protocol,
    webtransport::{ReadError, Undeliverable, WriteError},
};
use wtransport::{ClientConfig, Endpoint, error::ConnectingError};

use super::{
    all, bytes, echo,
    raw::{self, Raw},
    soon,
};
use crate::{client::Client, server::Server};

const SESSION_GONE: u64 = 0x170d_7b68;

pub async fn connect(
    server: &Server,
    path: &str,
) -> Result<wtransport::Connection, ConnectingError> {
    let tls = crate::client::config(server, b"h3");
    let config = ClientConfig::builder()
        .with_bind_default()
        .with_custom_tls(tls)
        .build();
    let endpoint = Endpoint::client(config).unwrap();
    let url = format!("https://127.0.0.1:{}{path}", server.address.port());
    soon(endpoint.connect(url)).await
}

async fn read(recv: &mut wtransport::RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 1_000];
    while let Some(len) = soon(recv.read(&mut piece)).await.unwrap() {
        all.extend_from_slice(&piece[..len]);
    }
    all
}

#[tokio::test]
async fn a_clients_streams_and_datagrams_come_back() {
    let server = Server::start();
    let session = connect(&server, "/session/echo").await.unwrap();
    let (mut send, mut recv) = soon(session.open_bi()).await.unwrap().await.unwrap();
    let large = "x".repeat(1 << 20);
    let writes = async {
        send.write_all(large.as_bytes()).await.unwrap();
        send.finish().await.unwrap();
    };
    let ((), back) = tokio::join!(writes, read(&mut recv));
    assert_eq!(back.len(), large.len());

    let mut send = soon(session.open_uni()).await.unwrap().await.unwrap();
    send.write_all(b"one way").await.unwrap();
    send.finish().await.unwrap();
    let mut recv = soon(session.accept_uni()).await.unwrap();
    assert_eq!(read(&mut recv).await, b"one way");

    session.send_datagram(b"a datagram").unwrap();
    let datagram = soon(session.receive_datagram()).await.unwrap();
    assert_eq!(&*datagram.payload(), b"a datagram");
}

#[tokio::test]
async fn the_server_opens_streams_too() {
    let mut server = Server::start();
    let client = connect(&server, "/session").await.unwrap();
    let session = server.session().await;
    let (mut send, mut recv) = soon(session.open_bi()).await.unwrap();
    send.write_all(b"question").await.unwrap();
    send.finish().unwrap();
    let (mut back, mut question) = soon(client.accept_bi()).await.unwrap();
    assert_eq!(read(&mut question).await, b"question");
    back.write_all(b"answer").await.unwrap();
    back.finish().await.unwrap();
    assert_eq!(soon(all(&mut recv)).await.unwrap(), b"answer");
    // A stream without content has a head all the same.
    let mut empty = soon(session.open_uni()).await.unwrap();
    empty.finish().unwrap();
    let mut empty = soon(client.accept_uni()).await.unwrap();
    assert_eq!(read(&mut empty).await, b"");
}

#[tokio::test]
async fn a_refused_session_gets_its_status() {
    let server = Server::start();
    for path in ["/session/refused/403", "/nowhere"] {
        let refused = connect(&server, path).await;
        assert!(
            matches!(refused, Err(ConnectingError::SessionRejected)),
            "{path}"
        );
    }
    let raw = Raw::connect(&server).await;
    for (path, status) in [("/session/refused/403", 403), ("/nowhere", 404)] {
        let mut connect = raw.ask(path).await;
        assert_eq!(connect.status().await, status);
        let (_send, mut recv) = raw.bidirectional(&connect.head(0x41)).await;
        assert_eq!(raw::reset(&mut recv).await, SESSION_GONE, "{path}");
    }
    // A 200 of who does not know of sessions opens none: the stream just ends.
    let mut connect = raw.session("/session/none").await;
    connect.ended().await.unwrap();
}

#[tokio::test]
async fn requests_go_on_beside_sessions() {
    let mut server = Server::start();
    let mut client = Client::connect(&server, Protocol::Http3).await;
    let quic = client.quic().clone();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let asked = client.connect_session("/session").await;
        assert_eq!(asked.0, StatusCode::OK);
        sessions.push((asked.1, server.session().await));
    }
    for (index, (connect, session)) in sessions.iter().enumerate() {
        let id = connect.id().into_inner();
        let (mut send, mut recv) = quic.open_bi().await.unwrap();
        let head = [&[0x40, 0x41, u8::try_from(id).unwrap()][..], &[index as u8]];
        send.write_all(&head.concat()).await.unwrap();
        let (mut back, mut stream) = soon(session.accept_bi()).await.unwrap();
        assert_eq!(
            soon(stream.read_chunk()).await.unwrap().unwrap(),
            [index as u8][..]
        );
        assert_eq!(
            client.get("/").await.unwrap().text().await.unwrap(),
            "hello"
        );
        back.write_all(b"back").await.unwrap();
        back.finish().unwrap();
        assert_eq!(raw::all(&mut recv).await, b"back");
    }
}

#[tokio::test]
async fn sessions_of_one_connection_do_not_mix() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let one = raw.session("/session").await;
    let first = server.session().await;
    let two = raw.session("/session").await;
    let second = server.session().await;
    for (connect, session, name) in [(&two, &second, "two"), (&one, &first, "one")] {
        let bytes = [&connect.head(0x54)[..], name.as_bytes()].concat();
        let mut send = raw.unidirectional(&bytes).await;
        send.finish().unwrap();
        let mut recv = soon(session.accept_uni()).await.unwrap();
        assert_eq!(soon(all(&mut recv)).await.unwrap(), name.as_bytes());
        let quarter = u8::try_from(connect.id / 4).unwrap();
        let datagram = [&[quarter], name.as_bytes()].concat();
        raw.quic.send_datagram(datagram.clone().into()).unwrap();
        let came = soon(session.read_datagram()).await.unwrap();
        assert_eq!(came, name.as_bytes());
        session.send_datagram(came).unwrap();
        assert_eq!(raw.datagram().await, datagram);
        let mut send = soon(session.open_uni()).await.unwrap();
        send.write_chunks(&mut [bytes_of(name), bytes_of("!")])
            .await
            .unwrap();
        send.finish().unwrap();
        let (id, mut recv) = raw.accept_uni().await;
        assert_eq!(u64::from(id), connect.id);
        assert_eq!(raw::all(&mut recv).await, [name, "!"].concat().as_bytes());
    }
}

fn bytes_of(text: &str) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn codes_of_streams_arrive_on_both_sides() {
    const WIRE_7: u64 = 0x52e4_a40f_a8db + 7;
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let connect = raw.session("/session").await;
    let session = server.session().await;
    let (mut theirs, mut answer) = raw.bidirectional(&connect.head(0x41)).await;
    let (mut send, mut recv) = soon(session.accept_bi()).await.unwrap();
    let wire = quinn::VarInt::from_u64(WIRE_7).unwrap();
    theirs.reset(wire).unwrap();
    assert_eq!(soon(recv.read_chunk()).await, Err(ReadError::Reset(7)));
    send.reset(7);
    assert_eq!(raw::reset(&mut answer).await, WIRE_7);

    let (theirs, mut answer) = raw.bidirectional(&connect.head(0x41)).await;
    let (mut send, mut recv) = soon(session.accept_bi()).await.unwrap();
    recv.stop(7);
    assert_eq!(raw::stopped(&theirs).await, WIRE_7);
    answer.stop(wire).unwrap();
    assert_eq!(soon(send.stopped()).await, Ok(Some(7)));
    assert_eq!(send.write_all(b"more").await, Err(WriteError::Stopped(7)));

    // What is dropped without an end must not look like the whole.
    let (theirs, mut answer) = raw.bidirectional(&connect.head(0x41)).await;
    drop(soon(session.accept_bi()).await.unwrap());
    assert_eq!(raw::stopped(&theirs).await, WIRE_7 - 7);
    assert_eq!(raw::reset(&mut answer).await, WIRE_7 - 7);
}

#[tokio::test]
async fn a_datagram_has_to_fit() {
    let mut server = Server::start();
    let raw = Raw::connect(&server).await;
    let _connect = raw.session("/session").await;
    let session = server.session().await;
    let max = session.max_datagram_size().unwrap();
    assert!(max > 1_000, "{max}");
    session.send_datagram(vec![0; max].into()).unwrap();
    assert_eq!(raw.datagram().await.len(), 1 + max);
    let large = session.send_datagram(vec![0; 60_000].into());
    assert_eq!(large, Err(Undeliverable::TooLarge));
    session.close(0, "");
    assert_eq!(
        session.send_datagram(bytes("late")),
        Err(Undeliverable::Closed)
    );
    // The echo of a session that has ended ends.
    soon(echo(session)).await;
}
