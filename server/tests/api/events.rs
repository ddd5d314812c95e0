//! Publishing, subscribing, discovering.

use http::Method;
use macula_server::api::Settings;
use serde_json::{Value, json};

use crate::support::{Node, request};

async fn publish(node: &Node, topic: &str, payload: &str) -> String {
    let path = format!("/v1/publish/dev/{topic}");
    let answer = node
        .ask(Method::POST, &path, "application/json", payload.as_bytes())
        .await;
    assert_eq!(answer.status, 202);
    answer.json().await["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn lesson_19_a_reader_is_told_when_it_is_subscribed() {
    let node = Node::start();
    let mut reader = node.get("/v1/subscribe/dev/home.*.temperature").await;
    assert_eq!(reader.header("content-type"), "text/event-stream");
    let (name, _, data) = reader.event().await.unwrap();
    let expected = json!({"realm": "dev", "pattern": "home.*.temperature", "backlog": 0});
    assert_eq!((name.as_str(), data), ("subscribed", expected));
    publish(&node, "home.kitchen.humidity", "1").await;
    let id = publish(&node, "home.kitchen.temperature", "21.5").await;
    let (name, event_id, data) = reader.event().await.unwrap();
    assert_eq!((name.as_str(), event_id), ("message", id.clone()));
    assert_eq!(data["id"], id.as_str());
    assert_eq!(data["topic"], "home.kitchen.temperature");
    assert_eq!(data["publisher"], "anonymous");
    assert_eq!(data["payload"], 21.5);
}

#[tokio::test]
async fn a_reader_resumes_after_the_last_event_it_saw() {
    let node = Node::start();
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(publish(&node, "a", &n.to_string()).await);
    }
    let read = async |path: &str, header: &str, count: usize| {
        let headers = [("last-event-id", header)];
        let mut reader = node.send(request(Method::GET, path, &headers, b"")).await;
        let (_, _, subscribed) = reader.event().await.unwrap();
        assert_eq!(subscribed["backlog"], count, "{path} {header}");
        let mut payloads = Vec::new();
        for _ in 0..count {
            payloads.push(reader.event().await.unwrap().2["payload"].clone());
        }
        Value::from(payloads)
    };
    let path = "/v1/subscribe/dev/a";
    assert_eq!(read(path, &ids[2], 2).await, json!([3, 4]));
    assert_eq!(
        read(&format!("{path}?replay=3"), "", 3).await,
        json!([2, 3, 4])
    );
    assert_eq!(
        read(&format!("{path}?replay=3"), &ids[3], 1).await,
        json!([4])
    );
    assert_eq!(
        read(&format!("{path}?last_event_id={}", ids[3]), "", 1).await,
        json!([4])
    );
}

#[tokio::test]
async fn lesson_23_a_slow_reader_is_told_what_it_missed() {
    let settings = Settings {
        reader_events: 4,
        ..Settings::default()
    };
    let node = Node::with(settings);
    let mut dropping = node.get("/v1/subscribe/dev/a").await;
    let mut closing = node.get("/v1/subscribe/dev/a?overflow=close").await;
    for reader in [&mut dropping, &mut closing] {
        reader.event().await.unwrap();
    }
    publish_many(&node, 10).await;
    let text = String::from_utf8(closing.bytes().await.to_vec()).unwrap();
    assert!(
        text.contains(r#"event: gap"#) && text.contains(r#""slow_reader""#),
        "{text}"
    );
    assert_eq!(text.matches("event: message").count(), 4);
    let (name, _, data) = dropping.event().await.unwrap();
    let expected = json!({"missed": 6, "reason": "slow_reader"});
    assert_eq!((name.as_str(), data), ("gap", expected));
    for n in 6..10 {
        assert_eq!(dropping.event().await.unwrap().2["payload"], n);
    }
}

async fn publish_many(node: &Node, count: usize) {
    for n in 0..count {
        publish(node, "a", &n.to_string()).await;
    }
}

#[tokio::test]
async fn application_headers_travel_with_the_event() {
    let node = Node::start();
    let mut reader = node.get("/v1/subscribe/dev/a").await;
    reader.event().await.unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("macula-header-room", "kitchen"),
    ];
    node.post("/v1/publish/dev/a", &headers, b"1").await;
    let (_, _, data) = reader.event().await.unwrap();
    assert_eq!(data["headers"], json!({"room": "kitchen"}));
}

#[tokio::test]
async fn a_repeated_publish_makes_one_event() {
    let node = Node::start();
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let first = node
        .post("/v1/publish/dev/a", &headers, b"1")
        .await
        .json()
        .await;
    let again = node
        .post("/v1/publish/dev/a", &headers, b"1")
        .await
        .json()
        .await;
    assert_eq!(first, again);
    assert_eq!(node.gateway.mesh.status().published, 1);
}

#[tokio::test]
async fn discovery_pages_through_everything_once() {
    let node = Node::start();
    publish(&node, "system.log", "1").await;
    let mut path = "/v1/discover/dev/**?limit=2".to_owned();
    let mut names = Vec::new();
    loop {
        let page = node.get(&path).await.json().await;
        let items = page["items"].as_array().unwrap();
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/discover/dev/**?limit=2&cursor={next}"),
            None => break,
        }
    }
    let expected = [
        "system.count",
        "system.echo",
        "system.info",
        "system.time",
        "system.log",
        "test",
    ];
    assert_eq!(names, expected);
    let topics = node
        .get("/v1/discover/dev/**?kind=topic,node")
        .await
        .json()
        .await;
    assert_eq!(topics["items"].as_array().unwrap().len(), 2);
    assert_eq!(topics["asked"], json!(["cluster"]));
}

#[tokio::test]
async fn lesson_08_readiness_is_an_event_through_the_loop() {
    let node = Node::start();
    let before = node.gateway.mesh.status().published;
    assert_eq!(node.get("/readyz").await.json().await["status"], "ok");
    assert_eq!(node.gateway.mesh.status().published, before + 1);
    assert_eq!(node.gateway.mesh.status().subscriptions, 0);
    node.drain.start();
    let answer = node.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json().await["status"], "draining");
}
