//! Bodies in both directions.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use macula_server::conn::Protocol;

use crate::{
    client::{ALL, Client},
    server::Server,
};

#[tokio::test]
async fn bodies_and_their_trailers_stream_both_ways() {
    let server = Server::start();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let headers = [("te", "trailers"), ("trailer", "x-sum")];
        let mut asking = client.ask("POST", "/echo", &headers);
        asking.send("one").await;
        let mut answer = asking.answer().await.unwrap();
        // The answer has begun before the request has ended.
        assert_eq!(answer.data().await.unwrap().unwrap(), "one", "{protocol:?}");
        asking.send("two").await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("6"));
        let sent = trailers.clone();
        asking.body.send(Frame::trailers(sent)).await.unwrap();
        drop(asking);
        let rest = answer.rest().await.unwrap();
        assert_eq!(rest, (b"two".to_vec(), trailers), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    const PIECES: usize = 64;
    let server = Server::start();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let mut asking = client.ask("POST", "/echo", &[]);
        let body = asking.body.clone();
        tokio::spawn(async move {
            for piece in 0..PIECES {
                let bytes = Bytes::from(vec![piece as u8; 64 << 10]);
                body.send(Frame::data(bytes)).await.unwrap();
            }
        });
        let answer = asking.answer().await.unwrap();
        drop(asking);
        let (all, _) = answer.rest().await.unwrap();
        assert_eq!(all.len(), PIECES << 16, "{protocol:?}");
        assert!(
            all.iter()
                .enumerate()
                .all(|(at, &byte)| byte as usize == at >> 16)
        );
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_arrives() {
    let server = Server::start();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let mut asking = client.ask("POST", "/early", &[]);
        let body = asking.body.clone();
        let flood = tokio::spawn(async move {
            let piece = || Frame::data(Bytes::from(vec![0; 64 << 10]));
            while body.send(piece()).await.is_ok() {}
        });
        let answer = asking.answer().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "no", "{protocol:?}");
        flood.abort();
        if protocol != Protocol::Http1 {
            assert_eq!(client.get("/").await.unwrap().status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn an_answer_to_head_has_the_length_and_no_body() {
    let server = Server::start();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let answer = client.ask("HEAD", "/", &[]).end().await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers[header::CONTENT_LENGTH], "5", "{protocol:?}");
        assert!(answer.headers.contains_key(header::DATE), "{protocol:?}");
        assert_eq!(answer.text().await.unwrap(), "", "{protocol:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_from_a_whole_one() {
    let server = Server::start();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let read = match client.get("/broken").await {
            Ok(answer) => answer.text().await,
            Err(error) => Err(error),
        };
        assert!(read.is_err(), "{protocol:?}: {read:?}");
    }
}

#[tokio::test]
async fn a_request_knows_its_connection_and_tcp_tells_of_http3() {
    let server = Server::start();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let answer = client.get("/conn").await.unwrap();
        let expected = format!("h3=\":{}\"; ma=86400", server.address.port());
        let expected = (protocol != Protocol::Http3).then_some(expected);
        let told = answer.headers.get(header::ALT_SVC);
        assert_eq!(told.map(|v| v.to_str().unwrap().to_owned()), expected);
        let text = answer.text().await.unwrap();
        assert_eq!(text, format!("{} false", protocol.label()));
    }
}

#[tokio::test]
async fn a_reader_that_goes_ends_its_silent_answer_at_once() {
    let mut server = Server::start();
    for protocol in ALL {
        let mut client = Client::connect(&server, protocol).await;
        let mut answer = client.get("/events").await.unwrap();
        assert_eq!(answer.data().await.unwrap().unwrap(), "event");
        server.readers(1).await;
        // On HTTP/2 and HTTP/3 only the stream ends.
        drop(answer);
        if protocol == Protocol::Http1 {
            // The connection is all that can end.
            drop(client);
            server.readers(0).await;
            continue;
        }
        server.readers(0).await;
        // The connection goes on.
        assert_eq!(client.get("/").await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_reader_that_stalls_stalls_nobody_else() {
    let server = Server::start();
    for protocol in [Protocol::Http2, Protocol::Http3] {
        let mut client = Client::connect(&server, protocol).await;
        let mut stalled = client.ask("POST", "/echo", &[]);
        let body = stalled.body.clone();
        // More than any window takes, and nobody reads it back.
        let flood = tokio::spawn(async move {
            for _ in 0..64 {
                let frame = Frame::data(Bytes::from(vec![0; 64 << 10]));
                if body.send(frame).await.is_err() {
                    return;
                }
            }
        });
        let answer = stalled.answer().await.unwrap();
        for _ in 0..10 {
            let text = client.get("/").await.unwrap().text().await.unwrap();
            assert_eq!(text, "hello", "{protocol:?}");
        }
        flood.abort();
        drop(answer);
    }
}
