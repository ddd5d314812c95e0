//! Calls.

use http::{Method, header};
use serde_json::json;

use crate::support::{Node, request};

const ECHO: &str = "/v1/rpc/dev/system.echo";

#[tokio::test]
async fn an_argument_comes_back_in_the_encoding_that_is_accepted() {
    let node = Node::start();
    let (json, msgpack) = ("application/json", "application/msgpack");
    for (sent, body, accept, media_type, expected) in [
        (json, &b"{\"a\": 1}"[..], "", json, &b"{\"a\": 1}"[..]),
        (json, b"{\"a\": 1}", "*/*", json, b"{\"a\": 1}"),
        (json, b"{\"a\": 1}", msgpack, msgpack, b"\x81\xA1a\x01"),
        (msgpack, b"\x81\xA1a\x01", "", msgpack, b"\x81\xA1a\x01"),
        (
            msgpack,
            b"\xC4\x01\xFF",
            json,
            json,
            b"{\"$bytes\":\"/w==\"}",
        ),
        (
            "application/x-msgpack",
            b"\x01",
            "application/vnd.msgpack",
            msgpack,
            b"\x01",
        ),
        ("image/png", b"\x89PNG", "", "image/png", b"\x89PNG"),
        ("", b"\x00\xFF", "", "application/octet-stream", b"\x00\xFF"),
        ("", b"", "", json, b"null"),
    ] {
        let headers = [("content-type", sent), ("accept", accept)];
        let answer = node.post(ECHO, &headers, body).await;
        assert_eq!(answer.status, 200, "{sent} {accept}");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            media_type,
            "{sent} {accept}"
        );
        assert_eq!(answer.header("macula-served-by"), "test");
        assert_eq!(answer.bytes().await, expected, "{sent} {accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline() {
    let node = Node::start();
    let count = br#"{"to": 100, "delay_ms": 1000}"#;
    let path = "/v1/rpc/dev/system.count?timeout_ms=2500";
    let answer = node
        .ask(Method::POST, path, "application/json", count)
        .await;
    let (status, code, _) = answer.problem().await;
    assert_eq!((status, code.as_str()), (504, "timeout"));
    assert_eq!(node.gateway.mesh.status().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn progress_is_streamed_before_the_result() {
    let node = Node::start();
    let headers = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
    ];
    let count = br#"{"to": 3, "delay_ms": 10}"#;
    let mut answer = node.post("/v1/rpc/dev/system.count", &headers, count).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    let mut events = Vec::new();
    while let Some((name, _, data)) = answer.event().await {
        events.push((name, data["payload"].clone()));
    }
    let mut expected: Vec<_> = (1..=3).map(|n| ("progress".to_owned(), json!(n))).collect();
    expected.push(("result".to_owned(), json!({"counted": 3})));
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_stream_that_is_dropped_cancels_its_call() {
    let node = Node::start();
    let headers = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
    ];
    let count = br#"{"to": 1000000, "delay_ms": 1}"#;
    let mut answer = node.post("/v1/rpc/dev/system.count", &headers, count).await;
    answer.event().await.unwrap();
    assert_eq!(node.gateway.mesh.status().calls, 1);
    drop(answer);
    assert_eq!(node.gateway.mesh.status().calls, 0);
}

#[tokio::test]
async fn a_handlers_error_is_carried_inside() {
    let node = Node::start();
    let path = "/v1/rpc/dev/system.count";
    let answer = node
        .ask(Method::POST, path, "application/json", b"{\"to\": -1}")
        .await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json().await["handler"]["code"], "invalid_argument");
}

#[tokio::test]
async fn lesson_21_a_repeated_call_gets_the_first_ones_answer() {
    let node = Node::start();
    let time = async |key: &'static str, body: &'static [u8]| {
        let headers = [
            ("idempotency-key", key),
            ("content-type", "application/json"),
        ];
        node.post("/v1/rpc/dev/system.info", &headers, body).await
    };
    let first = time("a", b"null").await.json().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(time("a", b"null").await.json().await, first);
    assert_ne!(time("b", b"null").await.json().await, first);
    let (status, code, _) = time("a", b"1").await.problem().await;
    assert_eq!((status, code.as_str()), (422, "idempotency_mismatch"));
}

#[tokio::test]
async fn a_call_with_a_key_goes_on_when_its_caller_goes() {
    let node = Node::start();
    let headers = [
        ("idempotency-key", "k"),
        ("content-type", "application/json"),
    ];
    let count = br#"{"to": 5, "delay_ms": 20}"#;
    let call = || node.post("/v1/rpc/dev/system.count", &headers, count);
    let gone = tokio::time::timeout(std::time::Duration::from_millis(30), call()).await;
    assert!(gone.is_err());
    let (status, code, _) = call().await.problem().await;
    assert_eq!((status, code.as_str()), (409, "idempotency_in_flight"));
    while node.gateway.mesh.status().calls > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(call().await.json().await, json!({"counted": 5}));
}

#[tokio::test]
async fn a_request_keeps_its_id_and_its_trace() {
    let node = Node::start();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("x-request-id", "my-request"), ("traceparent", parent)];
    let answer = node
        .send(request(Method::GET, "/healthz", &headers, b""))
        .await;
    assert_eq!(answer.header("x-request-id"), "my-request");
    let trace = answer.header("traceparent");
    assert!(trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && trace != parent);
}
