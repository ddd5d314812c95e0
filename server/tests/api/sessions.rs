//! Sessions, tickets, quotas.

use http::Method;
use macula_server::api::Settings;

use crate::support::{Node, request};

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn a_session_says_who_publishes() {
    let node = Node::start();
    let token = bearer(&node.session("kitchen").await);
    let mut reader = node.get("/v1/subscribe/dev/a").await;
    reader.event().await.unwrap();
    let headers = [("authorization", token.as_str())];
    assert_eq!(
        node.post("/v1/publish/dev/a", &headers, b"1").await.status,
        202
    );
    let (_, _, data) = reader.event().await.unwrap();
    assert_eq!(data["publisher"], "kitchen");
}

#[tokio::test]
async fn a_session_is_shown_without_its_token() {
    let node = Node::start();
    let token = node.session("kitchen").await;
    let headers = [
        ("authorization", &*bearer(&token)),
        ("host", "gate.example:4433"),
    ];
    let answer = node
        .send(request(Method::GET, "/v1/session", &headers, b""))
        .await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let session = answer.json().await;
    assert_eq!(session["realm"], "dev");
    assert_eq!(session["subject"], "kitchen");
    assert_eq!(session["permissions"]["call"][0], "**");
    assert_eq!(session["endpoints"][0]["url"], "https://gate.example:4433");
    assert!(!session.to_string().contains(&token));
}

#[tokio::test]
async fn a_session_that_has_ended_is_told_apart_from_an_unknown_one() {
    let node = Node::start();
    let token = bearer(&node.session("kitchen").await);
    let headers = [("authorization", token.as_str())];
    let path = "/v1/subscribe/dev/a";
    let mut reader = node.send(request(Method::GET, path, &headers, b"")).await;
    reader.event().await.unwrap();
    let ended = node
        .send(request(Method::DELETE, "/v1/session", &headers, b""))
        .await;
    assert_eq!(ended.status, 204);
    let (name, _, data) = reader.event().await.unwrap();
    assert_eq!(
        (name.as_str(), &data["code"]),
        ("error", &"session_expired".into())
    );
    assert!(reader.event().await.is_none());
    let answer = node
        .send(request(Method::GET, "/v1/session", &headers, b""))
        .await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert_eq!(answer.problem().await.1, "session_expired");
    let unknown = bearer(&"A".repeat(43));
    let headers = [("authorization", unknown.as_str())];
    let answer = node
        .send(request(Method::GET, "/v1/session", &headers, b""))
        .await;
    assert_eq!(answer.problem().await.1, "unauthenticated");
}

#[tokio::test]
async fn lesson_26_a_ticket_opens_one_stream() {
    let node = Node::start();
    let token = bearer(&node.session("tab").await);
    let headers = [("authorization", token.as_str())];
    let issued = node.post("/v1/session/ticket", &headers, b"").await;
    assert_eq!(issued.status, 201);
    let ticket = issued.json().await["ticket"].as_str().unwrap().to_owned();
    let path = format!("/v1/subscribe/dev/a?ticket={ticket}");
    assert_eq!(node.get(&path).await.status, 200);
    assert_eq!(node.get(&path).await.problem().await.1, "unauthenticated");
}

#[tokio::test]
async fn a_session_stays_in_its_realm() {
    let settings = Settings {
        open_realms: ["dev", "lab"].map(|name| name.parse().unwrap()).to_vec(),
        ..Settings::default()
    };
    let node = Node::with(settings);
    let token = bearer(&node.session("kitchen").await);
    let headers = [("authorization", token.as_str())];
    let (status, code, _) = node
        .post("/v1/publish/lab/a", &headers, b"1")
        .await
        .problem()
        .await;
    assert_eq!((status, code.as_str()), (403, "forbidden"));
    assert_eq!(node.post("/v1/publish/lab/a", &[], b"1").await.status, 202);
}

#[tokio::test]
async fn lesson_17_a_session_has_a_quota_of_its_own() {
    let settings = Settings {
        session_requests_per_second: 2,
        ..Settings::default()
    };
    let node = Node::with(settings);
    let (one, two) = (
        bearer(&node.session("a").await),
        bearer(&node.session("b").await),
    );
    let ask = async |token: &str| {
        let headers = [("authorization", token)];
        node.post("/v1/rpc/dev/system.echo", &headers, b"").await
    };
    assert_eq!(ask(&one).await.header("ratelimit"), "\"session\";r=1;t=1");
    assert_eq!(ask(&one).await.status, 200);
    let limited = ask(&one).await;
    assert_eq!(limited.header("retry-after"), "1");
    assert_eq!(limited.header("ratelimit-policy"), "\"session\";q=2;w=1");
    assert_eq!(limited.problem().await.1, "rate_limited");
    assert_eq!(ask(&two).await.status, 200);
}

#[tokio::test]
async fn streams_of_a_session_are_bounded_and_counted_back() {
    let settings = Settings {
        max_streams_per_session: 1,
        ..Settings::default()
    };
    let node = Node::with(settings);
    let token = bearer(&node.session("a").await);
    let headers = [("authorization", token.as_str())];
    let open = || node.send(request(Method::GET, "/v1/subscribe/dev/a", &headers, b""));
    let first = open().await;
    assert_eq!(open().await.problem().await.1, "overloaded");
    drop(first);
    assert_eq!(open().await.status, 200);
    assert_eq!(node.gateway.mesh.status().subscriptions, 0);
}
