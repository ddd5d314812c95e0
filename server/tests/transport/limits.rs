//! What a connection may cost, and how long it may take.

use std::time::{Duration, Instant};

use http::StatusCode;
use macula_server::{conn::Protocol, transport::Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    client::{ALL, Client, tls},
    server::{SOON, Server},
};

#[tokio::test]
async fn too_large_a_head_is_refused_and_the_connection_goes_on() {
    let server = Server::start();
    // HTTP/3 is in `frames`: the client keeps to the bound that it was told.
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::connect(&server, protocol).await;
        let fields = [("x-a", &*"a".repeat(20 << 10))];
        let answer = client.ask("GET", "/", &fields).end().await.unwrap();
        let refused = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        assert_eq!(answer.status, refused, "{protocol:?}");
        if protocol == Protocol::Http2 {
            assert_eq!(client.get("/").await.unwrap().status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_on_ends_in_time() {
    let server = Server::with(Settings {
        header_seconds: 1,
        ..Settings::default()
    });
    let mut stream = tls(&server, b"http/1.1").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    let start = Instant::now();
    let mut rest = Vec::new();
    // Whether the end is told properly does not matter here.
    let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(start.elapsed() > Duration::from_millis(900));
}

#[tokio::test]
async fn a_handshake_that_does_not_come_on_ends_in_time() {
    let server = Server::with(Settings {
        handshake_seconds: 1,
        ..Settings::default()
    });
    let mut stream = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    stream.write_all(b"\x16\x03\x01").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap();
}

#[tokio::test]
async fn a_connection_ends_when_nothing_is_asked_and_stays_while_an_answer_streams() {
    let mut server = Server::with(Settings {
        idle_seconds: 1,
        header_seconds: 1,
        ..Settings::default()
    });
    let mut reading = Vec::new();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let mut answer = client.get("/events").await.unwrap();
        answer.data().await.unwrap().unwrap();
        reading.push((client, answer));
    }
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let answer = client.get("/").await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
        let gone = async {
            match &client {
                Client::Http1(sender) => {
                    while !sender.is_closed() {
                        tokio::task::yield_now().await;
                    }
                }
                Client::Http2(sender) => {
                    while !sender.is_closed() {
                        tokio::task::yield_now().await;
                    }
                }
                Client::Http3 { quic, .. } => drop(quic.closed().await),
            }
        };
        timeout(SOON, gone).await.unwrap();
    }
    server.readers(3).await;
    for (mut client, _answer) in reading.split_off(1) {
        assert_eq!(client.get("/").await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn lesson_17_an_address_has_a_share_of_connections_and_gets_it_back() {
    let server = Server::with(Settings {
        max_connections_per_address: 1,
        ..Settings::default()
    });
    for protocol in ALL {
        let connect = async || {
            let mut client = Client::try_connect(&server, protocol).await?;
            client.get("/").await.map(|_| client)
        };
        // The place of the connection before is free as soon as the server has seen its end.
        let first = timeout(SOON, async {
            loop {
                match connect().await {
                    Ok(client) => break client,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        let first = first.await.unwrap();
        assert!(connect().await.is_err(), "{protocol:?}");
        if let Client::Http3 { quic, .. } = &first {
            quic.close(0u32.into(), b"");
        }
    }
}
